package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sysrelay/message"
)

// abandonAfter is how long a worker may take to return after its context was
// cancelled. Work that ignores its context does not keep the daemon from saving
// the rest.
const abandonAfter = 5 * time.Second

// Run hands messages to the work until ctx is cancelled, then drains within
// timeoutShutdown, lets the batch under way finish within
// timeoutActionCompletion (the work's context is cancelled after that), saves to
// disk what is left if it can, and counts the rest as discarded. What the work
// did not take (message.Rest) is handed to it again, before what came later.
//
// While the queue drains Put still works; senders should end first. What came
// from a store is handed on under message.Stored, because it may have been
// acknowledged as stored.
func (q *Queue) Run(ctx context.Context) error {
	if q.set.typ == Direct {
		<-ctx.Done()
		return nil
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	idle := q.start(work)
	<-ctx.Done()
	q.beginDrain()
	q.await(idle, q.times.toShutdown())
	q.stop()
	q.await(idle, q.set.complete)
	cancel()
	select {
	case <-idle:
	case <-time.After(abandonAfter):
		q.logf(failure, "an output does not return although it was told to; the messages it was given count as not delivered")
	}
	return q.finish()
}

// start starts the workers; the channel is closed when all have ended.
func (q *Queue) start(work context.Context) <-chan struct{} {
	var running sync.WaitGroup
	if q.set.typ != Disk {
		for i := range q.lanes {
			running.Go(q.newWorker(work, &q.lanes[i]).run)
		}
	}
	if q.store != nil {
		running.Go(q.newReader(work).run)
	}
	idle := make(chan struct{})
	go func() {
		running.Wait()
		close(idle)
	}()
	return idle
}

// beginDrain tells the workers to end when there is nothing left.
func (q *Queue) beginDrain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drain()
	q.endIfDrained()
}

// await waits until the workers have ended, at most for d unless it is negative.
func (q *Queue) await(idle <-chan struct{}, d time.Duration) {
	var timeout <-chan time.Time
	if d >= 0 {
		timeout = time.After(d)
	}
	select {
	case <-idle:
	case <-timeout:
	case <-q.hurried:
	}
}

// finish disposes of what is left in memory.
func (q *Queue) finish() error {
	q.mu.Lock()
	q.ended = true
	var runs []Run
	left := 0
	for i := range q.lanes {
		runs = q.lanes[i].runs(runs)
	}
	for _, r := range runs {
		left += r.N
	}
	q.over, q.size, q.bytes = true, 0, 0
	q.mu.Unlock()
	switch {
	case left == 0:
		return nil
	case !q.saves():
		q.Ledger.Discard(message.ShutdownTimeout, left)
		q.logf(warning, "%d messages were not processed within queue.timeoutShutdown and are discarded; with queue.filename they would be saved", left)
		return nil
	}
	return q.save(runs, left)
}

// save saves what is left in memory to disk: in front of what is there, because
// it is older. If that is not possible order matters less than the messages.
func (q *Queue) save(runs []Run, left int) error {
	err := q.store.Prepend(context.Background(), runs)
	for i := 0; err != nil && i < len(runs); i++ {
		if q.store.Append(q.noWait, runs[i].Frames, runs[i].N) != nil {
			q.Ledger.Discard(message.ShutdownTimeout, left)
			return fmt.Errorf("%s: saving %d messages to %s: %w; they are lost", q.opts.Name, left, q.set.dir, err)
		}
		left -= runs[i].N
	}
	if err != nil {
		return fmt.Errorf("%s: saving messages to %s: %w; they were put behind those that are there", q.opts.Name, q.set.dir, err)
	}
	q.logf(notice, "%d messages were saved to %s and will be processed after the next start", left, q.set.dir)
	return nil
}

// saves says whether what is left in memory is saved to disk.
func (q *Queue) saves() bool { return q.store != nil && q.set.save }
