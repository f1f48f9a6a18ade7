package queue

import (
	"container/list"
	"context"
	"errors"
	"time"
)

// gate holds back senders while the queue is at a mark. They are let in first
// come, first served, as many at once as there is room for, lest each message
// costs a change of goroutines when the queue is full. The queue's lock guards it.
type gate struct {
	mark    mark
	waiting list.List // of chan struct{}
	let     int       // how many were let in and are not there yet
}

// open lets in who waits if a queue that holds so much is below the mark.
func (g *gate) open(messages int, bytes int64) {
	if bytes >= g.mark.bytes {
		return
	}
	for room := g.mark.messages - messages - g.let; room > 0 && g.waiting.Len() > 0; room-- {
		g.let++
		close(g.waiting.Remove(g.waiting.Front()).(chan struct{}))
	}
}

// errTimeout says that a wait was as long as it may be.
var errTimeout = errors.New("time-out")

// wait waits to be let in, at most for d unless d is negative; first says that
// the sender was let in before and found no room. The error is errTimeout, ctx's,
// or that the queue is stopped. q.mu is held before and after.
func (q *Queue) wait(ctx context.Context, g *gate, d time.Duration, first bool) error {
	in := make(chan struct{})
	var e *list.Element
	if first {
		e = g.waiting.PushFront(in)
	} else {
		e = g.waiting.PushBack(in)
	}
	q.mu.Unlock()
	err := q.waitFor(ctx, in, d)
	q.mu.Lock()
	select {
	case <-in:
		g.let--
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
