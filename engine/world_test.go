package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"sysrelay/conf"
	"sysrelay/input"
	"sysrelay/message"
	"sysrelay/output"
	"sysrelay/queue"
)

// world is an engine whose outputs and senders are the test's: action(type="omtest"
// name="x") delivers to outs["x"].
type world struct {
	*Engine
	outs  map[string]*testOut
	mu    sync.Mutex
	seen  []delivery // by all outputs, in order
	input *testIn
	end   context.CancelFunc
	ran   chan error
}

// delivery is a message an output was given.
type delivery struct{ out, text string }

// testOut is an output that does what it is told.
type testOut struct {
	world *world
	name  string

	mu   sync.Mutex
	got  []string
	seen map[string]int
	// fate decides about each Write: how many messages to deliver, and the error.
	fate func(ctx context.Context, v message.View) (int, error)
	// back says whether it works again; nil is yes.
	back func() error
}

var errDown = errors.New("collector is down")

func (o *testOut) Write(ctx context.Context, v message.View) (int, error) {
	o.mu.Lock()
	fate := o.fate
	o.mu.Unlock()
	n, err := v.Len(), error(nil)
	if fate != nil {
		n, err = fate(ctx, v)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range n {
		text := strings.TrimSpace(string(v.At(i).Msg.Of(v.At(i).Text)))
		o.got = append(o.got, text)
		o.seen[text]++
		o.world.saw(delivery{o.name, text})
	}
	return n, err
}

func (w *world) saw(d delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, d)
}

func (o *testOut) TryResume(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back != nil {
		return o.back()
	}
	return nil
}

func (o *testOut) Hup()         {}
func (o *testOut) Close() error { return nil }

// set changes how the output behaves.
func (o *testOut) set(fate func(context.Context, message.View) (int, error), back func() error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fate, o.back = fate, back
}

func (o *testOut) down() {
	o.set(func(context.Context, message.View) (int, error) { return 0, errDown }, func() error { return errDown })
}

func (o *testOut) up() { o.set(nil, nil) }

func (o *testOut) texts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.got)
}

// count is how often a message was delivered.
func (o *testOut) count(text string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[text]
}

// testIn is an input through which the test puts messages. It ends as inputs do:
// what is under way has a second.
type testIn struct {
	ledger message.Ledger
	to     message.Handler
	ready  chan struct{}
	work   context.Context
	calls  sync.WaitGroup
}

func (in *testIn) Name() string            { return "imtest" }
func (in *testIn) Addrs() []string         { return nil }
func (in *testIn) Listen() error           { return nil }
func (in *testIn) Ledger() *message.Ledger { return &in.ledger }

func (in *testIn) Run(ctx context.Context, to message.Handler) error {
	var cancel context.CancelFunc
	in.work, cancel = context.WithCancel(context.Background())
	in.to = to
	close(in.ready)
	<-ctx.Done()
	stop := time.AfterFunc(time.Second, cancel)
	defer stop.Stop()
	in.calls.Wait()
	cancel()
	return nil
}

// put gives messages of one origin to the engine and returns those it has taken.
func (in *testIn) put(ack message.Ack, flow message.Flow, origin string, texts ...string) (taken []string) {
	in.calls.Add(1)
	defer in.calls.Done()
	b := message.Batch{Flow: flow}
	for _, t := range texts {
		b.Add([]byte("<13>Nov 21 10:20:30 tag: "+t), message.NewOrigin("imtest", origin, "", ""), 0, 0)
	}
	rest := message.Rest(b.All(), in.to(message.WithAck(in.work, ack), b.All()))
	for i := range rest.Len() {
		texts[rest.Index(i)] = ""
	}
	taken = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	in.ledger.Receive(len(taken))
	in.ledger.Deliver(len(taken))
	return taken
}

// tester is what worlds need of *testing.T and *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}

// newWorld builds and starts a configuration. Call it in a synctest bubble.
func newWorld(t tester, text, ruleset string) *world {
	t.Helper()
	w := &world{outs: map[string]*testOut{}}
	w.begin(t, text, ruleset)
	return w
}

// begin starts a life of the daemon; the outputs are those of the lives before.
func (w *world) begin(t tester, text, ruleset string) {
	t.Helper()
	w.input = &testIn{ready: make(chan struct{})}
	kind := outputOf("omtest", func(_ struct{}, p struct {
		Out string `conf:"out" doc:"Output of the test."`
	}, _ output.Deps) (output.Output, error) {
		if w.outs[p.Out] == nil {
			w.outs[p.Out] = &testOut{world: w, name: p.Out, seen: map[string]int{}}
		}
		return w.outs[p.Out], nil
	})
	cfg, err := conf.Parse("world.conf", []byte(`global(net.enableDNS="off")`+"\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	w.Engine, err = New(cfg, Options{Program: "sysrelay", Version: "test", outputs: []outputKind{kind}})
	if err != nil {
		t.Fatal(err)
	}
	to := w.order[0]
	if ruleset != "" {
		to = w.rulesets[ruleset]
	}
	w.inputs = append(w.inputs, boundInput{Input: w.input, to: to})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end, w.ran = cancel, make(chan error, 1)
	go func() { w.ran <- w.Run(ctx) }()
	<-w.input.ready
}

// stop ends the engine in good order.
func (w *world) stop() error {
	w.Stop(15)
	w.end()
	err := <-w.ran
	synctest.Wait()
	return err
}

// balanced checks all accounts once nothing moves any more; what a queue has on
// disk is queued.
func (w *world) balanced(t tester) {
	t.Helper()
	for _, a := range w.Accounts() {
		held := 0
		for _, q := range w.queues() {
			if s := q.Stats(); a.Kind == "queue" && s.Name == a.Name {
				held = s.Size
			}
		}
		if a.Queued() != int64(held) {
			t.Errorf("%s %s: %+v: %d are queued, it holds %d", a.Kind, a.Name, a.Account, a.Queued(), held)
		}
	}
}

func (w *world) queues() (all []*queue.Queue) {
	for _, r := range w.order {
		if r.queue != nil {
			all = append(all, r.queue)
		}
	}
	for _, a := range w.actions {
		if a.Queue() != nil {
			all = append(all, a.Queue())
		}
	}
	return all
}

func numbers(from, to int) (s []string) {
	for i := from; i <= to; i++ {
		s = append(s, fmt.Sprint(i))
	}
	return s
}

var _ input.Input = (*testIn)(nil)
