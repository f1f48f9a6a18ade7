package filter

import (
	"context"
	"errors"

	"sysrelay/message"
)

// pass is the state of one run of a View through a ruleset. It is reused, so
// that a pass allocates nothing once its buffers have grown.
type pass struct {
	ctx   context.Context
	trace Tracer
	level int // of statements around the ruleset being traced
	eval  eval
	// These are by index of the batch.
	messages []message.Message
	marks    []mark
	pris     []uint8 // PRI, kept together, because most conditions want no more
	depth    int     // of calls to other rulesets
	stops    int     // messages stopped so far

	indices []int32 // room for the selections of the statements under way
	used    int

	places []place // of runs under way, see parting

	copied message.Batch // what another ruleset is given

	errs []error // of actions, in order
}

// mark is what is known about one message during a pass.
type mark uint8

const (
	// stopped: no further statement sees the message.
	stopped mark = 1 << iota
	// taken: an action or a queue has taken the message.
	taken
	// prevSuspended: the action that had the message last is suspended or has not
	// taken it; as rsyslog: failover actions take it.
	prevSuspended
	// prevMissed: the action that had the message last has not taken it. A failover
	// action that takes it makes up for that.
	prevMissed
	// missed: some action has not taken the message, and none made up for it.
	missed
	// scriptError: what script_error() tells.
	scriptError
)

// errors kept of one pass; more would only say the same again.
const maxErrors = 4

func (x *pass) begin(ctx context.Context, v message.View, t Tracer) {
	x.ctx, x.trace, x.level, x.depth, x.stops, x.used = ctx, t, 0, 0, 0, 0
	x.errs, x.places = x.errs[:0], x.places[:0]
	x.messages = v.Messages()
	if n := len(x.messages); cap(x.marks) < n {
		x.marks, x.pris = make([]mark, n), make([]uint8, n)
	}
	x.marks, x.pris = x.marks[:len(x.messages)], x.pris[:len(x.messages)]
	clear(x.marks)
}

// parse makes sure that all messages of v are parsed. marked says that parsers
// want something done with some of them.
func (x *pass) parse(v message.View, r *Ruleset) (view message.View, from *Ruleset, marked bool) {
	var flags message.Flags
	for i := range v.Len() {
		at := v.Index(i)
		m := &x.messages[at]
		if m.Flags&message.Parsed == 0 {
			parser := r.deps.Parsers.Parse(m)
			flags |= m.Flags
			if x.trace != nil {
				x.trace.Step(m, Step{Kind: StepParsed, Text: parser})
			}
		}
		x.pris[at] = flatPRI(m)
	}
	return v, r, flags&(message.Discard|message.Elsewhere) != 0
}

// sort does with messages just parsed what their parsers want: stop them, or give
// them to another ruleset. It returns the others.
func (x *pass) sort(v message.View, r *Ruleset, marked bool) message.View {
	if !marked {
		return v
	}
	elsewhere := x.room(v.Len())
	for i := range v.Len() {
		at := v.Index(i)
		switch f := x.messages[at].Flags; {
		case f&message.Discard != 0:
			x.stop(v.Slice(i, i+1))
		case f&message.Elsewhere != 0:
			elsewhere = append(elsewhere, int32(at))
			x.messages[at].Flags &^= message.Elsewhere
		}
	}
	if to, ok := r.deps.Ruleset(r.deps.Parsers.Elsewhere()); ok && len(elsewhere) > 0 {
		others := v.Select(elsewhere)
		to.enter(x, others, site{})
		x.stop(x.going(others, x.room(len(elsewhere))))
	}
	return x.going(v, x.room(v.Len()))
}

// room returns space for n indices; it is good until used is set back.
func (x *pass) room(n int) []int32 {
	if x.used+n > len(x.indices) {
		// Selections under way keep the old array.
		x.indices = make([]int32, 2*(x.used+n))
	}
	s := x.indices[x.used : x.used : x.used+n]
	x.used += n
	return s
}

// split returns the messages of v for which c holds, and, if both are wanted,
// those for which it does not. They are good until used is set back.
func (x *pass) split(v message.View, c *condition, both bool) (yes, no message.View) {
	n := v.Len()
	y, other := x.room(n), []int32(nil)
	if c.selector != nil && !both {
		return x.selected(v, c.selector, y), message.View{}
	}
	if both {
		other = x.room(n)
	}
	for i := range n {
		at := v.Index(i)
		if x.holds(c, at) {
			y = append(y, int32(at))
		} else if both {
			other = append(other, int32(at))
		}
	}
	if !both {
		return v.Select(y), message.View{}
	}
	return v.Select(y), v.Select(other)
}

// selected returns the messages of v that s selects.
func (x *pass) selected(v message.View, s *Selector, room []int32) message.View {
	for i := range v.Len() {
		at := v.Index(i)
		if pri := x.pris[at]; s[pri>>3]>>(pri&7)&1 != 0 {
			room = append(room, int32(at))
		}
	}
	return v.Select(room)
}

// holds tells whether c holds for the message at an index of the batch.
func (x *pass) holds(c *condition, at int) bool {
	if c.selector != nil {
		pri := x.pris[at]
		return c.selector[pri>>3]>>(pri&7)&1 != 0
	}
	x.eval.begin(&x.marks[at])
	return c.holds(&x.eval, &x.messages[at])
}

// where returns the messages of v that have one of the marks.
func (x *pass) where(v message.View, room []int32, any mark) message.View {
	for i := range v.Len() {
		if n := v.Index(i); x.marks[n]&any != 0 {
			room = append(room, int32(n))
		}
	}
	return v.Select(room)
}

// going returns the messages of v that have not been stopped. It writes to
// room, where v may already be.
func (x *pass) going(v message.View, room []int32) message.View {
	for i := range v.Len() {
		if n := v.Index(i); x.marks[n]&stopped == 0 {
			room = append(room, int32(n))
		}
	}
	return v.Select(room)
}

func (x *pass) stop(v message.View) {
	for i := range v.Len() {
		x.marks[v.Index(i)] |= stopped
	}
	x.stops += v.Len()
}

// act gives v to an action and notes what came of it.
func (x *pass) act(a Action, v message.View) {
	if a.FailoverFor() {
		if v = x.where(v, x.room(v.Len()), prevSuspended); v.Len() == 0 {
			return
		}
	} else {
		x.settle(v)
	}
	err := a.Handle(x.ctx, v)
	suspended := mark(0)
	if err == nil && a.Suspended() {
		suspended = prevSuspended
	}
	for i := range v.Len() {
		m := &x.marks[v.Index(i)]
		*m = *m&^(prevSuspended|prevMissed) | taken | suspended
	}
	if err == nil {
		return
	}
	x.note(err)
	rest := message.Rest(v, err)
	left := prevSuspended | prevMissed
	if x.ctx.Err() != nil {
		left = missed // the daemon stops: it is no failure of the action
	}
	for i := range rest.Len() {
		x.marks[rest.Index(i)] |= left
	}
}

// settle is called when an action that is no failover takes its turn with v:
// what the one before missed can no longer be made up for.
func (x *pass) settle(v message.View) {
	for i := range v.Len() {
		if m := &x.marks[v.Index(i)]; *m&prevMissed != 0 {
			*m |= missed
		}
	}
}

// put gives v to the queue of another ruleset. as rsyslog: that has no effect
// on failover.
func (x *pass) put(to message.Handler, v message.View) {
	x.given(v, x.copyTo(to, v))
}

// given notes what came of giving v to another ruleset.
func (x *pass) given(v message.View, err error) {
	for i := range v.Len() {
		x.marks[v.Index(i)] |= taken
	}
	if err == nil {
		return
	}
	x.note(err)
	rest := message.Rest(v, err)
	for i := range rest.Len() {
		x.marks[rest.Index(i)] |= missed
	}
}

// copyTo gives v to another ruleset's queue. as rsyslog: that ruleset works on
// copies. Under a promise a queue in memory is passed by, and makes none.
func (x *pass) copyTo(to message.Handler, v message.View) error {
	if message.AckOf(x.ctx) < message.Stored {
		return to(x.ctx, v)
	}
	x.copied.Reset()
	v.CopyTo(&x.copied)
	given := x.copied.All()
	return givenBack(v, given, to(x.ctx, given))
}

// givenBack is the error of a handler that was given copies of v, in terms of v.
func givenBack(v, given message.View, err error) error {
	if err == nil {
		return nil
	}
	rest := message.Rest(given, err)
	left := make([]int32, rest.Len())
	for i := range left {
		left[i] = int32(rest.Index(i))
	}
	return &message.Undelivered{Rest: v.Pick(left), Err: err}
}

func (x *pass) note(err error) {
	if u := (*message.Undelivered)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if len(x.errs) < maxErrors {
		x.errs = append(x.errs, err)
	}
}

// end accounts for the pass and says what of v was not taken. That is handed back
// as it came: it goes through the rules again, and what they change must not be
// changed twice.
func (x *pass) end(v message.View, l *message.Ledger) error {
	var delivered, left int
	for i := range v.Len() {
		switch m := x.marks[v.Index(i)]; {
		case m&(missed|prevMissed) != 0:
			left++
		case m&taken != 0:
			delivered++
		}
	}
	l.Receive(v.Len() - left)
	l.Deliver(delivered)
	if n := v.Len() - left - delivered; n > 0 {
		l.Discard(message.Stopped, n)
	}
	if left == 0 {
		return nil
	}
	rest := x.where(v, make([]int32, 0, left), missed|prevMissed)
	rest.Restore()
	return &message.Undelivered{Rest: rest, Err: errors.Join(x.errs...)}
}
