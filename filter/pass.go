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
	eval  eval
	marks []mark // by index of the batch
	depth int    // of calls to other rulesets
	stops int    // messages stopped so far

	indices []int32 // room for the selections of the statements under way
	used    int

	places []place // of runs under way, see parting

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
	x.ctx, x.trace, x.depth, x.stops, x.used = ctx, t, 0, 0, 0
	x.errs, x.places = x.errs[:0], x.places[:0]
	n := v.Index(v.Len()-1) + 1
	if cap(x.marks) < n {
		x.marks = make([]mark, n)
	}
	x.marks = x.marks[:n]
	clear(x.marks)
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

// split divides v by cond. The parts are good until used is set back.
func (x *pass) split(v message.View, c condition) (yes, no message.View) {
	n := v.Len()
	y, nn := x.room(n), x.room(n)
	for i := range n {
		at := v.Index(i)
		if c.selector != nil && c.selector.Match(v.At(i)) || c.selector == nil && x.holds(c.holds, v, i) {
			y = append(y, int32(at))
		} else {
			nn = append(nn, int32(at))
		}
	}
	return v.Select(y), v.Select(nn)
}

// holds evaluates a condition for the i-th message of v.
func (x *pass) holds(f boolFunc, v message.View, i int) bool {
	x.eval.begin(&x.marks[v.Index(i)])
	return f(&x.eval, v.At(i))
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
	for i := range rest.Len() {
		x.marks[rest.Index(i)] |= prevSuspended | prevMissed
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
	err := to(x.ctx, v)
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

func (x *pass) note(err error) {
	if u := (*message.Undelivered)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if len(x.errs) < maxErrors {
		x.errs = append(x.errs, err)
	}
}

// end accounts for the pass and says what of v was not taken.
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
	return &message.Undelivered{Rest: rest, Err: errors.Join(x.errs...)}
}
