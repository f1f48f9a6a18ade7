package queue

import (
	"sync"
	"time"
)

// times are the time-outs that may change while the queue runs; negative is for ever.
type times struct {
	mu       sync.Mutex
	shutdown time.Duration
	enqueue  time.Duration
	given    bool // somebody wants messages discarded after enqueue
}

// SetTimeouts changes timeoutShutdown and timeoutEnqueue, in milliseconds, where
// they are given: imdiag's requests do that. A message that waits already goes on
// waiting as long as it was to.
func (q *Queue) SetTimeouts(shutdown, enqueue Opt[int]) {
	t := &q.times
	t.mu.Lock()
	defer t.mu.Unlock()
	if shutdown.Given {
		t.shutdown = time.Duration(shutdown.Value) * time.Millisecond
	}
	if enqueue.Given {
		t.enqueue, t.given = time.Duration(enqueue.Value)*time.Millisecond, true
	}
}

func (t *times) toShutdown() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shutdown
}

func (t *times) enqueueGiven() (d time.Duration, given bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enqueue, t.given
}

func (t *times) toEnqueue() time.Duration {
	d, _ := t.enqueueGiven()
	return d
}
