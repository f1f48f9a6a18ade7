package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sysrelay/message"
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
		t := &rewriting{floor: floor, discard: discard}
		freed, err := s.rewrite(g, t)
		if isDamage(err) {
			continue // the reader will deal with it
		}
		if err != nil {
			return total, fmt.Errorf("queue %s: evict messages: %w", s.cfg.Name, err)
		}
		total, want = total+t.discarded, want-freed
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

// rewriting says how a file is copied to take its own place.
type rewriting struct {
	src     *source
	from    uint64 // sequences before are acknowledged, or in an earlier file
	end     uint64
	floor   uint64                  // sequences before stay
	discard func(frame []byte) bool // nil discards nothing
	always  bool                    // even if nothing is discarded
	close   bool                    // give up what is missing at the beginning and the end

	discarded int
	bytes     int64   // discarded
	holes     uint64  // sequences of the chunks in src without a message
	gaps      uint64  // sequences missing between them
	last      *record // not written yet: what is dropped behind it joins it
}

// rewrite replaces the file of g. It returns how many bytes of disk space that
// freed.
func (s *Store) rewrite(g *generation, t *rewriting) (freed int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.src, err = g.source(s.dir); err != nil {
		return 0, err
	}
	t.from, t.end = s.from(g), g.end
	if err := t.measure(); err != nil || t.discarded == 0 && !t.always {
		return 0, err
	}
	s.mu.Lock()
	s.pos.commit++
	st := state{id: newID(), number: g.number, commit: s.pos.commit, created: g.created, first: g.first,
		next: g.end, tail: s.pos.next, acked: s.pos.durable, bytesIn: s.pos.bytesIn, bytesGo: s.pos.bytesGo + t.bytes,
		evicted: t.holes + uint64(t.discarded) + t.gaps, time: s.cfg.Now().UnixNano(),
		front: s.pos.front, resume: s.pos.resume}
	s.mu.Unlock()
	b, err := newBulk(s.dir, st, s.cfg.MaxFileSize)
	if err != nil {
		return 0, err
	}
	if err = t.copy(b); err == nil {
		err = b.publish()
	}
	if err != nil {
		b.drop()
		return 0, err
	}
	// Of what is missing, so many had been evicted before.
	lost := int(t.gaps - min(t.gaps, g.holes-min(g.holes, t.holes)))
	if lost > 0 {
		s.cfg.Lost(message.Damaged, lost)
		s.logf(sevError, "%d messages are lost: they are missing from %s", lost, g.name)
	}
	return s.replace(g, b, t, lost), nil
}

// from is the sequence of the first message wanted that is to come from g.
func (s *Store) from(g *generation) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := max(s.pos.durable, g.min)
	for _, before := range s.gens {
		if before == g {
			break
		}
		at = max(at, before.end)
	}
	return at
}

// replace makes the file of b that of g. The caller has g.mu.
func (s *Store) replace(g *generation, b *bulk, t *rewriting, lost int) (freed int64) {
	old := g.name
	g.src.close()
	g.src = nil
	s.mu.Lock()
	g.name, g.id, g.evicted = b.w.name, b.state.id, b.state.evicted
	g.holes = g.evicted
	freed = g.bytes
	g.bytes = diskBytes(s.dir.join(g.name))
	freed -= g.bytes
	s.messages -= t.discarded + lost
	s.pos.bytesGo += t.bytes
	damaged := g.damaged
	g.damaged, g.removed = false, false
	s.mu.Unlock()
	if damaged {
		s.setAside(old)
	} else if err := s.dir.remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logf(sevWarning, "%s has been replaced by %s, but cannot be removed: %v", old, g.name, err)
	}
	return freed
}

// measure finds out how much there is to discard, and how much is missing.
func (t *rewriting) measure() error {
	at := t.from
	begun := t.close
	err := t.each(func(p place, frames []byte) error {
		kept, n := t.filter(p, frames)
		t.discarded += int(p.count) - n
		t.bytes += int64(len(frames) - len(kept))
		t.holes += uint64(p.span - p.count)
		if p.first > at && begun {
			t.gaps += p.first - at
		}
		at, begun = p.end(), true
		return nil
	})
	if t.close && at < t.end {
		t.gaps += t.end - at
	}
	return err
}

// each calls f for the chunks that are still wanted.
func (t *rewriting) each(f func(p place, frames []byte) error) error {
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
func (t *rewriting) filter(p place, frames []byte) ([]byte, int) {
	if p.first < t.floor || t.discard == nil {
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

// copy writes what stays to b. The sequences of a chunk without messages, and of
// chunks that are missing, are joined to those of the chunk before.
func (t *rewriting) copy(b *bulk) error {
	if t.close {
		t.last = &record{header: header{commit: 1, first: t.from}, bytes: make([]byte, headerSize)}
	}
	err := t.each(func(p place, frames []byte) error {
		kept, n := t.filter(p, frames)
		if t.last != nil && t.last.first > p.first {
			t.last = nil // part of the first chunk is acknowledged: nothing is missing
		}
		if t.last != nil {
			t.last.span = uint32(p.first - t.last.first)
			if n == 0 {
				t.last.span += p.span
				return nil
			}
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
	if t.close && t.last != nil {
		t.last.span = uint32(t.end - t.last.first)
	}
	return t.flush(b)
}

// flush writes the last record, unless it stands for nothing.
func (t *rewriting) flush(b *bulk) error {
	if t.last == nil || t.last.span == 0 {
		t.last = nil
		return nil
	}
	r := *t.last
	t.last = nil
	return b.add(r)
}
