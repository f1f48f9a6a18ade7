package input

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	proxyproto "github.com/pires/go-proxyproto"

	"sysrelay/conf"
	"sysrelay/message"
)

func v2header(t *testing.T, cmd proxyproto.ProtocolVersionAndCommand) string {
	t.Helper()
	h := proxyproto.Header{Version: 2, Command: cmd, TransportProtocol: proxyproto.TCPv4,
		SourceAddr:      &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1234},
		DestinationAddr: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 514}}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProxyProtocol(t *testing.T) {
	v1 := "PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\n"
	huge := v2header(t, proxyproto.PROXY)[:14] + string(binary.BigEndian.AppendUint16(nil, 65535))
	const self, proxied = "imtcp|127.0.0.1|127.0.0.1", "imtcp|192.0.2.7|192.0.2.7"
	for _, tt := range []struct {
		name, mode, trusted string
		stream              []string
		from                string // "" if nothing is delivered
		log                 string
	}{
		{"version 1", "required", "127.0.0.0/8", []string{v1 + "m\n"}, proxied, ""},
		{"version 1 in pieces", "required", "127.0.0.1", []string{v1[:3], v1[3:20], v1[20:] + "m", "\n"}, proxied, ""},
		{"version 2", "required", "127.0.0.0/8", []string{v2header(t, proxyproto.PROXY) + "m\n"}, proxied, ""},
		{"optional with", "optional", "127.0.0.0/8", []string{v1 + "m\n"}, proxied, ""},
		{"optional without", "optional", "127.0.0.0/8", []string{"m\n"}, self, ""},
		{"local", "required", "127.0.0.0/8", []string{v2header(t, proxyproto.LOCAL) + "m\n"}, self, ""},
		{"off", "off", "127.0.0.0/8", []string{v1}, self, ""},
		{"untrusted, optional", "optional", "192.0.2.0/24", []string{v1}, self, ""},
		{"untrusted, required", "required", "192.0.2.0/24", []string{v1 + "m\n"}, "", "peer is not in proxyProtocol.trusted"},
		{"missing", "required", "127.0.0.0/8", []string{"<13>message\n"}, "", "PROXY header"},
		{"version 1 without end", "required", "127.0.0.0/8", []string{"PROXY TCP4 " + strings.Repeat("1", 5000)}, "", "107 bytes or less"},
		{"version 2, huge", "required", "127.0.0.0/8", []string{huge}, "", "PROXY header"},
		{"bad address", "required", "127.0.0.0/8", []string{"PROXY TCP4 evil 1.2.3.4 1 2\r\nm\n"}, "", "PROXY header"},
		{"silent, required", "required", "127.0.0.0/8", nil, "", "PROXY header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) {
				p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted = tt.mode, []string{tt.trusted}
				if tt.stream == nil {
					p.ProxyProtocol.Timeout = 50
				}
			})
			stop := start(t, in, s)
			c := dial(t, "tcp", in)
			for _, x := range tt.stream {
				c.Write([]byte(x))
			}
			if tt.log != "" {
				s.waitLog(t, tt.log)
				stop()
				if len(s.texts) > 0 || len(s.log) != 1 {
					t.Errorf("messages %q log %q", s.texts, s.log)
				}
				return
			}
			s.wait(t, "a message", func() bool { return len(s.texts) == 1 })
			if s.from(0) != tt.from {
				t.Errorf("origin %s, want %s", s.from(0), tt.from)
			}
		})
	}
}

// A trusted peer that says nothing yet is not thrown out where the header is optional.
func TestProxyOptionalSilent(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(m *IMTCPModule, p *IMTCPParams) {
		m.NotifyOpen = true
		p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted, p.ProxyProtocol.Timeout = "optional", []string{"127.0.0.1"}, 20
	})
	start(t, in, s)
	c := dial(t, "tcp", in)
	s.waitLog(t, "connection established")
	send(t, c, "late\n")
	s.waitTexts(t, "late")
}

// The senders a header names are subject to allowedSender, not the proxy.
func TestProxyAndAllowedSender(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(m *IMTCPModule, p *IMTCPParams) {
		m.AllowedSender = []string{"127.0.0.0/8"}
		p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted = "required", []string{"127.0.0.1"}
	})
	start(t, in, s)
	send(t, dial(t, "tcp", in), "PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\nm\n")
	s.waitLog(t, "connection request from disallowed sender 192.0.2.7 discarded")
}

// Health checks cost no line, with the header's LOCAL or without any header; lines
// about others name the proxy.
func TestProxyIsQuietAboutChecks(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) {
		p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted = "required", []string{"127.0.0.1"}
		p.NotifyOpen, p.NotifyClose = given(true), given(true)
	})
	stop := start(t, in, s)
	for _, first := range []string{"", v2header(t, proxyproto.LOCAL)} {
		for _, linger := range []int{-1, 0} { // a FIN, and a reset
			c := dial(t, "tcp", in)
			send(t, c, first)
			c.(*net.TCPConn).SetLinger(linger)
			c.Close()
		}
	}
	c := dial(t, "tcp", in)
	send(t, c, v2header(t, proxyproto.PROXY)+"m\n")
	c.Close()
	s.waitLog(t, "closed by remote peer")
	waitUntil(t, "the checks to end", func() bool { return in.(*streamInput).sessions.Load() == 0 })
	stop()
	if len(s.log) != 2 || !strings.HasSuffix(s.log[0], "established with host: 192.0.2.7 through the proxy 127.0.0.1") {
		t.Errorf("log %q", s.log)
	}
}

// FuzzFirstBytes: what a connection begins with is judged the same in whatever
// pieces it comes.
func FuzzFirstBytes(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\n<13>x\n"), uint8(3))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\x7f\x00\x00\x01\x1f\x90\x00\x50m\n"), uint8(1))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"), uint8(5))
	f.Add([]byte("PROXY UNKNOWN\r\n"), uint8(2))
	f.Add([]byte("PROXY "+strings.Repeat("x", 200)), uint8(7))
	f.Add([]byte("\x16\x03\x01\x02\x00\x01"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		read := func(r io.Reader) (source, rest string, ok bool) {
			br := bufio.NewReaderSize(r, proxyHeaderMax)
			h, err := readProxyHeader(br)
			if err != nil || h == nil {
				return "", "", false
			}
			left, _ := io.ReadAll(br)
			return fmt.Sprint(h.SourceAddr, h.Command), string(left), true
		}
		s1, r1, ok1 := read(bytes.NewReader(b))
		s2, r2, ok2 := read(&pieces{b, int(piece)%16 + 1})
		if s1 != s2 || r1 != r2 || ok1 != ok2 {
			t.Errorf("whole: %q %q %v, in pieces: %q %q %v", s1, r1, ok1, s2, r2, ok2)
		}
		for _, strict := range []bool{false, true} {
			want, known := foreignProtocol(b, strict)
			for n := range b {
				if name, k := foreignProtocol(b[:n], strict); k && (name != want || !known) {
					t.Errorf("of %d bytes %q, of all %q", n, name, want)
				}
			}
		}
	})
}

type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}

// The proxy's own address is a variable of the messages it passes on, and of no
// others, where the listener asks for it.
func TestProxyMetadata(t *testing.T) {
	header := "PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\n"
	set := func(x *conf.ProxyProtocol, on bool) {
		x.Mode, x.Trusted, x.Metadata = "optional", []string{"127.0.0.1"}, on
	}
	for _, tt := range []struct {
		name string
		in   func(s *sink, on bool) Input
		text string
		n    int // messages
	}{
		{"imtcp", func(s *sink, on bool) Input {
			return newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { set(&p.ProxyProtocol, on) })
		}, "a\nb\nc", 3},
		{"imtcp, split", func(s *sink, on bool) Input {
			in := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { set(&p.ProxyProtocol, on) })
			in.(*streamInput).deps.Env.Sanitize.MaxSize, in.(*streamInput).deps.Env.Sanitize.Oversize = 10, message.Split
			return in
		}, strings.Repeat("x", 25) + "\n", 3},
		{"imrelp", func(s *sink, on bool) Input {
			return newIMRELP(t, s, func(p *IMRELPParams) { set(&p.ProxyProtocol, on) })
		}, frame(1, "open", librelpOffers) + frame(2, "syslog", "a") + frame(3, "syslog", "b"), 2},
	} {
		for _, on := range []bool{true, false} {
			for _, first := range []string{header, v2header(t, proxyproto.LOCAL), ""} {
				s := newSink()
				in := tt.in(s, on)
				env := message.NewEnv("relay")
				ip, err1 := env.Path("$!proxy!ip")
				port, err2 := env.Path("$!proxy!port")
				if err := errors.Join(err1, err2, in.Listen()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				got := make(chan string, 10)
				go func() {
					done <- in.Run(ctx, func(_ context.Context, v message.View) error {
						for i := range v.Len() {
							m := v.At(i)
							a, _ := m.Var(ip)
							b, _ := m.Var(port)
							got <- fmt.Sprintf("%s %s %s %v", m.Origin.FromHostIP(), a.Str(), b.Str(), m.Vars != nil)
						}
						return nil
					})
				}()
				c := dial(t, "tcp", in)
				send(t, c, first+tt.text)
				c.(*net.TCPConn).CloseWrite()
				_, port1, _ := net.SplitHostPort(c.LocalAddr().String())
				want := "127.0.0.1   false"
				if first == header {
					want = "192.0.2.7   false"
				}
				if first == header && on {
					want = "192.0.2.7 127.0.0.1 " + port1 + " true"
				}
				for range tt.n {
					if m := <-got; m != want {
						t.Errorf("%s, %v, %.10q: got %s, want %s", tt.name, on, first, m, want)
					}
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
	}
	x := conf.ProxyProtocol{Mode: "off", Metadata: true}
	if _, err := newProxyPolicy(x); err == nil || !strings.Contains(err.Error(), "proxyProtocol.metadata needs") {
		t.Errorf("error %v", err)
	}
}
