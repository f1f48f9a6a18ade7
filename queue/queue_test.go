package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"sysrelay/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a work that remembers what it was given.
type sink struct {
	mu   sync.Mutex
	got  []string
	each []int // how many messages each call gave
	acks []message.Ack
	// fail, if set, decides about each call: how many of the messages to take, and
	// the error.
	fail func(ctx context.Context, v message.View) (int, error)
}

func (s *sink) work(ctx context.Context, v message.View) error {
	n, err := v.Len(), error(nil)
	s.mu.Lock()
	s.each = append(s.each, n)
	s.acks = append(s.acks, message.AckOf(ctx))
	s.mu.Unlock()
	if s.fail != nil {
		if n, err = s.fail(ctx, v); err != nil {
			err = &message.Undelivered{Rest: v.Slice(n, v.Len()), Err: err}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		s.got = append(s.got, string(v.At(i).Text))
	}
	return err
}

func (s *sink) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *sink) batches() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.each)
}

// texts returns from, from+1, …, to as message texts.
func texts(from, to int) []string {
	var t []string
	for i := from; i <= to; i++ {
		t = append(t, fmt.Sprint(i))
	}
	return t
}

// batchOf returns a batch of messages of one origin.
func batchOf(flow message.Flow, texts ...string) *message.Batch {
	b := &message.Batch{Flow: flow}
	for _, t := range texts {
		b.Add([]byte(t), message.NewOrigin("test", "", "", "1"), 0, 0)
	}
	return b
}

// logLines collects what a queue logs.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) log(_ int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, text)
}

func (l *logLines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(s string) bool { return strings.Contains(s, part) })
}

// tester is what rigs need of *testing.T and *rapid.T.
type tester interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
}

// rig is a queue under test.
type rig struct {
	*Queue
	t    tester
	sink *sink
	log  *logLines
	stop context.CancelFunc
	ran  chan error
}

func open(t tester, o Options) *rig {
	t.Helper()
	r := &rig{t: t, sink: &sink{}, log: &logLines{}}
	o.Name, o.Log = "test Q", r.log.log
	if o.Work == nil {
		o.Work = r.sink.work
	}
	if o.Params.Type == "" {
		o.Params.Type = LinkedList
	}
	var err error
	if r.Queue, err = Open(o); err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts the queue.
func (r *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop, r.ran = cancel, make(chan error, 1)
	go func() { r.ran <- r.Queue.Run(ctx) }()
	return r
}

// end stops the queue, waits until nothing moves and checks its accounts.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ran; err != nil {
		r.t.Error(err)
	}
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
	synctest.Wait()
	r.balanced()
}

// balanced checks received = delivered + queued + discarded.
func (r *rig) balanced() {
	r.t.Helper()
	if s := r.Stats(); s.Accounts.Queued() != int64(s.Size) {
		r.t.Errorf("accounts say that %d are queued, size is %d: %+v", s.Accounts.Queued(), s.Size, s.Accounts)
	}
}

func (r *rig) put(ctx context.Context, texts ...string) {
	r.t.Helper()
	if err := r.Put(ctx, batchOf(message.NoDelay, texts...).All()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) wantGot(want ...string) {
	r.t.Helper()
	if got := r.sink.texts(); !slices.Equal(got, want) {
		r.t.Errorf("got %d messages %.200v, want %d %.200v", len(got), got, len(want), want)
	}
}

func TestDrainAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Params: Params{Size: 10000, TimeoutShutdown: Given(-1)}})
		for i := 1; i <= 1000; i += 10 {
			r.put(t.Context(), texts(i, i+9)...)
		}
		r.run().end()
		r.wantGot(texts(1, 1000)...)
		if a := r.Ledger.Read(); a.Received != 1000 || a.Delivered != 1000 {
			t.Errorf("accounts: %+v", a)
		}
	})
}
