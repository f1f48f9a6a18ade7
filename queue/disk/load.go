package disk

import (
	"errors"
	"fmt"
	"strings"
)

// load opens the files of the directory.
func (s *Store) load() error {
	if err := s.dir.clean(); err != nil {
		return err
	}
	files, foreign, err := s.dir.list()
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		s.logf(sevWarning, "%s holds files that are not the queue's, which are left alone: %s",
			s.dir.path, strings.Join(foreign, ", "))
	}
	s.pos = positions{number: firstGeneration - 1,
		next: firstSequence, acked: firstSequence}
	var newest state
	for _, f := range files {
		s.pos.number = max(s.pos.number, f.number)
		g, st, ok := s.loadFile(f)
		if !ok {
			continue
		}
		s.pos.commit = max(s.pos.commit, st.commit)
		if st.commit >= newest.commit {
			newest = st
		}
		s.add(g)
	}
	if len(s.gens) == 0 {
		s.pos.fetched, s.pos.durable = s.pos.acked, s.pos.acked
		return nil
	}
	s.settle(newest)
	return nil
}

// loadFile opens one file and reports what is wrong with it.
func (s *Store) loadFile(f file) (*generation, state, bool) {
	g, st, damage, err := openGeneration(s.dir, f)
	switch {
	case errors.Is(err, errUnreadable):
		s.logf(sevError, "%s is left alone and what it holds is not delivered: %v", f.name, err)
		return nil, st, false
	case err != nil:
		s.logf(sevError, "%s cannot be read and is left alone; what it holds is not delivered: %v", f.name, err)
		return nil, st, false
	case damage == nil:
		return g, st, true
	}
	n := 0
	for _, c := range g.src.found.chunks {
		n += int(c.count)
	}
	if st.commit == 0 {
		g.release()
		s.setAside(g, fmt.Sprintf("nothing can be recovered from it: %v", damage))
		return nil, st, false
	}
	s.logf(sevError, "%s is damaged (%v); a search of all of it found %d chunks with %d messages, acknowledged ones included; it is read from those",
		f.name, damage, len(g.src.found.chunks), n)
	return g, st, true
}

// setAside keeps a damaged file under another name.
func (s *Store) setAside(g *generation, why string) {
	bad, err := s.dir.setAside(g.name, s.cfg.Now())
	if err != nil {
		s.logf(sevError, "%s is damaged, and cannot be renamed: %v", g.name, err)
		return
	}
	s.logf(sevError, "%s is damaged and kept as %s: %s", g.name, bad, why)
}

// add appends g. Of two files with one number the one made later replaces the
// other, whose removal was cut short.
func (s *Store) add(g *generation) {
	if n := len(s.gens); n > 0 && s.gens[n-1].number == g.number {
		old := s.gens[n-1]
		if old.commit > g.commit {
			old, g = g, old
		}
		s.gens = s.gens[:n-1]
		old.release()
		if err := s.dir.remove(old.name); err != nil {
			s.logf(sevWarning, "%s has been replaced by %s, but cannot be removed: %v", old.name, g.name, err)
		}
	}
	s.gens = append(s.gens, g)
}

// settle works out from the files where the queue begins and ends.
func (s *Store) settle(newest state) {
	p := &s.pos
	p.next, p.acked = newest.next, newest.acked
	p.bytesIn, p.bytesGo = newest.bytesIn, newest.bytesGo
	for i, g := range s.gens {
		if i+1 < len(s.gens) {
			s.bound(g, s.gens[i+1])
		}
		p.next = max(p.next, g.end)
	}
	p.acked = min(p.acked, p.next)
	p.fetched, p.durable = p.acked, p.acked
	s.messages = s.count()
	if last := s.gens[len(s.gens)-1]; last.complete {
		s.logf(sevError, "the file that came after %s is missing; how many messages it held is not known", last.name)
	}
	if s.messages == 0 {
		p.bytesGo = p.bytesIn
	}
	for _, g := range s.gens {
		g.release() // opened again when it is their turn
	}
}

// bound ends g where a generation begins that was made later: what g holds from
// there on was a commit whose outcome was not known, written once more. A gap
// before it is a file that is missing.
func (s *Store) bound(g, after *generation) {
	if after.created < g.created {
		return // put in front of the queue later
	}
	if g.end < after.first && !g.damaged {
		g.known = g.end
		g.missing = fmt.Sprintf("the files between %s and %s are missing", g.name, after.name)
	}
	g.end = after.first
}

// count returns how many messages the files hold that are not acknowledged; those
// of missing files and damaged chunks count until the reader finds out.
func (s *Store) count() int {
	n := s.pos.next - s.pos.acked
	for _, g := range s.gens {
		switch {
		case g.evicted == 0 || g.end <= s.pos.acked:
		case g.first >= s.pos.acked:
			n -= g.evicted
		default:
			n -= min(n, g.evictedFrom(s.dir, s.pos.acked))
		}
	}
	return int(n)
}
