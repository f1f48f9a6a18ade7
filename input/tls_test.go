package input

import (
	"compress/zlib"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sysrelay/conf"
	"sysrelay/tests/certs"
)

// identities are an authority and whom it knows.
type identities struct {
	ca, client *certs.Identity
	files      conf.StreamFiles
}

func given[T any](v T) conf.Opt[T] { return conf.Opt[T]{Value: v, Given: true} }

func newIdentities(t *testing.T) *identities {
	dir := t.TempDir()
	x := &identities{ca: certs.Authority("ca")}
	x.client = certs.New(x.ca, certs.Options{Names: []string{"client.example.net"}})
	ca, _ := x.ca.Write(dir, "ca")
	cert, key := certs.New(x.ca, certs.Options{Names: []string{"server.example.net"}}).Write(dir, "server")
	x.files = conf.StreamFiles{CAFile: given(ca), CertFile: given(cert), KeyFile: given(key)}
	return x
}

// driver asks for TLS and a client of that name.
func (x *identities) driver(peers ...string) conf.StreamDriver {
	return conf.StreamDriver{Mode: given(1), AuthMode: given("x509/name"), PermittedPeers: given(peers), StreamFiles: x.files}
}

func (x *identities) config() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{x.client.TLS()}}
}

func newTLSInput(t *testing.T, s *sink, x *identities, change func(*IMTCPParams)) Input {
	return newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) {
		p.StreamDriver = x.driver("client.example.net")
		if change != nil {
			change(p)
		}
	})
}

// Whatever the pieces messages come in, under TLS they arrive as they do without.
func TestIMTCPOverTLS(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newTLSInput(t, s, x, nil)
	stop := start(t, in, s)
	c := tls.Client(dial(t, "tcp", in), x.config())
	var want []string
	send := func(text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 { // small records, some in one packet with others
		want = append(want, fmt.Sprintf("<13>small %d", i))
		send(want[len(want)-1] + "\n")
	}
	long := "<13>" + strings.Repeat("long ", 1000)
	for range 100 { // records of 16 KiB, messages across them
		want = append(want, long)
	}
	send(strings.Repeat(long+"\n", 100))
	want = append(want, "<13>one", "<13>two", "<13>last")
	send("7 <13>one<13>t")
	send("wo\n<13>last")
	c.Close()
	s.waitTexts(t, want...)
	stop()
	if len(s.log) > 0 {
		t.Errorf("log %q", s.log)
	}
	checkLedger(t, in, uint64(len(want)), 0)
}

// trickle sends every byte in a packet of its own.
type trickle struct{ net.Conn }

func (c trickle) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func TestTLSRecordsInPieces(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newTLSInput(t, s, x, nil)
	start(t, in, s)
	c := dial(t, "tcp", in)
	c.(*net.TCPConn).SetNoDelay(true)
	secure := tls.Client(trickle{c}, x.config())
	io.WriteString(secure, "<13>one\n<13>two\n")
	io.WriteString(secure, "<13>three\n")
	s.waitTexts(t, "<13>one", "<13>two", "<13>three")
}

// Idle TLS connections have no goroutine, and wake up.
func TestTLSSessionsSleep(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newTLSInput(t, s, x, nil)
	stop := start(t, in, s)
	base := runtime.NumGoroutine()
	const conns, rounds = 20, 12
	var clients []*tls.Conn
	for i := range conns {
		c := tls.Client(dial(t, "tcp", in), x.config())
		clients = append(clients, c)
		for r := range rounds {
			fmt.Fprintf(c, "<13>%d %d\n", i, r)
		}
	}
	waitUntil(t, "all to sleep", func() bool { return asleep(in) == conns })
	// Who has been put to sleep ends a moment later.
	waitUntil(t, "its goroutines to end", func() bool { return runtime.NumGoroutine()-base <= 2 })
	for i, c := range clients {
		fmt.Fprintf(c, "<13>%d %d\n", i, rounds)
	}
	s.wait(t, "all messages", func() bool { return len(s.texts) == conns*(rounds+1) })
	stop()
	if len(s.log) > 0 {
		t.Errorf("log %q", s.log)
	}
}

// What the kernel has received when the input stops is delivered under TLS, too.
func TestTLSStopDrains(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newTLSInput(t, s, x, nil)
	stop := start(t, in, s)
	c := tls.Client(dial(t, "tcp", in), x.config())
	io.WriteString(c, "<13>one\n")
	s.waitTexts(t, "<13>one")
	waitUntil(t, "it to sleep", func() bool { return asleep(in) == 1 })
	io.WriteString(c, strings.Repeat("<13>more\n", 3000))
	stop()
	if n := len(s.texts); n != 3001 {
		t.Errorf("%d messages of 3001 arrived", n)
	}
}

// A peer that is refused, or speaks something else, costs one line that says who
// and why; one that only looks whether the port is open costs none.
func TestTLSRefusals(t *testing.T) {
	x := newIdentities(t)
	stranger := certs.New(x.ca, certs.Options{CN: "stranger"})
	for _, tt := range []struct {
		name string
		do   func(c net.Conn)
		log  string // "" is none
	}{
		{"stranger", func(c net.Conn) {
			config := x.config()
			config.Certificates = []tls.Certificate{stranger.TLS()}
			tls.Client(c, config).Write([]byte("<13>x\n"))
		}, "imtcp imtcp: TLS handshake with 127.0.0.1 failed: peer name not authorized - not permitted to talk to it. Names: CN: stranger;"},
		{"nobody", func(c net.Conn) { tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Write([]byte("<13>x\n")) },
			"imtcp imtcp: TLS handshake with 127.0.0.1 failed: peer did not provide a certificate"},
		{"plain syslog", func(c net.Conn) { io.WriteString(c, "<13>Nov 21 12:00:00 h tag: in the clear\n") },
			"imtcp imtcp: TLS handshake with 127.0.0.1 failed: it does not speak TLS"},
		{"HTTP", func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }, "it does not speak TLS"},
		{"half a hello", func(c net.Conn) { c.Write([]byte("\x16\x03\x01\x02")); c.Close() }, "the peer closed the connection"},
		{"TLS 1.1", func(c net.Conn) {
			tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
		}, "the client speaks no version of TLS that is permitted here"},
		{"a look", func(c net.Conn) { c.Close() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			in := newTLSInput(t, s, x, nil)
			stop := start(t, in, s)
			c := dial(t, "tcp", in)
			tt.do(c)
			io.Copy(io.Discard, c) // it is closed
			if tt.log != "" {
				s.waitLog(t, tt.log)
			}
			waitUntil(t, "the connection to be forgotten", func() bool { return in.(*streamInput).sessions.Load() == 0 })
			stop()
			if want := min(len(tt.log), 1); len(s.log) != want || len(s.texts) > 0 {
				t.Errorf("log %q, messages %q", s.log, s.texts)
			}
		})
	}
}

// The PROXY header comes before TLS, in a packet of its own or with the hello.
func TestProxyBeforeTLS(t *testing.T) {
	x := newIdentities(t)
	const v2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\x7f\x00\x00\x01\x1f\x90\x00\x50"
	for _, header := range []string{"PROXY TCP4 192.0.2.9 127.0.0.1 8080 80\r\n", v2} {
		for _, glued := range []bool{false, true} {
			s := newSink()
			in := newTLSInput(t, s, x, func(p *IMTCPParams) {
				p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted = "required", []string{"127.0.0.0/8"}
			})
			stop := start(t, in, s)
			c := dial(t, "tcp", in)
			under := net.Conn(c)
			if glued {
				under = &withPrefix{Conn: c, prefix: header}
			} else {
				io.WriteString(c, header)
			}
			io.WriteString(tls.Client(under, x.config()), "<13>one\n")
			s.waitTexts(t, "<13>one")
			if got := s.from(0); got != "imtcp|192.0.2.9|192.0.2.9" {
				t.Errorf("%q, glued %v: from %s", header, glued, got)
			}
			stop()
		}
	}
}

// withPrefix sends something in one packet with the first write.
type withPrefix struct {
	net.Conn
	prefix string
}

func (c *withPrefix) Write(b []byte) (int, error) {
	n := len(c.prefix)
	k, err := c.Conn.Write(append([]byte(c.prefix), b...))
	c.prefix = ""
	return max(k-n, 0), err
}

// RELP goes over TLS: messages are answered, and refusals are told.
func TestIMRELPOverTLS(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newIMRELP(t, s, func(p *IMRELPParams) {
		p.RELPTLS = conf.RELPTLS{TLS: true, AuthMode: "name", PermittedPeers: []string{"client.example.net"},
			CACert: x.files.CAFile.Value, MyCert: x.files.CertFile.Value, MyPrivKey: x.files.KeyFile.Value}
	})
	stop := start(t, in, s)
	c := tls.Client(dial(t, "tcp", in), x.config())
	c.SetDeadline(time.Now().Add(20 * time.Second))
	for _, tt := range []struct{ send, want string }{
		{frame(1, "open", librelpOffers), "1 rsp "},
		{frame(2, "syslog", "<13>one") + frame(3, "syslog", "<13>two"), "2 rsp 6 200 OK\n3 rsp 6 200 OK\n"},
		{frame(4, "close", ""), "4 rsp 0\n"},
	} {
		io.WriteString(c, tt.send)
		got := make([]byte, len(tt.want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != tt.want {
			t.Fatalf("%q: %q, %v", tt.send, got, err)
		}
		if strings.Contains(tt.send, "open") {
			c.Read(make([]byte, 4096)) // the rest of the offers
		}
	}
	s.waitTexts(t, "<13>one", "<13>two")
	tls.Client(dial(t, "tcp", in), &tls.Config{InsecureSkipVerify: true}).HandshakeContext(context.Background())
	s.waitLog(t, "imrelp imrelp: TLS handshake with 127.0.0.1 failed: peer did not provide a certificate")
	stop()
}

// Compressed streams go under TLS, too.
func TestCompressedOverTLS(t *testing.T) {
	x := newIdentities(t)
	s := newSink()
	in := newTLSInput(t, s, x, func(p *IMTCPParams) { p.StreamCompression.Compression = given("stream:always") })
	stop := start(t, in, s)
	c := tls.Client(dial(t, "tcp", in), x.config())
	z := zlib.NewWriter(c)
	io.WriteString(z, "<13>one\n<13>two\n")
	z.Flush()
	s.waitTexts(t, "<13>one", "<13>two")
	io.WriteString(z, "<13>three\n")
	z.Close()
	c.Close()
	s.waitTexts(t, "<13>one", "<13>two", "<13>three")
	stop()
}
