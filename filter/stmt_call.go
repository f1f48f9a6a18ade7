package filter

import (
	"fmt"
	"sync/atomic"

	"sysrelay/conf"
	"sysrelay/message"
)

// call runs another ruleset, or gives it messages by way of its queue.
type call struct {
	site
	name  string
	find  func(name string) (*Ruleset, bool)
	to    *Ruleset // set by Link
	meets bool     // see parting
	// copies is set for omruleset.
	copies bool
}

// target is the ruleset called, linked or not.
func (s *call) target() (*Ruleset, bool) {
	if s.to != nil {
		return s.to, true
	}
	return s.find(s.name)
}

func (s *call) run(x *pass, v message.View) {
	if s.to != nil { // as rsyslog: a call that Link has complained about does nothing
		s.to.enter(x, v, s.site)
	}
}

// maxCalls is how deep call_indirect may nest; rulesets could call each other
// for ever.
const maxCalls = 64

// enter runs r as a part of the pass x. as rsyslog: a stop in a called ruleset
// ends the caller, too, unless the called one has a queue and so works on
// copies.
func (r *Ruleset) enter(x *pass, v message.View, from site) {
	switch {
	case x.trace != nil:
		r.enterTraced(x, v, from, r.queue != nil)
		return
	case r.queue != nil:
		x.put(r.queue, v)
		return
	}
	x.depth++
	r.run(x, v)
	x.depth--
}

// callIndirect is call_indirect expression.
type callIndirect struct {
	site
	name   textFunc
	find   func(name string) (*Ruleset, bool)
	log    func(severity int, text string)
	logged atomic.Bool
	meets  bool // see parting
}

func (c *compiler) callIndirect(s *conf.CallIndirect) statement {
	c.ruleset.indirect = true
	return &callIndirect{site: c.site(s.Pos), name: c.expr(s.Ruleset).asText(), find: c.deps.Ruleset, log: c.deps.Log}
}

func (s *callIndirect) run(x *pass, v message.View) {
	s.runs(x, v, func(r *Ruleset, v message.View) {
		if r != nil {
			r.enter(x, v, s.site)
		}
	})
}

// runs calls enter for consecutive messages that go to the same ruleset, or to
// none.
func (s *callIndirect) runs(x *pass, v message.View, enter func(*Ruleset, message.View)) {
	for from := 0; from < v.Len(); {
		name := string(s.nameFor(x, v, from))
		to := from + 1
		for to < v.Len() && string(s.nameFor(x, v, to)) == name {
			to++
		}
		enter(s.target(x, name), v.Slice(from, to))
		from = to
	}
}

func (s *callIndirect) nameFor(x *pass, v message.View, i int) []byte {
	x.eval.begin(&x.marks[v.Index(i)])
	return s.name(&x.eval, v.At(i))
}

// target is the ruleset of that name, nil if it cannot be called.
func (s *callIndirect) target(x *pass, name string) *Ruleset {
	r, ok := s.find(name)
	switch {
	case x.trace != nil && (!ok || x.depth >= maxCalls):
		x.trace.Step(&x.messages[0], Step{Kind: StepNoCall, At: s.pos, Level: x.level + s.level, Text: name})
		return nil
	case !ok:
		s.complain(fmt.Sprintf("there is no ruleset %q", name))
		return nil
	case x.depth >= maxCalls:
		s.complain(fmt.Sprintf("ruleset %q was called %d levels deep", name, x.depth))
		return nil
	}
	return r
}

// complain reports the first failure: messages decide about the rest.
func (s *callIndirect) complain(what string) {
	if !s.logged.Swap(true) {
		s.log(severityWarning, fmt.Sprintf("%s: call_indirect: %s; messages go on without the call, "+
			"further failures here are not reported", posText(s.pos), what))
	}
}

// reloadLookup is reload_lookup_table. One reload does for all messages of a
// view.
type reloadLookup struct {
	site
	name  string
	table *LookupTable
	stub  string
}

func (c *compiler) reloadLookup(s *conf.ReloadLookup) statement {
	t, ok := c.deps.Lookup(s.Table)
	if !ok {
		c.errorf(s.Pos, "", "there is no lookup table %q", s.Table)
		return nil
	}
	return &reloadLookup{site: c.site(s.Pos), name: s.Table, table: t, stub: s.Stub}
}

func (s *reloadLookup) run(x *pass, v message.View) {
	if x.trace != nil {
		x.step(v, s.site, Step{Kind: StepReload, Text: s.name})
		return
	}
	s.table.ReloadSoon(s.stub)
}
