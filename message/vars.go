package message

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Vars holds the variables of one message: the JSON trees $! and $. ("local"),
// and its uuid once that has been asked for.
type Vars struct {
	tree, local Value
	uuid        [16]byte
	hasUUID     bool
}

// GlobalVars holds the $/ tree, shared by all messages.
type GlobalVars struct {
	mu   sync.RWMutex
	tree Value
}

const (
	// maxDepth bounds the levels of a variable tree.
	maxDepth = 64
	// maxJSONDepth bounds the levels of JSON that is read, as libfastjson does.
	maxJSONDepth = 32
)

// Errors of SetVar.
var (
	// ErrNotContainer: as rsyslog, nothing can be set below a value that is not an object.
	ErrNotContainer = errors.New("not below an object")
	// ErrContainer: as rsyslog, an object is not replaced by a plain value; unset it first.
	ErrContainer = errors.New("would replace an object by a plain value")
	// ErrDepth: the tree would have too many levels.
	ErrDepth = fmt.Errorf("more than %d levels", maxDepth)
)

// Path names a variable: "$!a!b[1]", "$.x", "$/y", or a whole tree: "$!". It is
// resolved once, when the configuration is read.
type Path struct {
	env   *Env
	root  byte // '!', '.' or '/'
	text  string
	steps []step
}

// step is one part of a path: a member's name. If it ends in a subscript, array
// and index are the name and the number it is made of; index is -1 otherwise.
type step struct {
	name  string
	array string
	index int
}

// Path resolves the name of a variable, with or without its '$'.
func (e *Env) Path(name string) (Path, error) {
	text := strings.TrimPrefix(name, "$")
	if text == "" || strings.IndexByte("!./", text[0]) < 0 {
		return Path{}, fmt.Errorf("%q is no variable: a variable begins with $!, $. or $/", name)
	}
	p := Path{env: e, root: text[0], text: "$" + text}
	rest := text[1:]
	for rest != "" {
		part, after, more := strings.Cut(rest, "!")
		if part == "" || more && after == "" {
			return Path{}, fmt.Errorf("variable %q has an empty part", name)
		}
		if p.steps = append(p.steps, parseStep(part)); len(p.steps) >= maxDepth {
			return Path{}, fmt.Errorf("variable %q: %w", name, ErrDepth)
		}
		rest = after
	}
	return p, nil
}

// parseStep reads one part of a path. as rsyslog: brackets that hold no number
// are part of the name.
func parseStep(part string) step {
	s := step{name: part, index: -1}
	if open := strings.IndexByte(part, '['); open >= 0 && part[len(part)-1] == ']' {
		if n, err := strconv.ParseUint(part[open+1:len(part)-1], 10, 31); err == nil {
			s.array, s.index = part[:open], int(n)
		}
	}
	return s
}

// String is the path as configurations write it.
func (p Path) String() string { return p.text }

// Var returns a variable. An object or array is the message's own and changes
// with it; Clone it to keep it. Of $/ it is a copy.
func (m *Message) Var(p Path) (Value, bool) {
	switch {
	case p.root == '/':
		g := &p.env.Global
		g.mu.RLock()
		defer g.mu.RUnlock()
		v, ok := p.lookup(g.tree)
		return v.Clone(), ok
	case m.Vars == nil:
		return Value{}, false
	}
	return p.lookup(*m.Vars.root(p))
}

// SetVar sets a variable to a copy of v, creating the objects above it. When
// reset is false (rsyslog's set) an object is not replaced by a plain value and
// an object given for one that exists is merged into the tree; when it is true
// (rsyslog's reset) the old value is replaced whatever it is.
func (m *Message) SetVar(p Path, v Value, reset bool) error {
	return m.setVar(p, v.Clone(), reset)
}

// AddVar is SetVar without reset and without the copy: v becomes part of the
// message and must not be part of anything else. JSON that was just read keeps
// the form of its numbers this way.
//
// as rsyslog: JSON of any kind can become a whole tree that is still empty. Then
// nothing can be set below it.
func (m *Message) AddVar(p Path, v Value) error { return m.setVar(p, v, false) }

func (m *Message) setVar(p Path, v Value, reset bool) error {
	if len(p.steps)+v.depth(maxDepth) > maxDepth {
		return fmt.Errorf("%s: %w", p.text, ErrDepth)
	}
	if p.root == '/' {
		g := &p.env.Global
		g.mu.Lock()
		defer g.mu.Unlock()
		return p.set(&g.tree, v, reset)
	}
	if m.Vars == nil {
		m.Vars = new(Vars)
	}
	return p.set(m.Vars.root(p), v, reset)
}

// UnsetVar removes a variable; that it is not there is no error.
func (m *Message) UnsetVar(p Path) {
	if p.root == '/' {
		g := &p.env.Global
		g.mu.Lock()
		defer g.mu.Unlock()
		p.unset(&g.tree)
		return
	}
	if m.Vars != nil {
		p.unset(m.Vars.root(p))
	}
}

func (v *Vars) root(p Path) *Value {
	if p.root == '.' {
		return &v.local
	}
	return &v.tree
}

func (p Path) lookup(v Value) (Value, bool) {
	if len(p.steps) == 0 {
		return v, v.kind != KindNull
	}
	ok := true
	for i := range p.steps {
		if v, ok = p.steps[i].of(v, p.env.VarsCaseSensitive); !ok {
			return Value{}, false
		}
	}
	return v, true
}

// of finds the part of v that s names. A name with a subscript is tried as an
// array first, then as the name of a member.
func (s *step) of(v Value, caseSensitive bool) (Value, bool) {
	if s.index >= 0 {
		if a, ok := v.Member(s.array, caseSensitive); ok && a.kind == KindArray {
			if s.index >= a.Len() {
				return Value{}, false
			}
			return a.kids.vals[s.index], true
		}
	}
	return v.Member(s.name, caseSensitive)
}

func (p Path) set(root *Value, v Value, reset bool) error {
	cs := p.env.VarsCaseSensitive
	if len(p.steps) == 0 {
		switch {
		case root.kind == KindNull:
			*root = v
		case v.kind != KindObject || root.kind != KindObject:
			return fmt.Errorf("%s: %w", p.text, ErrContainer)
		default:
			merge(*root, v, cs)
		}
		return nil
	}
	if root.kind == KindNull {
		*root = NewObject()
	}
	parent, err := p.parent(*root)
	if err != nil {
		return err
	}
	leaf := &p.steps[len(p.steps)-1]
	old, exists := leaf.of(parent, cs)
	switch {
	case !exists || old.kind == KindNull || reset:
	case v.kind == KindObject:
		// as rsyslog: the members go to the root of the tree, not to the variable.
		merge(*root, v, cs)
		return nil
	case old.kind == KindObject:
		return fmt.Errorf("%s: %w", p.text, ErrContainer)
	}
	parent.SetMember(leaf.name, v, cs)
	return nil
}

// parent finds the object that holds the last part of p, creating the objects
// on the way.
func (p Path) parent(v Value) (Value, error) {
	cs := p.env.VarsCaseSensitive
	if v.kind != KindObject {
		return Value{}, fmt.Errorf("%s: %w", p.text, ErrNotContainer)
	}
	for i := range p.steps[:len(p.steps)-1] {
		s := &p.steps[i]
		next, ok := s.of(v, cs)
		if !ok || next.kind == KindNull {
			next = NewObject()
			v.SetMember(s.name, next, cs)
		}
		if next.kind != KindObject {
			return Value{}, fmt.Errorf("%s: %w", p.text, ErrNotContainer)
		}
		v = next
	}
	return v, nil
}

func (p Path) unset(root *Value) {
	if len(p.steps) == 0 {
		*root = Value{}
		return
	}
	last := len(p.steps) - 1
	up, ok := Path{env: p.env, steps: p.steps[:last]}.lookup(*root)
	if !ok {
		return
	}
	if i := up.find(p.steps[last].name, p.env.VarsCaseSensitive); i >= 0 {
		up.remove(i)
	}
}

// merge gives to the members of from.
func merge(to, from Value, caseSensitive bool) {
	for i, k := range from.kids.keys {
		to.SetMember(k, from.kids.vals[i], caseSensitive)
	}
}
