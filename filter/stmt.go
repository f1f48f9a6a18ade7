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
	if v.Len() == 0 {
		return
	}
	used := x.used
	yes, no := x.split(v, &s.cond, len(s.els) > 0 || x.trace != nil)
	s.trace(x, yes, no)
	s.then.run(x, yes)
	s.els.run(x, no)
	x.used = used
}

func (s *branch) trace(x *pass, yes, no message.View) {
	if x.trace == nil {
		return
	}
	step := Step{Kind: StepCondition, Text: s.cond.text, Holds: yes.Len() > 0}
	both := yes
	if !step.Holds {
		both = no
	}
	step.Parts = x.parts(&s.cond, both.Index(0))
	x.step(both, s.cond.site, step)
}

// stop is stop, or ~.
type stop struct{ site }

func (s stop) run(x *pass, v message.View) {
	if x.trace != nil {
		x.step(v, s.site, Step{Kind: StepStop})
	}
	x.stop(v)
}

// act hands messages to an action.
type act struct {
	site
	to Action
}

func (s *act) run(x *pass, v message.View) {
	if v.Len() == 0 {
		return
	}
	used := x.used
	if x.trace != nil {
		x.actTraced(s, v)
	} else {
		x.act(s.to, v)
	}
	x.used = used
}

func posText(p conf.Pos) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }
