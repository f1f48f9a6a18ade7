package queue

import (
	"context"
	"errors"
	"fmt"

	"sysrelay/message"
)

// A disk-assisted queue keeps one invariant: what is in memory is older than
// what is on disk. Puts go to memory until it is full, or until one must be
// stored; from then on the queue is spilling: they go to disk until the disk part
// is empty. Memory is handed on first. A Disk queue is always spilling.

// storeMemory is what a disk part may keep in memory of its newest messages: a
// reader that keeps up needs little, and one that does not finds nothing there.
const storeMemory = 8 << 20

func (q *Queue) openStore() error {
	if q.opts.OpenStore == nil {
		return fmt.Errorf("%s: queue.filename is given, but there is no disk queue in this program", q.opts.Name)
	}
	store, err := q.opts.OpenStore(StoreConfig{
		Name: q.opts.Name, Dir: q.set.dir, Sync: q.set.sync,
		MaxDiskSpace: q.set.maxDisk, MaxFileSize: q.set.maxFile, MemoryLimit: min(q.set.memory/4, storeMemory),
		Now: q.opts.Now, Log: func(severity int, text string) { q.logf(severity, "%s", text) },
		Lost: q.Ledger.Discard,
	})
	if err != nil {
		return fmt.Errorf("%s: opening its files in %s: %w", q.opts.Name, q.set.dir, err)
	}
	q.store = store
	held := store.Len().Messages
	q.Ledger.Receive(held)
	q.spilling = held > 0 || q.set.typ == Disk
	return nil
}

// storeFunc is Store.Append or Store.Accept.
type storeFunc func(ctx context.Context, frames []byte, n int) error

// toDisk stores what is left of a. enter has counted it among q.appends.
func (q *Queue) toDisk(ctx context.Context, a *arrival) error {
	defer q.appended()
	var put storeFunc = q.store.Append
	if a.flow == message.NoDelay && !a.stored && !q.opts.Kind.action() {
		put = q.store.Accept
	}
	for a.n > 0 {
		r, err := q.piece(ctx, a)
		if err != nil || r.N == 0 {
			return err
		}
		err = put(q.noWait, r.Frames, r.N)
		if errors.Is(err, ErrNoRoom) {
			err = q.insist(ctx, a, r, put)
		} else if err == nil {
			q.onDisk(a, r)
		}
		q.pieceDone(r)
		if err != nil {
			return err
		}
	}
	return nil
}

// piece returns the messages of a that may go to disk next: all, unless there is
// a limit to their number or less important ones are discarded. q.onWay counts
// them until pieceDone.
func (q *Queue) piece(ctx context.Context, a *arrival) (Run, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for a.n > 0 {
		if q.discardFirst(a) {
			continue
		}
		k, size := q.keepers(a, q.diskRoom(a))
		if most := int(q.set.maxDisk / 8); most > 0 && size > most {
			if k, size = prefix(a.frames, k, most); k == 0 {
				k, size = 1, frameSize(a.frames)
			}
		}
		if k > 0 {
			q.onWay += k
			return Run{Frames: a.frames[:size], N: k}, nil
		}
		if err := q.waitForRoom(ctx, a); err != nil {
			return Run{}, err
		}
	}
	return Run{}, nil
}

// diskRoom is how many messages of a queue.size lets go to disk. It limits Disk
// queues only; what is on disk of another is limited by maxDiskSpace.
func (q *Queue) diskRoom(a *arrival) int {
	if q.set.assisted() {
		return a.n
	}
	held, _ := q.held()
	return min(a.n, q.roomFor(a, q.set.size.messages-held-q.onWay))
}

func (q *Queue) pieceDone(r Run) {
	q.mu.Lock()
	q.onWay -= r.N
	held, _ := q.held()
	q.maxSize = max(q.maxSize, held)
	q.openGates()
	q.mu.Unlock()
}

// onDisk accounts for the first messages of a, which are stored.
func (q *Queue) onDisk(a *arrival, r Run) {
	q.Ledger.Receive(r.N)
	a.skip(r.N, len(r.Frames))
}

// insist stores r, the first messages of a, for which the store has no room. If
// the user wants less important messages discarded, they make room. Otherwise
// the store is waited for; when there is still no room after timeoutEnqueue the
// first message is discarded. A nil error does not say that all of r is stored.
func (q *Queue) insist(ctx context.Context, a *arrival, r Run, put storeFunc) error {
	q.noteFull()
	if q.set.discard < 8 {
		important := message.FrameSeverity(a.frames) < q.set.discard
		if !important && !a.stored {
			q.discardForDisk(a)
			return nil
		}
		if important {
			if evicted, err := q.evict(ctx, len(r.Frames)); err != nil || evicted {
				return err
			}
		}
	}
	wait := ctx
	if d := q.patience(a); d >= 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	err := put(wait, r.Frames, r.N)
	switch {
	case err == nil:
		q.onDisk(a, r)
	case errors.Is(err, ErrNoRoom) && ctx.Err() == nil:
		q.discardForDisk(a)
		return nil
	}
	return err
}

func (q *Queue) noteFull() {
	q.mu.Lock()
	q.wasFull++
	q.mu.Unlock()
}

// discardForDisk discards the first message of a because the disk is full.
func (q *Queue) discardForDisk(a *arrival) {
	q.mu.Lock()
	q.lose(a, message.DiskFull)
	q.mu.Unlock()
}

// evict makes the store forget less important messages to make room for size bytes.
func (q *Queue) evict(ctx context.Context, size int) (bool, error) {
	n, err := q.store.Evict(ctx, int64(size), func(frame []byte) bool {
		return message.FrameSeverity(frame) >= q.set.discard
	})
	q.Ledger.Discard(message.DiskFull, n)
	return n > 0, err
}

// appended ends a Put that went to disk.
func (q *Queue) appended() {
	q.mu.Lock()
	q.appends--
	q.resume()
	q.mu.Unlock()
}

// resume goes back to memory if nothing is on disk or on its way there.
func (q *Queue) resume() {
	if !q.set.assisted() || q.appends > 0 || q.store.Len().Messages > 0 {
		return
	}
	q.spilling = false
	if q.readCtx != nil {
		q.endRead()
		q.readCtx = nil
	}
}
