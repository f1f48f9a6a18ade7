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
	// Ruleset finds the target of a call. It is used by Link, and by
	// call_indirect while messages flow.
	Ruleset func(name string) (*Ruleset, bool)
	// Template finds the template of exec_template.
	Template func(name string) (message.Template, bool)
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
	execs sync.Pool
}

// Compile compiles the statements of one ruleset. Objects other than actions
// are no statements and passed over at the top level, so that a whole
// conf.Config may be given for the default ruleset. The error is a
// *multierror.Error of *conf.Error; the ruleset then lacks what is wrong.
func Compile(d Deps, name string, stmts []conf.Stmt) (*Ruleset, error) {
	r := &Ruleset{Name: name, deps: d}
	r.execs.New = func() any { return new(exec) }
	c := &compiler{deps: d, ruleset: r}
	r.body = c.block(stmts, true)
	return r, c.errs.ErrorOrNil()
}

// SetQueue puts a queue in front of the ruleset: calls to it give their messages
// to put instead of running it. The queue's work is the ruleset's Handle.
func (r *Ruleset) SetQueue(put message.Handler) { r.queue = put }

// Link finds the rulesets that r calls, once all have been compiled. It must be
// called before the first Handle.
func (r *Ruleset) Link() error {
	var errs *multierror.Error
	for _, c := range r.calls {
		to, ok := r.deps.Ruleset(c.name)
		if !ok {
			errs = multierror.Append(errs, &conf.Error{Pos: c.pos, Msg: fmt.Sprintf("call of unknown ruleset %q", c.name)})
			continue
		}
		c.to = to
	}
	return errs.ErrorOrNil()
}

// Handle runs the messages of v through the ruleset; it is a message.Handler.
// An action that fails keeps no other action from being run. What an action did
// not take, and no failover action made up for, is handed back as a
// *message.Undelivered.
func (r *Ruleset) Handle(ctx context.Context, v message.View) error { return r.Trace(ctx, v, nil) }

// Trace is Handle, telling t what happens. Rulesets with a queue are then
// entered directly, so that t sees everything.
func (r *Ruleset) Trace(ctx context.Context, v message.View, t Tracer) error {
	if v.Len() == 0 {
		return nil
	}
	x := r.execs.Get().(*exec)
	x.begin(ctx, v, t)
	r.parse(x, v)
	r.body.run(x, v)
	err := x.end(v, &r.Ledger)
	x.ctx, x.trace = nil, nil
	r.execs.Put(x)
	return err
}

func (r *Ruleset) parse(x *exec, v message.View) {
	for i := range v.Len() {
		m := v.At(i)
		if m.Flags&message.Parsed != 0 {
			continue
		}
		parser := r.deps.Parsers.Parse(m)
		if x.trace != nil {
			x.trace.Parsed(m, parser)
		}
	}
}
