package input

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"sysrelay/message"
)

// Repeats is $RepeatedMsgReduction of one input: a message that says the same as
// the one before it is held back, and when another one comes a line says how often
// that was. It stands between the input and its ruleset's queue.
//
// as rsyslog: MSG, HOSTNAME, PROCID and APP-NAME decide; a single repetition is
// given out as it came; the line does not come before another message does, or
// the input stops. Until then it is in memory only, whatever was promised to the
// sender: the message itself has been handed on.
type Repeats struct {
	same    []message.Property // of messages that say the same
	parsers message.ParserChain
	next    message.Handler
	ledger  message.Ledger

	mu      sync.Mutex
	scratch [2][8]byte    // for the "-" of properties that are not there
	last    message.Batch // the newest of the same messages; empty at first
	more    int           // that were held back
	owed    message.Batch // lines that the next Handler did not take
}

// NewRepeats returns a Repeats in front of next. The parsers are those of the
// ruleset behind it.
func NewRepeats(env *message.Env, parsers message.ParserChain, next message.Handler) *Repeats {
	r := &Repeats{parsers: parsers, next: next}
	for _, name := range []string{"msg", "hostname", "procid", "app-name"} {
		p, err := env.Property(name)
		if err != nil {
			panic(err) // the names are constants
		}
		r.same = append(r.same, p)
	}
	return r
}

// Ledger accounts for messages: those held back are discarded as Repeated, the
// lines about them are received and delivered.
func (r *Repeats) Ledger() *message.Ledger { return &r.ledger }

// mostRepeated is how much of a message the line about it shows. as rsyslog.
const mostRepeated = 800

// Handle is a message.Handler.
func (r *Repeats) Handle(ctx context.Context, v message.View) error {
	out, from := r.reduce(v)
	if from == nil {
		err := r.next(ctx, v)
		r.account(v.Len(), message.Rest(v, err).Len(), 0)
		return err
	}
	err := r.next(ctx, out.All())
	rest := message.Rest(out.All(), err)
	var left []int32
	for i := range rest.Len() {
		if at := from[rest.Index(i)]; at >= 0 {
			left = append(left, at)
		} else {
			r.mu.Lock()
			r.owed.AddMessage(rest.At(i))
			r.mu.Unlock()
		}
	}
	r.account(out.Len(), rest.Len(), v.Len()-origins(from))
	if err == nil {
		return nil
	}
	return &message.Undelivered{Rest: v.Pick(left), Err: err}
}

// account counts what the next Handler was given and left, and what was held back.
// What it left is still the caller's.
func (r *Repeats) account(given, left, held int) {
	r.ledger.Receive(given - left + held)
	r.ledger.Deliver(given - left)
	r.ledger.Discard(message.Repeated, held)
}

// origins is how many of the messages came from the input.
func origins(from []int32) (n int) {
	for _, at := range from {
		if at >= 0 {
			n++
		}
	}
	return n
}

// reduce returns the messages to hand on, and for each which one of v it is, or -1
// for a line about repetitions. If they are v itself, from is nil.
func (r *Repeats) reduce(v message.View) (out *message.Batch, from []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(m *message.Message, at int) {
		out.AddMessage(m)
		from = append(from, int32(at))
	}
	split := func(n int) { // from the n-th message on out differs from v
		if out == nil {
			out, from = &message.Batch{Flow: v.Flow()}, []int32{}
			for i := range r.owed.Len() {
				add(r.owed.All().At(i), -1)
			}
			r.owed.Reset()
			for i := range n {
				add(v.At(i), i)
			}
		}
	}
	if r.owed.Len() > 0 {
		split(0)
	}
	for i := range v.Len() {
		m := v.At(i)
		r.parsers.Parse(m)
		switch {
		case m.Flags&message.Mark != 0:
			// `-- MARK --` is meant to be repeated.
		case r.repeats(m):
			split(i)
			r.more++
			r.keep(m)
			continue
		case r.more > 0:
			split(i)
			add(r.line(), -1)
			r.keep(m)
		default:
			r.keep(m)
		}
		if out != nil {
			add(m, i)
		}
	}
	return out, from
}

// repeats tells whether m says what the last message said.
func (r *Repeats) repeats(m *message.Message) bool {
	if r.last.Len() == 0 {
		return false
	}
	l := r.last.All().At(0)
	for _, p := range r.same {
		if !bytes.Equal(p.Value(m, r.scratch[0][:0]), p.Value(l, r.scratch[1][:0])) {
			return false
		}
	}
	return true
}

// keep makes m the last message. as rsyslog: of messages that repeat each other the
// newest, for its time.
func (r *Repeats) keep(m *message.Message) {
	r.last.Reset()
	r.last.AddMessage(m)
}

// line is what is said about the messages held back. It is good until keep.
func (r *Repeats) line() *message.Message {
	l := r.last.All().At(0)
	if r.more > 1 {
		msg := l.Msg.Of(l.Text)
		l.ReplaceMsg(fmt.Appendf(nil, " message repeated %d times: [%s]", r.more, msg[:min(len(msg), mostRepeated)]))
	}
	r.more = 0
	return l
}

// Flush hands on the line about messages held back, once the input has stopped.
func (r *Repeats) Flush(ctx context.Context) error {
	r.mu.Lock()
	if r.more > 0 {
		r.owed.AddMessage(r.line())
	}
	r.mu.Unlock()
	n := r.owed.Len()
	if n == 0 {
		return nil
	}
	r.ledger.Receive(n)
	if err := r.next(ctx, r.owed.All()); err != nil {
		lost := message.Rest(r.owed.All(), err).Len()
		r.ledger.Deliver(n - lost)
		r.ledger.Discard(message.ShutdownTimeout, lost)
		return fmt.Errorf("%d lines about repeated messages could not be handed on: %w", lost, err)
	}
	r.ledger.Deliver(n)
	return nil
}
