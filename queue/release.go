package queue

import "sysrelay/message"

// release counts n messages as delivered; they are not held any more.
func (q *Queue) release(n int) {
	q.Ledger.Deliver(n)
	q.shrink(n)
}

// shrink makes the queue hold n messages less in memory.
func (q *Queue) shrink(n int) {
	q.mu.Lock()
	if q.over {
		q.mu.Unlock()
		return // Run gave up on the worker, which has returned after all
	}
	q.size -= n
	q.endIfDrained()
	if q.size == 0 {
		select {
		case q.empty <- struct{}{}:
		default:
		}
	}
	q.openGates()
	recovered := q.losing && !q.light.mark.reached(q.size, q.bytes)
	if recovered {
		q.losing = false
	}
	q.mu.Unlock()
	if recovered {
		q.logf(notice, "there is room again; %d messages have been discarded since the start because the queue was full",
			q.Ledger.Read().Discarded[message.QueueFull])
	}
}

// giveBack ends the loan of a lane. rest is what the work did not take; the
// worker ends then.
func (q *Queue) giveBack(l *lane, rest Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return
	}
	q.bytes += int64(len(rest.Frames)) - int64(len(l.lent.Frames))
	l.rest = rest
	l.done(&q.pool)
	q.openGates()
}

// endIfDrained notices that memory has become empty while the queue is drained.
func (q *Queue) endIfDrained() {
	if q.size == 0 && !q.ended && isClosed(q.draining) {
		q.ended = true
		close(q.finished)
	}
}

// trim gives back memory that an empty queue keeps for the next burst.
func (q *Queue) trim() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size == 0 {
		q.pool.free = nil
	}
}
