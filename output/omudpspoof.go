package output

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
)

// OMUDPSpoofModule are the parameters of module(load="omudpspoof").
type OMUDPSpoofModule struct {
	Template string `conf:"template" doc:"Default template of omudpspoof actions." status:"full"`
}

// OMUDPSpoofParams are the parameters of action(type="omudpspoof").
type OMUDPSpoofParams struct {
	Target         string `conf:"target,required" doc:"Host to send to." status:"full"`
	Port           string `conf:"port" default:"514" doc:"Port to send to." status:"full"`
	SourceTemplate string `conf:"sourcetemplate" default:"RSYSLOG_omudpspoofDfltSourceTpl" doc:"Template whose result is the address the datagram seems to come from; default is the sender's, %fromhost-ip%." status:"full"`
	FirstPort      int    `conf:"sourceport.start,min=1,max=65535" default:"32000" doc:"First port the datagrams seem to come from; each takes the next." status:"full"`
	LastPort       int    `conf:"sourceport.end,min=1,max=65535" default:"42000" doc:"Last such port." status:"full"`
	MTU            int    `conf:"mtu,min=576,max=65535" default:"1500" doc:"Longest packet; longer datagrams are sent in fragments." status:"full"`
	Template       string `conf:"template" doc:"Template of what is sent; default RSYSLOG_TraditionalForwardFormat." status:"full"`
	Namespace      string `conf:"networknamespace" doc:"Network namespace to send from, a name below /run/netns (sysrelay's own)." status:"full"`
}

// omudpspoof forwards messages as datagrams that seem to come from their
// senders, so that a collector which goes by the address sees what it would see
// without us. It writes the packets itself, to a raw socket (raw(7)).
type omudpspoof struct {
	p           OMUDPSpoofParams
	tpl, source message.Template
	to          hostPort
	now         func() time.Time

	fd       int // raw socket; negative is none
	peer     netip.AddrPort
	resolved time.Time
	port     int // last source port used
	text     []byte
	packet   []byte
	id       uint32 // of the last datagram in fragments
}

// NewOMUDPSpoof makes the output of action(type="omudpspoof").
func NewOMUDPSpoof(m OMUDPSpoofModule, p OMUDPSpoofParams, d Deps) (Output, error) {
	if p.FirstPort > p.LastPort {
		return nil, fmt.Errorf("sourcePort.start %d is greater than sourcePort.end %d", p.FirstPort, p.LastPort)
	}
	o := &omudpspoof{p: p, to: hostPort{p.Target, p.Port}, now: d.Env.Now, fd: -1, port: p.LastPort, id: rand.Uint32()}
	var err error
	if o.tpl, err = d.template(p.Template, m.Template, "RSYSLOG_TraditionalForwardFormat"); err != nil {
		return nil, err
	}
	o.source, err = d.template(p.SourceTemplate)
	return o, err
}

// Write implements Output.
func (o *omudpspoof) Write(ctx context.Context, v message.View) (int, error) {
	if err := o.open(ctx); err != nil {
		return 0, err
	}
	for i := range v.Len() {
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		if err := o.send(v.At(i)); err != nil {
			return i, err
		}
	}
	return v.Len(), nil
}

// open resolves the target, from time to time anew, and opens the socket.
func (o *omudpspoof) open(ctx context.Context) error {
	now := o.now()
	if o.fd >= 0 && now.Sub(o.resolved) < resolveAgain {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := o.to.resolve(ctx)
	if err != nil {
		if o.fd >= 0 {
			o.resolved = now // the old address is better than none
			return nil
		}
		return err
	}
	ip, _ := netip.AddrFromSlice(addrs[0].ip.IP)
	peer := netip.AddrPortFrom(ip.Unmap(), uint16(addrs[0].port))
	if o.fd < 0 || peer.Addr().Is4() != o.peer.Addr().Is4() {
		if err := o.openSocket(peer.Addr().Is4()); err != nil {
			return err
		}
	}
	o.peer, o.resolved = peer, now
	return nil
}

// openSocket opens a socket to which whole packets are written: IPPROTO_RAW says
// that we write the headers.
func (o *omudpspoof) openSocket(v4 bool) error {
	o.shut()
	family := unix.AF_INET6
	if v4 {
		family = unix.AF_INET
	}
	err := conf.InNamespace(o.p.Namespace, func() (err error) {
		o.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	if errors.Is(err, unix.EPERM) {
		return errors.New("cannot open a raw socket: the capability CAP_NET_RAW is needed")
	}
	if err != nil {
		return fmt.Errorf("cannot open a raw socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(stallTimeout))
	if err := unix.SetsockoptTimeval(o.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		o.shut()
		return fmt.Errorf("raw socket: %w", err)
	}
	return nil
}

// send sends one message.
func (o *omudpspoof) send(m *message.Message) error {
	o.text = o.source.Append(o.text[:0], m)
	source, err := netip.ParseAddr(strings.TrimSpace(string(o.text)))
	source = source.Unmap().WithZone("")
	if err != nil || source.Is4() != o.peer.Addr().Is4() {
		return fmt.Errorf("%w: it would have to come from %.100q, which is no address of the target's kind", ErrUnacceptable, o.text)
	}
	if o.port++; o.port > o.p.LastPort {
		o.port = o.p.FirstPort
	}
	o.text = o.tpl.Append(o.text[:0], m)
	o.text = o.text[:min(len(o.text), maxDatagram)]
	from := netip.AddrPortFrom(source, uint16(o.port))
	o.id++
	packets := spoof{from: from, to: o.peer, mtu: o.p.MTU, id: o.id}
	err = packets.each(o.text, &o.packet, func(p []byte) error { return unix.Sendto(o.fd, p, 0, o.sockaddr()) })
	if errors.Is(err, unix.EMSGSIZE) {
		return fmt.Errorf("cannot send to %s: a packet is longer than the interface's MTU; lower mtu: %w", o.to, err)
	}
	if err != nil {
		return fmt.Errorf("cannot send to %s: %w", o.to, err)
	}
	return nil
}

func (o *omudpspoof) sockaddr() unix.Sockaddr {
	if a := o.peer.Addr(); a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: o.peer.Addr().As16()}
}

// spoof makes the packets of one datagram.
type spoof struct {
	from, to netip.AddrPort
	mtu      int
	id       uint32 // of its fragments
}

const (
	udpHeader      = 8
	ipv4Header     = 20
	ipv6Header     = 40
	fragmentHeader = 8
	hopLimit       = 64
)

// each calls send with every packet; buf is for them.
func (s *spoof) each(text []byte, buf *[]byte, send func([]byte) error) error {
	header, fragment := ipv4Header, ipv4Header
	if !s.to.Addr().Is4() {
		header, fragment = ipv6Header, ipv6Header+fragmentHeader
	}
	udp := s.udp(text)
	if header+len(udp) <= s.mtu {
		*buf = append(s.ip((*buf)[:0], len(udp), 0, false, false), udp...)
		return send(*buf)
	}
	// RFC 791, RFC 8200 §4.5: fragments but the last are multiples of 8 bytes.
	room := (s.mtu - fragment) &^ 7
	for at := 0; at < len(udp); at += room {
		end := min(at+room, len(udp))
		*buf = append(s.ip((*buf)[:0], end-at, at, end < len(udp), true), udp[at:end]...)
		if err := send(*buf); err != nil {
			return err
		}
	}
	return nil
}

// udp is the datagram with its header (RFC 768).
func (s *spoof) udp(text []byte) []byte {
	b := make([]byte, udpHeader, udpHeader+len(text))
	binary.BigEndian.PutUint16(b, s.from.Port())
	binary.BigEndian.PutUint16(b[2:], s.to.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(udpHeader+len(text)))
	b = append(b, text...)
	sum := uint32(unix.IPPROTO_UDP) + uint32(len(b)) // the pseudo header
	sum = add16(sum, s.from.Addr().AsSlice())
	sum = add16(sum, s.to.Addr().AsSlice())
	sum = add16(sum, b)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	check := ^uint16(sum)
	if check == 0 {
		check = 0xffff // 0 is no checksum
	}
	binary.BigEndian.PutUint16(b[6:], check)
	return b
}

// add16 adds b to a sum of 16-bit words (RFC 1071). The sum of a datagram fits.
func add16(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// ip appends the header of a packet with size bytes of the datagram from at on.
// The kernel fills in IPv4's checksum.
func (s *spoof) ip(b []byte, size, at int, more, fragment bool) []byte {
	if s.to.Addr().Is4() {
		flags := uint16(at / 8)
		if more {
			flags |= 1 << 13
		}
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+size))
		b = binary.BigEndian.AppendUint16(b, uint16(s.id))
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, hopLimit, unix.IPPROTO_UDP, 0, 0)
		b = append(b, s.from.Addr().AsSlice()...)
		return append(b, s.to.Addr().AsSlice()...)
	}
	next := byte(unix.IPPROTO_UDP)
	if fragment {
		next, size = unix.IPPROTO_FRAGMENT, size+fragmentHeader
	}
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, next, hopLimit)
	b = append(b, s.from.Addr().AsSlice()...)
	b = append(b, s.to.Addr().AsSlice()...)
	if fragment {
		offset := uint16(at)
		if more {
			offset |= 1
		}
		b = append(b, unix.IPPROTO_UDP, 0)
		b = binary.BigEndian.AppendUint16(b, offset)
		b = binary.BigEndian.AppendUint32(b, s.id)
	}
	return b
}

func (o *omudpspoof) shut() {
	if o.fd >= 0 {
		unix.Close(o.fd)
		o.fd = -1
	}
}

// Render shows what would be sent, for the error file.
func (o *omudpspoof) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Plan implements planner.
func (o *omudpspoof) Plan(m *message.Message) Plan {
	return Plan{Kind: "udp", To: net.JoinHostPort(o.p.Target, o.p.Port), Data: o.Render(nil, m)}
}

// TryResume implements Output.
func (o *omudpspoof) TryResume(ctx context.Context) error { return o.open(ctx) }

// Hup implements Output.
func (o *omudpspoof) Hup() {}

// Close implements Output.
func (o *omudpspoof) Close() error {
	o.shut()
	return nil
}
