package input

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"

	proxyproto "github.com/pires/go-proxyproto"
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
