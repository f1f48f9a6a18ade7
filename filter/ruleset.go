package filter

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/message"
)

// Deps is what rulesets need of the rest of the relay.
type Deps struct {
	Env *message.Env
	// Parsers reads messages that have not been parsed when they enter.
	Parsers message.ParserChain
	// Action makes an action; it is called in the order of the text.
	Action func(o *conf.Object) (Action, error)
	// Copies tells whether an action() is omruleset, and which ruleset it gives
	// copies to.
	Copies func(o *conf.Object) (ruleset string, is bool, err error)
	// Modifier makes what an action() stands for that changes messages in place; is
	// tells whether o is one. It is called in the order of the text, too.
	Modifier func(o *conf.Object) (m Modifier, is bool, err error)
	// Ruleset finds the target of a call. It is used by Link, and by
	// call_indirect while messages flow.
	Ruleset func(name string) (*Ruleset, bool)
	// Template finds the template of exec_template.
	Template func(name string) (message.Template, bool)
	// Lookup finds the table of lookup and reload_lookup_table.
	Lookup func(name string) (*LookupTable, bool)
	// DynStats finds the dyn_stats() bucket of dyn_inc.
	DynStats func(name string) (*DynStats, bool)
	// Percentiles finds the percentile_stats() bucket of percentile_observe.
	Percentiles func(name string) (*PercentileStats, bool)
	// Traced: rulesets are compiled for Trace.
	Traced bool
	// Log takes one line for people about what happened, with its severity.
	Log func(severity int, text string)
}

// Ruleset is a compiled ruleset. Compile makes it, Link completes it; after that
// it never changes and may be entered from many goroutines.
type Ruleset struct {
	Name string
	// Ledger accounts for the messages that entered here: delivered were taken by
	// an action at least, Stopped were not. Messages handed back to the caller
	// are not counted.
	Ledger message.Ledger

	deps  Deps
	body  block
	calls []*call         // to be linked
	queue message.Handler // in front of the ruleset; nil: none
	// indirect is set if there is a call_indirect, or parsers that send messages to
	// another ruleset.
	indirect bool
	// single is set if $/ variables are used here or in a ruleset called: messages
	// must then go through one by one, so that what one sets is what the next one
	// finds.
	single bool
	// ordered is set if messages must go through in runs, see parting.
	ordered bool
	passes  sync.Pool
}

// Compile compiles the statements of one ruleset. Objects other than actions
// are no statements and passed over at the top level, so that a whole
// conf.Config may be given for the default ruleset. The error is a
// *multierror.Error of *conf.Error; the ruleset then lacks what is wrong.
func Compile(d Deps, name string, stmts []conf.Stmt) (*Ruleset, error) {
	r := &Ruleset{Name: name, deps: d.complete()}
	r.passes.New = func() any { return new(pass) }
	c := &compiler{deps: r.deps, ruleset: r}
	r.body = c.block(stmts, true)
	r.indirect = r.indirect || d.Parsers.Elsewhere() != ""
	r.body.linkFailovers(nil)
	return r, c.errs.ErrorOrNil()
}

// SetQueue puts a queue in front of the ruleset: calls to it give their messages
// to put instead of running it. The queue's work is the ruleset's Handle.
func (r *Ruleset) SetQueue(put message.Handler) { r.queue = put }

// complete supplies what a caller that has no templates, tables or counters left
// out.
func (d Deps) complete() Deps {
	if d.Copies == nil {
		d.Copies = func(*conf.Object) (string, bool, error) { return "", false, nil }
	}
	if d.Ruleset == nil {
		d.Ruleset = func(string) (*Ruleset, bool) { return nil, false }
	}
	if d.Modifier == nil {
		d.Modifier = func(*conf.Object) (Modifier, bool, error) { return nil, false, nil }
	}
	if d.Template == nil {
		d.Template = func(string) (message.Template, bool) { return nil, false }
	}
	if d.Lookup == nil {
		d.Lookup = func(string) (*LookupTable, bool) { return nil, false }
	}
	if d.DynStats == nil {
		d.DynStats = func(string) (*DynStats, bool) { return nil, false }
	}
	if d.Percentiles == nil {
		d.Percentiles = func(string) (*PercentileStats, bool) { return nil, false }
	}
	return d
}

// Link finds the rulesets that r calls. It must be called once, after all
// rulesets have been compiled and given their queues, and before the first
// Handle.
func (r *Ruleset) Link() error {
	var errs *multierror.Error
	for _, c := range r.calls {
		to, ok := c.target()
		switch {
		case !ok:
			errs = multierror.Append(errs, &conf.Error{Pos: c.pos, Msg: fmt.Sprintf("call of unknown ruleset %q", c.name)})
		case to.queue == nil && (to == r || to.reach(nil, true, func(n *Ruleset) bool { return n == r })):
			errs = multierror.Append(errs, &conf.Error{Pos: c.pos, Msg: fmt.Sprintf("rulesets %q and %q call each other for ever", r.Name, c.name)})
		default:
			c.to = to
		}
	}
	r.single = r.single || r.reach(nil, false, func(n *Ruleset) bool { return n.single })
	r.ordered = r.order()
	return errs.ErrorOrNil()
}

// Callees are the rulesets that r calls, and whether it may call any other, too
// (call_indirect). Call it after Link.
func (r *Ruleset) Callees() (known []*Ruleset, others bool) {
	for _, c := range r.calls {
		if c.to != nil {
			known = append(known, c.to)
		}
	}
	return known, r.indirect
}

// reach tells whether a ruleset for which is holds is run as a part of r; with
// copies also whether one is given copies by r without a queue between them.
func (r *Ruleset) reach(seen map[*Ruleset]bool, copies bool, is func(*Ruleset) bool) bool {
	if seen == nil {
		seen = map[*Ruleset]bool{}
	}
	for _, c := range r.calls {
		to, ok := c.target()
		if !ok || to.queue != nil || seen[to] || c.copies && !copies {
			continue
		}
		seen[to] = true
		if is(to) || to.reach(seen, copies, is) {
			return true
		}
	}
	return false
}

// Handle runs the messages of v through the ruleset; it is a message.Handler.
// An action that fails keeps no other action from being run. What an action did
// not take, and no failover action made up for, is handed back as a
// *message.Undelivered.
func (r *Ruleset) Handle(ctx context.Context, v message.View) error {
	if v.Len() == 0 {
		return nil
	}
	x := r.passes.Get().(*pass)
	x.begin(ctx, v, nil)
	r.run(x, x.sort(x.parse(v, r)))
	err := x.end(v, &r.Ledger)
	x.ctx, x.messages = nil, nil
	r.passes.Put(x)
	return err
}

// run runs the statements.
func (r *Ruleset) run(x *pass, v message.View) {
	switch {
	case r.single && x.trace == nil:
	case r.ordered && x.trace == nil:
		x.inOrder(r.body, v)
		return
	default:
		r.body.run(x, v)
		return
	}
	for i := range v.Len() {
		r.body.run(x, v.Slice(i, i+1))
	}
}
