package lognorm

import (
	"slices"
	"strconv"

	"sysrelay/message"
)

// node is a place in rules.
type node struct {
	edges    []*edge
	terminal bool // a rule ends here
	tags     []string
	where    string // file of a type
}

// edge is a motif and where it leads.
type edge struct {
	key     string
	name    string
	literal string // a literal without a name; then match is nil
	prio    int
	match   matcher
	to      *node
}

// matcher recognises a motif at the start of t[at:] and says how long it is.
type matcher func(x *run, at int) (v message.Value, n int, ok bool)

// Priorities: smaller ones are tried first. What a configuration gives counts
// before what the motif has by itself.
const userPriority = 30000

// add adds the parts of a sample behind n and returns where they end.
func (l *loader) add(n *node, specs []spec, where string) (*node, error) {
	for i := range specs {
		s := &specs[i]
		if s.typ == "" {
			for c := range len(s.literal) {
				n = n.literal(s.literal[c : c+1])
			}
			continue
		}
		next, err := l.addField(n, s, where)
		if err != nil {
			return nil, err
		}
		n = next
	}
	return n, nil
}

func (n *node) literal(c string) *node {
	for _, e := range n.edges {
		if e.match == nil && e.literal == c {
			return e.to
		}
	}
	e := &edge{literal: c, prio: userPriority<<8 | 4, to: &node{}}
	n.edges = append(n.edges, e)
	return e.to
}

func (l *loader) addField(n *node, s *spec, where string) (*node, error) {
	if s.typ == "alternative" {
		return l.alternative(n, s, where)
	}
	key := s.key()
	for _, e := range n.edges {
		if e.match != nil && e.key == key {
			return e.to, nil
		}
	}
	m, prio, err := l.motif(s, where)
	if err != nil {
		return nil, err
	}
	user := userPriority
	if p := param(s.params, "priority"); p != "" {
		if user, err = strconv.Atoi(p); err != nil {
			return nil, err
		}
	}
	e := &edge{key: key, name: s.name, prio: user<<8 | prio, match: m, to: &node{}}
	n.edges = append(n.edges, e)
	return e.to, nil
}

// sort puts the edges of everything behind n into the order in which they are
// tried.
func (n *node) sort(seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	slices.SortStableFunc(n.edges, func(a, b *edge) int { return a.prio - b.prio })
	for _, e := range n.edges {
		e.to.sort(seen)
	}
}

// run is the work on one message.
type run struct {
	env      *message.Env
	t        []byte
	reached  int // how far any way came
	steps    int
	v1       bool
	depth    int
	terminal *node // where the way taken ends
}

// maxSteps bounds the work for one message: rules may allow exponentially many
// ways. maxNesting bounds types and repetitions in each other.
const (
	maxSteps   = 1 << 18
	maxNesting = 64
)

// walk finds a way from n on. fields get what its motifs matched, the last one
// first, as liblognorm has it. partial: the way may end before the text does.
func (x *run) walk(n *node, at int, partial bool, fields message.Value) (end int, ok bool) {
	if x.v1 || !n.inside() {
		x.reached = max(x.reached, at)
	}
	for _, e := range n.edges {
		if x.steps++; x.steps > maxSteps {
			return 0, false
		}
		if e.match == nil {
			if at < len(x.t) && x.t[at] == e.literal[0] {
				if end, ok = x.walk(e.to, at+1, partial, fields); ok {
					return end, true
				}
			}
			continue
		}
		x.steps += (len(x.t) - at) / 64 // a motif may look at all that is left
		reached := x.reached
		v, size, ok := e.match(x, at)
		x.reached = reached // what a motif has inside does not count
		if !ok {
			continue
		}
		x.reached = max(x.reached, at+size)
		if end, ok = x.walk(e.to, at+size, partial, fields); ok {
			store(fields, e.name, v)
			return end, true
		}
	}
	if n.terminal && (partial || at == len(x.t)) {
		x.terminal = n
		return at, true
	}
	return 0, false
}

// inside says whether n is in the middle of a literal. as liblognorm: such a place
// counts as not reached.
func (n *node) inside() bool {
	return !n.terminal && len(n.edges) == 1 && n.edges[0].match == nil
}

// store adds what a field matched. as liblognorm: "-" is discarded, the members of
// an object named "." become members of the event.
func store(fields message.Value, name string, v message.Value) {
	switch {
	case name == "-":
		return
	case name == "." && v.Kind() == message.KindObject:
		for i := range v.Len() {
			n, elem := v.At(i)
			fields.SetMember(n, elem, true)
		}
		return
	}
	fields.SetMember(name, v, true)
}

// only is the value of an object's only member if that is named so.
func only(v message.Value, name string) (message.Value, bool) {
	if v.Len() != 1 {
		return v, false
	}
	return v.Member(name, true)
}

// Normalize takes text apart. ok is false if no rule fits; the event then holds
// the text and what of it no rule came to. as liblognorm: with a rule base of
// version 1 ok is always true.
func (b *Rulebase) Normalize(text []byte) (event message.Value, ok bool) {
	event = message.NewObject()
	x := &run{env: b.env, t: text, v1: b.v1}
	if _, ok := x.walk(b.root, 0, false, event); !ok {
		failed := message.NewObject()
		failed.SetMember("originalmsg", message.StringValue(string(text)), true)
		failed.SetMember("unparsed-data", message.StringValue(string(text[min(x.reached, len(text)):])), true)
		return failed, b.v1
	}
	b.finish(event, x.terminal.tags)
	return event, true
}

// finish adds the tags of a rule and what they are annotated with.
func (b *Rulebase) finish(event message.Value, tags []string) {
	if len(tags) == 0 {
		return
	}
	list := message.NewArray()
	for _, t := range tags {
		list.Append(message.StringValue(t))
	}
	event.SetMember("event.tags", list, true)
	for _, t := range slices.Backward(tags) {
		for _, a := range slices.Backward(b.annotations[t]) {
			event.SetMember(a.name, message.StringValue(a.value), true)
		}
	}
}

// typed matches a type defined by the rule base.
func typed(to *node) matcher {
	return func(x *run, at int) (message.Value, int, bool) {
		v := message.NewObject()
		end, ok := x.inside(to, at, v)
		if !ok {
			return v, 0, false
		}
		if one, ok := only(v, ".."); ok {
			v = one
		}
		return v, end - at, true
	}
}

// inside walks a type or a part of a repetition, which may end anywhere.
func (x *run) inside(n *node, at int, fields message.Value) (end int, ok bool) {
	if x.depth >= maxNesting {
		return 0, false
	}
	x.depth++
	end, ok = x.walk(n, at, true, fields)
	x.depth--
	return end, ok
}
