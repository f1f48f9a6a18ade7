package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// serviceManager is whoever started the daemon and wants to know its state: the
// protocol of sd_notify(3). Without one every method does nothing.
type serviceManager struct {
	socket string        // NOTIFY_SOCKET
	every  time.Duration // between signs of life; 0 is never
}

// newServiceManager reads the environment.
func newServiceManager() *serviceManager {
	m := &serviceManager{socket: os.Getenv("NOTIFY_SOCKET")}
	// sd_watchdog_enabled(3): the time is in microseconds, and meant for the process
	// of that number, if there is one.
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if meant := os.Getenv("WATCHDOG_PID"); err == nil && usec > 0 && (meant == "" || meant == strconv.Itoa(pid())) {
		m.every = time.Duration(usec) * time.Microsecond / 2
	}
	return m
}

// notify tells it a state. Nobody may be listening: the daemon runs all the same.
func (m *serviceManager) notify(state string) {
	if m.socket == "" {
		return
	}
	c, err := net.Dial("unixgram", m.socket)
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state)) // as above
}

// watchdog shows signs of life until ctx ends. Each comes only after every queue
// has said how much it holds: a daemon that hangs is silent, and is started anew.
func (m *serviceManager) watchdog(ctx context.Context, held func() int) error {
	if m.every <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		m.notify(fmt.Sprintf("WATCHDOG=1\nSTATUS=Relaying, %d messages in queues", held()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
