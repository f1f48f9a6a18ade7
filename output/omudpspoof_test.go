package output

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The fragments of a datagram make the datagram again, and none is longer than the MTU.
func TestSpoofedPackets(t *testing.T) {
	for _, c := range []struct {
		from, to string
		mtu      int
		size     int
		want     int // packets
	}{
		{"192.0.2.7:32000", "198.51.100.1:514", 1500, 100, 1},
		{"192.0.2.7:32000", "198.51.100.1:514", 1500, 1472, 1},
		{"192.0.2.7:32000", "198.51.100.1:514", 1500, 1473, 2},
		{"192.0.2.7:65535", "198.51.100.1:514", 576, 65507, 119},
		{"[2001:db8::7]:32000", "[2001:db8::1]:514", 1500, 1452, 1},
		{"[2001:db8::7]:32000", "[2001:db8::1]:514", 1280, 5000, 5},
	} {
		s := spoof{from: netip.MustParseAddrPort(c.from), to: netip.MustParseAddrPort(c.to), mtu: c.mtu, id: 0x12345678}
		text := bytes.Repeat([]byte("x"), c.size)
		var whole, buf []byte
		n := 0
		must(t, s.each(text, &buf, func(p []byte) error {
			n++
			if len(p) > c.mtu {
				t.Errorf("%+v: a packet of %d bytes", c, len(p))
			}
			if s.to.Addr().Is4() {
				if int(binary.BigEndian.Uint16(p[2:])) != len(p) || p[9] != unix.IPPROTO_UDP || !bytes.Equal(p[12:16], s.from.Addr().AsSlice()) {
					t.Errorf("%+v: header % x", c, p[:ipv4Header])
				}
				if at := int(binary.BigEndian.Uint16(p[6:])&0x1fff) * 8; at != len(whole) {
					t.Errorf("%+v: fragment at %d, want %d", c, at, len(whole))
				}
				p = p[ipv4Header:]
			} else {
				if int(binary.BigEndian.Uint16(p[4:])) != len(p)-ipv6Header || !bytes.Equal(p[8:24], s.from.Addr().AsSlice()) {
					t.Errorf("%+v: header % x", c, p[:ipv6Header])
				}
				fragment := p[6] == unix.IPPROTO_FRAGMENT
				if p = p[ipv6Header:]; fragment {
					if at := int(binary.BigEndian.Uint16(p[2:]) &^ 7); at != len(whole) {
						t.Errorf("%+v: fragment at %d, want %d", c, at, len(whole))
					}
					p = p[fragmentHeader:]
				}
			}
			whole = append(whole, p...)
			return nil
		}))
		if n != c.want || !bytes.Equal(whole[udpHeader:], text) || int(binary.BigEndian.Uint16(whole[4:])) != len(whole) {
			t.Errorf("%+v: %d packets with %d bytes", c, n, len(whole))
		}
		// RFC 1071: with its checksum in it the sum is all ones.
		sum := add16(uint32(unix.IPPROTO_UDP)+uint32(len(whole)), s.from.Addr().AsSlice())
		sum = add16(add16(sum, s.to.Addr().AsSlice()), whole)
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		if sum != 0xffff {
			t.Errorf("%+v: checksum", c)
		}
	}
}

// A message whose source is no address is set aside, whatever a sender made of it.
func TestSpoofedSources(t *testing.T) {
	d, _ := deps(nil)
	p := OMUDPSpoofParams{Target: "127.0.0.1", Port: "9", SourceTemplate: "text", Template: "text", FirstPort: 10, LastPort: 11, MTU: 1500}
	out, err := NewOMUDPSpoof(OMUDPSpoofModule{}, p, d)
	must(t, err)
	o := out.(*omudpspoof)
	o.peer, o.fd, o.resolved = netip.MustParseAddrPort("127.0.0.1:9"), 1<<20, d.Env.Now() // no socket: nothing is sent
	for _, source := range []string{"", "host", "::1", "127.0.0.1 127.0.0.2", "127.0.0.1\x00", "999.0.0.1", strings.Repeat("1", 1000)} {
		if n, err := o.Write(t.Context(), batch(source)); n != 0 || !errors.Is(err, ErrUnacceptable) {
			t.Errorf("%.20q: %d, %v", source, n, err)
		}
	}
	for _, want := range []int{10, 11, 10} {
		if _, err := o.Write(t.Context(), batch("127.0.0.1")); errors.Is(err, ErrUnacceptable) || o.port != want {
			t.Errorf("%v, port %d, want %d", err, o.port, want)
		}
	}
	p.FirstPort = 12
	if _, err := NewOMUDPSpoof(OMUDPSpoofModule{}, p, d); err == nil {
		t.Error("ports the wrong way round")
	}
	o.fd = -1
	must(t, o.Close())
}
