// Package filter decides where messages go: selectors, property filters,
// RainerScript conditions and statements, rulesets.
//
// A Ruleset is compiled once from conf's tree; conditions become closures,
// selectors become one mask per facility. A ruleset runs over a View statement
// by statement: each condition splits the view, each action is given a view, so
// that an output sees a batch and writes once. For one message that is the same
// as running the statements one after the other.
//
// Messages keep their order: each action is given them in the order of the
// batch. Around a ruleset that is called from several places messages are run in
// runs that take the same way, and where $/ variables are used one by one.
//
// An error of one action keeps no other from being run. What an action has not
// taken goes to the failover actions behind it; what is left then is handed back
// to the caller.
//
// Rulesets are immutable once linked and safe to enter from many goroutines. They
// allocate nothing per message, unless a rule sets variables, extracts with
// regular expressions or makes JSON.
//
// Outcomes are those of rsyslogd 8.2302, which wrote the golden files in
// testdata; where they are not, TestConditionsBeyondRsyslogd and its like say so.
//
// The package imports conf and message.
package filter

import (
	"context"

	"sysrelay/message"
)

// Action is what a ruleset needs of an action; output.Action satisfies it.
type Action interface {
	// Handle is a message.Handler.
	Handle(ctx context.Context, v message.View) error
	// Suspended says whether the action is not trying to deliver at present.
	Suspended() bool
	// FailoverFor tells whether the action is to run only when the action before
	// it is suspended (action.execOnlyWhenPreviousIsSuspended).
	FailoverFor() bool
	// HasFailover tells the action, before the first Handle, that every message it
	// does not take goes to a failover action next.
	HasFailover()
}
