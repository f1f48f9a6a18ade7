package filter

import (
	"context"

	"sysrelay/message"
)

// Modifier is an action that changes messages instead of delivering them:
// rsyslog's mm modules. It works on the messages of the pass, where they are, and
// has no queue; what it changes is what the statements behind it see.
//
// A message is one goroutine's during a pass, so a Modifier may change it without
// a lock. What the Modifier itself keeps it must guard: several passes may be
// under way.
type Modifier interface {
	// Modify changes the messages of v. An error says that those it names
	// (message.Rest) go on as they were, because the modifier cannot work now.
	Modify(ctx context.Context, v message.View) error
	// FailoverFor is as for an Action.
	FailoverFor() bool
	// Name is what tracers show.
	Name() string
}

// alter gives messages to a modifier.
type alter struct {
	site
	to Modifier
}

func (s *alter) run(x *pass, v message.View) {
	used := x.used
	if x.trace != nil {
		x.alterTraced(s, v)
	} else {
		x.alter(s.to, v)
	}
	x.used = used
}

// alter gives v to a modifier. A message it has seen is no more delivered than
// before: what the action in front of it missed stays missed.
func (x *pass) alter(to Modifier, v message.View) {
	x.settle(v)
	if to.FailoverFor() {
		if v = x.where(v, x.room(v.Len()), prevSuspended); v.Len() == 0 {
			return
		}
	}
	rest := message.Rest(v, to.Modify(x.ctx, v))
	for i := range v.Len() {
		at := v.Index(i)
		x.marks[at] &^= prevSuspended | prevMissed
		x.pris[at] = flatPRI(&x.messages[at])
	}
	for i := range rest.Len() {
		x.marks[rest.Index(i)] |= prevSuspended
	}
}

// flatPRI is the PRI in the form in which selectors use it.
func flatPRI(m *message.Message) uint8 { return uint8(min(m.PRI>>3, facilities-1)<<3 | m.PRI&7) }
