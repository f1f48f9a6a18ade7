package modify

import "strconv"

// This file finds IP addresses in text, as rsyslog's mmanon does: anywhere, also
// in the middle of words.

// ipv4At reads an IPv4 address at the start of t: four numbers of one to
// three digits up to 255. size is 0 if there is none.
func ipv4At(t []byte) (address uint64, size int) {
	at := 0
	for part := range 4 {
		if part > 0 {
			if at == len(t) || t[at] != '.' {
				return 0, 0
			}
			at++
		}
		n, digits := 0, 0
		for at+digits < len(t) && '0' <= t[at+digits] && t[at+digits] <= '9' && digits < 4 {
			n = 10*n + int(t[at+digits]-'0')
			digits++
		}
		if digits == 0 || digits > 3 || n > 255 {
			return 0, 0
		}
		at += digits
		address = address<<8 | uint64(n)
	}
	return address, at
}

// appendIPv4 appends an address in its usual form.
func appendIPv4(dst []byte, a uint64) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		dst = strconv.AppendUint(dst, a>>shift&0xff, 10)
		if shift > 0 {
			dst = append(dst, '.')
		}
	}
	return dst
}

// ipv6 is an IPv6 address.
type ipv6 struct{ high, low uint64 }

// ipv6Reader reads groups of hexadecimal digits.
type ipv6Reader struct {
	groups  [8]uint16
	n       int  // groups read
	gap     int  // how many came before "::"
	hadGap  bool // there was "::"
	lastSep bool // the last thing read was a colon
	at      int
}

// group reads one to four digits; more than four are none.
func (r *ipv6Reader) group(t []byte) (value uint16, ok bool) {
	digits := 0
	for ; r.at < len(t) && hexValue(t[r.at]) >= 0; r.at++ {
		value = value<<4 | uint16(hexValue(t[r.at]))
		digits++
	}
	return value, digits <= 4
}

// ipv6At reads an IPv6 address without an IPv4 address in it at the start of t.
//
// as rsyslog: "::" is one, and so is every part of a longer text that looks like
// one. Unlike rsyslog it may be followed by a colon.
func ipv6At(t []byte) (address ipv6, size int) {
	var r ipv6Reader
	for r.at < len(t) && (t[r.at] == ':' || hexValue(t[r.at]) >= 0) {
		if t[r.at] == ':' {
			if r.n == 8 {
				break
			}
			if r.at++; !r.colon() {
				return ipv6{}, 0
			}
			continue
		}
		value, ok := r.group(t)
		if !ok || !r.add(value) {
			return ipv6{}, 0
		}
	}
	size = r.at
	if r.lastSep && !(r.hadGap && r.gap == r.n) {
		size-- // a colon that is no part of the address
	}
	if r.n == 8 && !r.hadGap || r.n < 8 && r.hadGap {
		return r.address(), size
	}
	return ipv6{}, 0
}

// colon takes a colon.
func (r *ipv6Reader) colon() bool {
	if r.lastSep {
		if r.hadGap {
			return false
		}
		r.hadGap, r.gap = true, r.n
	}
	r.lastSep = true
	return true
}

// add takes a group.
func (r *ipv6Reader) add(value uint16) bool {
	if r.n == 7 && r.hadGap || r.n > 7 || r.n == 0 && r.lastSep && !r.hadGap {
		return false
	}
	r.groups[r.n] = value
	r.n++
	r.lastSep = false
	return true
}

// address is what the groups make, with zeros for the gap.
func (r *ipv6Reader) address() ipv6 {
	var all [8]uint16
	if r.hadGap {
		copy(all[:], r.groups[:r.gap])
		copy(all[8-(r.n-r.gap):], r.groups[r.gap:r.n])
	} else {
		all = r.groups
	}
	var a ipv6
	for i, g := range all {
		if i < 4 {
			a.high = a.high<<16 | uint64(g)
		} else {
			a.low = a.low<<16 | uint64(g)
		}
	}
	return a
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// embeddedAt reads an IPv6 address whose last two groups are written as an IPv4
// address (RFC 4291 §2.2) at the start of t.
func embeddedAt(t []byte) (address ipv6, size int) {
	var r ipv6Reader
	for r.at < len(t) {
		if t[r.at] == ':' {
			if r.at++; !r.colon() {
				return ipv6{}, 0
			}
			continue
		}
		if r.lastSep && (r.n == 6 && !r.hadGap || r.n < 6 && r.hadGap) {
			if v4, n := ipv4At(t[r.at:]); n > 0 {
				r.groups[r.n], r.groups[r.n+1] = uint16(v4>>16), uint16(v4)
				r.n += 2
				return r.address(), r.at + n
			}
		}
		start := r.at
		value, ok := r.group(t)
		if !ok || r.at == start || !r.add(value) {
			return ipv6{}, 0
		}
	}
	return ipv6{}, 0
}

// appendIPv6 appends all eight groups; with embedded the last two as an IPv4
// address.
func appendIPv6(dst []byte, a ipv6, embedded bool) []byte {
	for i := range 8 {
		if i == 6 && embedded {
			return appendIPv4(dst, a.low)
		}
		half := a.high
		if i >= 4 {
			half = a.low
		}
		g := uint16(half >> (48 - 16*(i%4)))
		dst = strconv.AppendUint(dst, uint64(g), 16)
		if i < 7 {
			dst = append(dst, ':')
		}
	}
	return dst
}
