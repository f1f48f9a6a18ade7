package input

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// udpSocket is one socket and its receiver.
type udpSocket struct {
	in      *udpInput
	addr    net.Addr // it is bound to
	file    *os.File
	raw     syscall.RawConn
	name    string // property inputname
	vec     *mmsgVector
	batch   message.Batch
	senders senderCache

	n       int // what tryRead received
	err     error
	pressed bool // datagrams were waiting: the kernel's buffer may have been full
	batches int
	dropped uint32 // kernel's counter when last looked at
	lost    uint64 // of which not yet told
	told    int64

	buffer   int  // bytes of the kernel's receive buffer, as it counts them
	adaptive bool // it may grow
	grown    int64
	outcome  string // of that

	now, lastRead int64 // of this read and of the one before
}

func newUDPSocket(in *udpInput, c *net.UDPConn) (*udpSocket, error) {
	defer c.Close()
	file, err := unpolled(c)
	if err != nil {
		return nil, fmt.Errorf("imudp: %s: %w", c.LocalAddr(), err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("imudp: %s: %w", c.LocalAddr(), err)
	}
	s := &udpSocket{in: in, addr: c.LocalAddr(), file: file, raw: raw, name: in.p.Name,
		vec: newMmsgVector(in.vector, in.deps.Env.Sanitize.Room())}
	s.senders.seed = maphash.MakeSeed()
	if in.p.AppendPort {
		_, port, _ := net.SplitHostPort(c.LocalAddr().String())
		s.name += port
	}
	s.setBuffer(in.p.ReceiveBuffer)
	return s, nil
}

// setBuffer asks for a receive buffer and says if the system does not permit it.
func (s *udpSocket) setBuffer(want int64) {
	given := want > 0
	switch {
	case want < 0:
		return
	case !given:
		// The system's default holds less than two milliseconds of a fast sender.
		want, s.adaptive = defaultReceiveBuffer, true
	}
	if s.buffer = setReceiveBuffer(s.raw, int(want)); s.buffer >= int(want) {
		return
	}
	severity := severityInfo
	if given {
		severity = severityWarning
	}
	s.in.deps.Log(severity, fmt.Sprintf("imudp: cannot set os socket rcvbuf size %d for %s, value now is %d%s",
		want, s.addr, s.buffer, rmemMax(want)))
}

// rmemMax says what to do about a buffer that is smaller than it should be.
func rmemMax(want int64) string {
	return fmt.Sprintf("; the kernel permits no more: sysctl -w net.core.rmem_max=%d, or the capability CAP_NET_ADMIN", want)
}

// growEvery is how often a buffer grows at most, in nanoseconds.
const growEvery = int64(100 * time.Millisecond)

// largestReceiveBuffer is how far a buffer grows by itself.
const largestReceiveBuffer = 64 << 20

// grow doubles a buffer that has overflowed, and says what became of it.
func (s *udpSocket) grow() string {
	if !s.adaptive || s.buffer == 0 || s.buffer >= 2*largestReceiveBuffer {
		return "a larger rcvbufSize or more threads may help"
	}
	// The kernel doubles what it is asked for, and shows it doubled.
	want := s.buffer
	got := setReceiveBuffer(s.raw, want)
	if got <= s.buffer {
		s.adaptive = false
		return "it cannot be enlarged" + rmemMax(int64(want))
	}
	s.buffer = got
	return fmt.Sprintf("it has now room for %d bytes", got)
}

// unpolled is c as a socket that blocks and that the runtime's poller does not
// know. In the poller, every datagram that arrives wakes a thread, whether or not
// anybody waits: that was half the processor time of receiving.
func unpolled(c *net.UDPConn) (*os.File, error) {
	fd := -1
	err := onSocket(c, func(old int) (err error) {
		if fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.SetNonblock(fd, false)
	})
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// onSocket calls f with a connection's descriptor.
func onSocket(c syscall.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	return errors.Join(err, cerr)
}

// defaultReceiveBuffer is asked for when rcvbufSize is not given, in bytes. An
// unprivileged process gets no more than net.core.rmem_max.
const defaultReceiveBuffer = 4 << 20

// options sets what must be set before the socket is bound.
func (in *udpInput) options() func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) { err = in.setOptions(int(fd)) })
		if cerr != nil {
			return cerr
		}
		return err
	}
}

func (in *udpInput) setOptions(fd int) error {
	if in.threads > 1 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fmt.Errorf("SO_REUSEPORT: %w", err)
		}
	}
	if in.p.FreeBind != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1); err != nil {
			return fmt.Errorf("ipFreeBind: %w", err)
		}
	}
	if in.p.Device != "" {
		if err := unix.BindToDevice(fd, in.p.Device); err != nil {
			return fmt.Errorf("device %s: %w", in.p.Device, err)
		}
	}
	return nil
}

// setReceiveBuffer asks for n bytes, beyond the system's limit if that is
// permitted, and returns what the kernel made of it.
func setReceiveBuffer(raw syscall.RawConn, n int) (got int) {
	raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n) != nil {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, n)
		}
		got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return got
}

// run receives until ctx ends. Its thread waits in the kernel.
func (s *udpSocket) run(ctx, work context.Context, to message.Handler) {
	wait := func(fd uintptr) { s.n, s.err = s.vec.wait(fd) }
	for ctx.Err() == nil {
		if err := s.raw.Control(wait); err != nil || ctx.Err() != nil {
			break
		}
		if s.err != nil {
			s.in.deps.Log(severityError, fmt.Sprintf("imudp: error receiving on socket %s: %v", s.addr, s.err))
			if !pause(ctx, time.Second) {
				break
			}
			continue
		}
		s.handle(work, to)
		s.gather()
		s.n = 0
	}
	if s.err == nil {
		s.handle(work, to) // what came before interrupt; it itself looks like empty datagrams
	}
	s.drain(work, to)
	s.lookForDrops(0)
	s.tellDrops(0)
}

// interrupt makes a read under way, and every later one, return. What is waiting
// in the kernel can still be received.
func (s *udpSocket) interrupt() {
	// The error says that the socket is not connected; its readers are woken all
	// the same, which is why Linux does anything here at all.
	s.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RD) })
}

const (
	// fastReads: reads that follow one another within this time are those of a
	// sender that is worth waiting for.
	fastReads = 200 * time.Microsecond
	// gatherFor is how long datagrams are left to gather in the kernel's buffer.
	gatherFor = 400 * time.Microsecond
)

// gather waits a moment when datagrams come fast but are read a few at a time:
// waking up for each of them would cost more than everything else. The thread
// itself sleeps, because the runtime's timers are no finer than a millisecond
// when nothing else runs.
func (s *udpSocket) gather() {
	few := s.n < s.vec.len()/2
	fast := s.now-s.lastRead < int64(fastReads+gatherFor)
	s.lastRead = s.now
	if few && fast {
		t := unix.NsecToTimespec(int64(gatherFor))
		unix.Nanosleep(&t, nil)
	}
}

// pause returns false if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *udpSocket) tryRead(fd uintptr) bool {
	s.n, s.err = s.vec.receive(fd)
	return s.err != unix.EAGAIN
}

// drainVectors bounds what is still received when the input stops.
const drainVectors = 1024

// drain receives what is waiting in the kernel.
func (s *udpSocket) drain(ctx context.Context, to message.Handler) {
	for range drainVectors {
		err := s.raw.Control(func(fd uintptr) { s.tryRead(fd) })
		if err != nil || s.err != nil || s.n == 0 || ctx.Err() != nil {
			return
		}
		s.handle(ctx, to)
	}
}

// handle hands over the datagrams just received.
func (s *udpSocket) handle(ctx context.Context, to message.Handler) {
	env := s.in.deps.Env
	now := env.Now().UnixNano()
	s.now = now
	for i := range s.n {
		text, truncated := s.vec.datagram(i)
		if len(text) == 0 {
			continue // as rsyslog: nothing is no message
		}
		from := s.sender(ctx, s.vec.from(i), now)
		if !from.allowed {
			s.in.ledger.Receive(1)
			s.in.ledger.Discard(message.NotAllowed, 1)
			s.in.warn.tell(&s.in.deps, now)
			continue
		}
		if !s.in.limit.allowText(now, from.origin, text) {
			continue
		}
		flags := s.in.flags
		if truncated {
			flags |= message.Truncated
		}
		s.batch.Receive(&env.Sanitize, text, from.origin, now, flags)
	}
	handOver(ctx, &s.batch, to, &s.in.ledger)
	s.watchDrops(now)
}

// The kernel's drop counter is read when the socket has been emptied after more
// than a few datagrams were waiting, and every dropsEvery batches if it never is.
const (
	dropsEvery = 256
	aFew       = 4
)

func (s *udpSocket) watchDrops(now int64) {
	s.pressed = s.pressed || s.n >= aFew
	s.batches++
	emptied := s.n < s.vec.len()
	if s.pressed && (emptied || s.batches%dropsEvery == 0) {
		s.lookForDrops(now)
		s.pressed = false
	}
}

// lookForDrops accounts for datagrams the kernel had no room for.
func (s *udpSocket) lookForDrops(now int64) {
	var drops uint32
	if s.raw.Control(func(fd uintptr) { drops = socketDrops(fd) }) != nil {
		return
	}
	if n := drops - s.dropped; n > 0 {
		s.dropped = drops
		s.lost += uint64(n)
		if now-s.grown > growEvery || s.grown == 0 {
			s.grown, s.outcome = now, s.grow()
		}
		s.in.ledger.Receive(int(n))
		s.in.ledger.Discard(message.SocketFull, int(n))
	}
	if now-s.told > int64(10*time.Second) {
		s.tellDrops(now)
	}
}

func (s *udpSocket) tellDrops(now int64) {
	if s.lost == 0 {
		return
	}
	s.in.deps.Log(severityWarning, fmt.Sprintf("%s: %d messages lost because the receive buffer of %s was full; %s",
		s.in.name, s.lost, s.addr, s.outcome))
	s.lost, s.told = 0, now
}

// senderCache remembers senders: a fixed number of places, each taken by
// whoever came last, so that made-up addresses cannot make it grow.
type senderCache struct {
	seed   maphash.Seed
	places [1024]sender
	last   *sender
}

type sender struct {
	addr    unix.RawSockaddrInet6 // as the kernel gave it; an IPv4 address fills a part
	expires int64
	allowed bool
	origin  message.Origin
}

const (
	senderKnown   = int64(time.Hour)
	senderUnnamed = int64(5 * time.Second) // the name may just not have been found yet
)

// sender returns what is known about the sender of a datagram.
func (s *udpSocket) sender(ctx context.Context, addr *unix.RawSockaddrInet6, now int64) *sender {
	c := &s.senders
	if l := c.last; l != nil && l.addr == *addr && now < l.expires {
		return l
	}
	p := &c.places[maphash.Comparable(c.seed, *addr)%uint64(len(c.places))]
	c.last = p
	if p.addr == *addr && now < p.expires {
		return p
	}
	peer := addrPort(addr)
	ip := peer.Addr().String()
	short, cancel := context.WithTimeout(ctx, udpPatience)
	defer cancel()
	host := s.in.deps.Resolve(short, ip)
	if !s.in.preserveCase {
		host = strings.ToLower(host)
	}
	p.addr, p.expires = *addr, now+senderKnown
	if host == ip {
		p.expires = now + senderUnnamed
	}
	p.allowed = host != "" && s.in.allowed.Allows(peer.Addr(), host)
	p.origin = message.NewOrigin(s.name, host, ip, strconv.Itoa(int(peer.Port())))
	return p
}

// addrPort reads a kernel address of either family.
func addrPort(a *unix.RawSockaddrInet6) netip.AddrPort {
	port := a.Port
	b := binary.NativeEndian.AppendUint16(nil, port)
	hostPort := binary.BigEndian.Uint16(b)
	if a.Family == unix.AF_INET {
		// struct sockaddr_in: the address is where sockaddr_in6 has its flow info.
		var ip [4]byte
		binary.NativeEndian.PutUint32(ip[:], a.Flowinfo)
		return netip.AddrPortFrom(netip.AddrFrom4(ip), hostPort)
	}
	ip := netip.AddrFrom16(a.Addr).Unmap()
	if a.Scope_id != 0 && ip.Is6() {
		ip = ip.WithZone(strconv.Itoa(int(a.Scope_id)))
	}
	return netip.AddrPortFrom(ip, hostPort)
}
