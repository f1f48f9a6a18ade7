package output

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"sysrelay/conf"
	"sysrelay/input/relp"
	"sysrelay/message"
)

// relpOptions are what a session needs to know.
type relpOptions struct {
	to          hostPort
	tpl         message.Template
	limit       int // bytes of a rendered message
	window      int
	timeout     time.Duration
	connTimeout time.Duration
	log         func(severity int, text string)
}

const (
	// settleTime is how long a session that is given up waits for answers to
	// what it has sent: what is answered need not arrive twice.
	settleTime = time.Second
	// goodbyeTime is how long the answer to "close" may take.
	goodbyeTime = time.Second
	// answerMax is the longest data of an answer.
	answerMax = relp.OffersMax + 128
)

// relpSession is one RELP connection that has been opened. One goroutine sends,
// another reads the answers.
//
// Messages are numbered from 0 on over the life of the session; number n has the
// transaction number that is n after 2, "open" having had 1.
type relpSession struct {
	relpOptions
	conn  net.Conn
	in    relpReader
	timer *time.Timer
	first uint64 // number of the first message of the last send
	out   []byte // frames to write
	text  []byte // a rendered message
	told  bool   // about strays

	progress chan struct{} // holds a token when the fields below have changed
	ended    chan struct{} // closed when the reader has ended

	mu         sync.Mutex
	sent       uint64   // messages given to the connection
	done       uint64   // all before this number have been taken
	answers    []answer // of the messages from done on, at number % window
	unanswered int      // of those
	took       bool     // the peer has taken at least one
	closing    uint32   // transaction number of "close"
	strays     int      // answers nothing waited for
	stray      uint32   // transaction number of the first
	stop       error    // why to send no more, though answers may come
	err        error    // why the reader has ended
}

var errNoOpen = errors.New("no answer")

// openRelp opens a session on a connection, which belongs to it from then on.
func openRelp(ctx context.Context, conn net.Conn, o relpOptions) (*relpSession, error) {
	s := &relpSession{relpOptions: o, conn: conn, in: newRelpReader(conn), timer: time.NewTimer(o.timeout),
		progress: make(chan struct{}, 1), ended: make(chan struct{}), answers: make([]answer, o.window)}
	s.timer.Stop()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err := s.open()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w in %v", errNoOpen, o.connTimeout)
		}
		return nil, errors.Join(fmt.Errorf("cannot open a RELP session with %s: %w", o.to, netCause(err)), conn.Close())
	}
	go s.read()
	return s, nil
}

// open exchanges offers. as librelp: version 0.
func (s *relpSession) open() error {
	ours := relp.Offers{Version: "0", Software: "sysrelay", Commands: []string{relp.Syslog}}
	if _, err := s.conn.Write(relp.AppendFrame(nil, 1, relp.Open, ours.Append(nil))); err != nil {
		return err
	}
	f, err := s.in.frame()
	if err != nil {
		return err
	}
	if string(f.Command) == relp.ServerClose {
		return errServerClose
	}
	if f.Txnr != 1 || string(f.Command) != relp.Response {
		return fmt.Errorf("%q came as transaction %d instead of the answer", f.Command, f.Txnr)
	}
	status, text, data, err := relp.ParseResponse(f.Data)
	if err != nil {
		return err
	}
	if status != relp.OK {
		return fmt.Errorf("it answers: %d %.200q", status, text)
	}
	theirs, err := relp.ParseOffers(data)
	if err == nil && !theirs.Supports(relp.Syslog) {
		err = errors.New("it takes no syslog messages")
	}
	return err
}

// usable tells whether messages can be sent, as far as is known.
func (s *relpSession) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && s.stop == nil
}

// send sends v and waits until all of it has been taken. After an error the
// session must be abandoned.
func (s *relpSession) send(ctx context.Context, v message.View) error {
	interrupt := context.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer interrupt()
	s.first = s.sent
	err := s.sendAll(ctx, v)
	if err != nil {
		err = s.settle(err)
	}
	s.reportStrays()
	return err
}

func (s *relpSession) sendAll(ctx context.Context, v message.View) error {
	for n := 0; n < v.Len(); {
		room := 0
		if err := s.await(ctx, s.timeout, func() (ok bool, err error) {
			room, ok, err = s.room(v.Len() - n)
			return ok, err
		}); err != nil {
			return err
		}
		n += s.fill(v.Slice(n, n+room))
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	return s.await(ctx, s.timeout, s.answered)
}

// settle waits for answers that are still to come to a session that has failed,
// and returns the cause.
func (s *relpSession) settle(err error) error {
	// Whether they come or not, err is what went wrong.
	_ = s.await(context.Background(), settleTime, s.settled)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && errors.Is(err, net.ErrClosed) {
		err = s.err // the reader knew first
	}
	return fmt.Errorf("cannot send to %s: %w; %d messages have no answer", s.to, netCause(err), s.unanswered)
}

// room is how many of the next messages may be sent. It waits for half a window,
// so that they go out many at a time.
func (s *relpSession) room(wanted int) (n int, ok bool, err error) {
	if s.stop != nil || s.err != nil {
		return 0, false, cmp.Or(s.stop, s.err)
	}
	n = min(wanted, s.window-int(s.sent-s.done))
	return n, n >= min(wanted, (s.window+1)/2), nil
}

// answered tells whether everything sent has been taken.
func (s *relpSession) answered() (bool, error) {
	if s.done == s.sent {
		return true, nil
	}
	return false, cmp.Or(s.stop, s.err)
}

// settled tells whether no more answers are to be expected.
func (s *relpSession) settled() (bool, error) { return s.unanswered == 0 || s.err != nil, nil }

// await waits until met, which is called with the lock held, says yes or fails.
// Whenever an answer comes, the time d begins anew.
func (s *relpSession) await(ctx context.Context, d time.Duration, met func() (bool, error)) error {
	s.timer.Reset(d)
	defer s.timer.Stop()
	for {
		s.mu.Lock()
		ok, err := met()
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-s.progress:
			s.timer.Reset(d)
		case <-s.timer.C:
			return fmt.Errorf("no answer for %v", d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill makes frames of as many messages of v as are to be written at once.
func (s *relpSession) fill(v message.View) (n int) {
	s.out = s.out[:0]
	txnr := txnrOf(s.sent)
	for ; n < v.Len() && len(s.out) < writeSize; n++ {
		s.text = s.tpl.Append(s.text[:0], v.At(n))
		// as rsyslog: what goes over maxMessageSize is not sent, header included.
		if s.limit > 0 && len(s.text) > s.limit {
			s.text = s.text[:s.limit]
		}
		s.out = relp.AppendFrame(s.out, txnr, relp.Syslog, s.text)
		txnr = relp.NextTxnr(txnr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.answers[s.sent%uint64(s.window)] = answerDue
		s.sent++
	}
	s.unanswered += n
	return n
}

// txnrOf is the transaction number of the n-th message.
func txnrOf(n uint64) uint32 { return uint32((n+1)%relp.MaxTxnr) + 1 }

// write writes the frames for as long as the peer makes some progress.
func (s *relpSession) write(ctx context.Context) error {
	for b := s.out; len(b) > 0; {
		if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := s.conn.Write(b)
		b = b[n:]
		stalled := errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case ctx.Err() != nil && len(b) > 0:
			return ctx.Err()
		case stalled && n == 0:
			return fmt.Errorf("it has accepted nothing for %v", s.timeout)
		case err != nil && !stalled:
			return err
		}
	}
	return nil
}

// close says goodbye and closes the connection.
func (s *relpSession) close() {
	if s.usable() {
		txnr := txnrOf(s.sent)
		s.mu.Lock()
		s.closing = txnr
		s.mu.Unlock()
		s.conn.SetDeadline(time.Now().Add(goodbyeTime))
		if _, err := s.conn.Write(relp.AppendFrame(nil, txnr, relp.Close, nil)); err == nil {
			<-s.ended
		}
	}
	s.abandon()
}

// abandon closes the connection and ends the reader.
func (s *relpSession) abandon() {
	s.drop()
	<-s.ended
}

// drop closes the connection. What the kernel has not sent of it is thrown away:
// all that matters will be sent again.
func (s *relpSession) drop() {
	if c, ok := s.conn.(interface{ SetLinger(int) error }); ok {
		_ = c.SetLinger(0)
	}
	if c, ok := s.conn.(*conf.TLSConn); ok {
		_ = c.Drop()
		return
	}
	// There is nothing more to be had from it, whatever this says.
	_ = s.conn.Close()
}
