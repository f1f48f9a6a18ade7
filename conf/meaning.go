package conf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Meaning is a configuration in a form in which those that mean the same are equal:
// places, the language it was written in, the order of parameters, and where a
// parameter is given — at an action or as a default of its module — do not count.
func Meaning(c *Config) string {
	m := meaning{defaults: map[string]*Object{}}
	var rest []Stmt
	globals := &Object{Kind: "global"}
	for _, s := range c.Stmts {
		o, ok := s.(*Object)
		switch {
		case ok && o.Kind == "global":
			for _, q := range o.Params {
				globals.set(q)
			}
		case ok && o.Kind == "module" && builtin[ModuleName(o.Value("load"))]:
			name := ModuleName(o.Value("load"))
			if m.defaults[name] == nil {
				m.defaults[name] = o
			}
		default:
			rest = append(rest, s)
		}
	}
	// Objects that are not statements count by kind, statements by their order.
	slices.SortStableFunc(rest, func(a, b Stmt) int { return cmp.Compare(rank(a), rank(b)) })
	var p printer
	p.stmts(m.stmts(append([]Stmt{globals}, rest...)))
	return p.String()
}

// rank orders the statements of the top level: objects by kind, the rest last.
func rank(s Stmt) string {
	if o, ok := s.(*Object); ok && o.Kind != "action" {
		if o.Kind == "ruleset" {
			return "ruleset " + o.Value("name")
		}
		return o.Kind
	}
	return "~"
}

// meaning rewrites statements.
type meaning struct {
	defaults map[string]*Object // module(load="builtin:…")
}

func (m *meaning) stmts(all []Stmt) []Stmt {
	out := make([]Stmt, len(all))
	for i, s := range all {
		switch s := s.(type) {
		case *Object:
			out[i] = m.object(s)
		case *If:
			c := *s
			c.Then, c.Else = m.stmts(s.Then), m.stmts(s.Else)
			if s.Else == nil {
				c.Else = nil
			}
			out[i] = &c
		case *PRIFilter:
			c := *s
			c.Then = m.stmts(s.Then)
			out[i] = &c
		case *PropertyFilter:
			c := *s
			c.Then = m.stmts(s.Then)
			out[i] = &c
		case *Foreach:
			c := *s
			c.Body = m.stmts(s.Body)
			out[i] = &c
		default:
			out[i] = s
		}
	}
	return out
}

func (m *meaning) object(o *Object) *Object {
	c := &Object{Kind: o.Kind, Body: m.stmts(o.Body), Children: o.Children}
	params := slices.Clone(o.Params)
	switch o.Kind {
	case "action":
		if d := m.defaults[ModuleName(o.Value("type"))]; d != nil {
			for _, q := range d.Params {
				if o.Param(q.Name) == nil && !strings.EqualFold(q.Name, "load") {
					params = append(params, q)
				}
			}
		}
	case "main_queue":
		if o.Legacy {
			params = mainQueueParams(o)
		}
	case "template":
		if q := o.Param("string"); o.Legacy && q != nil {
			if text, ok := templateString(q.Values[0]); ok {
				params = slices.DeleteFunc(params, func(p *Param) bool { return p == q })
				params = append(params, word(q.Pos, "string", text))
			} else {
				params = append(params, word(q.Pos, "legacy", "on"))
			}
		}
	}
	for _, q := range params {
		if strings.EqualFold(q.Name, "sync") && len(q.Values) == 1 && q.Values[0] == "off" {
			continue // -/path; it is the default
		}
		v := *q
		v.Name, v.Values = strings.ToLower(q.Name), slices.Clone(q.Values)
		if len(v.Values) == 1 {
			v.Array = false
			v.Values[0] = m.value(v.Name, v.Values[0])
		}
		c.Params = append(c.Params, &v)
	}
	slices.SortStableFunc(c.Params, func(a, b *Param) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

// value is a parameter's value; a size is a number of bytes.
func (m *meaning) value(name, v string) string {
	switch name {
	case "queue.size", "queue.maxdiskspace", "queue.maxfilesize", "maxmessagesize", "iobuffersize", "maxlinesatonce":
		if n, err := parseSize(v); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case "load", "type":
		return ModuleName(v)
	}
	return v
}
