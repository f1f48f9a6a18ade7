package disk

import (
	"context"
	"fmt"
	"io"

	"sysrelay/message"
	"sysrelay/queue"
)

// Evict forgets messages that are not read yet and for which discard is true,
// until at least want bytes of disk space are freed. It rewrites one file after
// the other, the oldest first, and the one that is being written last.
func (s *Store) Evict(ctx context.Context, want int64, discard func(frame []byte) bool) (int, error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	total := 0
	for i := 0; want > 0 && ctx.Err() == nil; i++ {
		g, floor := s.evictable(i)
		if g == nil {
			break
		}
		if g.end <= floor || g.first == g.end || g.damaged || g.removed {
			continue
		}
		if g == s.active {
			if err := s.begin(nil); err != nil {
				return total, err
			}
		}
		n, freed, err := s.thin(g, floor, discard)
		total, want = total+n, want-freed
		if err != nil {
			return total, fmt.Errorf("evict from %s: %w", g.name, err)
		}
	}
	if total > 0 {
		s.roomMade()
	}
	return total, ctx.Err()
}

// evictable returns the i-th generation and the sequence from which its messages
// are not read yet.
func (s *Store) evictable(i int) (*generation, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= len(s.gens) {
		return nil, 0
	}
	floor := s.pos.fetched
	if n := len(s.window.held); n > 0 {
		floor = s.window.held[n-1].end
	}
	return s.gens[i], floor
}

// thin replaces the file of g by one without the messages that discard names. It
// returns how many there were and how many bytes of disk space that freed.
func (s *Store) thin(g *generation, floor uint64, discard func([]byte) bool) (int, int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	src, err := g.source(s.dir)
	if err != nil {
		return 0, 0, err
	}
	t := thinning{src: src, from: s.pos.durable, floor: floor, end: g.end, discard: discard}
	if n, err := t.count(); n == 0 || err != nil {
		return 0, 0, err
	}
	s.mu.Lock()
	s.pos.commit++
	st := state{id: newID(), number: g.number, commit: s.pos.commit, created: g.created, first: g.first,
		next: g.end, acked: s.pos.durable, bytesIn: s.pos.bytesIn, bytesGo: s.pos.bytesGo, time: s.cfg.Now().UnixNano()}
	s.mu.Unlock()
	st.evicted = g.evicted + uint64(t.discarded)
	st.bytesGo += t.bytes
	b, err := newBulk(s.dir, st, s.cfg.MaxFileSize)
	if err != nil {
		return 0, 0, err
	}
	if err = t.copy(b); err == nil {
		err = b.publish()
	}
	if err != nil {
		b.drop()
		return 0, 0, err
	}
	return t.discarded, s.replace(g, b, t.bytes, t.discarded), nil
}

// replace makes the file of b that of g. The caller has g.mu.
func (s *Store) replace(g *generation, b *bulk, bytes int64, n int) (freed int64) {
	old := g.name
	g.src.close()
	g.src = nil
	s.mu.Lock()
	g.name, g.id, g.evicted = b.w.name, b.state.id, b.state.evicted
	freed = g.bytes
	g.bytes = diskBytes(s.dir.join(g.name))
	freed -= g.bytes
	s.messages -= n
	s.pos.bytesGo += bytes
	s.mu.Unlock()
	if err := s.dir.remove(old); err != nil {
		s.logf(sevWarning, "%s has been replaced by %s, but cannot be removed: %v", old, g.name, err)
	}
	return freed
}

// thinning copies a file without some of its messages.
type thinning struct {
	src       *source
	from      uint64 // sequences before are acknowledged
	floor     uint64 // sequences before have been read
	end       uint64
	discard   func([]byte) bool
	discarded int
	bytes     int64
	last      *record // not added yet
}

// count finds out how much there is to discard.
func (t *thinning) count() (int, error) {
	err := t.each(func(p place, frames []byte) error {
		kept, n := t.filter(p, frames)
		t.discarded += int(p.count) - n
		t.bytes += int64(len(frames) - len(kept))
		return nil
	})
	return t.discarded, err
}

// each calls f for the chunks that are still wanted.
func (t *thinning) each(f func(p place, frames []byte) error) error {
	p, err := t.src.next(0)
	for ; err == nil && p.first < t.end; p, err = t.src.next(p.commit) {
		if p.end() <= t.from {
			continue
		}
		frames, err := t.src.load(p)
		if err != nil {
			return err
		}
		if err := f(p, frames); err != nil {
			return err
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// filter returns the messages of a chunk that stay.
func (t *thinning) filter(p place, frames []byte) ([]byte, int) {
	if p.first < t.floor {
		return frames, int(p.count)
	}
	kept, n := make([]byte, 0, len(frames)), 0
	for len(frames) > 0 {
		size, err := message.FrameSize(frames)
		if err != nil {
			return append(kept, frames...), n // cannot be: the checksum is right
		}
		if f := frames[:size]; !t.discard(f) {
			kept, n = append(kept, f...), n+1
		}
		frames = frames[size:]
	}
	return kept, n
}

// copy writes what stays to b. The sequences of a chunk without messages are
// joined to those of the chunk before it.
func (t *thinning) copy(b *bulk) error {
	err := t.each(func(p place, frames []byte) error {
		kept, n := t.filter(p, frames)
		if n == 0 && t.last != nil {
			t.last.span += p.span
			return nil
		}
		if err := t.flush(b); err != nil {
			return err
		}
		r := newRecord([]*request{{frames: kept}}, len(kept), n)
		size, sum := r.size, r.sum
		r.header = p.header
		r.count, r.size, r.sum = uint32(n), size, sum
		t.last = &r
		return nil
	})
	if err != nil {
		return err
	}
	return t.flush(b)
}

func (t *thinning) flush(b *bulk) error {
	if t.last == nil {
		return nil
	}
	r := *t.last
	t.last = nil
	return b.add(r)
}

// Prepend stores messages that are older than everything in the store, in a file
// in front of all others.
func (s *Store) Prepend(ctx context.Context, runs []queue.Run) error {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.mu.Lock()
	busy, closed := len(s.flight) > 0, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return queue.ErrStoreClosed
	case busy:
		return fmt.Errorf("queue %s: messages cannot be put in front of those that are being delivered", s.cfg.Name)
	}
	p := s.front(runs)
	if p.n == 0 {
		return nil
	}
	b, err := newBulk(s.dir, p.state, s.cfg.MaxFileSize)
	if err == nil {
		for _, r := range p.records {
			if err = b.add(r); err != nil {
				break
			}
		}
		if err == nil {
			err = b.publish()
		}
		if err != nil {
			b.drop()
		}
	}
	if err != nil {
		return fmt.Errorf("%w: queue %s: save %d messages: %w", queue.ErrNoRoom, s.cfg.Name, p.n, err)
	}
	s.prepended(p, b)
	return nil
}

// prefixed is what goes in front of a queue.
type prefixed struct {
	records []record
	n       int
	bytes   int64
	state   state
}

// front lays out what goes in front. The rest of a chunk that is acknowledged in
// part goes with it: its messages are found in two files then, and those that
// come first count.
func (s *Store) front(runs []queue.Run) prefixed {
	var p prefixed
	var group []*request
	for _, r := range runs {
		p.n += r.N
		p.bytes += int64(len(r.Frames))
		group = append(group, &request{frames: r.Frames, n: r.N})
	}
	rest, ok := s.partial()
	if ok {
		group = append(group, &request{frames: rest.frames, n: rest.n})
	}
	p.records = chunks(group)
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.pos.acked - uint64(p.n)
	at := first
	for i := range p.records {
		s.pos.commit++
		r := &p.records[i]
		r.commit, r.first, r.acked, r.time = s.pos.commit, at, first, s.cfg.Now().UnixNano()
		if i == len(p.records)-1 && ok {
			r.span = uint32(rest.end - at) // with what was evicted behind it
		}
		at = r.end()
	}
	s.pos.commit++
	number := s.pos.number + 1
	if len(s.gens) > 0 {
		number = s.gens[0].number - 1
	}
	p.state = state{id: newID(), number: number, commit: s.pos.commit, created: s.pos.commit, first: first, next: at,
		acked: first, bytesIn: s.pos.bytesIn + p.bytes, bytesGo: s.pos.bytesGo, time: s.cfg.Now().UnixNano()}
	return p
}

// partial returns the rest of the first chunk wanted, if part of that chunk is
// acknowledged.
func (s *Store) partial() (held, bool) {
	w := &s.window
	for w.cur.n == 0 && len(w.held) == 0 && s.pos.fetched < s.pos.next {
		s.commitMu.Unlock() // fetch may have to take it
		err := s.fetch()
		s.commitMu.Lock()
		if err != nil {
			break
		}
	}
	if w.cur.n > 0 && w.cur.first > w.cur.start {
		return w.cur, true
	}
	return held{}, false
}

// prepended makes the file of b the first of the queue.
func (s *Store) prepended(p prefixed, b *bulk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &generation{number: p.state.number, id: p.state.id, name: b.w.name, created: p.state.created,
		commit: p.state.commit, first: p.state.first, end: p.state.next, bytes: diskBytes(s.dir.join(b.w.name))}
	s.gens = append([]*generation{g}, s.gens...)
	s.pos.number = max(s.pos.number, g.number)
	s.pos.acked, s.pos.fetched, s.pos.durable = p.state.first, p.state.first, p.state.first
	s.pos.bytesIn = p.state.bytesIn
	s.messages += p.n
	s.window = window{}
	for _, g := range s.gens {
		g.last = 0
	}
	kick(s.more)
}
