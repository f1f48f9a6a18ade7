package output

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"sysrelay/input/relp"
)

// relpReader reads the frames of a connection.
type relpReader struct {
	conn    net.Conn
	raw     syscall.RawConn // nil if it is not TCP
	decoder relp.Decoder
	buf     []byte
	from    int // buf[from:to] has been read and not been used
	to      int
}

func newRelpReader(conn net.Conn) relpReader {
	r := relpReader{conn: conn, decoder: relp.Decoder{MaxData: answerMax}, buf: make([]byte, 4*answerMax)}
	if c, ok := conn.(syscall.Conn); ok {
		// A connection that fails here fails everywhere.
		r.raw, _ = c.SyscallConn()
	}
	return r
}

// quickAck makes the kernel acknowledge what it receives at once. librelp sends
// each answer by itself and leaves the Nagle algorithm on: its kernel holds back
// an answer until the one before it is acknowledged, for which ours, with nothing
// to send, would wait 40 ms. It is not kept for long: it goes with every read.
func quickAck(fd uintptr) {
	// Without it, all still works.
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}

// next returns the next frame that has been read, which is valid until fill.
func (r *relpReader) next() (relp.Frame, bool, error) {
	n, f, ok, err := r.decoder.Next(r.buf[r.from:r.to])
	r.from += n
	return f, ok, err
}

// frame waits for the next frame.
func (r *relpReader) frame() (relp.Frame, error) {
	for {
		f, ok, err := r.next()
		if err == nil && !ok {
			err = r.fill()
		}
		if err != nil || ok {
			return f, err
		}
	}
}

// fill reads more. The decoder never leaves a full buffer unused.
func (r *relpReader) fill() error {
	r.to = copy(r.buf, r.buf[r.from:r.to])
	r.from = 0
	if r.raw != nil {
		_ = r.raw.Control(quickAck)
	}
	n, err := r.conn.Read(r.buf[r.to:])
	r.to += n
	if n > 0 {
		return nil // an error comes again
	}
	if err == io.EOF {
		return errClosed
	}
	return err
}

// answer is what has become of a message that was sent.
type answer uint8

const (
	answerDue answer = iota
	answerTaken
	answerRefused
)

// read notes answers until the connection ends.
func (s *relpSession) read() {
	defer close(s.ended)
	for {
		err := s.noteAll()
		s.signal()
		if err == nil {
			err = s.in.fill()
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// end says that no answer will come any more.
func (s *relpSession) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.signal()
	if errors.Is(err, errGoodbye) {
		_ = s.conn.Close() // in peace
		return
	}
	// A write that waits for the peer need not wait any longer.
	s.drop()
}

func (s *relpSession) signal() {
	select {
	case s.progress <- struct{}{}:
	default:
	}
}

// noteAll notes the answers that have been read.
func (s *relpSession) noteAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		f, ok, err := s.in.next()
		if err == nil && ok {
			err = s.note(&f)
		}
		if err != nil || !ok {
			return err
		}
	}
}

var (
	errServerClose = errors.New("the peer says that it is about to close the connection")
	errGoodbye     = errors.New("the session has been closed")
)

// note notes one frame.
func (s *relpSession) note(f *relp.Frame) error {
	switch {
	case f.Txnr == 0: // a hint; those not known mean nothing
		if string(f.Command) == relp.ServerClose && s.stop == nil {
			s.stop = errServerClose
		}
		return nil
	case string(f.Command) != relp.Response:
		return fmt.Errorf("the command %q came from a server", f.Command)
	case f.Txnr == s.closing:
		return errGoodbye
	}
	// Subtraction among transaction numbers, of which MaxTxnr is followed by 1.
	ahead := uint64(f.Txnr+relp.MaxTxnr-txnrOf(s.done)) % relp.MaxTxnr
	place := &s.answers[(s.done+ahead)%uint64(s.window)]
	if ahead >= s.sent-s.done || *place != answerDue {
		if s.strays++; s.strays == 1 {
			s.stray = f.Txnr
		}
		return nil
	}
	status, text, _, err := relp.ParseResponse(f.Data)
	if err != nil {
		return err
	}
	s.unanswered--
	if status == relp.OK {
		*place, s.took = answerTaken, true
		s.advance()
		return nil
	}
	*place = answerRefused
	if s.stop == nil {
		s.stop = fmt.Errorf("a message was refused: %d %.200q", status, text)
	}
	return nil
}

// advance moves done over what has been taken.
func (s *relpSession) advance() {
	for s.done < s.sent && s.answers[s.done%uint64(s.window)] == answerTaken {
		s.done++
	}
}

// acknowledged tells whether the peer has taken the i-th message of the last
// send. The session has been abandoned.
func (s *relpSession) acknowledged(i int) bool {
	n := s.first + uint64(i)
	return n < s.done || n < s.sent && s.answers[n%uint64(s.window)] == answerTaken
}

// refused tells whether the peer has refused it.
func (s *relpSession) refused(i int) bool {
	n := s.first + uint64(i)
	return n >= s.done && n < s.sent && s.answers[n%uint64(s.window)] == answerRefused
}

// reportStrays reports, once, answers to nothing.
func (s *relpSession) reportStrays() {
	s.mu.Lock()
	n, first := s.strays, s.stray
	s.mu.Unlock()
	if n == 0 || s.told {
		return
	}
	s.told = true
	s.log(severityWarning, fmt.Sprintf("RELP peer %s answers transactions that nothing waits for, or twice: %d so far, the first was %d. "+
		"Such answers are ignored; this is said once for each connection.", s.to, n, first))
}
