package input

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAllowedSenders(t *testing.T) {
	list := []string{"192.0.2.1", "198.51.100.0/24", "[2001:db8::]/32", " ::1", "*.example.NET", "mail?.example.org",
		"::ffff:192.0.2.64", "[::ffff:10.1.0.0]/112", "Absolute.example.com."}
	a, err := NewAllowedSenders(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ip, host string
		want     bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.2", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"198.51.100.255", "", true},
		{"198.51.101.0", "", false},
		{"2001:db8:1::5", "", true},
		{"2001:db9::", "", false},
		{"::1", "", true},
		{"fe80::1%eth0", "", false},
		{"203.0.113.5", "a.example.net", true},
		{"203.0.113.5", "A.EXAMPLE.NET", true},
		{"203.0.113.5", "example.net", false},
		{"203.0.113.5", "a.example.net.evil.org", false},
		{"203.0.113.5", "mail1.example.org", true},
		{"203.0.113.5", "mail.example.org", false},
		{"192.0.2.64", "", true},
		{"::ffff:192.0.2.64", "", true},
		{"10.1.255.255", "", true},
		{"::ffff:10.1.0.1", "", true},
		{"10.2.0.0", "", false},
		{"::a01:1", "", false}, // IPv4-compatible is another address
		{"203.0.113.5", "absolute.EXAMPLE.com", true},
		{"203.0.113.5", "a.example.net..", false},
		{"203.0.113.5", ".example.net", true}, // no resolver yields it; "*" may be empty
		{"203.0.113.5", "a.example.net\x00", false},
		{"203.0.113.5", "\x00.example.net", false},
		{"203.0.113.5", "evil.org\x00.example.net", false},
		{"203.0.113.5", "mail\x00.example.org", false},
		{"203.0.113.5", "a b.example.net", false},
		{"203.0.113.5", "a\n.example.net", false},
	} {
		if got := a.Allows(netip.MustParseAddr(tt.ip), tt.host); got != tt.want {
			t.Errorf("%s (%s): %v", tt.ip, tt.host, got)
		}
	}
	if none, err := NewAllowedSenders(nil); err != nil || !none.Allows(netip.MustParseAddr("192.0.2.1"), "") {
		t.Error("no list does not allow everybody")
	}
}

func TestAllowedSendersErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "no address, network or host name",
		"10.0.0.0/33":       "is not a network",
		"0.0.0.0/0":         "would allow everybody",
		"[::]/0":            "would allow everybody",
		"a b":               "no address, network or host name",
		"bad[":              "no address, network or host name",
		".":                 "no address, network or host name",
		"a\x00b":            "no address, network or host name",
		"192.0.2.1\x00":     "no address, network or host name",
		"192.0.2.0\x00/24":  "is not a network",
		"::ffff:0.0.0.0/96": "would allow everybody",
		"300.1.1.1/8":       "is not a network",
		"10.0.0.1, ::1":     "no address, network or host name",
	} {
		if _, err := NewAllowedSenders([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestIMTCPAllowedSender(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(m *IMTCPModule, _ *IMTCPParams) { m.AllowedSender = []string{"192.0.2.0/24"} })
	start(t, in, s)
	c := dial(t, "tcp", in)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was not closed")
	}
	s.waitLog(t, "connection request from disallowed sender 127.0.0.1 discarded")
}

func TestIMUDPAllowedSender(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, func(m *IMUDPModule, _ *IMUDPParams) { m.AllowedSender = []string{"192.0.2.0/24"} })
	stop := start(t, in, s)
	c := dial(t, "udp", in)
	send(t, c, "one")
	send(t, c, "two")
	awaitLedger(t, in, 2)
	stop()
	checkLedger(t, in, 0, 2)
	if n := s.logged("imudp: UDP message from disallowed sender discarded"); n != 1 || len(s.log) != 1 {
		t.Errorf("log %q", s.log)
	}
}
