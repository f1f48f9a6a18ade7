package output

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sysrelay/message"
	"sysrelay/queue"
)

// ErrSuspended is why an action that is suspended did not take messages.
var ErrSuspended = errors.New("action is suspended")

// asideEvery is how often messages set aside are reported: senders must not be
// able to fill our own log.
const asideEvery = time.Minute

// ActionOptions are what NewAction needs.
type ActionOptions struct {
	Name   string // "action-3-builtin:omfile"
	Module string // "builtin:omfile"
	Params ActionParams
	// Queue is what queue.Open needs; NewAction sets Work. A queue of type Direct
	// is none: Handle delivers.
	Queue  queue.Options
	Output Output
	// MarkInterval is immark's interval; 0 is its default, 1200 s.
	MarkInterval time.Duration
	// Jitter spreads the waits between tries, so that a thousand relays do not
	// return to a collector in the same instant. It is given the wait and returns
	// one that is not shorter. Nil leaves it as it is.
	Jitter func(time.Duration) time.Duration
	Deps   Deps
}

// Action is an output with all that is around it: which messages it takes, its
// queue, retry and suspension, error file and accounting. Handle and the
// readings may be called from any goroutine.
type Action struct {
	opts   ActionOptions
	out    Output
	queue  *queue.Queue // nil for a direct action
	gate   Gate
	errors *errorFile // nil without action.errorfile
	limit  *limiter   // nil without a rate limit

	failover bool // an action follows that takes what this one hands back

	// turn holds one token: who has it may use the output and the fields below.
	turn    chan struct{}
	retry   retry
	quota   errorQuota
	aside   int // messages set aside and not reported yet
	asideAt time.Time

	suspended atomic.Bool
	// ledger counts a message when its fate is known; what waits for delivery is
	// in the queue's ledger or is still the caller's.
	ledger message.Ledger
	spells spells

	insideMu sync.Mutex
	inside   int // messages the output has taken but not delivered, as last counted
}

// NewAction puts the machinery of an action around an output. It opens nothing.
func NewAction(o ActionOptions) (*Action, error) {
	a := &Action{opts: o, out: o.Output, turn: make(chan struct{}, 1)}
	a.gate = NewGate(o.Params.GateParams, o.MarkInterval)
	a.retry = newRetry(o.Params, o.Queue.Params.Filename != "" && !direct(o.Queue.Params.Type), o.Jitter)
	if o.Params.ErrorFile != "" {
		a.errors = &errorFile{path: o.Params.ErrorFile, max: o.Params.ErrorFileMaxSize, action: o.Name}
	}
	if q, ok := o.Output.(quiet); ok {
		a.quota = q.errorQuota()
	}
	var err error
	if a.limit, err = newLimiter(&a.opts); err != nil {
		return nil, fmt.Errorf("action %s: %w", o.Name, err)
	}
	a.opts.Queue.Work = a.deliver
	return a, nil
}

// Open opens the action's queue. Call it before the first Handle.
func (a *Action) Open() (err error) {
	if direct(a.opts.Queue.Params.Type) {
		return nil
	}
	if a.queue, err = queue.Open(a.opts.Queue); err != nil {
		return fmt.Errorf("action %s: %w", a.opts.Name, err)
	}
	return nil
}

// HasFailover tells the action that what it does not take goes to a failover
// action next. A direct action then hands back what it cannot deliver. Call it
// before Open.
func (a *Action) HasFailover() { a.failover = true }

// direct: an action's queue is Direct unless the configuration says otherwise.
func direct(t queue.Type) bool { return t == "" || strings.EqualFold(string(t), string(queue.Direct)) }

// Handle is the action's message.Handler. A direct action has delivered,
// discarded or handed back the messages when it returns; one with a queue has
// put them there.
func (a *Action) Handle(ctx context.Context, v message.View) error {
	if !a.gate.active {
		return a.give(ctx, v)
	}
	taken := a.gate.Pass(v, a.opts.Deps.Env.Now())
	a.skipped(v.Len() - taken.Len())
	if err := a.give(ctx, taken); err != nil {
		// Those that are skipped are done with.
		return undelivered(message.Rest(taken, err), err)
	}
	return nil
}

// give gives v to the queue, or delivers it.
func (a *Action) give(ctx context.Context, v message.View) error {
	switch {
	case v.Len() == 0:
		return nil
	case a.queue != nil:
		return a.queue.Put(ctx, v)
	}
	return a.deliver(ctx, v)
}

// skipped counts what the configuration keeps from the action.
func (a *Action) skipped(n int) {
	a.ledger.Receive(n)
	a.ledger.Discard(message.Stopped, n)
}

// deliver delivers v, as far as a rate limit permits.
func (a *Action) deliver(ctx context.Context, v message.View) error {
	if a.limit != nil {
		return a.deliverLimited(ctx, v)
	}
	return a.deliverAll(ctx, v)
}

// deliverAll gives v to the output until it is delivered or given up. Waiting is
// done without the output, so that other callers are not held up.
func (a *Action) deliverAll(ctx context.Context, v message.View) error {
	for {
		if err := a.take(ctx); err != nil {
			return undelivered(v, err)
		}
		rest, wait, err := a.attempt(ctx, v)
		<-a.turn
		switch {
		case err != nil:
			return undelivered(rest, err)
		case rest.Len() == 0:
			return nil
		}
		v = rest
		if err := pause(ctx, wait); err != nil {
			return undelivered(v, err)
		}
	}
}

// take waits for the output.
func (a *Action) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func undelivered(rest message.View, err error) error {
	return &message.Undelivered{Rest: rest, Err: err}
}

// pause waits. All who wait for an output wait for the same moment.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt delivers as much of v as it can without waiting. It returns what is
// left and how long to wait before the next attempt, or why there is to be none.
func (a *Action) attempt(ctx context.Context, v message.View) (message.View, time.Duration, error) {
	for v.Len() > 0 {
		wait, ok := a.resume(ctx)
		if !ok {
			return a.held(ctx, v, wait)
		}
		err := a.externalState()
		if err == nil {
			v, err = a.write(ctx, v)
		}
		switch {
		case err == nil:
			a.works()
		case errors.Is(err, ErrUnacceptable):
			a.setAside(v.At(0), err)
			v = v.Slice(1, v.Len())
		case ctx.Err() != nil:
			return v, 0, ctx.Err()
		default:
			a.failed(err)
		}
	}
	return v, 0, nil
}

// write gives v to the output and returns what it did not deliver.
func (a *Action) write(ctx context.Context, v message.View) (message.View, error) {
	n, err := a.out.Write(ctx, v)
	rest := v.Slice(n, v.Len())
	if u := (*message.Undelivered)(nil); errors.As(err, &u) {
		rest, err = u.Rest, u.Err
	}
	delivered := v.Len() - rest.Len()
	a.ledger.Receive(delivered)
	a.settle(delivered)
	return rest, err
}

// holder is an output that keeps messages in memory for a while before it
// delivers them.
type holder interface {
	// Held is how many messages it holds now.
	Held() int
}

// settle counts as delivered what the output no longer holds, after it took that
// many messages.
func (a *Action) settle(taken int) {
	h, ok := a.out.(holder)
	if !ok {
		a.ledger.Deliver(taken)
		return
	}
	a.insideMu.Lock()
	defer a.insideMu.Unlock()
	now := h.Held()
	// More than before, without having taken any: a Write is under way that counts
	// them itself.
	if done := taken + a.inside - now; done >= 0 {
		a.ledger.Deliver(done)
		a.inside = now
	}
}

// held decides about messages the output cannot take now: wait, hand them back
// or give them up.
func (a *Action) held(ctx context.Context, v message.View, wait time.Duration) (message.View, time.Duration, error) {
	switch {
	case ctx.Err() != nil:
		return v, 0, ctx.Err()
	case a.retry.phase != suspended:
		return v, wait, nil
	case a.failover && a.queue == nil:
		return v, 0, ErrSuspended
	case message.AckOf(ctx) >= message.Stored:
		return v, wait, nil
	}
	a.giveUp(v)
	return v.Slice(v.Len(), v.Len()), 0, nil
}

func (a *Action) giveUp(v message.View) {
	a.ledger.Receive(v.Len())
	a.ledger.Discard(message.Suspended, v.Len())
	for i := range v.Len() {
		a.record(v.At(i), statusSuspended)
	}
}

// setAside takes a message out of the way that can never be delivered.
func (a *Action) setAside(m *message.Message, err error) {
	a.ledger.Receive(1)
	a.ledger.Discard(message.Unacceptable, 1)
	a.record(m, statusDataFail)
	a.aside++
	now := a.opts.Deps.Env.Now()
	if now.Sub(a.asideAt) < asideEvery {
		return
	}
	kept := "discarded"
	if a.errors != nil {
		kept = "kept in " + a.errors.path
	}
	a.log(severityError, "action '%s': %d messages that can never be delivered were %s; the last: %v",
		a.opts.Name, a.aside, kept, err)
	a.aside, a.asideAt = 0, now
}

// FailoverFor tells whether the action takes only what the one before it could
// not deliver.
func (a *Action) FailoverFor() bool { return a.opts.Params.OnlyWhenSuspended }

// Suspended tells whether the failover action is to take messages that this one
// took: it is suspended and may not deliver them soon. A direct action hands
// back what it cannot deliver; what it took it has delivered, even if another
// caller finds the output broken in the next moment.
func (a *Action) Suspended() bool { return a.suspended.Load() && (a.queue != nil || !a.failover) }

// Name is the action's name.
func (a *Action) Name() string { return a.opts.Name }

// Ledger accounts for the messages whose fate the action decided.
func (a *Action) Ledger() *message.Ledger { return &a.ledger }

// Queue is the action's queue, nil if it has none.
func (a *Action) Queue() *queue.Queue { return a.queue }

// SetDefaultTimeouts is the queue's SetTimeouts, for what was not given in the
// action itself.
func (a *Action) SetDefaultTimeouts(shutdown, enqueue queue.Opt[int]) {
	own := &a.opts.Queue.Params
	shutdown.Given = shutdown.Given && !own.TimeoutShutdown.Given
	enqueue.Given = enqueue.Given && !own.TimeoutEnqueue.Given
	a.queue.SetTimeouts(shutdown, enqueue)
}

// ticker is an output that has something to do when time passes.
type ticker interface {
	// TickEvery is how often Tick is to be called; 0 is never.
	TickEvery() time.Duration
	// Tick flushes and closes what has been idle. It is called like Write.
	Tick(ctx context.Context)
}

// Run works the queue and does what has to be done when nothing is delivered. It
// returns when ctx is cancelled and the queue has been drained as its parameters
// say.
func (a *Action) Run(ctx context.Context) error {
	done := make(chan error, 1)
	if a.queue != nil {
		go func() { done <- a.queue.Run(ctx) }()
	} else {
		context.AfterFunc(ctx, func() { done <- nil })
	}
	var tick <-chan time.Time
	if o, ok := a.out.(ticker); ok && o.TickEvery() > 0 {
		t := time.NewTicker(o.TickEvery())
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case err := <-done:
			return err
		case <-tick:
			a.tick(ctx)
		}
	}
}

func (a *Action) tick(ctx context.Context) {
	if a.take(ctx) != nil {
		return
	}
	defer func() { <-a.turn }()
	a.out.(ticker).Tick(ctx)
	a.settle(0)
}

// Hup closes files, so that they are opened anew.
func (a *Action) Hup() {
	a.out.Hup()
	a.settle(0)
	if a.errors != nil {
		a.errors.close()
	}
}

// closeWait is how long Close waits for an output that does not return.
const closeWait = 5 * time.Second

// Close flushes and releases everything. Call it when nothing calls Handle any
// more and Run has returned. An output that hangs is left as it is, and so is
// everything it may still use.
func (a *Action) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if a.take(ctx) != nil {
		return fmt.Errorf("action %s: its output does not return and cannot be closed", a.opts.Name)
	}
	defer func() { <-a.turn }()
	a.limit.close()
	err := a.out.Close()
	a.settle(0)
	if a.inside > 0 {
		a.ledger.Discard(message.ShutdownTimeout, a.inside)
	}
	if a.errors != nil {
		err = errors.Join(err, a.errors.close())
	}
	if a.queue != nil {
		err = errors.Join(err, a.queue.Close())
	}
	if err != nil {
		return fmt.Errorf("action %s: %w", a.opts.Name, err)
	}
	return nil
}

func (a *Action) log(severity int, format string, args ...any) {
	a.opts.Deps.Log(severity, fmt.Sprintf(format, args...))
}
