package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"sysrelay/filter"
	"sysrelay/message"
	"sysrelay/queue"
)

// Start binds sockets, gives up privileges and opens queues. Messages that
// senders put on their way now are received once Run runs. An input that cannot
// listen is reported and left out: the others are needed all the more. When Start
// fails everything it has opened is closed again.
//
// as rsyslog: the files of queues belong to the user the daemon becomes.
func (e *Engine) Start() error {
	if err := e.globals.setProcess(); err != nil {
		return err
	}
	e.listen()
	e.keyring.Load() // keys may be root's alone
	err := e.globals.dropPrivileges()
	if err == nil {
		err = e.openQueues()
	}
	if err != nil {
		e.abandon()
	}
	return err
}

func (e *Engine) listen() {
	var working []boundInput
	for _, in := range e.inputs {
		if err := in.Listen(); err != nil {
			e.log.Log(3, fmt.Sprintf("%v; the input is left out until the next start", err))
			continue
		}
		working = append(working, in)
	}
	e.inputs = working
}

func (e *Engine) openQueues() error {
	for _, r := range e.order {
		if err := r.open(); err != nil {
			return err
		}
	}
	for _, a := range e.actions {
		if err := a.Open(); err != nil {
			return err
		}
	}
	return nil
}

func (r *ruleset) open() (err error) {
	if r.queued {
		r.queue, err = queue.Open(r.options)
	}
	return err
}

var errNotStarted = errors.New("the daemon could not be started")

// abandon closes what Start has opened. An input that is told to stop at once
// closes its sockets.
func (e *Engine) abandon() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	refuse := func(context.Context, message.View) error { return errNotStarted }
	for _, in := range e.inputs {
		if err := in.Run(ended, refuse); err != nil {
			e.log.Log(3, err.Error())
		}
	}
	if err := e.close(); err != nil {
		e.log.Log(3, err.Error())
	}
}

// close closes actions and queues.
func (e *Engine) close() error {
	var errs *multierror.Error
	for _, a := range e.actions {
		errs = multierror.Append(errs, a.Close())
	}
	for _, m := range e.modifiers {
		errs = multierror.Append(errs, m.close())
	}
	for _, r := range e.order {
		if r.queue != nil {
			errs = multierror.Append(errs, r.queue.Close())
		}
	}
	return errs.ErrorOrNil()
}

// Run carries messages until ctx ends and everything has been drained as far as
// the configured times allow.
func (e *Engine) Run(ctx context.Context) error {
	var (
		actions = startStage(len(e.actions), func(i int, ctx context.Context) error { return e.actions[i].Run(ctx) })
		queues  = e.startQueues()
		keys    = startStage(1, func(_ int, ctx context.Context) error { e.keyring.Run(ctx); return nil })
		own     = startStage(1, func(_ int, ctx context.Context) error { return e.log.Run(ctx, e.order[0].entry) })
		alive   = startStage(1, func(_ int, ctx context.Context) error { return e.manager.watchdog(ctx, e.Held) })
		watch   = startStage(len(e.limits), e.watchPolicies)
		memory  = startStage(1, func(_ int, ctx context.Context) error { return e.memory.run(ctx) })
		inputs  = startStage(len(e.inputs), func(i int, ctx context.Context) error {
			return e.inputs[i].Run(ctx, e.inputs[i].entry)
		})
	)
	e.log.Log(6, e.origin("start"))
	e.log.up()
	err := e.announce()
	if err == nil {
		<-ctx.Done()
	}
	e.manager.notify("STOPPING=1")
	e.log.Log(6, e.origin(fmt.Sprintf("exiting on signal %d.", e.signal.Load())))
	errs := multierror.Append(err, keys.stop())
	errs = multierror.Append(errs, watch.stop(), memory.stop(), inputs.stopWithin(e.inputsTime(), "inputs"), own.stopWithin(lastTime, "own messages"), e.flushRepeats())
	for _, q := range queues {
		errs = multierror.Append(errs, q.stop())
	}
	// What queues had to say when they stopped goes to the actions all the same.
	e.log.last(e.order[0].Handle)
	errs = multierror.Append(errs, actions.stop(), e.close(), alive.stop())
	e.log.last(nil)
	return errs.ErrorOrNil()
}

// startQueues starts the queues in the order in which they are to stop.
func (e *Engine) startQueues() []*stage {
	var stages []*stage
	for _, r := range e.stopOrder() {
		if r.queue != nil {
			stages = append(stages, startStage(1, func(_ int, ctx context.Context) error { return r.queue.Run(ctx) }))
		}
	}
	return stages
}

// stopOrder is the rulesets in an order in which each comes before those it
// calls: what its queue still holds goes to theirs. Where rulesets call each
// other in a circle one of them is the first, as it stands in the configuration.
func (e *Engine) stopOrder() []*ruleset {
	var order []*ruleset
	seen := map[*filter.Ruleset]bool{}
	byRules := map[*filter.Ruleset]*ruleset{}
	for _, r := range e.order {
		byRules[r.Ruleset] = r
	}
	var visit func(r *ruleset)
	visit = func(r *ruleset) {
		if seen[r.Ruleset] {
			return
		}
		seen[r.Ruleset] = true
		callees, others := r.Callees()
		for _, c := range callees {
			visit(byRules[c])
		}
		if others {
			for _, r := range slices.Backward(e.order) {
				visit(r)
			}
		}
		order = append(order, r)
	}
	for _, r := range slices.Backward(e.order) {
		visit(r)
	}
	slices.Reverse(order)
	return order
}

// stage is a set of goroutines that are stopped together.
type stage struct {
	cancel context.CancelFunc
	done   chan struct{}
	errs   *multierror.Error
}

func startStage(n int, run func(i int, ctx context.Context) error) *stage {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stage{cancel: cancel, done: make(chan struct{})}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		wg.Go(func() {
			if err := run(i, ctx); err != nil {
				mu.Lock()
				s.errs = multierror.Append(s.errs, err)
				mu.Unlock()
			}
		})
	}
	go func() { wg.Wait(); close(s.done) }()
	return s
}

// hangTime is how long what ignores its context may take beyond its time. It is
// left behind then: there are queues to be saved.
const hangTime = 5 * time.Second

// stopWithin is stop for a stage that has d to end.
func (s *stage) stopWithin(d time.Duration, what string) error {
	s.cancel()
	select {
	case <-s.done:
		return s.errs.ErrorOrNil()
	case <-time.After(d + hangTime):
		return fmt.Errorf("%s do not end: an output does not return; what it was given counts as not delivered", what)
	}
}

// stop cancels the stage and waits until it has ended.
func (s *stage) stop() error {
	s.cancel()
	<-s.done
	return s.errs.ErrorOrNil()
}
