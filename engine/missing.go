package engine

import (
	"context"

	"sysrelay/message"
	"sysrelay/output"
)

// missingAction stands where an action of a module is that is not there. Messages
// for it are discarded and accounted for; a failover action behind it gets them, as
// if it were suspended. A module that modifies messages is passed by.
type missingAction struct {
	name     string
	failover bool // it is one itself
	passes   bool
	handsOn  bool // a failover action follows
	ledger   message.Ledger
}

// Handle is a message.Handler.
func (m *missingAction) Handle(_ context.Context, v message.View) error {
	if m.handsOn {
		return &message.Undelivered{Rest: v, Err: output.ErrSuspended}
	}
	m.ledger.Receive(v.Len())
	if m.passes {
		m.ledger.Deliver(v.Len())
		return nil
	}
	m.ledger.Discard(message.NotSupported, v.Len())
	return nil
}

// Suspended says what previous_action_suspended() sees.
func (m *missingAction) Suspended() bool { return !m.passes && !m.handsOn }

// FailoverFor is action.execOnlyWhenPreviousIsSuspended.
func (m *missingAction) FailoverFor() bool { return m.failover }

// HasFailover is called when such an action follows.
func (m *missingAction) HasFailover() { m.handsOn = !m.passes }
