package disk

import (
	"context"
	"fmt"

	"sysrelay/queue"
)

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
	rest    held // of a chunk, which is among the records
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
	p.rest = rest
	s.pos.commit++
	p.state = state{id: newID(), number: s.pos.number + 1, commit: s.pos.commit, created: s.pos.commit,
		first: first, next: at, tail: s.pos.next, front: s.pos.commit, resume: at, acked: first, evicted: rest.holes(),
		bytesIn: s.pos.bytesIn + p.bytes, bytesGo: s.pos.bytesGo, time: s.cfg.Now().UnixNano()}
	if len(s.gens) > 0 {
		p.state.number = s.gens[0].number - 1
	}
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
		commit: p.state.commit, evicted: p.state.evicted, holes: p.state.evicted, first: p.state.first, end: p.state.next, bytes: diskBytes(s.dir.join(b.w.name))}
	s.gens = append([]*generation{g}, s.gens...)
	s.pos.number = max(s.pos.number, g.number)
	s.pos.acked, s.pos.fetched, s.pos.durable = p.state.first, p.state.first, p.state.first
	s.pos.bytesIn, s.pos.front, s.pos.resume = p.state.bytesIn, p.state.front, p.state.resume
	s.messages += p.n
	s.window = window{}
	if p.rest.gen != nil {
		p.rest.gen.holes -= min(p.rest.gen.holes, p.rest.holes())
	}
	for _, g := range s.gens {
		g.last = 0
		g.after(s.pos.front, s.pos.resume)
	}
	kick(s.more)
}
