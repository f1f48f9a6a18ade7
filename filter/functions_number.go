package filter

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"sysrelay/conf"
	"sysrelay/message"
)

// cnum(x). as rsyslog: a literal may also be octal or hexadecimal.
func cnum(_ *compiler, f *conf.Func, a []expr) expr {
	if s, ok := f.Args[0].(*conf.Str); ok {
		return fixedNumber(literalNumber(s.Value))
	}
	return numberExpr(a[0].asNumber()).dependingOn(a[0])
}

// literalNumber is the number a string literal stands for.
func literalNumber(s string) int64 {
	if len(s) < 2 || s[0] != '0' {
		n, _ := parseNumber([]byte(s))
		return n
	}
	if s[1] == 'x' {
		return leadingNumber(s[2:], 16)
	}
	return leadingNumber(s[1:], 8)
}

func leadingNumber(s string, base int) (n int64) {
	for _, c := range []byte(s) {
		d, err := strconv.ParseUint(string(c), base, 8)
		if err != nil {
			break
		}
		n = n*int64(base) + int64(d)
	}
	return n
}

// cbool(x) is 0 for the empty string, 0, false, off and no, and 1 otherwise.
func cbool(a []expr) expr {
	t := a[0].asText()
	return boolExpr(func(e *eval, m *message.Message) bool {
		text := bytes.TrimSpace(t(e, m))
		for _, f := range [...]string{"", "0", "false", "off", "no"} {
			if len(f) == len(text) && equalFold(text, []byte(f)) {
				return false
			}
		}
		return true
	})
}

// num2ipv4(n) is "-1" for what is no address.
func num2ipv4(a []expr) expr {
	v := a[0].asValue()
	return textExpr(func(e *eval, m *message.Message) []byte {
		x := v(e, m)
		n, ok := x.number()
		if !ok || n < 0 || n > 1<<32-1 {
			return e.keep("-1")
		}
		at := len(e.buf)
		for shift := 24; shift >= 0; shift -= 8 {
			e.buf = strconv.AppendInt(e.buf, n>>shift&255, 10)
			if shift > 0 {
				e.buf = append(e.buf, '.')
			}
		}
		return e.since(at)
	})
}

// ipv42num(s) is -1 for what is no address.
func ipv42num(a []expr) expr {
	t := a[0].asText()
	return numberExpr(func(e *eval, m *message.Message) int64 { return addressNumber(t(e, m)) })
}

// addressNumber reads four numbers with dots between them. as rsyslog: blanks
// around them are fine, a number may be missing at either end, and too large
// ones run over.
func addressNumber(t []byte) int64 {
	t = bytes.Trim(t, " ")
	var parts [4]uint32
	at := 0
	for i, c := range t {
		switch {
		case '0' <= c && c <= '9':
			parts[at] = parts[at]*10 + uint32(c-'0')
		case c == '.' && at < 3 && (i == 0 || t[i-1] != '.'):
			at++
		default:
			return -1
		}
	}
	if at != 3 {
		return -1
	}
	return int64(parts[0]<<24 + parts[1]<<16 + parts[2]<<8 + parts[3])
}

// int2hex(n) is "NAN" for what is no number.
func int2hex(a []expr) expr {
	v := a[0].asValue()
	return textExpr(func(e *eval, m *message.Message) []byte {
		x := v(e, m)
		n, ok := x.number()
		if !ok {
			return e.keep("NAN")
		}
		at := len(e.buf)
		e.buf = strconv.AppendUint(e.buf, uint64(n), 16)
		return e.since(at)
	})
}

// random(n) is a number from 0 to n-1, and 0 if there is none.
func random(_ *compiler, _ *conf.Func, a []expr) expr {
	limit := a[0].asNumber()
	return numberExpr(func(e *eval, m *message.Message) int64 {
		n := limit(e, m)
		if n <= 0 {
			return 0
		}
		return rand.Int64N(n)
	})
}

// isInSubnet(address, network) tells whether an address is part of a network in
// CIDR form. What cannot be read is not.
func isInSubnet(c *compiler, f *conf.Func, a []expr) expr {
	network := networkOf(a[1].asText())
	if s, ok := f.Args[1].(*conf.Str); ok {
		n, err := netip.ParsePrefix(s.Value)
		if err != nil {
			c.errorf(s.Pos, "write a network such as 192.0.2.0/24", "is_in_subnet(): %q is no network", s.Value)
		}
		network = func(*eval, *message.Message) netip.Prefix { return n }
	}
	t := a[0].asText()
	return boolExpr(func(e *eval, m *message.Message) bool {
		text := t(e, m)
		addr, ok := addressV4(text)
		if !ok {
			addr, _ = netip.ParseAddr(string(text))
		}
		return network(e, m).Contains(addr.Unmap())
	})
}

func networkOf(t textFunc) func(*eval, *message.Message) netip.Prefix {
	return func(e *eval, m *message.Message) netip.Prefix {
		n, _ := netip.ParsePrefix(string(t(e, m)))
		return n
	}
}

// addressV4 is netip.ParseAddr for IPv4 addresses, which makes no string.
func addressV4(t []byte) (netip.Addr, bool) {
	var quad [4]byte
	for i := range quad {
		part, rest, more := bytes.Cut(t, []byte{'.'})
		n, ok := parseNumber(part)
		if !ok || len(part) == 0 || len(part) > 3 || n < 0 || n > 255 || part[0] == '0' && len(part) > 1 || more != (i < 3) {
			return netip.Addr{}, false
		}
		quad[i], t = byte(n), rest
	}
	return netip.AddrFrom4(quad), true
}
