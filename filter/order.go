package filter

import "sysrelay/message"

// Statements are run one after the other, each for all messages. Where a ruleset
// is called from several places, that would let messages overtake each other:
// those that take the first call would reach it before all that take the second.
// Around such calls messages are therefore run in runs: those next to each
// other that take the same way go all the way before the next ones start.

// place is where a run goes on: the statements of block from at on, then next.
type place struct {
	block block
	at    int
	next  int // index into pass.places; 0 is the end
	depth int // of calls
}

// parting is a statement at which messages part that may meet again.
type parting interface {
	// parts tells whether they do, which is known once the ruleset is linked.
	parts() bool
	// part runs the statement, and what follows at the place rest, for one run of
	// messages after the other.
	part(x *pass, v message.View, rest int)
}

// inOrder runs a whole ruleset in runs.
func (x *pass) inOrder(b block, v message.View) {
	places := len(x.places)
	if places == 0 {
		x.places = append(x.places, place{}) // the end
	}
	x.walk(x.then(place{block: b, depth: x.depth}), v)
	x.places = x.places[:places]
}

// then keeps p until the walk that it is for is over.
func (x *pass) then(p place) int {
	x.places = append(x.places, p)
	return len(x.places) - 1
}

// walk runs everything from the place at on.
func (x *pass) walk(at int, v message.View) {
	used, places, depth := x.used, len(x.places), x.depth
	for at != 0 && v.Len() > 0 {
		p := x.places[at]
		if p.at == len(p.block) {
			at = p.next
			continue
		}
		s := p.block[p.at]
		p.at++
		at = x.then(p)
		x.depth = p.depth
		if s, ok := s.(parting); ok && s.parts() {
			s.part(x, v, at)
			break
		}
		before := x.stops
		if s.run(x, v); x.stops != before {
			v = x.going(v, x.room(v.Len()))
		}
	}
	x.used, x.places, x.depth = used, x.places[:places], depth
}

// enclosed is a block that goes on at the place rest.
func (x *pass) enclosed(b block, rest int) int {
	return x.then(place{block: b, next: rest, depth: x.places[rest].depth})
}

func (s *branch) parts() bool { return s.meets }

func (s *branch) part(x *pass, v message.View, rest int) {
	yes, no := x.split(v, &s.cond, true)
	s.trace(x, yes, no)
	then, els := x.enclosed(s.then, rest), x.enclosed(s.els, rest)
	for yes.Len() > 0 || no.Len() > 0 {
		if n := ahead(yes, no); n > 0 {
			x.walk(then, yes.Slice(0, n))
			yes = yes.Slice(n, yes.Len())
		} else {
			n := ahead(no, yes)
			x.walk(els, no.Slice(0, n))
			no = no.Slice(n, no.Len())
		}
	}
}

// ahead is the number of messages of v that come before the first of other.
func ahead(v, other message.View) int {
	n := 0
	for n < v.Len() && (other.Len() == 0 || v.Index(n) < other.Index(0)) {
		n++
	}
	return n
}

func (s *call) parts() bool { return s.meets && s.to != nil }

func (s *call) part(x *pass, v message.View, rest int) {
	x.walk(x.then(place{block: s.to.body, next: rest, depth: x.depth + 1}), v)
}

func (s *callIndirect) parts() bool { return s.meets }

func (s *callIndirect) part(x *pass, v message.View, rest int) {
	s.runs(x, v, func(r *Ruleset, v message.View) {
		switch {
		case r == nil:
			x.walk(rest, v)
			return
		case r.queue != nil:
			x.put(r.queue, v)
			x.walk(rest, v)
			return
		}
		callee := x.then(place{block: r.body, next: rest, depth: x.places[rest].depth + 1})
		step := v.Len()
		if r.single {
			step = 1
		}
		for i := 0; i < v.Len(); i += step {
			x.walk(callee, v.Slice(i, i+step))
		}
	})
}

func (s *foreach) parts() bool { return s.meets }

func (s *foreach) part(x *pass, v message.View, rest int) {
	for i := range v.Len() {
		one := v.Slice(i, i+1)
		s.run(x, one)
		if x.marks[one.Index(0)]&stopped == 0 {
			x.walk(rest, one)
		}
	}
}

// sites finds out which calls of a ruleset have to be run in order.
type sites struct {
	seen     map[*Ruleset]bool
	marked   map[*Ruleset]bool // what mark has said about a ruleset
	calls    map[*Ruleset]int  // statements that call a ruleset
	total    int               // all of them, and those that may call any
	indirect bool
}

// order finds and marks the statements of r at which messages part that may
// meet again. Link calls it.
func (r *Ruleset) order() bool {
	s := &sites{seen: map[*Ruleset]bool{r: true}, marked: map[*Ruleset]bool{}, calls: map[*Ruleset]int{}}
	s.count(r.body)
	return s.mark(r.body)
}

func (s *sites) count(b block) {
	for _, st := range b {
		switch st := st.(type) {
		case *branch:
			s.count(st.then)
			s.count(st.els)
		case *foreach:
			s.count(st.body)
		case *callIndirect:
			s.total++
			s.indirect = true
		case *call:
			to, ok := st.target()
			if !ok {
				continue
			}
			s.total++
			s.calls[to]++
			if to.queue == nil && !s.seen[to] {
				s.seen[to] = true
				s.count(to.body)
			}
		}
	}
}

// mark tells whether b contains a call of a ruleset that is called elsewhere,
// too.
func (s *sites) mark(b block) bool {
	found := false
	for _, st := range b {
		switch st := st.(type) {
		case *branch:
			inside := s.mark(st.then)
			if s.mark(st.els) || inside {
				st.meets, found = true, true
			}
		case *foreach:
			if s.mark(st.body) {
				st.meets, found = true, true
			}
		case *callIndirect:
			if s.total > 1 {
				st.meets, found = true, true
			}
		case *call:
			to, ok := st.target()
			if ok && s.markRuleset(to) {
				st.meets, found = true, true
			}
			if s.calls[to] > 1 || s.indirect && s.total > 1 {
				found = true
			}
		}
	}
	return found
}

func (s *sites) markRuleset(r *Ruleset) bool {
	if r.queue != nil {
		return false
	}
	found, done := s.marked[r]
	if !done {
		s.marked[r] = false // for rulesets that call each other, which Link refuses
		found = s.mark(r.body)
		s.marked[r] = found
	}
	return found
}
