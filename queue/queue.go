package queue

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"sysrelay/message"
)

// Queue is one queue. Its methods may be called from any goroutine.
type Queue struct {
	Ledger message.Ledger

	opts    Options
	set     settings
	times   times
	store   Store           // nil if there is no disk part
	seed    maphash.Seed    // spreads origins over lanes
	scratch sync.Pool       // of *[]byte, for messages that must be encoded
	noWait  context.Context // has ended

	live     context.Context // until Run's context is cancelled
	draining <-chan struct{} // live's
	drain    context.CancelFunc
	going    context.Context // until the time to drain is over
	stopping <-chan struct{} // going's
	stop     context.CancelFunc
	finished chan struct{} // closed when memory is empty while draining
	hurried  chan struct{}
	diskTurn chan struct{} // capacity 1; perhaps it is the disk's turn
	hurry    sync.Once

	mu       sync.Mutex
	lanes    []lane
	pool     pool
	size     int   // messages in memory, those on loan included
	bytes    int64 // of their frames
	maxSize  int
	wasFull  uint64
	sampled  int
	room     gate               // the queue is full
	pace     gate               // for inputs that can wait at all
	light    gate               // for inputs that may be held up a little
	full     gate               // for inputs that may be held up for ever
	behind   []*behind          // who passes the queue by, but not what is in it
	losing   bool               // messages are being discarded because the queue is full
	spilling bool               // messages go to disk, because it holds some, or memory is full
	readCtx  context.Context    // while the disk is read; nil if it is not
	endRead  context.CancelFunc // readCtx's
	appends  int                // Puts on their way to disk
	onWay    int                // messages of pieces on their way to disk
	ended    bool               // nothing is taken into memory any more
	over     bool               // what was in memory has been disposed of
}

// Open checks the parameters and prepares the queue; a queue with a disk part
// opens its files. Nothing is handed on before Run.
func Open(o Options) (*Queue, error) {
	set, notices, err := o.Params.resolve(o.Kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	q := &Queue{opts: o, set: set, seed: maphash.MakeSeed(), finished: make(chan struct{}),
		hurried: make(chan struct{}), diskTurn: make(chan struct{}, 1),
		times: times{shutdown: set.shutdown, enqueue: set.enqueue, given: set.enqueueGiven},
		room:  gate{mark: set.size}, pace: gate{mark: mark{math.MaxInt, paceBytes}}, light: gate{mark: set.light}, full: gate{mark: set.full}}
	q.scratch.New = func() any { return new([]byte) }
	q.contexts()
	for _, n := range notices {
		q.logf(warning, "%s", n)
	}
	if set.typ != Direct {
		q.lanes = make([]lane, set.workers)
		for i := range q.lanes {
			q.lanes[i].wake = make(chan struct{}, 1)
		}
	}
	if set.dir != "" {
		if err := q.openStore(); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *Queue) contexts() {
	q.live, q.drain = context.WithCancel(context.Background())
	q.draining = q.live.Done()
	q.going, q.stop = context.WithCancel(context.Background())
	q.stopping = q.going.Done()
	var cancel context.CancelFunc
	q.noWait, cancel = context.WithCancel(context.Background())
	cancel()
}

// Put takes the messages of v. It waits, refuses or discards when the queue is
// full, as the parameters and the input's flow-control class say:
//
//   - Above 2 MiB inputs that can wait do so for 5 ms at most, so that the worker
//     keeps up while what it reads is still in the processor's caches.
//   - As rsyslog, LightDelay inputs wait a second at most at lightDelayMark, once
//     for each Put; FullDelay inputs wait at fullDelayMark until there is room.
//   - As rsyslog, each message waits timeoutEnqueue for room and is then
//     discarded; with -1 none is. Where timeoutEnqueue was not given, messages of
//     inputs that can wait do so for as long as it takes: their connections hold
//     the senders up.
//   - A disk-assisted queue goes to disk instead, a Disk queue always does.
//     Put then returns after the commit; but main and ruleset queues do not hold
//     up NoDelay inputs for it.
//
// Under message.Stored nothing is discarded for want of room, a queue in memory
// is passed by, and a disk-assisted one goes to disk: passing by means that Put
// calls the work itself and returns what it returns. Under message.Delivered
// every queue is passed by.
//
// When ctx ends before every message is taken, or when the queue is shut down,
// the error says which were not.
func (q *Queue) Put(ctx context.Context, v message.View) error {
	if q.set.sampling == 0 {
		return q.put(ctx, v)
	}
	kept := q.sample(v)
	err := q.put(ctx, kept)
	if err == nil {
		return nil
	}
	// Those that are not kept are done with.
	return &message.Undelivered{Rest: message.Rest(kept, err), Err: err}
}

func (q *Queue) put(ctx context.Context, v message.View) error {
	if v.Len() == 0 {
		return nil
	}
	ack := message.AckOf(ctx)
	if q.set.typ == Direct || ack >= message.Delivered || ack == message.Stored && q.store == nil {
		return q.pass(ctx, v)
	}
	a := arrival{n: v.Len(), flow: q.flow(v), stored: ack == message.Stored}
	var ok bool
	if a.frames, ok = v.Frames(); !ok {
		buf := q.scratch.Get().(*[]byte)
		*buf = v.AppendFrames((*buf)[:0])
		a.frames = *buf
		defer q.giveScratch(buf)
	}
	err := q.enter(ctx, &a)
	if err == nil && a.n > 0 {
		err = q.toDisk(ctx, &a)
	}
	if a.losing {
		q.logf(warning, "the queue is full: messages that find no room for %v are discarded", q.times.toEnqueue())
	}
	if err == nil || a.n == v.Len() {
		return err
	}
	return &message.Undelivered{Rest: v.Slice(v.Len()-a.n, v.Len()), Err: err}
}

// pass hands messages to the work in the goroutine of the sender.
func (q *Queue) pass(ctx context.Context, v message.View) error {
	if err := q.awaitOlder(ctx); err != nil {
		return err
	}
	err := q.opts.Work(ctx, v)
	taken := v.Len() - message.Rest(v, err).Len()
	q.Ledger.Receive(taken)
	q.Ledger.Deliver(taken)
	return err
}

// flow is the flow-control class messages are treated by. as rsyslog: an action
// queue holds nobody up at its marks unless takeFlowCtlFromMsg asks for it.
func (q *Queue) flow(v message.View) message.Flow {
	if q.opts.Kind.action() && !q.set.takeFlow {
		return message.NoDelay
	}
	return v.Flow()
}

// mostScratch is the largest buffer that is kept for the next Put.
const mostScratch = 1 << 20

func (q *Queue) giveScratch(buf *[]byte) {
	if cap(*buf) <= mostScratch {
		q.scratch.Put(buf)
	}
}

// Hurry makes a drain under way end now; a second SIGTERM does this.
func (q *Queue) Hurry() { q.hurry.Do(func() { close(q.hurried) }) }

// Close releases files. Call it after Run has returned.
func (q *Queue) Close() error {
	if q.store == nil {
		return nil
	}
	if err := q.store.Close(); err != nil {
		return fmt.Errorf("%s: closing its files: %w", q.opts.Name, err)
	}
	return nil
}

// Stats is a reading of a queue.
type Stats struct {
	Name      string
	Size      int // messages held, those handed to the work and not yet done included
	MaxSize   int // the most there have been in memory
	Bytes     int64
	Full      uint64 // how often Put found the queue full
	DiskSize  int    // of Size, messages on disk
	DiskBytes int64  // of the files
	Accounts  message.Account
}

// Stats returns the queue's figures.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	var disk StoreLen
	if q.store != nil {
		disk = q.store.Len()
	}
	return Stats{Name: q.opts.Name, Size: q.size + disk.Messages, MaxSize: q.maxSize,
		Bytes: q.bytes + disk.Bytes, Full: q.wasFull, DiskSize: disk.Messages,
		DiskBytes: disk.DiskBytes, Accounts: q.Ledger.Read()}
}

// now is the time by the clock the queue was given.
func (q *Queue) now() time.Time {
	if q.opts.Now == nil {
		return time.Now()
	}
	return q.opts.Now()
}

func (q *Queue) errStopped() error {
	return fmt.Errorf("%s is shut down; the messages were not taken", q.opts.Name)
}

// Severities of the queue's own messages.
const (
	failure = 3
	warning = 4
	notice  = 5
)

func (q *Queue) logf(severity int, format string, a ...any) {
	if q.opts.Log != nil {
		q.opts.Log(severity, q.opts.Name+": "+fmt.Sprintf(format, a...))
	}
}
