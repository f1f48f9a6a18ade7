package lognorm

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"sysrelay/message"
)

// jsonAt is a JSON object.
func jsonAt(x *run, at int, skipEmpty bool) (v message.Value, n int, ok bool) {
	t := x.t[at:]
	if len(t) == 0 || t[0] != '{' {
		return v, 0, false
	}
	v, n, err := x.env.ParseJSON(t)
	if err != nil {
		return v, 0, false
	}
	if skipEmpty {
		v = withoutEmpty(v)
	}
	return v, n, true
}

// withoutEmpty drops members that hold nothing.
func withoutEmpty(v message.Value) message.Value {
	if v.Kind() != message.KindObject {
		return v
	}
	kept := message.NewObject()
	for i := range v.Len() {
		name, e := v.At(i)
		e = withoutEmpty(e)
		empty := e.Kind() == message.KindNull || e.Kind() == message.KindString && e.Str() == "" ||
			(e.Kind() == message.KindObject || e.Kind() == message.KindArray) && e.Len() == 0
		if !empty {
			kept.SetMember(name, e, true)
		}
	}
	return kept
}

// ceeSyslog is "@cee:" and a JSON object, to the end of the text.
func ceeSyslog(x *run, at int) (v message.Value, n int, ok bool) {
	const cookie = "@cee:"
	t := x.t[at:]
	if !bytes.HasPrefix(t, []byte(cookie)) {
		return v, 0, false
	}
	start := len(cookie) + span(t[len(cookie):], isSpace)
	v, n, ok = jsonAt(x, at+start, false)
	return v, start + n, ok && start+n == len(t) && v.Kind() == message.KindObject
}

var errParser = errors.New(`"parser" must be a field, or an array of fields`)

// branch compiles the fields of a parameter into a tree of their own.
func (l *loader) branch(s *spec, name, where string) (*node, error) {
	p, ok := s.params.Member(name, false)
	if !ok {
		return nil, fmt.Errorf("field %s: %s needs the parameter %q", s.name, s.typ, name)
	}
	specs, err := specsOf(p)
	if err != nil {
		return nil, fmt.Errorf("field %s: %s: %w", s.name, name, err)
	}
	root := &node{}
	end, err := l.add(root, specs, where)
	if err != nil {
		return nil, err
	}
	end.terminal = true
	root.sort(map[*node]bool{})
	return root, nil
}

// repeat is fields again and again, with other fields between them.
func (l *loader) repeat(s *spec, where string) (matcher, int, error) {
	each, err := l.branch(s, "parser", where)
	if err != nil {
		return nil, 0, err
	}
	between, err := l.branch(s, "while", where)
	if err != nil {
		return nil, 0, err
	}
	lenient := param(s.params, "option.permitMismatchInParser") == "true"
	return func(x *run, at int) (v message.Value, n int, ok bool) {
		v = message.NewArray()
		last := at
		for from := at; ; {
			fields := message.NewObject()
			end, ok := x.inside(each, from, fields)
			switch {
			case !ok && (v.Len() == 0 || !lenient):
				return v, 0, false
			case !ok:
				return v, last - at, true
			}
			elem := fields
			if one, ok := only(fields, "."); ok {
				elem = one
			}
			v.Append(elem)
			last = end
			next, ok := x.inside(between, end, message.NewObject())
			if !ok || next == from {
				return v, last - at, true
			}
			from = next
		}
	}, 4, nil
}

// alternative adds several fields, or sequences of fields, side by side. as
// liblognorm: what they match belongs to the event; the name of the alternative
// has no meaning.
func (l *loader) alternative(n *node, s *spec, where string) (*node, error) {
	p, ok := s.params.Member("parser", false)
	if !ok || p.Kind() != message.KindArray {
		return nil, fmt.Errorf("field %s: %w", s.name, errParser)
	}
	common := &node{}
	for i := range p.Len() {
		_, way := p.At(i)
		specs, err := specsOf(way)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", s.name, err)
		}
		end, err := l.add(n, specs, where)
		if err != nil {
			return nil, err
		}
		end.edges = append(end.edges, &edge{name: "-", prio: math.MaxInt, match: nothing, to: common})
	}
	return common, nil
}

// nothing matches no text.
func nothing(*run, int) (v message.Value, n int, ok bool) { return v, 0, true }
