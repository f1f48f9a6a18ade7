package queue

import (
	"context"
	"errors"
	"time"

	"sysrelay/message"
)

// worker hands on the messages of one lane, or a share of what is read from
// disk. Its fields belong to its goroutine.
type worker struct {
	q     *Queue
	lane  *lane
	ctx   context.Context // of the work
	batch message.Batch
	sel   [2][]int32  // selections of messages to be handed on again
	timer *time.Timer // never pending while the worker works
	taken func(n int) // told about each part of a batch that the work took
	join  []byte      // messages of several chunks, when minDequeueBatchSize asks for it
}

func (q *Queue) newWorker(ctx context.Context, l *lane) *worker {
	w := &worker{q: q, lane: l, ctx: ctx, timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

// run works until the queue is drained or stopped.
func (w *worker) run() {
	w.taken = w.q.release
	for {
		r, discarding, ok := w.lease()
		if !ok {
			return
		}
		w.work(r, discarding)
		if d := w.q.set.slowdown; d > 0 {
			// as rsyslog does, if not as its manual says: after each batch.
			w.sleep(d, w.q.stopping)
		}
	}
}

const (
	// idleAfter is how long a queue must be empty before it gives memory back.
	idleAfter = 10 * time.Second
	// lookAtClock is how often the clock is looked at while the dequeue window is
	// closed: it may be set.
	lookAtClock = time.Minute
)

// lease takes the next messages, waiting for them. It returns false when there
// is nothing more to do. discarding says that less important messages among them
// are to be discarded.
func (w *worker) lease() (r Run, discarding, ok bool) {
	q, l := w.q, w.lane
	for waited := false; ; {
		draining := isClosed(q.draining)
		if d := w.closedFor(draining); d > 0 {
			if draining {
				return r, false, false // saved to disk
			}
			w.sleep(min(d, lookAtClock), q.draining)
			continue
		}
		q.mu.Lock()
		l.want = 0
		if q.ended || isClosed(q.stopping) {
			q.mu.Unlock()
			return r, false, false
		}
		if l.n > 0 && (l.n >= q.set.minBatch || waited || draining) {
			discarding = q.discarding()
			r = w.lend()
			q.mu.Unlock()
			return r, discarding, true
		}
		waited = w.await(draining)
	}
}

// await waits for the lane to be filled or for the shutdown to proceed. It
// returns true if minDequeueBatchSize has been waited for long enough. q.mu is
// held when it is called and released.
func (w *worker) await(draining bool) (waited bool) {
	q, l := w.q, w.lane
	d := time.Duration(-1)
	switch {
	case l.n > 0:
		l.want, d = q.set.minBatch, q.set.minWait
	case q.size == 0 && q.pool.free != nil:
		l.want, d = 1, idleAfter
	default:
		l.want = 1
	}
	some := l.n > 0
	q.mu.Unlock()
	if !w.expired(d, draining) {
		return false
	}
	if !some {
		q.trim()
	}
	return some
}

// expired waits for d, or for ever if it is negative. It returns false if before
// that the lane was filled or the shutdown proceeded.
func (w *worker) expired(d time.Duration, draining bool) bool {
	q := w.q
	var timeout <-chan time.Time
	if d >= 0 {
		w.timer.Reset(d)
		defer w.timer.Stop()
		timeout = w.timer.C
	}
	drain := q.draining
	if draining {
		drain = nil
	}
	select {
	case <-w.lane.wake:
	case <-drain:
	case <-q.finished:
	case <-q.stopping:
	case <-timeout:
		return true
	}
	return false
}

// lend takes messages from the lane. If minDequeueBatchSize asks for it they are
// brought together from several chunks.
func (w *worker) lend() Run {
	q, l := w.q, w.lane
	r := l.lend(q.set.batch)
	want := min(q.set.minBatch, r.N+l.n)
	if r.N >= want {
		return r
	}
	w.join = append(w.join[:0], r.Frames...)
	n := r.N
	for n < want {
		l.done(&q.pool)
		r = l.lend(q.set.batch - n)
		w.join = append(w.join, r.Frames...)
		n += r.N
	}
	l.done(&q.pool)
	l.lent = Run{Frames: w.join, N: n}
	return l.lent
}

// closedFor is how long the dequeue window stays closed. At shutdown it opens,
// unless messages can be saved to disk: better early than lost.
func (w *worker) closedFor(draining bool) time.Duration {
	set := &w.q.set
	if set.window.always() || draining && !w.q.saves() {
		return 0
	}
	return set.window.wait(w.q.now())
}

// sleep waits for d or until end is closed.
func (w *worker) sleep(d time.Duration, end <-chan struct{}) {
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
	case <-end:
		w.timer.Stop()
	}
}

// work hands on what was leased from the lane and gives the lane back what the
// work did not take before the queue was stopped.
func (w *worker) work(r Run, discarding bool) {
	q := w.q
	v, err := w.load(r)
	if err != nil {
		q.logf(failure, "%d messages in memory are damaged and lost: %v", r.N, err)
		q.drop(r.N, message.Damaged)
	}
	if discarding && err == nil {
		v = w.sieve(r, v)
	}
	rest := w.handOn(v)
	given := Run{N: rest.Len()}
	if given.N > 0 {
		given.Frames = rest.AppendFrames(nil)
	}
	q.giveBack(w.lane, given)
}

// load makes the worker's batch consist of r.
func (w *worker) load(r Run) (message.View, error) {
	err := w.batch.Load(r.Frames, r.N)
	return w.batch.All(), err
}

// sieve discards less important messages. as rsyslog: at the discard mark those
// in the queue already go, too, when it is their turn.
func (w *worker) sieve(r Run, v message.View) message.View {
	keep, frames := w.sel[0][:0], r.Frames
	for i := range r.N {
		if message.FrameSeverity(frames) < w.q.set.discard {
			keep = append(keep, int32(i))
		}
		frames = frames[frameSize(frames):]
	}
	w.sel[0] = keep
	if dropped := r.N - len(keep); dropped > 0 {
		w.q.drop(dropped, message.DiscardMark)
	}
	return v.Pick(keep)
}

// Pauses before the work is given again what it did not take. Retrying is the
// action's business; these only keep a queue from spinning.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// handOn gives v to the work until all of it is taken, in order. It returns what
// was not when the queue is stopped.
func (w *worker) handOn(v message.View) message.View {
	q := w.q
	pause, failed := firstPause, false
	for turn := 0; v.Len() > 0; turn++ {
		err := q.opts.Work(w.ctx, v)
		rest := message.Rest(v, err)
		if took := v.Len() - rest.Len(); took > 0 {
			w.taken(took)
			pause = firstPause
		}
		if rest.Len() == 0 || isClosed(q.stopping) {
			return rest
		}
		if !failed && !errors.Is(err, context.Canceled) {
			failed = true
			q.logf(warning, "%d messages were not taken and are handed on again: %v", rest.Len(), err)
		}
		v = w.own(rest, turn)
		w.sleep(pause, q.stopping)
		pause = min(2*pause, lastPause)
	}
	return v
}

// own returns v with the selection in memory of the worker: the work may use the
// memory of the one it returned for the next batch. Turns alternate because v
// may be a part of the selection of the turn before; sieve uses the first.
func (w *worker) own(v message.View, turn int) message.View {
	sel := &w.sel[(turn+1)%2]
	*sel = (*sel)[:0]
	for i := range v.Len() {
		*sel = append(*sel, int32(i))
	}
	return v.Pick(*sel)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
