package modify

import (
	"context"
	"fmt"
	"slices"

	"sysrelay/message"
)

// MMAnonParams are mmanon's parameters.
type MMAnonParams struct {
	V4Enable bool   `conf:"ipv4.enable" default:"on" doc:"Change IPv4 addresses." status:"full"`
	V4Mode   string `conf:"ipv4.mode,enum=zero|random|random-consistent|random-consistent-unique|simple|rewrite" alias:"mode" default:"zero" doc:"zero: clear the bits; random: set them at random; random-consistent: the same for the same address as long as the daemon runs, and different for different ones (random-consistent-unique is the same); simple, rewrite: overwrite the digits." status:"full"`
	V4Bits   int    `conf:"ipv4.bits,min=1" default:"16" doc:"How many bits, counted from the right; in simple mode whole octets." status:"full"`
	V4Char   string `conf:"ipv4.replacechar" alias:"replacementchar" default:"x" doc:"simple mode: character that overwrites digits." status:"full"`

	V6Enable bool   `conf:"ipv6.enable" default:"on" doc:"Change IPv6 addresses." status:"full"`
	V6Mode   string `conf:"ipv6.anonmode,enum=zero|random|random-consistent|random-consistent-unique" default:"zero" doc:"As ipv4.mode." status:"full"`
	V6Bits   int    `conf:"ipv6.bits,min=1" default:"96" doc:"How many bits, counted from the right." status:"full"`

	EmbeddedEnable bool   `conf:"embeddedipv4.enable" default:"on" doc:"Change IPv6 addresses that end with an IPv4 address." status:"full"`
	EmbeddedMode   string `conf:"embeddedipv4.anonmode,enum=zero|random|random-consistent|random-consistent-unique" default:"zero" doc:"As ipv4.mode." status:"full"`
	EmbeddedBits   int    `conf:"embeddedipv4.bits,min=1" default:"96" doc:"How many bits, counted from the right." status:"full"`

	anonUnique
}

// anonUnique is how rsyslog keeps what random-consistent-unique has given out
// apart. Here addresses are permuted, so that they are always unique.
type anonUnique struct {
	V4Limit        bool   `conf:"ipv4.limituniquemaxretries" doc:"Not needed: different addresses always become different ones." status:"none"`
	V4Count        int    `conf:"ipv4.uniqueretrycount" doc:"Not needed." status:"none"`
	V4Handling     string `conf:"ipv4.maxretryhandling" doc:"Not needed." status:"none"`
	V6Limit        bool   `conf:"ipv6.limituniquemaxretries" doc:"Not needed." status:"none"`
	V6Count        int    `conf:"ipv6.uniqueretrycount" doc:"Not needed." status:"none"`
	V6Handling     string `conf:"ipv6.maxretryhandling" doc:"Not needed." status:"none"`
	EmbeddedLimit  bool   `conf:"embeddedipv4.limituniquemaxretries" doc:"Not needed." status:"none"`
	EmbeddedCount  int    `conf:"embeddedipv4.uniqueretrycount" doc:"Not needed." status:"none"`
	EmbeddedHandle string `conf:"embeddedipv4.maxretryhandling" doc:"Not needed." status:"none"`
}

// anon is mmanon. A nil scrambler means that such addresses are left alone.
type anon struct {
	v4, v6, embedded *scrambler
	simple           bool // v4: overwrite
	octets           int
	char             byte
}

// NewMMAnon returns what makes IP addresses in MSG anonymous.
func NewMMAnon(_ NoModule, p MMAnonParams, d Deps) (Modifier, error) {
	a := &anon{}
	var err error
	if a.char, err = oneChar("ipv4.replaceChar", p.V4Char); err != nil {
		return nil, err
	}
	a.simple = p.V4Mode == "simple" || p.V4Mode == "rewrite"
	if a.simple {
		a.octets = min((p.V4Bits+7)/8, 4)
		if p.V4Bits%8 != 0 || p.V4Bits > 32 {
			d.Log(severityError, fmt.Sprintf("mmanon: simple mode overwrites whole octets; ipv4.bits=%q becomes %d",
				fmt.Sprint(p.V4Bits), 8*a.octets))
		}
	}
	for _, s := range []struct {
		to     **scrambler
		enable bool
		mode   string
		width  int
		bits   int
		param  string
	}{
		{&a.v4, p.V4Enable, p.V4Mode, 32, p.V4Bits, "ipv4.bits"},
		{&a.v6, p.V6Enable, p.V6Mode, 128, p.V6Bits, "ipv6.bits"},
		{&a.embedded, p.EmbeddedEnable, p.EmbeddedMode, 128, p.EmbeddedBits, "embeddedIPv4.bits"},
	} {
		if s.bits > s.width {
			d.Log(severityError, fmt.Sprintf("mmanon: an address has %d bits; %s=%q becomes %d", s.width, s.param, fmt.Sprint(s.bits), s.width))
			s.bits = s.width
		}
		if s.enable {
			*s.to = newScrambler(s.mode, s.bits)
		}
	}
	return a, nil
}

// Modify changes the addresses in MSG.
//
// as rsyslog: at every place an address with an embedded one is looked for first,
// then IPv4, then IPv6; the byte behind an address begins none.
func (a *anon) Modify(_ context.Context, m *message.Message) error {
	msg := m.Msg.Of(m.Text)
	var out []byte // nil until something changes
	from := 0      // what of msg is not in out yet
	for at := 0; at+2 <= len(msg); at++ {
		for kind := embedded; kind <= v6; kind++ {
			if at+2 > len(msg) || hexValue(msg[at]) < 0 && msg[at] != ':' {
				break
			}
			address, n := a.find(kind, msg[at:])
			if n == 0 {
				continue
			}
			out = append(out, msg[from:at]...)
			out = a.change(out, kind, address, msg[at:at+n])
			at += n
			from = at
		}
	}
	if from > 0 {
		m.ReplaceMsg(append(out, msg[from:]...))
	}
	return nil
}

// Kinds of address, in the order in which they are looked for.
const (
	embedded = iota
	v4
	v6
)

// find looks for an address at the start of t; n is 0 if there is none.
func (a *anon) find(kind int, t []byte) (address ipv6, n int) {
	switch {
	case kind == embedded && a.embedded != nil:
		return embeddedAt(t)
	case kind == v4 && a.v4 != nil:
		address.low, n = ipv4At(t)
		return address, n
	case kind == v6 && a.v6 != nil:
		return ipv6At(t)
	}
	return address, 0
}

// change appends what becomes of an address, which is written as old.
func (a *anon) change(dst []byte, kind int, address ipv6, old []byte) []byte {
	switch {
	case kind == embedded:
		return appendIPv6(dst, a.embedded.change(address), true)
	case kind == v6:
		return appendIPv6(dst, a.v6.change(address), false)
	case a.simple:
		dst = append(dst, old...)
		overwrite(dst[len(dst)-len(old):], a.octets, a.char)
		return dst
	}
	return appendIPv4(dst, a.v4.change(address).low)
}

// overwrite replaces the digits of the last octets of an address.
func overwrite(address []byte, octets int, char byte) {
	for i := range slices.Backward(address) {
		if address[i] == '.' {
			if octets--; octets == 0 {
				return
			}
			continue
		}
		address[i] = char
	}
}
