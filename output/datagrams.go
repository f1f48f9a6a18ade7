package output

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vectorSize is how many datagrams one sendmmsg(2) sends.
const vectorSize = 64

// rawControl is a socket before it is bound.
type rawControl = syscall.RawConn

// datagrams sends datagrams to one address, many with one system call.
//
// The socket is not connected: that nobody listens at the address is no error,
// and routes may change.
type datagrams struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	msgs [vectorSize]unix.Mmsghdr
	iovs [vectorSize]unix.Iovec
	addr unix.RawSockaddrInet6 // or RawSockaddrInet4

	// What once and write work on: they are one closure for all calls.
	once     func(fd uintptr)
	write    func(fd uintptr) bool
	from, to int
	err      error
}

func newDatagramVector(conn *net.UDPConn, raw syscall.RawConn, ip net.IPAddr, port int) *datagrams {
	d := &datagrams{conn: conn, raw: raw}
	size := d.setAddr(ip, port)
	for i := range d.msgs {
		h := &d.msgs[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&d.addr))
		h.Namelen = size
		h.Iov = &d.iovs[i]
		h.SetIovlen(1)
	}
	d.write = d.writeOnce
	d.once = func(fd uintptr) { d.writeOnce(fd) }
	return d
}

// setAddr encodes the peer's address and returns its size.
func (d *datagrams) setAddr(ip net.IPAddr, port int) uint32 {
	p := [2]byte{byte(port >> 8), byte(port)} // network order
	if v4 := ip.IP.To4(); v4 != nil {
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&d.addr))
		a.Family, a.Addr = unix.AF_INET, [4]byte(v4)
		*(*[2]byte)(unsafe.Pointer(&a.Port)) = p
		return unix.SizeofSockaddrInet4
	}
	d.addr.Family, d.addr.Addr = unix.AF_INET6, [16]byte(ip.IP.To16())
	*(*[2]byte)(unsafe.Pointer(&d.addr.Port)) = p
	if ip.Zone != "" {
		if i, err := net.InterfaceByName(ip.Zone); err == nil {
			d.addr.Scope_id = uint32(i.Index)
		}
	}
	return unix.SizeofSockaddrInet6
}

// empty is where a datagram without data begins.
var empty [1]byte

// send sends the messages of l from the from-th on, at most vectorSize, and
// returns up to which it got.
func (d *datagrams) send(ctx context.Context, l *lines, from int) (int, error) {
	at := 0
	for i, end := range l.ends {
		d.iovs[i].Base = &empty[0]
		if end > at {
			d.iovs[i].Base = &l.buf[at]
		}
		d.iovs[i].SetLen(end - at)
		at = end
	}
	d.from, d.to, d.err = from, len(l.ends), nil
	err := errors.Join(d.raw.Control(d.once), d.err)
	if err != nil || d.from == d.to {
		return d.from, err
	}
	return d.wait(ctx)
}

// wait sends the rest as the socket gets room for it.
func (d *datagrams) wait(ctx context.Context) (int, error) {
	if err := d.conn.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return d.from, err
	}
	stop := context.AfterFunc(ctx, func() { d.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	err := errors.Join(d.raw.Write(d.write), d.err)
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return d.from, err
}

// writeOnce sends what the socket takes. It returns false to be called again
// when there is room.
func (d *datagrams) writeOnce(fd uintptr) bool {
	for d.from < d.to {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&d.msgs[d.from])),
			uintptr(d.to-d.from), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			d.from += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			d.err = errno
			return true
		}
	}
	return true
}
