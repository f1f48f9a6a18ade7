package filter

import (
	"fmt"

	"sysrelay/conf"
	"sysrelay/message"
)

// statement is one statement, run for all messages of a view.
type statement interface {
	run(x *pass, v message.View)
}

// block is statements one after the other. A message that is stopped leaves the
// view before the next statement.
type block []statement

func (b block) run(x *pass, v message.View) {
	used := x.used
	var room []int32
	for _, s := range b {
		if v.Len() == 0 {
			break
		}
		before := x.stops
		s.run(x, v)
		if x.stops == before {
			continue
		}
		if room == nil {
			room = x.room(v.Len())
		}
		v = x.going(v, room)
	}
	x.used = used
}

// branch is if, a selector or a property filter with its statements.
type branch struct {
	cond      condition
	then, els block
	meets     bool // see parting
}

func (s *branch) run(x *pass, v message.View) {
	used := x.used
	yes, no := x.split(v, &s.cond, len(s.els) > 0 || x.trace != nil)
	s.trace(x, yes, no)
	s.then.run(x, yes)
	s.els.run(x, no)
	x.used = used
}

func (s *branch) trace(x *pass, yes, no message.View) {
	if x.trace != nil {
		s.report(x.trace, yes, true)
		s.report(x.trace, no, false)
	}
}

func (s *branch) report(t Tracer, v message.View, outcome bool) {
	for i := range v.Len() {
		t.Condition(v.At(i), posText(s.cond.pos), s.cond.text, outcome)
	}
}

// stop is stop, or ~.
type stop struct{}

func (stop) run(x *pass, v message.View) { x.stop(v) }

// act hands messages to an action.
type act struct {
	pos conf.Pos
	to  Action
}

func (s *act) run(x *pass, v message.View) {
	used := x.used
	if x.trace != nil {
		for i := range v.Len() {
			x.trace.Action(v.At(i), posText(s.pos))
		}
	}
	x.act(s.to, v)
	x.used = used
}

func posText(p conf.Pos) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }
