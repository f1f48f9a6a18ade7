package output

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sysrelay/message"
)

// TestPool: messages go to the targets in turn; what one that fails did not get,
// the others get; it comes back.
func TestPool(t *testing.T) {
	ln1, ln2 := listen(t), listen(t)
	c1 := newCollector(t, ln1)
	p := fwdParams(ln1.Addr())
	_, port, _ := net.SplitHostPort(ln2.Addr().String())
	p.Target, p.Port = []string{"127.0.0.1", "127.0.0.1"}, append(p.Port, port)
	o, book := newOMFwd(t, p)
	f := o.(*tcpForward)
	now := &clock{time.Now()}
	f.now = now.Now
	must(t, o.TryResume(t.Context()))
	for f.pool.pending > 0 {
		f.dialed(t.Context(), <-f.pool.results)
	}
	c2, err := ln2.Accept()
	must(t, err)
	write(t, o, "1", "2", "3", "4")
	c1.want("2\n4\n")
	wantRead(t, c2, "1\n3\n")

	ln2.Close()
	c2.Close()
	waitForFIN(t, f.targets[1].stream)
	write(t, o, "5", "6", "7", "8")
	c1.want("2\n4\n6\n8\n5\n7\n")
	if n := count(book.all(), "is left out of its pool"); n != 1 {
		t.Errorf("reported %d times, want 1: %q", n, book.all())
	}

	ln2, err = net.Listen("tcp", ln2.Addr().String())
	must(t, err)
	defer ln2.Close()
	now.advance(30 * time.Second)
	write(t, o, "9") // begins to dial, and may have done so when it looks for a target
	for f.pool.pending > 0 {
		f.dialed(t.Context(), <-f.pool.results)
	}
	c2, err = ln2.Accept()
	must(t, err)
	defer c2.Close()
	write(t, o, "10", "11")
	first := make([]byte, 1)
	_, err = io.ReadFull(c2, first)
	must(t, err)
	if first[0] == '9' {
		wantRead(t, c2, "\n1") // and one of 10 and 11
	} else {
		wantRead(t, c2, "0\n")
	}
	if n := count(book.all(), "is back in its pool"); n != 1 {
		t.Errorf("reported %d times, want 1: %q", n, book.all())
	}
}

func TestPoolIsDown(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Target = []string{"127.0.0.1", "127.0.0.1"}
	ln.Close()
	o, _ := newOMFwd(t, p)
	v := batch("1", "2")
	n, err := o.Write(t.Context(), v)
	if u := (*message.Undelivered)(nil); n != 0 || !errors.As(err, &u) || u.Rest.Len() != 2 {
		t.Errorf("Write = %d, %v; want both undelivered", n, err)
	}
	if !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v does not say why", err)
	}
}

// TestPoolGoesDown: what none of the targets took is handed back in order.
func TestPoolGoesDown(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Target = []string{"127.0.0.1", "127.0.0.1"}
	o, _ := newOMFwd(t, p)
	f := o.(*tcpForward)
	must(t, o.TryResume(t.Context()))
	for f.pool.pending > 0 {
		f.dialed(t.Context(), <-f.pool.results)
	}
	for range f.targets {
		conn, err := ln.Accept()
		must(t, err)
		conn.Close()
	}
	ln.Close()
	for _, t1 := range f.targets {
		waitForFIN(t, t1.stream)
	}
	_, err := o.Write(t.Context(), batch("1", "2", "3", "4", "5"))
	u := (*message.Undelivered)(nil)
	if !errors.As(err, &u) {
		t.Fatalf("error %v, want Undelivered", err)
	}
	equal(t, "handed back", texts(u.Rest), []string{"1", "2", "3", "4", "5"})
}
