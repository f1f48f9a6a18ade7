package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// stallTimeout is how long a peer may accept nothing until a connection is
// given up: other outputs may be waiting for this one.
const stallTimeout = 10 * time.Second

// stream is a TCP connection to which whole messages are written, and which
// knows which of them the peer's kernel has acknowledged.
type stream struct {
	to   hostPort
	conn *net.TCPConn
	raw  syscall.RawConn
	streamOptions

	sent    int64    // bytes given to the kernel
	unacked []*chunk // written and not yet acknowledged, in order

	// stalled is called when the peer makes a write wait; for tests.
	stalled func()

	pack   *packed // nil: not compressed
	sealed *sealed // nil: no TLS

	// What push works on: it is one closure for all writes of the connection.
	push func(fd uintptr)
	out  []byte
	n    int
	outq int
	err  error
	in   [512]byte
}

// chunk is the wire form of some messages.
type chunk struct {
	lines
	at   int64 // place of its first byte in the stream
	end  int64 // compressed: where it ends there
	from int   // messages before this one need not be sent again
}

// streamOptions say how careful a stream is.
type streamOptions struct {
	check  bool // look for the peer's FIN before writing
	resend bool // keep what is not acknowledged
	last   bool // keep the last message, acknowledged or not
	unread int  // keep that many bytes that are acknowledged, for a reset

	pack *packing // nil: not compressed

	bytes *atomic.Int64 // counts what was sent, for statistics; may be nil
}

func newStream(to hostPort, link net.Conn, o streamOptions) (*stream, error) {
	secure, _ := link.(*conf.TLSConn)
	conn, _ := link.(*net.TCPConn)
	if secure != nil {
		conn = secure.TCP()
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &stream{to: to, conn: conn, raw: raw, streamOptions: o}
	s.push = s.pushOnce
	if secure != nil {
		s.seal(secure)
	}
	if o.pack != nil {
		s.pack = &packed{packing: *o.pack}
		if s.pack.packer, err = o.pack.packer(&s.pack.out); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return s, nil
}

// pushOnce looks for the end of the connection, writes what the kernel takes
// without waiting, and asks how much is unacknowledged.
func (s *stream) pushOnce(fd uintptr) {
	s.n, s.err = 0, nil
	if s.check && s.sealed == nil {
		if s.err = s.peek(int(fd)); s.err != nil {
			return
		}
	}
	s.n, s.err = unix.Write(int(fd), s.out)
	if s.n < 0 {
		s.n = 0
	}
	if errors.Is(s.err, unix.EAGAIN) || errors.Is(s.err, unix.EINTR) {
		s.err = nil
	}
	s.ask(fd)
}

// ask updates outq: what the peer has not acknowledged, sent or not. It also
// answers on a connection that is broken.
func (s *stream) ask(fd uintptr) {
	if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
		s.outq = n
	}
}

// peek reads what the peer may have sent, which is of no interest: syslog has
// no answers. What matters is its end (rsyslog's extendedConnectionCheck).
func (s *stream) peek(fd int) error {
	for {
		n, err := unix.Read(fd, s.in[:]) // does not wait: Go's sockets never do
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errClosed
		}
	}
}

var errClosed = errors.New("the peer has closed the connection")

// count counts bytes given to the kernel.
func (s *stream) count(n int) {
	s.sent += int64(n)
	if s.bytes != nil {
		s.bytes.Add(int64(n))
	}
}

// write sends the messages of c from c.from on, and returns how many of all its
// messages the kernel has taken. Those are acknowledged or in s.unacked.
func (s *stream) write(ctx context.Context, c *chunk) (int, error) {
	start := 0
	if c.from > 0 {
		start = c.ends[c.from-1]
	}
	if s.pack != nil {
		return s.writePacked(ctx, c, start)
	}
	c.at, c.end = s.sent-int64(start), 0
	n, err := s.writeBytes(ctx, c.buf[start:])
	s.count(n)
	count, _ := c.whole(start + n)
	if count > c.from {
		s.unacked = append(s.unacked, c)
	}
	return count, err
}

func (s *stream) writeBytes(ctx context.Context, b []byte) (int, error) {
	if s.sealed != nil {
		return s.writeSealed(ctx, b)
	}
	n, err := s.writeRaw(ctx, b)
	return n, s.fail(err)
}

// writeRaw writes b: at once if the kernel takes it, else for as long as the
// peer makes some progress.
func (s *stream) writeRaw(ctx context.Context, b []byte) (n int, err error) {
	s.out = b
	err = errors.Join(s.raw.Control(s.push), s.err)
	s.out = nil
	if n = s.n; err != nil || n == len(b) {
		return n, err
	}
	if s.stalled != nil {
		s.stalled()
	}
	stop := context.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	for n < len(b) && err == nil {
		if err = s.conn.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil || ctx.Err() != nil {
			break
		}
		var k int
		k, err = s.conn.Write(b[n:])
		n += k
		if k > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // slow, not stalled
		}
	}
	_ = s.raw.Control(s.ask)
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("it has accepted nothing for %v", stallTimeout)
	}
	return n, err
}

// fail says what failed; the cause can still be told from it.
func (s *stream) fail(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot send to %s: %w", s.to, netCause(err))
}

// release gives chunks back that are not needed any more, as of the last write.
func (s *stream) release(free func(*chunk)) {
	acked := s.acked() - int64(s.unread)
	n, kept := 0, 0
	if s.last {
		kept = 1
	}
	for n < len(s.unacked)-kept && s.unacked[n].arrived(acked) == len(s.unacked[n].ends) {
		free(s.unacked[n])
		n++
	}
	s.unacked = s.unacked[:copy(s.unacked, s.unacked[n:])]
}

// arrived is how many messages lie before a place in the stream. Of what is
// compressed only the whole is known.
func (c *chunk) arrived(acked int64) int {
	switch {
	case c.end == 0:
		n, _ := c.whole(int(acked - c.at))
		return n
	case c.end <= acked:
		return len(c.ends)
	}
	return c.from
}

// acked is how far the stream needs not be sent again, were it lost now.
func (s *stream) acked() int64 {
	switch {
	case s.resend && s.sealed != nil:
		return s.sealed.arrivedAt(s.outq)
	case s.resend:
		return s.sent - int64(s.outq)
	}
	return s.sent
}

// abandon closes a connection that failed and returns the chunks with messages
// to be sent again. What the kernel still has of them is thrown away, so that it
// does not arrive twice. A reset means that the peer's program had not read all
// that its kernel had acknowledged.
func (s *stream) abandon(cause error) []*chunk {
	// The connection is given up whatever these say.
	_ = s.raw.Control(s.ask)
	_ = s.conn.SetLinger(0)
	_ = s.conn.Close()
	acked := s.acked()
	if errors.Is(cause, unix.ECONNRESET) || errors.Is(cause, unix.EPIPE) {
		acked -= int64(s.unread)
	}
	rest := s.unacked[:0]
	for i, c := range s.unacked {
		n := c.arrived(acked)
		if s.last && i == len(s.unacked)-1 {
			n = min(n, len(c.ends)-1)
		}
		if c.from = max(c.from, n); c.from < len(c.ends) {
			rest = append(rest, c)
		}
	}
	s.unacked = nil
	return rest
}

// drain waits until all is acknowledged, for a moment at most.
func (s *stream) drain(ctx context.Context, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	if s.finish(ctx) != nil || s.prove(ctx) != nil {
		return false
	}
	for wait := time.Millisecond; ; wait *= 2 {
		if s.raw.Control(s.ask) != nil || s.outq == 0 {
			return s.outq == 0
		}
		if !time.Now().Before(deadline) || pause(ctx, wait) != nil {
			return false
		}
	}
}

// Close closes the connection in peace: the kernel sends what it has.
func (s *stream) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := s.finish(ctx); err != nil {
		return errors.Join(err, s.conn.Close())
	}
	if s.sealed != nil {
		_ = s.hear() // a close with something unread is a reset
		s.sealed.WriteBy(nil)
		_ = s.sealed.CloseWrite() // the peer may have left already
	}
	if err := s.conn.Close(); err != nil && !errors.Is(err, io.EOF) {
		return s.fail(err)
	}
	return nil
}
