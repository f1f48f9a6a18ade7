package queue

import "sysrelay/message"

// release counts n messages as delivered; they are not held any more.
func (q *Queue) release(n int) { q.leave(n, (*message.Ledger).Deliver) }

// drop counts n messages held in memory as discarded.
func (q *Queue) drop(n int, r message.Reason) {
	q.leave(n, func(l *message.Ledger, n int) { l.Discard(r, n) })
}

// leave accounts for n messages that are no longer held in memory.
func (q *Queue) leave(n int, account func(l *message.Ledger, n int)) {
	q.mu.Lock()
	if q.over {
		q.mu.Unlock()
		return // Run gave up on the worker, which has returned after all
	}
	account(&q.Ledger, n)
	q.size -= n
	q.endIfDrained()
	q.offerDisk()
	q.openGates()
	recovered := q.recovered()
	q.mu.Unlock()
	q.sayRecovered(recovered)
}

// recovered says whether the queue, having lost messages, has room again.
func (q *Queue) recovered() bool {
	if !q.losing || q.light.mark.reached(q.held()) {
		return false
	}
	q.losing = false
	return true
}

func (q *Queue) sayRecovered(recovered bool) {
	if !recovered {
		return
	}
	lost := q.Ledger.Read().Discarded
	q.logf(notice, "there is room in the queue again; since the start %d messages have been discarded because it was full",
		lost[message.QueueFull]+lost[message.DiskFull])
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
	q.letBehind()
	q.openGates()
}

// offerDisk tells the reader when it is the disk's turn.
func (q *Queue) offerDisk() {
	if !q.spilling || q.size > 0 {
		return
	}
	select {
	case q.diskTurn <- struct{}{}:
	default:
	}
}

// endIfDrained notices that memory has become empty while the queue is drained.
func (q *Queue) endIfDrained() {
	if q.size == 0 && isClosed(q.draining) {
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
