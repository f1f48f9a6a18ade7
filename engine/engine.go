// Package engine makes a running relay of a configuration: it builds templates,
// rulesets, actions and inputs, wires them, starts and stops them in order, and
// speaks for the daemon (own messages, accounts, imdiag).
//
// New builds and binds nothing, so that a configuration can be checked at any
// time. Start binds sockets and opens queues; Run carries messages until its
// context ends, and then stops from the front to the back: inputs, main and
// ruleset queues, each before those it feeds, actions. What a stage still holds
// has left it before the next one stops.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/filter"
	"sysrelay/input"
	"sysrelay/message"
	"sysrelay/output"
	"sysrelay/queue"
)

// DefaultRuleset is the name of the ruleset that the configuration's top level is.
const DefaultRuleset = "RSYSLOG_DefaultRuleset"

// Options say how the daemon was called.
type Options struct {
	Program    string // name in own messages: sysrelay or rsyslogd
	Version    string
	Compat     bool // behave as rsyslogd where the two differ
	Foreground bool
	Stderr     io.Writer // may be nil
	Explain    bool      // only for Explain: nothing will be started

	outputs []outputKind // besides those of the table, for tests
}

// Engine is one configuration, built. Its methods may be called from any
// goroutine; Start and Run once, in this order.
type Engine struct {
	opts    Options
	env     *message.Env
	globals *Globals
	log     *ownLog
	manager *serviceManager
	diag    *diag // nil unless the configuration loads imdiag

	tables      map[string]lookupTable
	stats       *impstats // nil unless the configuration loads it
	dynStats    []*filter.DynStats
	percentiles []*filter.PercentileStats
	rulesets    map[string]*ruleset // by lower-case name
	order       []*ruleset          // main queue first
	actions     []*output.Action
	modifiers   []*modifier
	missing     []*missingAction
	inputs      []boundInput
	entries     map[string]string // the ruleset messages of an input module enter, where it is not the default one
	resolver    *input.Resolver
	limits      []*input.RateLimit // ratelimit() objects
	oversize    *oversize
	memory      *memory // nil: no limit
	keyring     *conf.Keyring

	inputsMS atomic.Int64 // inputs.timeout.shutdown
	signal   atomic.Int32 // that ended the daemon
	hups     atomic.Int32 // pending
	hupMu    sync.Mutex
}

// ruleset is a ruleset with the queue in front of it, if it has one.
type ruleset struct {
	*filter.Ruleset
	parsers message.ParserChain
	options queue.Options
	queued  bool
	queue   *queue.Queue // open from Start on
}

// entry is where messages enter: the queue, or the rules themselves.
func (r *ruleset) entry(ctx context.Context, v message.View) error {
	if r.queue != nil {
		return r.queue.Put(ctx, v)
	}
	return r.Handle(ctx, v)
}

// boundInput is an input and where its messages go.
type boundInput struct {
	input.Input
	to      *ruleset
	repeats *input.Repeats // in between, with $RepeatedMsgReduction; else nil
	memory  *memory
}

// entry takes the input's messages.
func (in *boundInput) entry(ctx context.Context, v message.View) error {
	if err := in.memory.admit(ctx, v); err != nil {
		return err
	}
	if in.repeats != nil {
		return in.repeats.Handle(ctx, v)
	}
	return in.to.entry(ctx, v)
}

// flushRepeats hands on what is said about repeated messages at the end.
func (e *Engine) flushRepeats() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	var errs *multierror.Error
	for _, in := range e.inputs {
		if in.repeats != nil {
			errs = multierror.Append(errs, in.repeats.Flush(ctx))
		}
	}
	return errs.ErrorOrNil()
}

// HasActions tells whether any message could ever go anywhere.
func (e *Engine) HasActions() bool { return len(e.actions) > 0 }

// AbortsOn tells whether the daemon may not start with these errors in its
// configuration. as rsyslog: any forbid it if the configuration says so, otherwise
// none; under our own name and if it says nothing, errors do, but not what is
// merely unsupported.
func (e *Engine) AbortsOn(errs []error) bool {
	switch {
	case len(errs) == 0:
		return false
	case e.globals.AbortOnUnclean.Given:
		return e.globals.AbortOnUnclean.Value
	case e.opts.Compat:
		return false
	}
	return slices.ContainsFunc(errs, func(err error) bool {
		c := (*conf.Error)(nil)
		return !errors.As(err, &c) || c.Severity == conf.Wrong
	})
}

// inputsTime is how long inputs may take to end.
func (e *Engine) inputsTime() time.Duration {
	return time.Duration(e.inputsMS.Load()) * time.Millisecond
}

// StopsOnInterrupt is global(shutdown.enable.ctlc).
func (e *Engine) StopsOnInterrupt() bool { return e.globals.ShutdownCtlC }

// announce says that the daemon is up, to whoever waits for it.
func (e *Engine) announce() error {
	e.manager.notify("READY=1\nSTATUS=Relaying")
	if e.diag != nil {
		return e.diag.ready()
	}
	return nil
}

func (e *Engine) origin(event string) string {
	return fmt.Sprintf(`[origin software="%s" swVersion="%s" x-pid="%d" x-info="https://www.rsyslog.com"] %s`,
		e.opts.Program, e.opts.Version, pid(), event)
}

// Stop notes the signal that ends the daemon. The first call comes with the
// cancelling of Run's context; a further one hurries the drain.
func (e *Engine) Stop(signal int) {
	if e.signal.Swap(int32(signal)) == 0 {
		return
	}
	for _, r := range e.order {
		if r.queue != nil {
			r.queue.Hurry()
		}
	}
	for _, a := range e.actions {
		if q := a.Queue(); q != nil {
			q.Hurry()
		}
	}
}

// Hup reopens files and re-reads what is not configuration: as rsyslog, the
// configuration itself stays as it is.
func (e *Engine) Hup() {
	e.hups.Add(1)
	e.hupMu.Lock()
	defer e.hupMu.Unlock()
	defer e.hups.Add(-1)
	e.env.SetHostname(e.globals.hostname())
	for _, a := range e.actions {
		a.Hup()
	}
	for _, m := range e.modifiers {
		m.hup()
	}
	e.keyring.Refresh()
	for _, t := range e.tables {
		if t.reloads {
			t.Reload("")
		}
	}
	for _, r := range e.limits {
		r.Reload()
	}
	e.log.Log(6, e.origin("rsyslogd was HUPed"))
}

func (e *Engine) hupPending() bool { return e.hups.Load() > 0 }

// Held is the number of messages in all queues, those being worked on and own
// messages under way included.
func (e *Engine) Held() int {
	n := e.log.pending()
	for _, r := range e.order {
		if r.queue != nil {
			n += r.queue.Stats().Size
		}
	}
	for _, a := range e.actions {
		if q := a.Queue(); q != nil {
			n += q.Stats().Size
		}
	}
	return n
}

// Terminated does what is to be done last of all after a clean stop.
func (e *Engine) Terminated() error {
	if e.diag == nil {
		return nil
	}
	return e.diag.terminated(int(e.signal.Load()), e.Held())
}
