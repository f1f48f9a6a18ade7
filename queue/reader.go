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
		if d := q.set.window.wait(q.now()); d > 0 {
			if isClosed(q.draining) {
				return // it is on disk already
			}
			r.workers[0].sleep(min(d, lookAtClock), q.draining)
			continue
		}
		run, ok := r.next()
		if !ok || !q.memoryEmpty() {
			return
		}
		done := r.handOn(run)
		q.acknowledge(done)
		if done < run.N {
			return // stopped
		}
		if d := q.set.slowdown; d > 0 {
			r.workers[0].sleep(d, q.stopping)
		}
	}
}

// next reads the next messages. It returns false when there is nothing more to do.
func (r *reader) next() (Run, bool) {
	q := r.q
	limit := q.set.batch * len(r.workers)
	run, err := q.store.Read(q.live, limit)
	for err != nil {
		if !isClosed(q.draining) || isClosed(q.stopping) || q.store.Len().Messages == 0 {
			return run, false
		}
		if run, err = q.store.Read(q.going, limit); err != nil {
			return run, false
		}
	}
	want := min(limit/4, q.store.Len().Messages) // worth copying for
	if want = max(want, q.set.minBatch); run.N < want {
		run = r.more(run, want, limit)
	}
	return run, true
}

// more reads on until there are want messages, waiting for minDequeueBatchSize.
func (r *reader) more(run Run, want, limit int) Run {
	q := r.q
	r.join = append(r.join[:0], run.Frames...)
	n := run.N
	ctx, cancel := context.WithTimeout(q.live, q.set.minWait)
	defer cancel()
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

// handOn hands on a run and returns how many of its first messages are done: all,
// unless the queue is stopped.
func (r *reader) handOn(run Run) int {
	if len(r.workers) == 1 {
		return r.workers[0].workRun(run)
	}
	r.split(run)
	var working sync.WaitGroup
	done := make([]int, len(r.workers))
	for i, w := range r.workers {
		if share := r.shares[i]; share.N > 0 {
			working.Go(func() { done[i] = w.workRun(share) })
		}
	}
	working.Wait()
	for i, share := range r.shares {
		if done[i] < share.N {
			return 0 // some of them are handed on again after the next start
		}
	}
	return run.N
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

// workRun hands on a run that is on disk and returns how many of its first
// messages are done.
func (w *worker) workRun(run Run) int {
	v, err := w.load(run)
	if err != nil {
		w.q.logf(failure, "%d messages on disk are damaged and lost: %v", run.N, err)
		w.q.Ledger.Discard(message.Damaged, run.N)
		return run.N
	}
	rest := w.handOn(v)
	left := rest.Len()
	if left > 0 && (rest.At(0) != v.At(run.N-left) || rest.At(left-1) != v.At(run.N-1)) {
		return 0 // what was not taken is not the end of the run
	}
	return run.N - left
}

// acknowledge forgets the n oldest messages on disk, which are done.
func (q *Queue) acknowledge(n int) {
	if n == 0 {
		return
	}
	q.store.Ack(n)
	q.Ledger.Deliver(n)
	q.mu.Lock()
	q.resume()
	q.openGates()
	q.mu.Unlock()
}

// memoryEmpty waits until nothing is in memory. It returns false if the queue is
// stopped before.
func (q *Queue) memoryEmpty() bool {
	for {
		q.mu.Lock()
		size := q.size
		q.mu.Unlock()
		if size == 0 {
			return true
		}
		select {
		case <-q.empty:
		case <-q.stopping:
			return false
		}
	}
}
