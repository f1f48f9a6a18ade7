package input

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// secured is a connection under TLS. Like a plain one it can be read without
// waiting, so that an idle one needs neither a goroutine nor a buffer.
type secured struct {
	*tls.Conn
	socket *socket
}

// socket is the connection below TLS.
type socket struct {
	net.Conn
	ahead []byte // read already, with the PROXY header
	heard bool   // the peer has sent something

	// fd is the socket while reads and writes must not wait, and -1 otherwise.
	fd int
}

// notYet is the error of a read that would have to wait. TLS takes it for a
// passing one and goes on where it was at the next read.
type notYet struct{}

func (notYet) Error() string   { return "nothing to be read yet" }
func (notYet) Timeout() bool   { return true }
func (notYet) Temporary() bool { return true }

func (s *socket) Read(b []byte) (n int, err error) {
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

func (s *socket) readNow(b []byte) (int, error) {
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
// who waited for it would hold scratch that others need.
var errNotReading = errors.New("the peer does not read what TLS has to answer")

func (s *socket) Write(b []byte) (int, error) {
	if s.fd < 0 {
		return s.Conn.Write(b)
	}
	n, err := unix.Write(s.fd, b)
	switch {
	case err == unix.EAGAIN || err == nil && n < len(b):
		return max(n, 0), errNotReading
	case err != nil:
		return 0, err
	}
	return n, nil
}

// SyscallConn is that of the socket.
func (c *secured) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.socket.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite tells the peer that nothing more comes.
func (c *secured) CloseWrite() error {
	err := c.Conn.CloseWrite()
	if s, ok := c.socket.Conn.(interface{ CloseWrite() error }); ok {
		err = errors.Join(err, s.CloseWrite())
	}
	return err
}

// readNow fills b with what can be had without waiting. It fails with EAGAIN if
// that is nothing; at the end it returns 0, nil, as read(2) does.
func (c *secured) readNow(fd int, b []byte) (n int, err error) {
	c.socket.fd = fd
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
	return 0, err
}

// secure puts TLS around a connection; the peer has a limited time to do its
// part of the handshake.
func (l *streamListener) secure(c *conn) error {
	s := &socket{Conn: c.Conn, ahead: c.ahead, fd: -1}
	t, err := l.tls.Server(c.stopping, s)
	if err != nil {
		if !s.heard {
			return errNothing
		}
		return fmt.Errorf("TLS handshake with %s failed: %w", c.ip, err)
	}
	c.Conn, c.ahead = &secured{Conn: t, socket: s}, nil
	return nil
}

// errNothing is the end of a connection over which nothing came: somebody has
// tried whether the port is open.
var errNothing = errors.New("nothing came")

// streamTLS sets the TLS of a stream input.
func (in *streamInput) streamTLS(p IMTCPCommon) (err error) {
	if p.RevocationCheck {
		return errors.New("streamDriver.tlsRevocationCheck: authorities are not asked; give a streamDriver.crlFile")
	}
	in.tls, err = in.deps.keyring().StreamTLS(in.name, true, p.StreamDriver, "")
	return err
}

func (d *Deps) keyring() *conf.Keyring {
	if d.TLS == nil {
		return &conf.Keyring{Log: d.Log}
	}
	return d.TLS
}
