package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// streamInput is what imtcp and imptcp have in common: a listener, and on every
// connection a Framer between the bytes and the handler.
type streamInput struct {
	streamListener
	name    string
	framing Framing
	flow    message.Flow
	flags   message.Flags
	limit   *limiter
	ledger  message.Ledger
	pool    *scratches
	idlers  *idlers
	to      message.Handler
}

// Listen implements Input.
func (in *streamInput) Listen() (err error) {
	if in.idlers, err = newIdlers(in.pool, in.patience); err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	if err = in.listen(); err != nil {
		in.idlers.epoll.Close()
	}
	return err
}

// Run implements Input.
func (in *streamInput) Run(ctx context.Context, to message.Handler) error {
	in.to, in.serve = to, in.serveConn
	defer in.limit.close()
	return in.run(ctx, in.idlers.run)
}

// Name implements Input.
func (in *streamInput) Name() string { return in.name }

// Addrs implements Input.
func (in *streamInput) Addrs() []string { return []string{in.ln.Addr().String()} }

// Ledger implements Input.
func (in *streamInput) Ledger() *message.Ledger { return &in.ledger }

// session is one connection's state between reads. It is small: an idle
// connection costs its socket and this, and has no goroutine.
type session struct {
	reader
	in     *streamInput
	framer Framer
	origin message.Origin
	first  bool  // too few bytes so far to tell whose protocol it is
	over   error // why its time was over while it was asleep
}

func (in *streamInput) serveConn(ctx context.Context, c *conn) {
	s := &session{in: in, first: true, origin: message.NewOrigin(in.inputName, c.host, c.ip, c.port)}
	s.framer = *NewFramer(&in.framing, s.fault)
	s.reader.init(c, in.pool, s)
	if s.raw != nil {
		s.parks = true
		c.unwatch()
	}
	s.run(ctx)
}

// run reads until there is nothing to be read, and ends the session if it is over.
func (s *session) run(ctx context.Context) {
	s.reads = 0
	err := s.over
	switch {
	case err == nil:
		err = s.readAll(ctx)
	case s.sc != nil: // lent by wake
		s.in.pool.put(s.sc)
		s.sc = nil
	}
	if err == errIdle {
		switch err = s.in.idlers.park(s); err {
		case nil:
			return
		case errStopped:
		default: // the kernel has no room to watch it: it keeps its goroutine
			s.parks = false
			s.c.watch()
			err = s.readAll(ctx)
		}
	}
	s.finish(ctx, err)
	s.c.finish()
}

func (s *session) finish(ctx context.Context, err error) {
	in := s.in
	switch {
	case errors.Is(err, io.EOF):
		s.end(ctx)
		if in.notifyClose && !s.c.check {
			in.deps.Log(severityInfo, fmt.Sprintf("%s session %d closed by remote peer %s.", in.sessionNoun(), s.c.id, in.peerShown(s.c)))
		}
	case s.c.stopping.Err() != nil:
		s.drain(ctx)
		s.end(ctx)
	case s.first && errors.Is(err, unix.ECONNRESET):
		// Nothing came: a health check that ends with a reset, or somebody who looks.
	default:
		in.faults.add(fmt.Sprintf("%s %s: %s session %d from %s (%s) will be closed due to error: %v",
			in.module, in.inputName, in.sessionNoun(), s.c.id, s.c.host, s.c.ip, err))
	}
}

func (in *streamInput) sessionNoun() string {
	if in.module == "imtcp" {
		return "Netstream" // as rsyslog
	}
	return in.module
}

// peerShown is how lines about a connection name its peer. as rsyslog: imtcp by
// its address, imptcp by its name.
func (l *streamListener) peerShown(c *conn) string {
	shown := c.host
	if l.module == "imtcp" {
		shown = c.ip
	}
	if c.via != "" {
		shown += " through the proxy " + c.via
	}
	return shown
}

func (s *session) after() error { return nil }

// use hands the messages in b over and keeps what is left of it.
func (s *session) use(ctx context.Context, sc *scratch, b []byte) error {
	if s.first {
		s.first = false
		name, known := foreignProtocol(b, s.in.framing.Strict)
		if name != "" {
			s.in.ledger.Receive(1)
			s.in.ledger.Discard(message.BadFrame, 1)
			return errors.New(name)
		}
		if !known {
			s.first = true
			s.clock.tick(time.Now(), false, true)
			s.keep(b)
			return nil
		}
	}
	env := s.in.deps.Env
	now := env.Now().UnixNano()
	batch := &sc.batch
	batch.Flow = s.in.flow
	complete := false
	for {
		n, msg, flags, err := s.framer.Next(b)
		b = b[n:]
		if err != nil {
			handOver(ctx, batch, s.in.to, &s.in.ledger)
			s.in.ledger.Receive(1)
			s.in.ledger.Discard(message.BadFrame, 1)
			return err
		}
		if msg == nil {
			break
		}
		complete = true
		if s.in.limit.allowText(now, s.origin, msg) {
			at := batch.Size()
			batch.Receive(&env.Sanitize, msg, s.origin, now, flags|s.in.flags)
			batch.SetVars(at, s.c.vars)
		}
		if batch.Len() >= batchMessages || batch.Size() >= batchBytes {
			handOver(ctx, batch, s.in.to, &s.in.ledger)
		}
	}
	handOver(ctx, batch, s.in.to, &s.in.ledger)
	s.clock.tick(time.Now(), complete, s.framer.underWay(b))
	s.keep(b)
	return nil
}

// end hands over what the stream ended with.
func (s *session) end(ctx context.Context) {
	if s.first { // so few bytes that it was not clear yet whose protocol it is
		s.first = false
		s.process(ctx, nil)
	}
	var last message.Batch
	last.Flow = s.in.flow
	now := s.in.deps.Env.Now().UnixNano()
	for b := s.rest; ; {
		n, msg, err := s.framer.Close(b)
		if err != nil {
			s.in.ledger.Receive(1)
			s.in.ledger.Discard(message.BadFrame, 1)
			s.in.faults.add(fmt.Sprintf("Incomplete frame at end of stream in session %d - ignoring extra data (a message may be lost). %s %s, peer: (hostname) %s, (ip) %s",
				s.c.id, s.in.module, s.in.inputName, s.c.host, s.c.ip))
		}
		if n == 0 || err != nil {
			break
		}
		b = b[n:]
		if len(msg) > 0 && s.in.limit.allowText(now, s.origin, msg) {
			at := last.Size()
			last.Receive(&s.in.deps.Env.Sanitize, msg, s.origin, now, s.in.flags)
			last.SetVars(at, s.c.vars)
		}
	}
	handOver(ctx, &last, s.in.to, &s.in.ledger)
}

// fault logs a framing error after which the stream goes on.
func (s *session) fault(f Fault) {
	peer := fmt.Sprintf("from peer: (hostname) %s, (ip) %s", s.c.host, s.c.ip)
	who := ""
	if s.in.module == "imtcp" {
		who = "imtcp " + s.in.inputName + ": " // as rsyslog: imptcp does not say which input
	}
	var text string
	switch f.Kind {
	case OversizeMsg:
		text = fmt.Sprintf("%sreceived oversize message %s: size is %d bytes, max msg size is %d, truncating...",
			who, peer, f.Value, s.in.framing.MaxMessage)
	case LongLine:
		if s.in.module == "imtcp" {
			return // as rsyslog: only imptcp tells
		}
		text = fmt.Sprintf("imptcp %s: message received is at least %d byte larger than max msg size; message will be split",
			s.in.inputName, f.Value-s.in.framing.MaxMessage)
	case NoStart:
		text = fmt.Sprintf("%s: more then double max message size (%d) received without finding frame terminator via regex - assuming end of frame now.",
			s.in.module, f.Value)
	default:
		text = fmt.Sprintf("%sFraming Error in received TCP message %s: %v.", who, peer, f)
	}
	s.in.faults.add(text)
}
