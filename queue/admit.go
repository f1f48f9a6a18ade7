package queue

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"time"

	"sysrelay/message"
)

// arrival is what is left of the messages given to Put.
type arrival struct {
	frames []byte
	n      int
	flow   message.Flow
	stored bool // message.Stored: nothing may be discarded for want of room
	turn   bool // was let in: need not queue up behind those who wait for room
	losing bool // is the first to lose messages since the queue became full
}

func (a *arrival) skip(n, size int) { a.n, a.frames = a.n-n, a.frames[size:] }

// lightDelay is how long a LightDelay input is held up at most.
// as rsyslog: a second, fixed.
const lightDelay = time.Second

// A queue that holds much is slow: what the worker reads has left the processor's
// caches. So senders that can wait let the worker catch up for a moment. The
// moment is short, because the queue is there for the time in which it cannot:
// a connection still brings in 64 KiB every paceDelay.
const (
	paceBytes = 2 << 20
	paceDelay = 5 * time.Millisecond
)

// enter takes messages into memory until all are taken, the rest has to go to
// disk, or there is an error. If messages are left without an error the caller
// must call toDisk.
func (q *Queue) enter(ctx context.Context, a *arrival) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.hold(ctx, a)
	if err == nil && a.stored {
		q.spilling = true
	}
	for err == nil && a.n > 0 && !q.spilling {
		err = q.admit(ctx, a)
	}
	if err == nil && a.n > 0 {
		q.appends++
		q.offerDisk()
	}
	q.openGates()
	return err
}

// hold makes senders that can wait do so at the delay marks, and a moment before.
func (q *Queue) hold(ctx context.Context, a *arrival) error {
	if a.flow != message.NoDelay && !a.stored && !q.spilling && q.pace.mark.reached(q.held()) {
		if err := q.wait(ctx, &q.pace, paceDelay, false); err != nil && !errors.Is(err, errTimeout) {
			return err
		}
	}
	switch a.flow {
	case message.FullDelay:
		for q.full.mark.reached(q.held()) {
			if err := q.wait(ctx, &q.full, -1, false); err != nil {
				return err
			}
		}
	case message.LightDelay:
		// Once messages go to disk there is nothing to be gained by waiting.
		if a.stored || q.spilling && q.set.assisted() || !q.light.mark.reached(q.held()) {
			return nil
		}
		if err := q.wait(ctx, &q.light, lightDelay, false); !errors.Is(err, errTimeout) {
			return err
		}
	}
	return nil
}

// admit does one step: it takes messages, discards one, waits for room, or finds
// that it is time to go to disk.
func (q *Queue) admit(ctx context.Context, a *arrival) error {
	if q.ended {
		return q.errStopped()
	}
	if q.discardFirst(a) {
		return nil
	}
	k, size := q.fit(a)
	if k == 0 {
		if q.set.assisted() {
			q.spilling = true
			return nil
		}
		return q.waitForRoom(ctx, a)
	}
	q.take(a.frames[:size], k)
	a.skip(k, size)
	return nil
}

// fit returns how many messages there is room for in memory, and their size.
func (q *Queue) fit(a *arrival) (k, size int) {
	limit := q.set.size
	if q.set.assisted() {
		limit = q.set.high
	}
	room, bytes := limit.messages-q.size, limit.bytes-q.bytes
	if q.size == 0 {
		bytes = max(bytes, int64(frameSize(a.frames))) // larger than the limit, but it must go somewhere
	}
	if room = q.roomFor(a, room); room <= 0 || bytes <= 0 {
		return 0, 0
	}
	if k, size = q.keepers(a, min(a.n, room)); int64(size) > bytes {
		k, size = prefix(a.frames, k, int(bytes))
	}
	return k, size
}

// roomFor returns how much of the room a may take: those who waited for it come first.
func (q *Queue) roomFor(a *arrival, room int) int {
	switch {
	case a.turn:
		return room
	case q.room.waiting.Len() > 0:
		return 0
	}
	return room - q.room.let
}

// keepers returns how many of the first messages of a, limit at most, are not
// discarded at the discard mark, and their size.
func (q *Queue) keepers(a *arrival, limit int) (k, size int) {
	if q.set.discard < 8 && !a.stored {
		held, _ := q.held()
		if below := q.set.discardAt - held; below > 0 {
			limit = min(limit, below)
		} else {
			limit = min(limit, 1) // discardFirst has looked at it
		}
	}
	switch {
	case limit <= 0:
		return 0, 0
	case limit >= a.n:
		return a.n, len(a.frames)
	}
	return prefix(a.frames, limit, len(a.frames))
}

// discarding says whether less important messages are discarded now.
func (q *Queue) discarding() bool {
	if q.set.discard >= 8 {
		return false
	}
	held, _ := q.held()
	return held >= q.set.discardAt
}

// discardFirst discards the first message of a if it is to be at the discard mark.
func (q *Queue) discardFirst(a *arrival) bool {
	if a.stored || !q.discarding() || message.FrameSeverity(a.frames) < q.set.discard {
		return false
	}
	q.discard(a, message.DiscardMark)
	return true
}

// sample returns the messages that samplingInterval keeps. as rsyslog: of each
// interval that is the last, not the first.
func (q *Queue) sample(v message.View) message.View {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept, _ := v.Filter(nil, func(*message.Message) bool {
		q.sampled = (q.sampled + 1) % q.set.sampling
		return q.sampled == 0
	})
	q.Ledger.Receive(v.Len() - kept.Len())
	q.Ledger.Discard(message.Sampled, v.Len()-kept.Len())
	return kept
}

// discard gives up the first message of a.
func (q *Queue) discard(a *arrival, r message.Reason) {
	q.Ledger.Receive(1)
	q.Ledger.Discard(r, 1)
	a.skip(1, frameSize(a.frames))
}

// patience is how long a message waits for room before it is discarded; negative
// is for ever. rsyslogd discards after 2 s what a TCP connection could have held
// back; here somebody must have asked for that.
func (q *Queue) patience(a *arrival) time.Duration {
	d, given := q.times.enqueueGiven()
	if a.stored || a.flow != message.NoDelay && !given {
		return -1
	}
	return d
}

// waitForRoom waits until there is room, or discards a message because there
// has been none for as long as it may wait.
func (q *Queue) waitForRoom(ctx context.Context, a *arrival) error {
	q.wasFull++
	if d := q.patience(a); d != 0 {
		err := q.wait(ctx, &q.room, d, a.turn)
		if a.turn = err == nil; !errors.Is(err, errTimeout) {
			return err
		}
	}
	q.lose(a, message.QueueFull)
	return nil
}

// lose discards the first message of a because the queue is full.
func (q *Queue) lose(a *arrival, r message.Reason) {
	q.discard(a, r)
	a.losing = a.losing || !q.losing
	q.losing = true
}

// take puts n messages into their lanes.
func (q *Queue) take(frames []byte, n int) {
	if len(q.lanes) == 1 {
		q.addTo(&q.lanes[0], frames, n)
	} else {
		q.spread(frames, n)
	}
	q.size += n
	q.bytes += int64(len(frames))
	q.maxSize = max(q.maxSize, q.size)
	q.Ledger.Receive(n)
}

// spread gives each message to the lane of its origin.
func (q *Queue) spread(frames []byte, n int) {
	for n > 0 {
		origin := message.FrameOrigin(frames)
		k, size := 1, frameSize(frames)
		for k < n && bytes.Equal(message.FrameOrigin(frames[size:]), origin) {
			k, size = k+1, size+frameSize(frames[size:])
		}
		q.addTo(&q.lanes[q.laneOf(origin)], frames[:size], k)
		frames, n = frames[size:], n-k
	}
}

func (q *Queue) laneOf(o message.Origin) int {
	return int(maphash.Bytes(q.seed, o) % uint64(len(q.lanes)))
}

func (q *Queue) addTo(l *lane, frames []byte, n int) {
	l.add(&q.pool, frames, n)
	if l.want > 0 && l.n >= l.want {
		l.want = 0
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// held is what the queue holds, as far as it counts against its limits.
func (q *Queue) held() (messages int, bytes int64) {
	if q.store != nil {
		return q.size + q.store.Len().Messages, q.bytes
	}
	return q.size, q.bytes
}

// openGates lets in who waits if there is room now.
func (q *Queue) openGates() {
	gates := [...]*gate{&q.room, &q.pace, &q.light, &q.full}
	waiting := 0
	for _, g := range gates {
		waiting += g.waiting.Len()
	}
	if waiting == 0 {
		return
	}
	messages, bytes := q.held()
	for _, g := range gates {
		g.open(messages, bytes)
	}
}
