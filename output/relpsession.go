package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/input/relp"
	"sysrelay/message"
)

// relpSession is one connection to a RELP server, after its "open" was answered.
type relpSession struct {
	to      hostPort
	conn    *net.TCPConn
	raw     syscall.RawConn
	timeout time.Duration // for any answer to come
	window  int           // messages that may be unanswered
	txnr    uint32        // of the next command
	closing bool          // the server has said that it is about to close

	dec  relp.Decoder
	in   []byte
	have int // bytes of in that are not used yet
	out  []byte
	text []byte

	// The batch under way.
	first  uint32 // transaction number of its first message
	sent   int
	done   int      // answered
	status []answer // of every message sent
}

// answer is what the server said about a message.
type answer uint8

const (
	unanswered answer = iota
	accepted
	refused
)

const (
	// maxAnswer is the longest answer that is read; it is that to "open".
	maxAnswer = relp.OffersMax + 64
	// answersSize is how many bytes of answers are read at once: more than what is
	// written at once can cause, so that neither side waits for the other to read.
	answersSize = 64 << 10
)

// openRELP dials and opens a session.
func openRELP(ctx context.Context, d *dialer, p OMRELPParams) (*relpSession, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &relpSession{to: d.to, conn: conn, raw: raw, timeout: seconds(p.Timeout), window: p.WindowSize, txnr: 1,
		dec: relp.Decoder{MaxData: maxAnswer}, in: make([]byte, answersSize)}
	if s.window == 0 {
		s.window = 128 // as librelp
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := s.open(ctx); err != nil {
		// The error says more than Close could.
		_ = conn.Close()
		return nil, fmt.Errorf("%s does not open a RELP session: %w", d.to, netCause(err))
	}
	return s, nil
}

// open sends offers and checks the server's.
func (s *relpSession) open(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.interrupt)
	defer stop()
	offers := relp.Offers{Version: "0", Software: "sysrelay", Commands: []string{relp.Syslog}}
	s.out = relp.AppendFrame(s.out[:0], s.take(), relp.Open, offers.Append(nil))
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	return s.awaitAnswer(1, func(status int, text, data []byte) error {
		if status != relp.OK {
			return fmt.Errorf("it answers %d %.200s", status, text)
		}
		theirs, err := relp.ParseOffers(data)
		if err == nil && !theirs.Supports(relp.Syslog) {
			err = errors.New("it does not take syslog messages")
		}
		return err
	})
}

// take returns the transaction number of a new command.
func (s *relpSession) take() uint32 {
	n := s.txnr
	s.txnr = relp.NextTxnr(n)
	return n
}

// interrupt makes reads and writes under way and to come fail.
func (s *relpSession) interrupt() {
	// On a connection that is closed nothing is left to interrupt.
	_ = s.conn.SetDeadline(time.Unix(1, 0))
}

// awaitAnswer reads until the answer to a command other than "syslog" comes.
func (s *relpSession) awaitAnswer(txnr uint32, check func(status int, text, data []byte) error) error {
	for {
		answered := false
		err := s.read(func(f relp.Frame) error {
			if string(f.Command) != relp.Response || f.Txnr != txnr {
				return nil
			}
			answered = true
			status, text, data, err := relp.ParseResponse(f.Data)
			if err != nil {
				return err
			}
			return check(status, text, data)
		})
		if answered || err != nil {
			return err
		}
	}
}

// quickAck makes the kernel acknowledge answers at once. A server that sends
// each answer by itself (librelp does) has its kernel hold them back until what
// it sent before is acknowledged; with nothing more to send, ours would let it
// wait for 40 ms.
func quickAck(fd uintptr) {
	// Without it, all still works.
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}

// read waits for something to read and gives every whole frame to use.
func (s *relpSession) read(use func(relp.Frame) error) error {
	if err := s.raw.Control(quickAck); err != nil {
		return err
	}
	n, err := s.conn.Read(s.in[s.have:])
	s.have += n
	at := 0
	for {
		k, f, ok, derr := s.dec.Next(s.in[at:s.have])
		at += k
		if derr != nil {
			return derr
		}
		if !ok {
			break
		}
		if string(f.Command) == relp.ServerClose {
			s.closing = true
		} else if uerr := use(f); uerr != nil {
			return uerr
		}
	}
	s.have = copy(s.in, s.in[at:s.have])
	if errors.Is(err, io.EOF) || err == nil && s.closing {
		return errClosed
	}
	return err
}

// exchange sends v and reads the answers, as many messages ahead of them as the
// window allows.
func (s *relpSession) exchange(ctx context.Context, tpl message.Template, v message.View) error {
	s.first, s.sent, s.done = s.txnr, 0, 0
	s.status = append(s.status[:0], make([]answer, v.Len())...)
	stop := context.AfterFunc(ctx, s.interrupt)
	defer stop()
	for s.done < v.Len() {
		if err := s.conn.SetDeadline(time.Now().Add(s.timeout)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.fill(tpl, v)
		if err == nil {
			err = s.read(s.answered)
		}
		switch {
		case s.done == v.Len():
			return nil // whatever became of the connection
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%s has not answered for %v", s.to, s.timeout)
		case err != nil:
			return fmt.Errorf("connection to %s lost with %d messages unanswered: %w", s.to, s.sent-s.done, netCause(err))
		}
	}
	return nil
}

// fill sends as many messages as the window has room for, once that is a
// quarter of it: few large writes instead of many small ones.
func (s *relpSession) fill(tpl message.Template, v message.View) error {
	if s.window-(s.sent-s.done) < max(s.window/4, 1) {
		return nil
	}
	s.out = s.out[:0]
	for s.sent < v.Len() && s.sent-s.done < s.window && len(s.out) < writeSize {
		s.text = tpl.Append(s.text[:0], v.At(s.sent))
		s.out = relp.AppendFrame(s.out, s.take(), relp.Syslog, s.text)
		s.sent++
	}
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	return err
}

// answered notes the answer to a message. What answers nothing, or for the
// second time, is passed over.
func (s *relpSession) answered(f relp.Frame) error {
	if string(f.Command) != relp.Response {
		return nil
	}
	i := int(f.Txnr) - int(s.first)
	if i < 0 {
		i += relp.MaxTxnr // the numbers began anew
	}
	if i >= s.sent || s.status[i] != unanswered {
		return nil
	}
	status, text, _, err := relp.ParseResponse(f.Data)
	if err != nil {
		return err
	}
	s.done++
	s.status[i] = accepted
	if status != relp.OK {
		s.status[i] = refused
		s.text = append(s.text[:0], text...)
	}
	return nil
}

// hangUp ends the session as the protocol wants it, and closes the connection.
func (s *relpSession) hangUp(ctx context.Context) error {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, s.interrupt)
	defer stop()
	txnr := s.take()
	s.out = relp.AppendFrame(s.out[:0], txnr, relp.Close, nil)
	if _, err := s.conn.Write(s.out); err == nil {
		// All messages are answered: a server that does not answer this changes nothing.
		_ = s.awaitClose(txnr)
	}
	return s.conn.Close()
}

// awaitClose waits for the answer to "close" or the end of the connection. The
// answer is empty with some servers.
func (s *relpSession) awaitClose(txnr uint32) error {
	for {
		closed := false
		err := s.read(func(f relp.Frame) error {
			closed = closed || f.Txnr == txnr
			return nil
		})
		if closed || err != nil {
			return err
		}
	}
}
