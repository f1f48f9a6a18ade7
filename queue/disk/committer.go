package disk

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"sysrelay/queue"
)

const (
	// ackDelay bounds how long an acknowledgement waits for a commit when
	// nothing is appended.
	ackDelay = 20 * time.Millisecond
	// gatherTime bounds how long those who append again are given to do so.
	gatherTime = 20 * time.Microsecond
	// gatherTurns bounds it where the clock stands still meanwhile (testing/synctest).
	gatherTurns = 1000
	// retryMin and retryMax bound the time between attempts to write while
	// nothing can be written.
	retryMin = 100 * time.Millisecond
	retryMax = time.Second
	// closeTries is how often Close tries to write what is left.
	closeTries = 10
	// sayAgain is the time after which a reason is logged again.
	sayAgain = time.Minute
	// maxFree is how many bytes of free pages a file may have and still be
	// written to: bbolt writes the list of them with every commit.
	maxFree = 4096 * pageSize
	// keepDrained is the size up to which a drained queue keeps its file.
	keepDrained = 4 << 20
)

// commitLoop is the committer: it commits whatever has piled up, and while it
// does the next group gathers. It waits for nothing but its own fsync, except
// that acknowledgements alone wait for something to be appended with them.
func (s *Store) commitLoop() {
	defer close(s.gone)
	retry := retryMin
	for open := true; open; {
		did := s.round()
		switch {
		case did&refused != 0:
			if did&acked != 0 {
				retry = retryMin // that may have made room
			}
			open = s.pause(retry)
			retry = min(2*retry, retryMax)
		default:
			retry = retryMin
			open = did == rolled || s.idle()
		}
	}
	for tries := 0; tries < closeTries; {
		did := s.round()
		if did == 0 {
			break
		}
		if did&refused != 0 {
			tries++
			time.Sleep(retryMin)
		}
	}
	s.refuse()
}

// idle waits for something to do. Acknowledgements alone wait a little.
func (s *Store) idle() (open bool) {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		waiting, acks := len(s.backlog.waiting) > 0, s.pos.acked > s.pos.durable
		s.mu.Unlock()
		if waiting {
			return true
		}
		if acks && late == nil {
			t := time.NewTimer(ackDelay)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-s.appended:
		case <-s.acks:
		case <-late:
			return true
		case <-s.done:
			return false
		}
	}
}

// pause waits until the time is over or there may be room.
func (s *Store) pause(d time.Duration) (open bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.room:
	case <-s.done:
		return false
	}
	return true
}

// What a round did.
const (
	appended = 1 << iota // committed messages
	acked                // committed acknowledgements
	rolled               // began a new file
	refused              // could not write
)

// round commits once what there is to commit.
func (s *Store) round() (did int) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.mu.Lock()
	group := s.backlog.take()
	s.mu.Unlock()
	if len(group) > 0 {
		err := s.store(chunks(group))
		if err == nil {
			s.release(group)
			s.retire()
			s.gather(len(group))
			return appended
		}
		s.report(err)
		s.put(group)
		did = refused
	}
	s.mu.Lock()
	acks := s.pos.acked > s.pos.durable
	s.mu.Unlock()
	switch {
	case acks:
		if err := s.store(nil); err != nil {
			s.report(err)
			return refused
		}
		s.retire()
		return did | acked
	case did == 0 && s.shrink():
		return rolled
	}
	return did
}

// gather lets those who have just been released run before the next group is
// taken. Without that they miss it, and half of a number of steady senders waits
// while the other half is written.
func (s *Store) gather(n int) {
	start := time.Now()
	for turn := 0; turn < gatherTurns && time.Since(start) < gatherTime; turn++ {
		runtime.Gosched()
		s.mu.Lock()
		have := len(s.backlog.waiting)
		s.mu.Unlock()
		if have > n {
			return
		}
	}
}

// release tells those who wait for a group that it is stored.
func (s *Store) release(group []*request) {
	s.mu.Lock()
	s.backlog.full = false
	s.backlog.announce()
	again := s.told
	s.failing, s.told = "", false
	s.mu.Unlock()
	for _, r := range group {
		if r.ctx != nil {
			r.done <- nil
		}
	}
	if again {
		s.logf(sevNotice, "writing again")
	}
}

// report logs why nothing can be written, once per reason, and not again and again
// when it comes and goes.
func (s *Store) report(err error) {
	now := s.cfg.Now()
	s.mu.Lock()
	s.failing = err.Error()
	known := s.said == s.failing && now.Sub(s.saidAt) < sayAgain
	if !known {
		s.said, s.saidAt, s.told = s.failing, now, true
	}
	s.mu.Unlock()
	if !known {
		s.logf(sevError, "%v; senders are held up, nothing that was acknowledged is lost, and it is tried again until it works", err)
	}
}

// refuse ends the waiting of those whose messages were not written when the store
// was closed.
func (s *Store) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.backlog.waiting {
		if r.ctx != nil {
			r.done <- queue.ErrStoreClosed
		}
	}
	s.backlog.waiting = nil
}

// store commits records, and with them everything acknowledged.
func (s *Store) store(records []record) error {
	c := s.prepare(records)
	if g := s.active; g != nil {
		err := s.tryActive(g, c)
		if err == nil || errors.Is(err, errFull) {
			return err
		}
		if !errors.Is(err, errFileFull) {
			s.distrust(g, err)
		}
	}
	return s.begin(records)
}

// prepare numbers the records and makes the commit.
func (s *Store) prepare(records []record) *commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.pos
	c := &commit{records: records, acked: p.acked}
	now := s.cfg.Now().UnixNano()
	next, bytes := p.next, p.bytesIn
	for i := range records {
		p.commit++
		r := &records[i]
		r.commit, r.first, r.acked, r.time = p.commit, next, p.acked, now
		next += uint64(r.span)
		bytes += int64(r.size)
	}
	if len(records) == 0 {
		p.commit++
	}
	c.state = state{commit: p.commit, next: next, tail: next, acked: p.acked,
		bytesIn: bytes, bytesGo: p.bytesGo, time: now, front: p.front, resume: p.resume}
	if g := s.active; g != nil {
		c.address(g.id, g.number, g.created, g.first)
	}
	return c
}

// address says which file c goes to.
func (c *commit) address(id, number, created, first uint64) {
	for i := range c.records {
		c.records[i].id = id
		c.records[i].put(c.records[i].bytes)
	}
	c.state.id, c.state.number, c.state.created, c.state.first = id, number, created, first
}

// tryActive commits to the file that is being written, and lets it grow for that.
func (s *Store) tryActive(g *generation, c *commit) error {
	if _, err := g.w.disappeared(); err != nil {
		return err
	}
	if g.w.used >= s.cfg.MaxFileSize || g.w.free > maxFree {
		return errFileFull
	}
	err := s.commit(g.w, c)
	if errors.Is(err, errFileFull) {
		room := g.w.room(c)
		if room > s.cfg.MaxFileSize && g.w.used > minFileSize/2 {
			return err
		}
		if len(c.records) > 0 {
			if err := s.allowed(room - g.w.allocated); err != nil {
				return err
			}
		}
		if err := g.w.grow(room); err != nil {
			return roomError(err)
		}
		err = s.commit(g.w, c)
	}
	if err == nil {
		s.committed(g, c)
	}
	return err
}

// allowed says whether the queue may take so much more disk space.
func (s *Store) allowed(n int64) error {
	if s.cfg.MaxDiskSpace <= 0 {
		return nil
	}
	if have := s.Len().DiskBytes; have+n > s.cfg.MaxDiskSpace {
		return &noRoom{errFull, fmt.Errorf("the queue takes %d bytes on disk, and queue.maxDiskSpace is %d", have, s.cfg.MaxDiskSpace)}
	}
	return nil
}

// begin makes a new generation with a first commit of records.
func (s *Store) begin(records []record) error {
	c := s.prepare(records)
	if len(records) > 0 {
		if err := s.allowed(roundUp(c.room() + reserve)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	old, number, first := s.active, s.pos.number+1, s.pos.next
	s.mu.Unlock()
	c.address(newID(), number, c.state.commit, first)
	w, err := creation{dir: s.dir, first: *c, limit: s.cfg.MaxFileSize, sync: s.cfg.Sync}.create()
	if err != nil {
		if errors.Is(err, errFileFull) {
			return &noRoom{errFull, err}
		}
		return err
	}
	g, err := adopt(w, &c.state)
	if err != nil {
		w.close()
		_ = s.dir.remove(w.name)
		return err
	}
	if old != nil {
		s.conclude(old, &c.state)
	}
	s.mu.Lock()
	s.gens = append(s.gens, g)
	s.active = g
	s.pos.number = number
	s.mu.Unlock()
	s.committed(g, c)
	return nil
}

// conclude ends writing to a file after which another one was begun, and says so
// in it. It is complete without that: an error does no harm.
func (s *Store) conclude(g *generation, st *state) {
	last := *st
	last.flags = complete
	last.id, last.number, last.created, last.first = g.id, g.number, g.created, g.first
	last.next = g.end
	healthy := g.w.commit(&commit{state: last}) == nil
	s.stop(g, healthy)
}

// committed takes note of a commit that is on stable storage.
func (s *Store) committed(g *generation, c *commit) {
	g.txid.Store(g.w.txid)
	s.mu.Lock()
	p := &s.pos
	p.next, p.bytesIn, p.durable = c.state.next, c.state.bytesIn, c.state.acked
	g.end, g.bytes = c.state.next, g.w.allocated
	for i := range c.records {
		s.messages += int(c.records[i].count)
		s.window.add(&c.records[i], p.fetched, s.cfg.MemoryLimit)
	}
	if len(c.records) > 0 {
		s.backlog.committed()
	}
	s.mu.Unlock()
	if len(c.records) > 0 {
		kick(s.more)
	}
}

// distrust ends writing to a file about which the disk has reported an error, or
// which somebody has removed or cut. It is read as far as commits are known to
// have succeeded; the kernel does not say twice that it could not write.
func (s *Store) distrust(g *generation, why error) {
	s.logf(sevError, "%s: %v; no more is written to it, what it holds is still delivered, and the queue goes on in a new file", g.name, why)
	g.removed, _ = g.w.disappeared()
	s.stop(g, false)
	if !g.removed || g.end <= s.pos.durable {
		return
	}
	if _, err := s.rewrite(g, &rewriting{always: true}); err != nil {
		s.logf(sevError, "what was in the removed file cannot be written to another one, and will be gone if this process ends before it is delivered: %v", err)
		return
	}
	s.logf(sevNotice, "what was in the removed file is in %s now", g.name)
}

// retire removes the files of which everything is acknowledged.
func (s *Store) retire() {
	s.mu.Lock()
	var drained []*generation
	for len(s.gens) > 0 && s.gens[0] != s.active && s.gens[0].end <= s.pos.durable {
		drained, s.gens = append(drained, s.gens[0]), s.gens[1:]
	}
	s.mu.Unlock()
	for _, g := range drained {
		g.release()
		switch {
		case g.removed:
		case g.damaged:
			s.setAside(g.name)
		default:
			if err := s.dir.remove(g.name); err != nil {
				s.logf(sevWarning, "%s is drained, but cannot be removed: %v", g.name, err)
			}
		}
	}
	if len(drained) > 0 {
		s.roomMade()
	}
}

// roomMade lets the next attempt to write come soon.
func (s *Store) roomMade() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backlog.full {
		s.backlog.full = false
		s.backlog.announce()
		kick(s.room)
	}
}

// shrink begins a new file when the queue is drained and its file is large. It
// reports whether it did.
func (s *Store) shrink() bool {
	s.mu.Lock()
	drained := s.pos.durable == s.pos.next && len(s.gens) > 0 && len(s.backlog.waiting) == 0
	large := s.active == nil || s.active.w.used > keepDrained
	s.mu.Unlock()
	if !drained || !large {
		return false
	}
	if err := s.begin(nil); err != nil {
		return false // there is time for it
	}
	s.retire()
	return true
}

var _ queue.OpenStore = Open
