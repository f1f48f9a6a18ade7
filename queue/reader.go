package queue

import (
	"context"
	"sync"

	"sysrelay/message"
)

// reader hands on what is on disk. With several workers it gives each its share
// of what it read and waits for all of them: so messages are acknowledged in
// order, and the messages of one origin are handed on in order.
type reader struct {
	q       *Queue
	workers []*worker
	shares  []Run
	join    []byte
}

func (q *Queue) newReader(work context.Context) *reader {
	r := &reader{q: q, workers: make([]*worker, len(q.lanes)), shares: make([]Run, len(q.lanes))}
	work = message.WithAck(work, message.Stored)
	if q.set.assisted() {
		work = withBehind(work)
	}
	for i := range r.workers {
		r.workers[i] = q.newWorker(work, nil)
		r.workers[i].taken = func(int) {}
	}
	return r
}

// run works until the queue is drained or stopped.
func (r *reader) run() {
	q := r.q
	for {
		ctx, ok := r.turn()
		if !ok {
			return
		}
		run, ok := r.next(ctx)
		if !ok {
			return
		}
		if run.N == 0 {
			continue // the queue went back to memory
		}
		if _, ok := r.turn(); !ok { // time has passed
			return
		}
		done := r.handOn(run)
		if q.acknowledge(done); done.n < run.N {
			return // stopped
		}
		if d := q.set.slowdown; d > 0 {
			r.workers[0].sleep(d, q.stopping)
		}
	}
}

// turn waits until what is on disk may be handed on: there is something, nothing
// is in memory, and the dequeue window is open. The context it returns ends when
// the queue goes back to memory. It returns false if the queue is stopped before.
func (r *reader) turn() (context.Context, bool) {
	q, drain := r.q, r.q.draining
	for {
		if !r.windowOpen() {
			return nil, false
		}
		ctx, more := q.reading()
		if ctx != nil || !more {
			return ctx, more
		}
		if isClosed(drain) {
			drain = nil
		}
		select {
		case <-q.diskTurn:
		case <-drain:
		case <-q.stopping:
			return nil, false
		}
	}
}

// reading returns a context in which to read, or nil if it is not the disk's
// turn. more is false if it never will be again.
func (q *Queue) reading() (ctx context.Context, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.spilling && isClosed(q.draining):
		return nil, false
	case !q.spilling || q.size > 0:
		return nil, true
	}
	if q.readCtx == nil {
		q.readCtx, q.endRead = context.WithCancel(q.live)
	}
	return q.readCtx, true
}

// windowOpen waits for the dequeue window to open. It returns false if the queue
// is shut down before: the messages are on disk already.
func (r *reader) windowOpen() bool {
	q := r.q
	for {
		d := q.set.window.wait(q.now())
		if d <= 0 {
			return true
		}
		if isClosed(q.draining) {
			return false
		}
		r.workers[0].sleep(min(d, lookAtClock), q.draining)
	}
}

// next reads the next messages: none, if ctx ended because the queue went back
// to memory. It returns false when there is nothing more to do.
func (r *reader) next(ctx context.Context) (Run, bool) {
	q := r.q
	limit := q.set.batch * len(r.workers)
	run, err := q.store.Read(ctx, limit)
	if err != nil && isClosed(q.draining) && q.store.Len().Messages > 0 {
		run, err = q.store.Read(q.going, limit)
	}
	switch {
	case err == nil:
	case isClosed(q.draining):
		return run, false
	case ctx.Err() != nil:
		return run, true
	default:
		q.logf(failure, "messages on disk can no longer be read: %v; they stay there until the next start", err)
		return run, false
	}
	worthwhile := min(limit/4, q.store.Len().Messages)
	if want := max(worthwhile, q.set.minBatch); run.N < want {
		run = r.more(run, want, limit)
	}
	return run, true
}

// more reads on until there are want messages. For minDequeueBatchSize it waits,
// for others it does not.
func (r *reader) more(run Run, want, limit int) Run {
	q := r.q
	ctx := q.noWait
	if q.set.minBatch > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(q.live, q.set.minWait)
		defer cancel()
	}
	r.join = append(r.join[:0], run.Frames...)
	n := run.N
	for n < want {
		if n >= q.set.minBatch {
			ctx = q.noWait
		}
		next, err := q.store.Read(ctx, limit-n)
		if err != nil {
			break
		}
		r.join = append(r.join, next.Frames...)
		n += next.N
	}
	return Run{Frames: r.join, N: n}
}

// progress is how many messages, counted from the oldest on disk, need not be
// handed on again, and how many of them are damaged.
type progress struct{ n, damaged int }

// handOn hands on a run: all of it, unless the queue is stopped.
func (r *reader) handOn(run Run) progress {
	first, good := r.workers[0], run
	v, err := first.load(run)
	if err != nil {
		good = salvage(run)
		r.q.logf(failure, "%d of %d messages on disk are damaged and lost: %v", run.N-good.N, run.N, err)
		v, _ = first.load(good)
	}
	done := 0
	if len(r.workers) == 1 {
		done = first.handOnFirst(v)
	} else if r.handOnShares(good) {
		done = good.N
	}
	if done == good.N {
		return progress{n: run.N, damaged: run.N - good.N}
	}
	if good.N < run.N {
		done = 0 // which of them are the oldest is not known
	}
	return progress{n: done}
}

// handOnShares gives each worker its share. It returns false if not all of it
// was taken; some is handed on again after the next start then.
func (r *reader) handOnShares(run Run) bool {
	r.split(run)
	var working sync.WaitGroup
	done := make([]int, len(r.workers))
	for i, w := range r.workers {
		share := r.shares[i]
		working.Go(func() {
			v, _ := w.load(share) // of messages that have been loaded
			done[i] = w.handOnFirst(v)
		})
	}
	working.Wait()
	for i, share := range r.shares {
		if done[i] < share.N {
			return false
		}
	}
	return true
}

// split gives each worker the messages of its origins.
func (r *reader) split(run Run) {
	for i := range r.shares {
		r.shares[i] = Run{Frames: r.shares[i].Frames[:0]}
	}
	for frames := run.Frames; len(frames) > 0; {
		size := frameSize(frames)
		s := &r.shares[r.q.laneOf(message.FrameOrigin(frames))]
		s.Frames = append(s.Frames, frames[:size]...)
		s.N++
		frames = frames[size:]
	}
}

// salvage returns the messages of a run that are not damaged.
func salvage(run Run) (good Run) {
	var one message.Batch
	for frames := run.Frames; len(frames) > 0; {
		size, err := message.FrameSize(frames)
		if err != nil {
			break
		}
		if one.Load(frames[:size], 1) == nil {
			good.Frames = append(good.Frames, frames[:size]...)
			good.N++
		}
		frames = frames[size:]
	}
	return good
}

// handOnFirst hands on messages and returns how many of the first need not be
// handed on again.
func (w *worker) handOnFirst(v message.View) int {
	n := v.Len()
	rest := w.handOn(v)
	left := rest.Len()
	if left > 0 && (rest.At(0) != v.At(n-left) || rest.At(left-1) != v.At(n-1)) {
		return 0 // what was not taken is not the end of the run
	}
	return n - left
}

// acknowledge forgets messages on disk that are done.
func (q *Queue) acknowledge(p progress) {
	if p.n == 0 {
		return
	}
	q.mu.Lock()
	q.store.Ack(p.n)
	q.Ledger.Deliver(p.n - p.damaged)
	q.Ledger.Discard(message.Damaged, p.damaged)
	q.resume()
	q.openGates()
	recovered := q.recovered()
	q.mu.Unlock()
	q.sayRecovered(recovered)
}
