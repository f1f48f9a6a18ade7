package input

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2) on 64-bit Linux.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// mmsgVector is the room for the datagrams of one recvmmsg(2).
type mmsgVector struct {
	msgs  []mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet6
	slab  []byte
	size  int

	control     []byte // of all datagrams; nil if it is of no interest
	controlSize int
}

// wantControl makes room for n bytes of control messages with each datagram.
func (v *mmsgVector) wantControl(n int) {
	v.control, v.controlSize = make([]byte, n*len(v.msgs)), n
	for i := range v.msgs {
		v.msgs[i].hdr.Control = &v.control[i*n]
	}
}

// controlOf is the control messages that came with the i-th datagram.
func (v *mmsgVector) controlOf(i int) []byte {
	return v.control[i*v.controlSize:][:v.msgs[i].hdr.Controllen]
}

// newMmsgVector makes room for n datagrams of size bytes; longer ones are cut.
func newMmsgVector(n, size int) *mmsgVector {
	v := &mmsgVector{size: size,
		msgs:  make([]mmsghdr, n),
		iovs:  make([]unix.Iovec, n),
		names: make([]unix.RawSockaddrInet6, n),
		slab:  make([]byte, n*size)}
	for i := range v.msgs {
		v.iovs[i].Base = &v.slab[i*size]
		v.iovs[i].SetLen(size)
		h := &v.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&v.names[i]))
		h.Iov = &v.iovs[i]
		h.SetIovlen(1)
	}
	return v
}

func (v *mmsgVector) len() int { return len(v.msgs) }

// receive takes what is waiting, without waiting itself. The error is EAGAIN
// if there is nothing.
func (v *mmsgVector) receive(fd uintptr) (int, error) { return v.recvmmsg(fd, unix.MSG_DONTWAIT) }

// wait is receive on a socket that blocks: it waits for the first datagram.
func (v *mmsgVector) wait(fd uintptr) (int, error) { return v.recvmmsg(fd, unix.MSG_WAITFORONE) }

func (v *mmsgVector) recvmmsg(fd, flags uintptr) (int, error) {
	for i := range v.msgs {
		v.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet6
		v.msgs[i].hdr.SetControllen(v.controlSize)
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&v.msgs[0])),
			uintptr(len(v.msgs)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// datagram is the i-th datagram received, and whether it was longer.
func (v *mmsgVector) datagram(i int) (text []byte, truncated bool) {
	m := &v.msgs[i]
	return v.slab[i*v.size:][:m.n:m.n], m.hdr.Flags&unix.MSG_TRUNC != 0
}

// from is the address of the i-th datagram's sender.
func (v *mmsgVector) from(i int) *unix.RawSockaddrInet6 { return &v.names[i] }

// skMeminfoDrops is the index of the drop counter in SO_MEMINFO's array
// (linux/sock_diag.h).
const (
	skMeminfoDrops = 8
	skMeminfoVars  = 9
)

// socketDrops is how many datagrams the kernel dropped at this socket.
func socketDrops(fd uintptr) uint32 {
	var info [skMeminfoVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return info[skMeminfoDrops]
}
