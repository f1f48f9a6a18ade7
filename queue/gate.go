package queue

import (
	"container/list"
	"context"
	"errors"
	"time"
)

// gate holds back senders while the queue is at a mark. They are let in first
// come, first served, one at a time: whoever was let in opens the gate for the
// next, if the queue is still below the mark. The queue's lock guards it.
type gate struct {
	mark    mark
	waiting list.List // of chan struct{}
	let     bool      // somebody was let in and is not there yet
}

// busy says that somebody is first.
func (g *gate) busy() bool { return g.let || g.waiting.Len() > 0 }

// errTimeout says that a wait was as long as it may be.
var errTimeout = errors.New("time-out")

// open lets in the first who waits if a queue that holds so much is below the mark.
func (g *gate) open(messages int, bytes int64) {
	if e := g.waiting.Front(); e != nil && !g.let && !g.mark.reached(messages, bytes) {
		g.let = true
		close(g.waiting.Remove(e).(chan struct{}))
	}
}

// wait waits to be let in, at most for d unless d is negative. The error is
// errTimeout, ctx's, or that the queue is stopped. q.mu is held before and after.
func (q *Queue) wait(ctx context.Context, g *gate, d time.Duration) error {
	in := make(chan struct{})
	e := g.waiting.PushBack(in)
	q.mu.Unlock()
	err := q.waitFor(ctx, in, d)
	q.mu.Lock()
	select {
	case <-in:
		g.let = false
		return nil // if in the last moment
	default:
		g.waiting.Remove(e)
		return err
	}
}

func (q *Queue) waitFor(ctx context.Context, in <-chan struct{}, d time.Duration) error {
	var timeout <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-in:
		return nil
	case <-timeout:
		return errTimeout
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stopping:
		return q.errStopped()
	}
}
