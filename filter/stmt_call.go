package filter

import (
	"fmt"
	"sync/atomic"

	"sysrelay/conf"
	"sysrelay/message"
)

// call runs another ruleset, or gives it messages by way of its queue.
type call struct {
	pos  conf.Pos
	name string
	to   *Ruleset
}

func (s *call) run(x *pass, v message.View) {
	if s.to != nil { // as rsyslog: a call that Link has complained about does nothing
		s.to.enter(x, v)
	}
}

// maxCalls is how deep call_indirect may nest; rulesets could call each other
// for ever.
const maxCalls = 64

// enter runs r as a part of the pass x. as rsyslog: a stop in a called ruleset
// ends the caller, too, unless the called one has a queue and so works on
// copies.
func (r *Ruleset) enter(x *pass, v message.View) {
	if r.queue != nil && x.trace == nil {
		x.put(r.queue, v)
		return
	}
	x.depth++
	r.run(x, v)
	x.depth--
}

// callIndirect is call_indirect expression.
type callIndirect struct {
	pos    conf.Pos
	name   textFunc
	find   func(name string) (*Ruleset, bool)
	log    func(severity int, text string)
	logged atomic.Bool
}

func (c *compiler) callIndirect(s *conf.CallIndirect) statement {
	return &callIndirect{pos: s.Pos, name: c.expr(s.Ruleset).asText(), find: c.deps.Ruleset, log: c.deps.Log}
}

// run collects consecutive messages that go to the same ruleset.
func (s *callIndirect) run(x *pass, v message.View) {
	from := 0
	var current string
	for i := range v.Len() {
		x.eval.begin(&x.marks[v.Index(i)])
		name := s.name(&x.eval, v.At(i))
		if i > 0 && string(name) == current {
			continue
		}
		s.enter(x, current, v.Slice(from, i))
		from, current = i, string(name)
	}
	s.enter(x, current, v.Slice(from, v.Len()))
}

func (s *callIndirect) enter(x *pass, name string, v message.View) {
	if v.Len() == 0 {
		return
	}
	r, ok := s.find(name)
	switch {
	case !ok:
		s.complain(fmt.Sprintf("there is no ruleset %q", name))
	case x.depth >= maxCalls:
		s.complain(fmt.Sprintf("ruleset %q was called %d levels deep", name, x.depth))
	default:
		r.enter(x, v)
	}
}

// complain reports the first failure: messages decide about the rest.
func (s *callIndirect) complain(what string) {
	if !s.logged.Swap(true) {
		s.log(severityWarning, fmt.Sprintf("%s: call_indirect: %s; messages go on without the call, "+
			"further failures here are not reported", place(s.pos), what))
	}
}

// reloadLookup is reload_lookup_table. as rsyslog: it runs for every message.
type reloadLookup struct {
	table LookupTable
	stub  string
}

func (c *compiler) reloadLookup(s *conf.ReloadLookup) statement {
	t, ok := c.deps.Lookup(s.Table)
	if !ok {
		c.errorf(s.Pos, "", "there is no lookup table %q", s.Table)
		return nil
	}
	return &reloadLookup{table: t, stub: s.Stub}
}

func (s *reloadLookup) run(_ *pass, v message.View) {
	for range v.Len() {
		s.table.Reload(s.stub)
	}
}
