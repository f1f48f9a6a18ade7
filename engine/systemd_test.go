package engine

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// listenNotify is a service manager that has been told nothing yet.
func listenNotify(t *testing.T) *net.UnixConn {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return c
}

func told(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// A sign of life comes only after the queues have said how much they hold.
func TestWatchdog(t *testing.T) {
	c := listenNotify(t)
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", "")
	m := newServiceManager()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan int)
	done := make(chan error, 1)
	go func() { done <- m.watchdog(ctx, func() int { return <-asked }) }()
	for n := range 3 {
		asked <- n
		if got := told(t, c); !strings.HasPrefix(got, "WATCHDOG=1\n") || !strings.Contains(got, "messages in queues") {
			t.Errorf("told %q", got)
		}
	}
	cancel()
	select {
	case asked <- 3:
	default:
	}
	close(asked)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchdogOfAnotherProcess(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", "1")
	if m := newServiceManager(); m.every != 0 {
		t.Errorf("it would show signs of life every %v", m.every)
	}
}
