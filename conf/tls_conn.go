package conf

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// TLSConn is a TLS connection that can also be read without waiting, so that an
// idle one needs neither a goroutine nor a buffer.
type TLSConn struct {
	*tls.Conn
	// Asked tells, of a client's, that the server wanted a certificate: under
	// TLS 1.3 it may still refuse it.
	Asked  bool
	socket *tlsSocket
}

// tlsSocket is the connection below TLS.
type tlsSocket struct {
	net.Conn
	ahead []byte // read already, before TLS began
	heard bool   // the peer has sent something
	write func([]byte) (int, error)

	// fd is the socket while reads and writes must not wait, and -1 otherwise.
	fd int
}

// notYet is the error of a read that would have to wait. TLS takes it for a
// passing one and goes on where it was at the next read.
type notYet struct{}

func (notYet) Error() string   { return "nothing to be read yet" }
func (notYet) Timeout() bool   { return true }
func (notYet) Temporary() bool { return true }

func (s *tlsSocket) Read(b []byte) (n int, err error) {
	switch {
	case len(s.ahead) > 0:
		n = copy(b, s.ahead)
		s.ahead = s.ahead[n:]
	case s.fd < 0:
		n, err = s.Conn.Read(b)
	default:
		n, err = s.readNow(b)
	}
	s.heard = s.heard || n > 0
	return n, err
}

func (s *tlsSocket) readNow(b []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, notYet{}
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// errNotReading ends a connection whose peer has TLS answer and does not read:
// who waited for it would hold up others.
var errNotReading = errors.New("the peer does not read what TLS has to answer")

func (s *tlsSocket) Write(b []byte) (int, error) {
	switch {
	case s.fd >= 0:
		n, err := unix.Write(s.fd, b)
		if err == unix.EAGAIN || err == nil && n < len(b) {
			err = errNotReading
		}
		return max(n, 0), err
	case s.write != nil:
		return s.write(b)
	}
	return s.Conn.Write(b)
}

// WriteBy has everything that is sent from now on, a record at a time, written
// by write.
func (c *TLSConn) WriteBy(write func([]byte) (int, error)) { c.socket.write = write }

// TCP is the connection below; nil if it is none of TCP.
func (c *TLSConn) TCP() *net.TCPConn {
	tcp, _ := c.socket.Conn.(*net.TCPConn)
	return tcp
}

// SyscallConn is that of the socket.
func (c *TLSConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.socket.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// SetLinger is that of the socket.
func (c *TLSConn) SetLinger(sec int) error {
	if tcp := c.TCP(); tcp != nil {
		return tcp.SetLinger(sec)
	}
	return errors.ErrUnsupported
}

// CloseWrite tells the peer that nothing more comes.
func (c *TLSConn) CloseWrite() error {
	err := c.Conn.CloseWrite()
	if s, ok := c.socket.Conn.(interface{ CloseWrite() error }); ok {
		err = errors.Join(err, s.CloseWrite())
	}
	return err
}

// Drop closes the connection without a word.
func (c *TLSConn) Drop() error { return c.socket.Close() }

// ReadNow fills b with what can be had without waiting; fd is the socket's. It
// fails with EAGAIN if that is nothing; at the end it returns 0, nil, as read(2)
// does.
func (c *TLSConn) ReadNow(fd uintptr, b []byte) (n int, err error) {
	c.socket.fd = int(fd)
	defer func() { c.socket.fd = -1 }()
	for n < len(b) && err == nil {
		var k int
		k, err = c.Read(b[n:])
		n += k
	}
	switch {
	case n > 0, err == io.EOF:
		return n, nil
	case errors.As(err, new(notYet)):
		return 0, unix.EAGAIN
	}
	return 0, said(err)
}

// Hear waits that long for what the peer may have to say, which is lost, and
// returns an error if it was a refusal.
func (c *TLSConn) Hear(d time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	var b [512]byte
	_, err := c.Read(b[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return errors.Join(said(err), c.SetReadDeadline(time.Time{}))
}
