package disk

import (
	"errors"
	"fmt"
)

// survey is what the files of a directory say, taken without changing anything.
// The directory may be in use.
type survey struct {
	dir      *directory
	gens     []*generation // in order
	replaced []*generation // by a file of the same number
	faults   []fault
	foreign  []string
	pos      positions
	messages int // not acknowledged; those of missing files count as well
	missing  string
}

// fault is something wrong with a file. A file that is salvaged is one of gens
// nevertheless.
type fault struct {
	gen      *generation
	name     string
	err      error
	salvaged bool
	empty    bool // nothing can be recovered from it
}

// take looks at all files. It opens each and reads its state.
func take(d *directory) (*survey, error) {
	files, foreign, err := d.list()
	if err != nil {
		return nil, err
	}
	v := &survey{dir: d, foreign: foreign, pos: positions{number: firstGeneration - 1,
		next: firstSequence, acked: firstSequence}}
	var newest state
	for _, f := range files {
		v.pos.number = max(v.pos.number, f.number)
		g, st, damage, err := openGeneration(d, f)
		if err != nil {
			v.faults = append(v.faults, fault{name: f.name, err: err})
			continue
		}
		if damage != nil {
			empty := st.commit == 0
			v.faults = append(v.faults, fault{gen: g, name: f.name, err: damage, salvaged: !empty, empty: empty})
			if empty {
				g.release()
				continue
			}
		}
		v.pos.commit = max(v.pos.commit, st.commit)
		if st.commit >= newest.commit {
			newest = st
		}
		v.add(g)
	}
	v.settle(newest)
	return v, nil
}

// add appends g. Of two files with one number the one made later replaces the
// other, whose removal was cut short.
func (v *survey) add(g *generation) {
	if n := len(v.gens); n > 0 && v.gens[n-1].number == g.number {
		old := v.gens[n-1]
		if old.commit > g.commit {
			old, g = g, old
		}
		v.gens = v.gens[:n-1]
		v.replaced = append(v.replaced, old)
	}
	v.gens = append(v.gens, g)
}

// settle works out from the files where the queue begins and ends.
func (v *survey) settle(newest state) {
	p := &v.pos
	if len(v.gens) > 0 {
		p.next, p.acked = newest.tail, newest.acked
		p.bytesIn, p.bytesGo = newest.bytesIn, newest.bytesGo
		p.front, p.resume = newest.front, newest.resume
	}
	for i, g := range v.gens {
		g.after(p.front, p.resume)
		if i+1 < len(v.gens) {
			g.bound(v.gens[i+1])
		} else if g.complete {
			v.missing = g.name
		}
		p.next = max(p.next, g.end)
	}
	p.acked = min(p.acked, p.next)
	p.fetched, p.durable = p.acked, p.acked
	v.messages = v.count()
	if v.messages == 0 {
		p.bytesGo = p.bytesIn
	}
}

// bound ends g where a generation begins that was made later: what g holds from
// there on was a commit whose outcome was not known, written once more. A gap
// before it is a file that is missing.
func (g *generation) bound(after *generation) {
	if after.created < g.created {
		return // g was put in front of the queue
	}
	if g.end < after.first && !g.damaged {
		g.known = g.end
		g.missing = fmt.Sprintf("the files between %s and %s are missing", g.name, after.name)
	}
	g.end = after.first
}

// count returns how many messages the files hold that are not acknowledged; those
// of missing files and damaged chunks count until the reader finds out.
func (v *survey) count() int {
	n, at := v.pos.next-v.pos.acked, v.pos.acked
	for _, g := range v.gens {
		g.from, at = max(at, g.min), max(at, g.end)
		switch {
		case g.evicted == 0 || g.end <= g.from:
		case g.first >= g.from:
			g.holes = g.evicted
		default:
			g.holes = g.evictedFrom(v.dir, g.from)
		}
		n -= min(n, g.holes)
	}
	return int(n)
}

// release closes all files; they are opened again when it is their turn.
func (v *survey) release() {
	for _, g := range append(v.gens, v.replaced...) {
		g.release()
	}
}

// says is what there is to say about a fault.
func (f *fault) says() string {
	switch {
	case f.salvaged:
		n := 0
		for _, c := range f.gen.src.found.chunks {
			n += int(c.count)
		}
		return fmt.Sprintf("%s is damaged (%v); a search of all of it found %d chunks with %d messages, acknowledged ones included; it is read from those",
			f.name, f.err, len(f.gen.src.found.chunks), n)
	case f.empty:
		return fmt.Sprintf("%s is damaged (%v), and nothing can be recovered from it", f.name, f.err)
	case errors.Is(f.err, errUnreadable):
		return fmt.Sprintf("%s is left alone and what it holds is not delivered: %v", f.name, f.err)
	}
	return fmt.Sprintf("%s cannot be read and is left alone; what it holds is not delivered: %v", f.name, f.err)
}
