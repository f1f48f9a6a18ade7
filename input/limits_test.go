package input

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// hangsUp waits until the peer closes c.
func hangsUp(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection stays open: %v", err)
	}
}

// Who sends a byte now and then to keep a connection open is disconnected when
// the message takes too long; who sends messages or nothing is not.
func TestSlowMessages(t *testing.T) {
	for _, hot := range []bool{false, true} {
		s := newSink()
		in := newIMTCP(t, s, nil).(*streamInput)
		in.patience = patience{frame: 100 * time.Millisecond}
		start(t, in, s)
		idle := dial(t, "tcp", in)
		slow := dial(t, "tcp", in)
		for i := 0; hot && i < 2*hotReads; i++ { // its session waits itself then
			send(t, slow, "<13>x\n")
			s.wait(t, "message", func() bool { return len(s.texts) == i+1 })
		}
		go func() {
			for _, err := slow.Write([]byte("<13>slow")); err == nil; _, err = slow.Write([]byte("w")) {
				time.Sleep(10 * time.Millisecond) // the sender's own slowness
			}
		}()
		s.waitLog(t, "has not arrived whole within timeout.frame")
		hangsUp(t, slow)
		n := len(s.texts)
		send(t, idle, "<13>still here\n")
		s.wait(t, "message of the idle one", func() bool { return len(s.texts) == n+1 })
	}
}

func TestIdleTimeout(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil).(*streamInput)
	in.patience = patience{idle: 100 * time.Millisecond}
	stop := start(t, in, s)
	hangsUp(t, dial(t, "tcp", in))
	c := dial(t, "tcp", in)
	send(t, c, "<13>one\n<13>cut off")
	s.waitTexts(t, "<13>one")
	hangsUp(t, c)
	s.waitLog(t, "nothing has come for timeout.idle, 100ms")
	stop()
	if n := in.sessions.Load(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
	if n := len(in.pool.slots); n != 0 {
		t.Errorf("%d buffers are still lent", n)
	}
}

func TestRELPTimeouts(t *testing.T) {
	s := newSink()
	in := newIMRELP(t, s, nil).(*relpInput)
	in.patience = patience{idle: 200 * time.Millisecond, frame: 100 * time.Millisecond}
	start(t, in, s)
	idle := dial(t, "tcp", in)
	slow := dial(t, "tcp", in)
	go func() {
		for _, err := slow.Write([]byte("1 open 90 ")); err == nil; _, err = slow.Write([]byte("w")) {
			time.Sleep(10 * time.Millisecond) // the sender's own slowness
		}
	}()
	s.waitLog(t, "timeout.frame")
	hangsUp(t, slow)
	hangsUp(t, idle)
	s.waitLog(t, "timeout.idle")
}

func TestSessionsPerSource(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.PerSource = 2 }).(*streamInput)
	stop := start(t, in, s)
	a, b := dial(t, "tcp", in), dial(t, "tcp", in)
	for i, c := range []net.Conn{a, b} {
		send(t, c, "<13>x\n")
		s.wait(t, "message", func() bool { return len(s.texts) == i+1 })
	}
	hangsUp(t, dial(t, "tcp", in))
	s.waitLog(t, "connection from 127.0.0.1 closed: too many connections from there, maxSessionsPerSource is 2")
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := other.Dial("tcp", loopback(in.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "<13>from elsewhere\n")
	s.wait(t, "message", func() bool { return len(s.texts) == 3 })
	closes(t, a)
	for in.sessions.Load() > 2 {
		time.Sleep(time.Millisecond) // between two looks
	}
	send(t, dial(t, "tcp", in), "<13>again\n")
	s.wait(t, "message", func() bool { return len(s.texts) == 4 })
	stop()
	if len(in.sources.count) != 0 {
		t.Errorf("still counted: %v", in.sources.count)
	}
}

func TestSourceOf(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := sourceOf(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
