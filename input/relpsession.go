package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/input/relp"
	"sysrelay/message"
)

// relpSession is one RELP connection. A message's answer is sent once the
// handler has taken it under the promise the input makes; nothing that was read
// stays unanswered while something later is. A refusal is no answer: senders
// built on librelp drop a message on any answer but 200.
type relpSession struct {
	reader
	in      *relpInput
	origin  message.Origin
	decoder relp.Decoder
	opened  bool
	next    uint32 // transaction number of the next command
	txnrs   []uint32
	out     []byte // answers to be written
	cancel  context.CancelFunc
	watch   *time.Timer // looks after the peer while the handler has messages
	waiting atomic.Bool // it does
}

// errRELP ends a session for what the peer did.
type errRELP string

func (e errRELP) Error() string { return string(e) }

// errClosed ends a session in good order.
var errClosed = errors.New("closed")

func (in *relpInput) serveConn(ctx context.Context, c *conn) {
	ctx, cancel := context.WithCancel(message.WithAck(ctx, in.ack))
	defer cancel()
	s := &relpSession{in: in, next: 1, cancel: cancel,
		origin:  message.NewOrigin(in.inputName, c.host, c.ip, c.port),
		decoder: relp.Decoder{MaxData: relp.OffersMax}}
	s.reader.init(c, in.pool, s)
	s.watch = time.AfterFunc(time.Hour, s.look)
	defer s.watch.Stop()
	defer c.finish()
	s.end(s.readAll(ctx))
}

// end says good-bye and logs why, unless the peer closed in good order.
func (s *relpSession) end(err error) {
	stopping := s.c.stopping.Err() != nil
	busy := len(s.out) > 0
	if !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		s.out = relp.AppendFrame(s.out, 0, relp.ServerClose, nil)
		s.write()
	}
	if stopping && (busy || s.unread()) {
		s.linger()
	}
	if stopping || errors.Is(err, errClosed) {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		if !s.opened {
			return // somebody tried whether the port is open
		}
		err = errRELP("server closed relp session, session broken") // as rsyslog: the peer left without "close"
	}
	s.complain(err)
}

// lingerTime is how long a session that ends at shutdown waits for its peer.
const lingerTime = 300 * time.Millisecond

// linger lets the peer read its answers: closing a connection with unread bytes
// resets it, and answers under way would be lost.
func (s *relpSession) linger() {
	if c, ok := s.c.Conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		s.c.SetReadDeadline(time.Now().Add(lingerTime))
		io.Copy(io.Discard, s.c)
	}
}

// unread tells whether bytes have arrived that nobody has read.
func (s *relpSession) unread() bool {
	n := 0
	if s.raw != nil {
		s.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return n > 0
}

func (s *relpSession) complain(err error) {
	s.in.faults.add(fmt.Sprintf("imrelp[%s]: error '%v', object 'lstn %s: conn to clt %s/%s' - input may not work as intended",
		s.in.port, err, s.in.port, s.c.ip, s.c.host))
}

func (s *relpSession) after() error { return s.write() }

// use handles the frames in b: all messages in it as one batch.
func (s *relpSession) use(ctx context.Context, sc *scratch, b []byte) error {
	if !s.opened && match(b, "\x16\x03") == yes {
		return errRELP("TLS handshake on a port without TLS")
	}
	now := s.in.deps.Env.Now().UnixNano()
	sc.batch.Flow = s.in.flow
	s.txnrs = s.txnrs[:0]
	complete := false
	for {
		n, f, ok, err := s.decoder.Next(b)
		b = b[n:]
		if err == nil && !ok {
			break
		}
		complete = true
		if err == nil {
			err = s.command(ctx, sc, &f, now)
		}
		if err == nil && sc.batch.Len() >= batchMessages {
			err = s.submit(ctx, sc)
		}
		if err != nil {
			// What came before is good: it is kept and answered.
			if serr := s.submit(ctx, sc); serr != nil {
				return serr
			}
			return err
		}
	}
	if err := s.submit(ctx, sc); err != nil {
		return err
	}
	s.clock.tick(time.Now(), complete, len(b) > 0)
	s.keep(b)
	if len(b) == 0 && cap(s.txnrs) > 128 {
		s.txnrs = nil
	}
	return nil
}

// command carries out one frame. Messages go to the batch; anything else is
// answered after the messages before it.
func (s *relpSession) command(ctx context.Context, sc *scratch, f *relp.Frame, now int64) error {
	if f.Txnr == 0 {
		return errRELP(fmt.Sprintf("hint %s from a client", f.Command))
	}
	if f.Txnr != s.next {
		return errRELP(fmt.Sprintf("transaction number %d where %d is due", f.Txnr, s.next))
	}
	s.next = relp.NextTxnr(s.next)
	if s.opened && string(f.Command) == relp.Syslog {
		return s.syslog(ctx, sc, f, now)
	}
	if err := s.submit(ctx, sc); err != nil {
		return err
	}
	switch string(f.Command) {
	case relp.Open:
		return s.open(f)
	case relp.Close:
		s.out = relp.AppendFrame(s.out, f.Txnr, relp.Response, nil) // as librelp: empty
		return errClosed
	case relp.Syslog:
		s.out = relp.AppendResponse(s.out, f.Txnr, 500, "command disabled", nil)
		return errRELP("message before open")
	}
	return errRELP(fmt.Sprintf("unknown command %s", f.Command))
}

func (s *relpSession) open(f *relp.Frame) error {
	if s.opened {
		s.out = relp.AppendResponse(s.out, f.Txnr, 500, "protocol error: connection already open", nil)
		return errRELP("received session open request for already open session - aborting session")
	}
	offers, err := relp.ParseOffers(f.Data)
	if err == nil && !offers.Supports(relp.Syslog) {
		err = relp.ErrNoSyslog
	}
	if err != nil {
		s.out = relp.AppendResponse(s.out, f.Txnr, 500, err.Error(), nil)
		return errRELP(err.Error())
	}
	s.opened = true
	s.decoder.MaxData, s.decoder.Truncate = s.in.maxData, s.in.mode != "abort"
	// as librelp: version 0 whatever the client says.
	ours := relp.Offers{Version: "0", Software: "sysrelay", Commands: []string{relp.Syslog}}
	s.out = relp.AppendResponse(s.out, f.Txnr, relp.OK, "OK", ours.Append(nil))
	return nil
}

func (s *relpSession) syslog(ctx context.Context, sc *scratch, f *relp.Frame, now int64) error {
	flags := message.ParseHostname
	if f.Truncated {
		flags |= message.Truncated
		s.in.faults.add(fmt.Sprintf("imrelp: librelp error 'frame too long, size %d, configured max %d -frame will be truncated, but session continues', object 'librelp' - input may not work as intended",
			f.Size, s.in.maxData))
	}
	if s.in.limit.allowText(now, s.origin, f.Data) {
		n, at := sc.batch.Len(), sc.batch.Size()
		sc.batch.Receive(&s.in.deps.Env.Sanitize, f.Data, s.origin, now, flags)
		sc.batch.SetVars(at, s.c.vars)
		for range sc.batch.Len() - n - 1 {
			s.txnrs = append(s.txnrs, inPieces)
		}
		s.txnrs = append(s.txnrs, f.Txnr)
		return nil
	}
	if err := s.submit(ctx, sc); err != nil {
		return err
	}
	s.out = relp.AppendOK(s.out, f.Txnr) // to drop it is what the configuration asks for
	return nil
}

// firstPause and lastPause are how long a refused batch waits before it is tried again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// submit gives the batch to the handler and appends the answers to the messages
// it has taken. What it refuses is tried again for as long as the peer waits for
// the answer; reading stops meanwhile.
func (s *relpSession) submit(ctx context.Context, sc *scratch) error {
	v := sc.batch.All()
	if v.Len() == 0 {
		return nil
	}
	s.waiting.Store(true)
	s.watch.Reset(lookAfter)
	defer func() { s.waiting.Store(false); s.watch.Stop() }()
	txnrs := s.txnrs
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := s.in.to(ctx, v)
		rest := message.Rest(v, err)
		txnrs = s.answer(v, rest, txnrs)
		if err == nil {
			break
		}
		if !pause(ctx, wait) {
			return fmt.Errorf("%d messages not taken and not answered: %w", rest.Len(), err)
		}
		v = rest
	}
	sc.batch.Reset()
	s.txnrs = s.txnrs[:0]
	return nil
}

// inPieces stands for the transaction number of a message that was split: the
// last piece has it, and it is answered when all pieces have been taken.
const inPieces = 0

// answer appends answers for the messages of v that are not in rest, and returns
// the transaction numbers of those that are. txnrs are v's; they are overwritten.
func (s *relpSession) answer(v, rest message.View, txnrs []uint32) []uint32 {
	left := txnrs[:0]
	for i := range v.Len() {
		if len(left) < rest.Len() && rest.At(len(left)) == v.At(i) {
			left = append(left, txnrs[i])
			continue
		}
		switch n := len(left) - 1; {
		case txnrs[i] == inPieces:
		case n >= 0 && left[n] == inPieces: // the last of the pieces that are left
			left[n] = txnrs[i]
		default:
			s.out = relp.AppendOK(s.out, txnrs[i])
		}
	}
	taken := v.Len() - len(left)
	s.in.ledger.Receive(taken)
	s.in.ledger.Deliver(taken)
	return left
}

// outKept is how much room for answers a connection keeps when there are none.
const outKept = 4 << 10

// writeTimeout ends a session whose peer does not read its answers.
const writeTimeout = 30 * time.Second

// write sends the answers.
func (s *relpSession) write() error {
	if len(s.out) == 0 {
		return nil
	}
	s.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := s.c.Write(s.out)
	s.out = s.out[:0]
	if cap(s.out) > outKept {
		s.out = nil
	}
	return err
}

// lookAfter is how long the handler may take before the session looks whether
// the peer is still there, and how often it looks then.
const lookAfter = time.Second

// look ends the session if the peer has hung up while the handler has its
// messages: it will send them again, and they need not be stored for this one.
func (s *relpSession) look() {
	if s.raw == nil || !s.waiting.Load() {
		return
	}
	gone := false
	err := s.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, _ := unix.Poll(p, 0)
		gone = n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	if gone || err != nil {
		s.cancel()
		return
	}
	s.watch.Reset(lookAfter)
}
