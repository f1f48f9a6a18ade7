package filter

import (
	"fmt"
	"sync/atomic"

	"sysrelay/conf"
	"sysrelay/message"
)

// set is set or reset $v = expression.
type set struct {
	site
	name   string
	path   message.Path
	value  valueFunc
	reset  bool
	log    func(severity int, text string)
	logged atomic.Bool // a failure was reported; the next ones would be the same
}

func (c *compiler) set(s *conf.Set) statement {
	path, ok := c.path(s.Pos, s.Var)
	v := c.expr(s.Value).asValue()
	if !ok {
		return nil
	}
	return &set{site: c.site(s.Pos), name: s.Var, path: path, value: v, reset: s.Reset, log: c.deps.Log}
}

func (s *set) run(x *pass, v message.View) {
	for i := range v.Len() {
		m := v.At(i)
		x.eval.begin(&x.marks[v.Index(i)])
		val := s.value(&x.eval, m)
		if err := m.SetVar(s.path, val.variable(), s.reset); err != nil && !s.logged.Swap(true) {
			s.log(severityWarning, fmt.Sprintf("%s: cannot set %v; the message goes on without it, "+
				"further failures here are not reported", posText(s.pos), err))
		}
		if x.trace != nil {
			now, _ := m.Var(s.path)
			x.step(v.Slice(i, i+1), s.site, Step{Kind: StepSet, Text: s.name, Value: string(now.AppendText(nil))})
		}
	}
}

const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// unset is unset $v.
type unset struct {
	site
	name string
	path message.Path
}

func (s *unset) run(x *pass, v message.View) {
	if x.trace != nil {
		x.step(v, s.site, Step{Kind: StepUnset, Text: s.name})
	}
	for i := range v.Len() {
		v.At(i).UnsetVar(s.path)
	}
}

// foreach is foreach ($.i in collection) do body. It runs message by message:
// what the actions of the body are given is then in the order of the messages.
type foreach struct {
	site
	name       string
	path       message.Path
	collection valueFunc
	body       block
	meets      bool // see parting
}

func (c *compiler) foreach(s *conf.Foreach) statement {
	path, ok := c.path(s.Pos, s.Var)
	f := &foreach{site: c.site(s.Pos), name: s.Var, path: path, collection: c.expr(s.In).asValue(), body: c.block(s.Body, false)}
	if !ok {
		return nil
	}
	return f
}

func (s *foreach) run(x *pass, v message.View) {
	for i := range v.Len() {
		x.eval.begin(&x.marks[v.Index(i)])
		val := s.collection(&x.eval, v.At(i))
		// as rsyslog: what is neither array nor object is passed over.
		if val.kind != jsonKind || val.json.Len() == 0 {
			continue
		}
		s.each(x, v.Slice(i, i+1), val.json.Clone())
	}
}

// each runs the body for every element, until it stops the message.
func (s *foreach) each(x *pass, v message.View, list message.Value) {
	m := v.At(0)
	for i := range list.Len() {
		name, elem := list.At(i)
		if list.Kind() == message.KindObject { // as rsyslog
			member := message.NewObject()
			member.SetMember("key", message.StringValue(name), true)
			member.SetMember("value", elem, true)
			elem = member
		}
		if m.SetVar(s.path, elem, true) != nil {
			break
		}
		if x.trace != nil {
			x.step(v, site{s.pos, s.level + 1}, Step{Kind: StepEach, Text: s.name, Value: string(elem.AppendText(nil))})
		}
		if s.body.run(x, v); x.marks[v.Index(0)]&stopped != 0 {
			return
		}
	}
	m.UnsetVar(s.path)
}
