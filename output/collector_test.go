package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// collector is a TCP peer that keeps what it reads.
type collector struct {
	t  *testing.T
	ln net.Listener

	mu    sync.Mutex
	conns []net.Conn
	data  [][]byte // per connection
	grown chan struct{}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln
}

func newCollector(t *testing.T, ln net.Listener) *collector {
	c := &collector{t: t, ln: ln, grown: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			i := len(c.conns)
			c.conns, c.data = append(c.conns, conn), append(c.data, nil)
			c.mu.Unlock()
			wg.Go(func() { c.read(i, conn) })
		}
	})
	t.Cleanup(func() { c.stop(); wg.Wait() })
	return c
}

func (c *collector) read(i int, conn net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := conn.Read(b)
		c.mu.Lock()
		c.data[i] = append(c.data[i], b[:n]...)
		c.mu.Unlock()
		select {
		case c.grown <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// stop closes everything, as the end of the peer's process would.
func (c *collector) stop() {
	c.ln.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

func (c *collector) received() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.data {
		all = append(all, string(d))
	}
	return all
}

// wait waits until what was received, connection after connection, satisfies ok.
func (c *collector) wait(what string, ok func(all []string) bool) {
	c.t.Helper()
	timeout := time.After(20 * time.Second)
	for !ok(c.received()) {
		select {
		case <-c.grown:
		case <-timeout:
			c.t.Fatalf("waiting for %s: received %.300q", what, c.received())
		}
	}
}

func (c *collector) want(connections ...string) {
	c.t.Helper()
	c.wait(fmt.Sprintf("%.300q", connections), func(all []string) bool { return slices.Equal(all, connections) })
}

func accept(t *testing.T, ln net.Listener, do func()) net.Conn {
	t.Helper()
	do()
	conn, err := ln.Accept()
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func wantRead(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); string(got) != want {
		t.Errorf("read %q, %v; want %q", got[:n], err, want)
	}
}

// waitForFIN waits until the peer's end has come, without taking it.
func waitForFIN(t *testing.T, s *stream) {
	t.Helper()
	must(t, onSocket(s.conn, func(fd int) error {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, 20_000)
		if n == 0 && err == nil {
			err = errors.New("the peer's end did not come")
		}
		return err
	}))
}

func readUntil(conn net.Conn, end string) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	var all []byte
	b := make([]byte, 64<<10)
	for !bytes.HasSuffix(all, []byte(end)) {
		n, err := conn.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			return string(all), err
		}
	}
	return string(all), nil
}
