package queue

import "context"

// A disk-assisted queue hands on what is in memory under message.Received: it may
// wait in the memory of the next queue. What comes from disk after that passes
// that queue by, and must not overtake it there.

type behindKey struct{}

// withBehind returns a context under which messages that pass a queue by wait
// for those that are in it.
func withBehind(ctx context.Context) context.Context {
	return context.WithValue(ctx, behindKey{}, true)
}

// behind are messages that wait for those which were in the lanes before them.
type behind struct {
	counts []uint64 // of each lane, see lane.count
	gone   chan struct{}
}

// awaitOlder waits until the work has taken what is in memory now, if ctx asks
// for it.
func (q *Queue) awaitOlder(ctx context.Context) error {
	if q.set.typ == Direct || ctx.Value(behindKey{}) == nil {
		return nil
	}
	q.mu.Lock()
	if q.size == 0 {
		q.mu.Unlock()
		return nil
	}
	b := &behind{gone: make(chan struct{})}
	for i := range q.lanes {
		b.counts = append(b.counts, q.lanes[i].count)
	}
	q.behind = append(q.behind, b)
	q.mu.Unlock()
	err := q.waitFor(ctx, b.gone, -1)
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.behind {
		if other == b {
			q.behind = append(q.behind[:i], q.behind[i+1:]...)
		}
	}
	return err
}

// letBehind lets those go on for whom nothing is left to wait for.
func (q *Queue) letBehind() {
	left := q.behind[:0]
	for _, b := range q.behind {
		if b.waits(q.lanes) {
			left = append(left, b)
		} else {
			close(b.gone)
		}
	}
	clear(q.behind[len(left):])
	q.behind = left
}

func (b *behind) waits(lanes []lane) bool {
	for i := range lanes {
		l := &lanes[i]
		if held := uint64(l.n + l.lent.N + l.rest.N); l.count-held < b.counts[i] {
			return true
		}
	}
	return false
}
