package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTCPForward(t *testing.T) {
	ln := listen(t)
	c := newCollector(t, ln)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	write(t, o, "one", "two")
	write(t, o, "three")
	c.want("one\ntwo\nthree\n")
}

func TestNobodyListens(t *testing.T) {
	ln := listen(t)
	ln.Close()
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	n, err := o.Write(t.Context(), batch("m"))
	if want := "cannot connect to " + ln.Addr().String() + ": connection refused"; n != 0 || err == nil || err.Error() != want {
		t.Errorf("Write = %d, %v; want %q", n, err, want)
	}
	if o.TryResume(t.Context()) == nil {
		t.Error("TryResume says yes")
	}
}

// TestPeerClosesWhileIdle: the message after it is not the first to be lost.
func TestPeerClosesWhileIdle(t *testing.T) {
	ln := listen(t)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	a, _ := newAction(t, o, nil)
	conn := accept(t, ln, func() { must(t, handle(a, "one")) })
	wantRead(t, conn, "one\n")
	conn.Close()
	waitForFIN(t, o.(*tcpForward).targets[0].stream)
	conn = accept(t, ln, func() { must(t, handle(a, "two")) })
	wantRead(t, conn, "two\n")
	wantAccounts(t, a, 2, 2, nil)
}

// accept returns the connection that do makes.

// TestUnacknowledgedIsSentAgain: the peer's host stops answering while messages
// are on their way. None of those its kernel did not acknowledge is lost.
func TestUnacknowledgedIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name         string
		resend, last bool
	}{{"by default", true, false}, {"switched off", false, false}, {"the last one, too", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			ln := listen(t)
			p := fwdParams(ln.Addr())
			p.ResendUnacked, p.ResendLast = c.resend, c.last
			o, book := newOMFwd(t, p)
			conn := accept(t, ln, func() { write(t, o, "first") })
			wantRead(t, conn, "first\n")
			must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
			// The peer reads no more: its kernel soon acknowledges no more either.
			line := strings.Repeat("x", 999)
			sent := 0
			s := o.(*tcpForward).targets[0].stream
			for s.outq < 200_000 {
				write(t, o, fmt.Sprintf("%06d%s", sent, line))
				sent++
			}
			must(t, s.raw.Control(s.ask))
			acked := (int(s.sent) - s.outq - len("first\n")) / 1006
			must(t, conn.(*net.TCPConn).SetLinger(0))
			conn.Close()
			waitForFIN(t, s)
			if _, err := o.Write(t.Context(), batch("end")); err == nil {
				t.Fatal("writing to a dead connection succeeded")
			}
			conn = accept(t, ln, func() { write(t, o, "end") })
			got, err := readUntil(conn, "end\n")
			must(t, err)
			var want []string
			for i := acked; i < sent && c.resend; i++ {
				want = append(want, fmt.Sprintf("%06d%s\n", i, line))
			}
			want = append(want, "end\n")
			if got := slices.Collect(strings.Lines(got)); !slices.Equal(got, want) {
				t.Errorf("sent %d, acknowledged %d; again came %d, from %.6q on", sent, acked, len(got)-1, got[0])
			}
			if c.resend && count(book.all(), "were sent again to") != 1 {
				t.Errorf("not reported: %q", book.all())
			}
		})
	}
}

// TestResendLast: rsyslog's resendLastMsgOnReconnect.
func TestResendLast(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.ResendLast = true
	o, _ := newOMFwd(t, p)
	a, _ := newAction(t, o, nil)
	conn := accept(t, ln, func() { must(t, handle(a, "one", "two")) })
	wantRead(t, conn, "one\ntwo\n")
	conn.Close()
	waitForFIN(t, o.(*tcpForward).targets[0].stream)
	conn = accept(t, ln, func() { must(t, handle(a, "three")) })
	wantRead(t, conn, "two\nthree\n")
}

// TestCollectorThatStalls: writing is given up in the middle of a message. What
// the collector's kernel had acknowledged comes on the old connection, the rest
// on the next, and nothing is missing or comes twice on the same.
func TestCollectorThatStalls(t *testing.T) {
	ln := listen(t)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	f := o.(*tcpForward)
	conn := accept(t, ln, func() { write(t, o, "begin") })
	must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	ctx, cancel := context.WithCancel(t.Context())
	f.targets[0].stream.stalled = cancel
	var all []string
	for i := range 2000 {
		all = append(all, fmt.Sprintf("%04d%s", i, strings.Repeat("x", 8000)))
	}
	v := batch(all...)
	n, err := o.Write(ctx, v)
	if n == v.Len() || !errors.Is(err, context.Canceled) {
		t.Fatalf("Write = %d of %d, %v; want an interruption", n, v.Len(), err)
	}
	if f.targets[0].stream != nil {
		t.Error("a connection with half a message sent is kept")
	}
	old, _ := readUntil(conn, "never")
	next := newCollector(t, ln)
	if k, err := o.Write(t.Context(), v.Slice(n, v.Len())); err != nil || n+k != v.Len() {
		t.Fatalf("Write = %d after %d, %v", k, n, err)
	}
	next.wait("the last message", func(all []string) bool {
		return len(all) == 1 && strings.Contains(all[0], "1999x") && strings.HasSuffix(all[0], "\n")
	})
	got := strings.Split(strings.TrimPrefix(old, "begin\n"), "\n")
	got = got[:len(got)-1] // half a message, or nothing
	again := strings.Split(strings.TrimSuffix(next.received()[0], "\n"), "\n")
	from := slices.Index(all, again[0])
	if from < 0 || from > len(got) {
		t.Fatalf("the old connection had %d messages, the next begins with %.10q", len(got), again[0])
	}
	if !slices.Equal(append(got[:from:from], again...), all) {
		t.Error("the two connections together do not have all messages in order")
	}
}

func TestRebind(t *testing.T) {
	ln := listen(t)
	c := newCollector(t, ln)
	p := fwdParams(ln.Addr())
	p.RebindTCP = 2
	o, _ := newOMFwd(t, p)
	write(t, o, "1", "2", "3", "4", "5")
	c.want("1\n2\n", "3\n4\n", "5\n")
}

func TestLocalAddress(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Address, p.Device, p.KeepAlive.On, p.UserTimeout = "127.0.0.9", "lo", given(true), 5000
	o, _ := newOMFwd(t, p)
	conn := accept(t, ln, func() { write(t, o, "m") })
	if got := conn.RemoteAddr().(*net.TCPAddr).IP.String(); got != p.Address {
		t.Errorf("sent from %s, want %s", got, p.Address)
	}
	must(t, onSocket(o.(*tcpForward).targets[0].stream.conn, func(fd int) error {
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if on != 1 {
			t.Error("no keep-alive")
		}
		return err
	}))
}

// TestNoSecondWait: when nobody answered in time, asking again at once is
// answered without waiting; a second later the target is dialed again.
func TestNoSecondWait(t *testing.T) {
	ln := listen(t)
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	d := dialer{to: hostPort{host, port}, timeout: 1}
	_, first := d.connect(t.Context())
	if first == nil || !strings.Contains(first.Error(), "timeout") {
		t.Fatalf("error %v, want a timeout", first)
	}
	d.timeout = dialTimeout
	if _, err := d.connect(t.Context()); err != first {
		t.Errorf("error %v, want that of before", err)
	}
	d.failed = d.failed.Add(-time.Second)
	conn, err := d.connect(t.Context())
	must(t, err)
	conn.Close()
}

// TestResendAfterReset: a peer that closes before it has read everything resets
// the connection; one that has read all does not.
func TestResendAfterReset(t *testing.T) {
	for _, c := range []struct {
		reads bool
		keep  int64
		want  string
	}{{false, 8, "two\nlast\nend\n"}, {false, 0, "end\n"}, {true, 8, "end\n"}} {
		ln := listen(t)
		p := fwdParams(ln.Addr())
		p.ResendAfterReset = c.keep
		o, _ := newOMFwd(t, p)
		a, _ := newAction(t, o, nil)
		conn := accept(t, ln, func() { must(t, handle(a, "one")) })
		must(t, handle(a, "two"))
		must(t, handle(a, "last"))
		s := o.(*tcpForward).targets[0].stream
		if !s.drain(t.Context(), 20*time.Second) {
			t.Fatal("the peer's kernel acknowledges nothing")
		}
		if c.reads {
			wantRead(t, conn, "one\ntwo\nlast\n")
		}
		conn.Close()
		waitForFIN(t, s)
		conn = accept(t, ln, func() { must(t, handle(a, "end")) })
		wantRead(t, conn, c.want)
	}
}
