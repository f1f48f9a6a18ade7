package conf

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// actions reads a list of action()s.
func (f *yamlFile) actions(n *yaml.Node) (all []Stmt) {
	for _, item := range f.items(n, "the actions") {
		if s := f.action(item); s != nil {
			all = append(all, s)
		}
	}
	return all
}

func (f *yamlFile) action(n *yaml.Node) Stmt {
	o := &Object{Pos: f.pos(n), Kind: "action"}
	for _, e := range f.entries(n, "action()") {
		f.param(o, e)
	}
	if n.Kind != yaml.MappingNode || !o.enabled() {
		return nil
	}
	f.scriptAction(o)
	return o
}

// statements reads a list of statements, each a mapping. One that is wrong is left
// out.
func (f *yamlFile) statements(n *yaml.Node) (all []Stmt) {
	if f.depth++; f.depth > maxDepth {
		f.report(f.pos(n), fmt.Sprintf("more than %d statements inside one another", maxDepth), "")
		return nil
	}
	defer func() { f.depth-- }()
	for _, item := range f.items(n, "the statements") {
		if s := f.yamlStatement(item); s != nil {
			all = append(all, s)
		}
	}
	return all
}

func statementKeys() []string {
	return []string{"type", "if", "stop", "continue", "call", "call_indirect", "set", "reset", "unset", "foreach", "reload_lookup_table"}
}

// yamlStatement reads one statement. Its first key says which.
func (f *yamlFile) yamlStatement(n *yaml.Node) Stmt {
	all := f.entries(n, "a statement")
	if len(all) == 0 {
		return nil
	}
	for _, e := range all {
		switch e.key {
		case "type":
			return f.action(n)
		case "if":
			return f.yamlIf(e, all)
		}
	}
	if e := all[0]; len(all) == 1 {
		if s, known := f.simple(e); known {
			return s
		}
	}
	for _, e := range all {
		if kinds := statementKeys(); !contains(kinds, e.key) {
			f.report(e.at, "unknown statement "+e.key, didYouMean(e.key, kinds))
			return nil
		}
	}
	f.report(all[1].at, "one statement has "+all[0].key+" and "+all[1].key, `begin the second one with "- "`)
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// simple reads a statement that has one key.
func (f *yamlFile) simple(e entry) (s Stmt, known bool) {
	switch e.key {
	case "stop":
		return f.flag(e, &Stop{e.at}), true
	case "continue":
		return f.flag(e, &Continue{e.at}), true
	case "call":
		if name, ok := f.scalar(e.value, "call"); ok && isName(name, "-_.") {
			s = &Call{e.at, name}
		} else if ok {
			f.report(f.pos(e.value), fmt.Sprintf("%q is no name of a ruleset that can be called", name), "")
		}
	case "unset":
		if v, ok := f.variable(e.value, "unset"); ok {
			s = &Unset{e.at, v}
		}
	case "call_indirect":
		if x := f.expression(e.value); x != nil {
			s = &CallIndirect{e.at, x}
		}
	case "set", "reset":
		s = f.yamlSet(e)
	case "foreach":
		s = f.yamlForeach(e)
	case "reload_lookup_table":
		s = f.yamlReload(e)
	default:
		return nil, false
	}
	return s, true
}

// flag is a statement that says nothing but true.
func (f *yamlFile) flag(e entry, s Stmt) Stmt {
	if v, ok := f.scalar(e.value, e.key); ok && !contains([]string{"true", "on", "yes", "1"}, strings.ToLower(v)) {
		f.report(f.pos(e.value), fmt.Sprintf("%s: %s does nothing", e.key, describe(e.value)), "write "+e.key+": true")
		return nil
	}
	return s
}

// yamlIf is {if: …, then: […], else: […]} or {if: …, action: {…}}.
func (f *yamlFile) yamlIf(cond entry, all []entry) Stmt {
	s := &If{Pos: cond.at, Cond: f.expression(cond.value)}
	for _, e := range all {
		switch e.key {
		case "if":
		case "then":
			s.Then = append(s.Then, f.statements(e.value)...)
		case "else":
			s.Else = append(s.Else, f.statements(e.value)...)
		case "action":
			if a := f.action(e.value); a != nil {
				s.Then = append(s.Then, a)
			}
		default:
			f.report(e.at, "if has no "+e.key, didYouMean(e.key, []string{"then", "else", "action"}))
		}
	}
	if s.Cond == nil {
		return nil
	}
	return s
}

// expression reads a RainerScript expression; nil if there is none.
func (f *yamlFile) expression(n *yaml.Node) (x Expr) {
	if _, ok := f.scalar(n, "the expression"); !ok {
		return nil
	}
	f.aside([]*source{f.text(n)}, modeExpr, func() {
		read, ok := f.expr()
		if !ok {
			return
		}
		if t := f.peek(); t.kind != tEOF {
			f.broken(t.pos(), "expected the end of the expression, found "+t.String(), "")
			return
		}
		x = read
	})
	return x
}

// variable reads the name of a variable that can be set.
func (f *yamlFile) variable(n *yaml.Node, what string) (string, bool) {
	v, ok := f.scalar(n, what)
	if !ok {
		return "", false
	}
	src := f.text(n)
	if len(v) > 0 && v[0] == '$' && src.variable().end == len(v) {
		return v, true
	}
	f.report(f.pos(n), fmt.Sprintf("%q is no variable", v), "variables are $!name, $.name and $/name")
	return "", false
}

// parts reads a mapping with the keys given.
func (f *yamlFile) parts(e entry, keys ...string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	for _, part := range f.entries(e.value, e.key) {
		if !contains(keys, part.key) {
			f.report(part.at, e.key+" has no "+part.key, didYouMean(part.key, keys))
			continue
		}
		found[part.key] = part.value
	}
	return found
}

// need reports the parts that are missing.
func (f *yamlFile) need(e entry, parts map[string]*yaml.Node, keys ...string) bool {
	for _, k := range keys {
		if parts[k] == nil {
			f.report(e.at, e.key+" needs "+k, "")
			return false
		}
	}
	return true
}

// yamlSet is {set: {var: "$.x", expr: "…"}}.
func (f *yamlFile) yamlSet(e entry) Stmt {
	parts := f.parts(e, "var", "expr")
	if !f.need(e, parts, "var", "expr") {
		return nil
	}
	v, ok := f.variable(parts["var"], e.key)
	x := f.expression(parts["expr"])
	if !ok || x == nil {
		return nil
	}
	return &Set{Pos: e.at, Var: v, Value: x, Reset: e.key == "reset"}
}

// yamlForeach is {foreach: {var: "$.i", in: "$!arr", do: […]}}.
func (f *yamlFile) yamlForeach(e entry) Stmt {
	parts := f.parts(e, "var", "in", "do")
	if !f.need(e, parts, "var", "in", "do") {
		return nil
	}
	v, ok := f.variable(parts["var"], e.key)
	s := &Foreach{Pos: e.at, Var: v, In: f.expression(parts["in"]), Body: f.statements(parts["do"])}
	if !ok || s.In == nil {
		return nil
	}
	return s
}

// yamlReload is {reload_lookup_table: {table: …, stub_value: …}}.
func (f *yamlFile) yamlReload(e entry) Stmt {
	parts := f.parts(e, "table", "stub_value")
	if !f.need(e, parts, "table") {
		return nil
	}
	s := &ReloadLookup{Pos: e.at}
	var ok bool
	if s.Table, ok = f.scalar(parts["table"], "table"); !ok {
		return nil
	}
	if parts["stub_value"] != nil {
		s.Stub, ok = f.scalar(parts["stub_value"], "stub_value")
	}
	if !ok {
		return nil
	}
	return s
}
