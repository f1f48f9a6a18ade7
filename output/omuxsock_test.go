package output

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUnixSockets(t *testing.T) {
	for _, c := range []struct {
		kind, network string
		abstract      bool
	}{
		{"DGRAM", "unixgram", false}, {"DGRAM", "unixgram", true}, {"STREAM", "unix", false}, {"SEQPACKET", "unixpacket", true},
	} {
		t.Run(c.kind, func(t *testing.T) {
			name := t.TempDir() + "/socket"
			d, _ := deps(nil)
			o, err := NewOMUXSock(OMUXSockModule{UnixTarget: UnixTarget{Socket: name, Type: c.kind, Abstract: c.abstract}}, OMUXSockParams{Template: "text"}, d)
			must(t, err)
			defer o.Close()
			if _, err := o.Write(t.Context(), batch("m")); err == nil || !strings.Contains(err.Error(), "cannot connect to socket "+name) {
				t.Errorf("nobody there: %v", err)
			}
			for range 2 { // the second time the receiver has been started anew
				got := make(chan string, 10)
				stop := receive(t, c.network, name, c.abstract, got)
				for tries := 0; ; tries++ {
					n, err := o.Write(t.Context(), batch("one", "two"))
					if err == nil {
						break
					}
					if n != 0 || tries == 2 {
						t.Fatalf("Write = %d, %v", n, err)
					}
				}
				want := []string{"one", "two"}
				if c.kind == "STREAM" {
					want = []string{"one\ntwo\n"}
				}
				for _, w := range want {
					if g := <-got; g != w {
						t.Errorf("received %q, want %q", g, w)
					}
				}
				stop()
			}
		})
	}
}

// receive is a receiver; it returns what ends it.
func receive(t *testing.T, network, name string, abstract bool, got chan<- string) func() {
	t.Helper()
	if abstract {
		name = "@" + name
	}
	addr := &net.UnixAddr{Net: network, Name: name}
	read := func(c net.Conn) {
		b := make([]byte, 1000)
		for {
			n, err := c.Read(b)
			if err != nil || n == 0 {
				return
			}
			got <- string(b[:n])
		}
	}
	if network == "unixgram" {
		c, err := net.ListenUnixgram(network, addr)
		must(t, err)
		go read(c)
		return func() { c.Close(); unix.Unlink(name) }
	}
	l, err := net.ListenUnix(network, addr)
	must(t, err)
	conns := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
			go read(c)
		}
	}()
	return func() {
		l.Close()
		(<-conns).Close()
	}
}

// TestUnixSocketLimits: a receiver that does not read, a message too large.
func TestUnixSocketLimits(t *testing.T) {
	name := t.TempDir() + "/socket"
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	must(t, err)
	defer c.Close()
	d, _ := deps(nil)
	o, err := NewOMUXSock(OMUXSockModule{}, OMUXSockParams{Template: "text", UnixTarget: UnixTarget{Socket: name, Type: "DGRAM"}}, d)
	must(t, err)
	defer o.Close()
	if _, err := o.Write(t.Context(), batch(strings.Repeat("x", 1<<20))); !errors.Is(err, ErrUnacceptable) {
		t.Errorf("too large: %v", err)
	}
	began := time.Now()
	for {
		if _, err = o.Write(t.Context(), batch("m")); err != nil {
			break
		}
	}
	if !strings.Contains(err.Error(), "its receiver does not read") || time.Since(began) > 10*unixTimeout {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	for _, target := range []UnixTarget{{}, {Socket: name, Namespace: "x"}} {
		if _, err := NewOMUXSock(OMUXSockModule{}, OMUXSockParams{Template: "text", UnixTarget: target}, d); err == nil {
			t.Errorf("%+v is accepted", target)
		}
	}
}
