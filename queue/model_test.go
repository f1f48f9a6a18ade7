package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sysrelay/message"
)

// The model of a queue: for each origin the messages it sent, in order, and what
// became of them as far as a sender and a receiver can know.
type model struct {
	t       *rapid.T
	params  Params
	kind    Kind
	disk    *disk
	room    int // of the disk, in messages
	q       *rig
	origins []*origin

	mu        sync.Mutex
	behaviour behaviour
	changed   chan struct{} // closed when the behaviour changes
	rng       uint32
	lost      uint64 // in queues that have been closed
}

// origin is one sender. It puts one batch at a time, as a connection does.
type origin struct {
	name    string
	next    int
	busy    bool
	taken   []int // what Put took
	stored  []int // of these, what it acknowledged as stored
	arrived []int // at the work, repetitions after a restart left out
}

// behaviour is what the work does with a batch.
type behaviour int

const (
	takeAll behaviour = iota
	takeSome
	takeNone
	takeSlowly
	hang
	behaviours
)

// work is the receiver. It checks that the messages of each origin come in order.
func (m *model) work(ctx context.Context, v message.View) error {
	m.mu.Lock()
	b, changed := m.behaviour, m.changed
	m.rng = m.rng*1664525 + 1013904223
	n := v.Len()
	if b == takeSome {
		n = int(m.rng>>16) % (n + 1)
	}
	m.mu.Unlock()
	switch b {
	case takeNone:
		return errAgain
	case takeSlowly:
		time.Sleep(30 * time.Millisecond)
	case hang:
		select {
		case <-ctx.Done():
		case <-changed:
		}
		return errAgain
	}
	for i := range n {
		m.arrive(v.At(i))
	}
	if n < v.Len() {
		return &message.Undelivered{Rest: v.Slice(n, v.Len()), Err: errAgain}
	}
	return nil
}

func (m *model) arrive(msg *message.Message) {
	var pri, seq int
	fmt.Sscanf(string(msg.Text), "<%d>%d", &pri, &seq)
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.origins[int(msg.Origin.FromHost()[0]-'a')]
	if k := len(o.arrived); k > 0 && seq <= o.arrived[k-1] {
		if m.disk == nil || !slices.Contains(o.arrived, seq) {
			m.t.Errorf("origin %s: %d after %d", o.name, seq, o.arrived[k-1])
		}
		return // handed on again after a restart
	}
	o.arrived = append(o.arrived, seq)
}

// put lets a sender that is not waiting put some messages.
func (m *model) put(t *rapid.T) {
	o := rapid.SampledFrom(m.origins).Draw(t, "origin")
	m.mu.Lock()
	busy := o.busy
	o.busy = true
	m.mu.Unlock()
	if busy {
		return
	}
	n := rapid.IntRange(1, 15).Draw(t, "n")
	ack := message.Received
	if m.disk != nil && rapid.IntRange(0, 3).Draw(t, "stored") == 0 {
		ack = message.Stored
	}
	var b message.Batch
	b.Flow = rapid.SampledFrom([]message.Flow{message.NoDelay, message.LightDelay, message.FullDelay}).Draw(t, "flow")
	for i := range n {
		b.Add(fmt.Appendf(nil, "<%d>%d", 8+(o.next+i)%8, o.next+i), message.NewOrigin("test", o.name, "", ""), 0, 0)
	}
	first := o.next
	o.next += n
	q := m.q.Queue
	go func() {
		ctx := message.WithAck(q.going, ack)
		err := q.Put(ctx, b.All())
		took := n - message.Rest(b.All(), err).Len()
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range took {
			o.taken = append(o.taken, first+i)
			if ack == message.Stored {
				o.stored = append(o.stored, first+i)
			}
		}
		o.busy = false
	}()
}

func (m *model) behave(t *rapid.T) {
	m.become(behaviour(rapid.IntRange(0, int(behaviours)-1).Draw(t, "behaviour")))
}

func (m *model) become(b behaviour) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.behaviour, m.changed = b, make(chan struct{})
}

func (m *model) open() {
	o := Options{Kind: m.kind, Params: m.params, Work: m.work}
	if m.disk != nil {
		o.OpenStore = m.disk.open(m.room)
	}
	m.q = open(m.t, o).run()
}

func (m *model) close() {
	m.q.end()
	m.lost += m.q.Ledger.Read().Lost()
}

// abort ends everything after a failure.
func (m *model) abort() {
	m.q.stop()
	m.q.Hurry()
	time.Sleep(abandonAfter)
}

// check compares what can be seen while nothing moves.
func (m *model) check() {
	synctest.Wait()
	m.q.balanced()
	s := m.q.Stats()
	held := s.Size - s.DiskSize
	if m.params.Type == Disk {
		held = s.DiskSize
	}
	if held > m.params.Size {
		m.t.Errorf("%d messages are held, limit %d", held, m.params.Size)
	}
}

// finish drains the queue and checks that nothing is missing.
func (m *model) finish() {
	m.become(takeAll)
	time.Sleep(time.Hour) // retries, delays and time-outs are over
	m.check()
	if n := m.q.Stats().Size; n > 0 {
		m.t.Errorf("%d messages are still held after an hour in which all could be handed on", n)
	}
	m.close()
	if m.disk != nil {
		m.open()
		time.Sleep(time.Hour)
		m.close()
	}
	taken, arrived := 0, 0
	for _, o := range m.origins {
		taken += len(o.taken)
		arrived += len(o.arrived)
		for _, seq := range o.stored {
			if m.params.DiscardSeverity.Given && m.room > 0 && seq%8 >= m.params.DiscardSeverity.Value {
				continue // may have made room for a more important message
			}
			if !slices.Contains(o.arrived, seq) {
				m.t.Errorf("origin %s: %d was acknowledged as stored and is lost", o.name, seq)
			}
		}
	}
	if uint64(arrived)+m.lost != uint64(taken) {
		m.t.Errorf("%d messages taken, %d arrived, %d discarded", taken, arrived, m.lost)
	}
}

func newModel(t *rapid.T) *model {
	flip := func(name string) bool { return rapid.Bool().Draw(t, name) }
	m := &model{t: t, rng: 1, changed: make(chan struct{})}
	for _, name := range []string{"a", "b", "c", "d"} {
		m.origins = append(m.origins, &origin{name: name, next: 1})
	}
	m.kind = rapid.SampledFrom([]Kind{Main, Action}).Draw(t, "kind")
	p := Params{Type: LinkedList}
	p.Size = rapid.SampledFrom([]int{3, 20, 1000}).Draw(t, "size")
	p.DequeueBatchSize = rapid.IntRange(1, 12).Draw(t, "batch")
	p.WorkerThreads = rapid.IntRange(1, 3).Draw(t, "workers")
	p.TimeoutEnqueue = Given(rapid.SampledFrom([]int{0, 10, -1}).Draw(t, "enqueue"))
	p.TimeoutShutdown = Given(rapid.SampledFrom([]int{0, 50, 5000}).Draw(t, "shutdown"))
	p.TimeoutCompletion = Given(rapid.SampledFrom([]int{0, 50}).Draw(t, "completion"))
	if flip("minimum batch") {
		p.MinDequeueBatchSize = 5
	}
	if flip("little memory") {
		p.MemoryLimit = 1000
	}
	if flip("discard") {
		p.DiscardMark, p.DiscardSeverity = p.Size/2, Given(5)
	}
	if flip("disk") {
		m.disk = new(disk)
		p.Filename = "f"
		if flip("no memory") {
			p.Type = Disk
		}
		if flip("small disk") {
			m.room = 50
		}
		if flip("slow disk") {
			m.disk.latency = 20 * time.Millisecond
		}
	}
	m.params = p
	return m
}

// TestModel lets senders, the receiver, time and restarts do what they like.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed any // what rapid panics with must leave the bubble
		synctest.Test(t, func(*testing.T) {
			defer func() { failed = recover() }()
			m := newModel(rt)
			m.open()
			defer m.abort()
			rt.Repeat(map[string]func(*rapid.T){
				"put":     m.put,
				"behave":  m.behave,
				"wait":    func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond) },
				"restart": func(*rapid.T) { m.close(); m.open() },
				"":        func(*rapid.T) { m.check() },
			})
			m.finish()
		})
		if failed != nil {
			panic(failed)
		}
	})
}
