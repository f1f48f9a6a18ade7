package filter

import (
	"sysrelay/conf"
	"sysrelay/message"
)

// copyTo is the action omruleset: another ruleset is given copies of the messages.
// Unlike a call it can neither change the messages nor stop them.
type copyTo struct{ call }

func (c *compiler) copyTo(pos conf.Pos, name string) statement {
	s := &copyTo{call{site: c.site(pos), name: name, find: c.deps.Ruleset, copies: true}}
	c.ruleset.calls = append(c.ruleset.calls, &s.call)
	return s
}

func (s *copyTo) run(x *pass, v message.View) {
	if s.to == nil { // Link has complained
		return
	}
	if x.trace != nil {
		s.to.enterTraced(x, v, s.site, true)
		return
	}
	copied := new(message.Batch)
	v.CopyTo(copied)
	given := copied.All()
	var err error
	if s.to.queue != nil {
		err = s.to.queue(x.ctx, given)
	} else {
		err = s.to.Handle(x.ctx, given)
	}
	x.given(v, givenBack(v, given, err))
}
