package filter

import (
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// appendJSON compiles append_json(array, element) and append_json(object, key,
// value): a copy with one more. What is neither makes it the empty string and
// script_error().
func appendJSON(c *compiler, f *conf.Func, a []expr) expr {
	container, last := a[0].asValue(), a[len(a)-1].asValue()
	var key textFunc
	want := message.KindArray
	if len(a) == 3 {
		key, want = a[1].asText(), message.KindObject
	}
	env := c.deps.Env
	return valueExpr(func(e *eval, m *message.Message) value {
		v := container(e, m)
		if v.kind != jsonKind || v.json.Kind() != want {
			e.fail(true)
			return textValue(nil)
		}
		e.fail(false)
		copied, added := v.json.Clone(), last(e, m)
		if key == nil {
			copied.Append(added.variable().Clone())
		} else {
			copied.SetMember(string(key(e, m)), added.variable().Clone(), env.VarsCaseSensitive)
		}
		return value{kind: jsonKind, json: copied}
	})
}

// unflatten compiles fmunflatten's unflatten(tree, separator): a copy whose members
// with a separator in their names are objects in each other. as its manual says:
// what is no object makes it the number 0 and script_error().
func unflatten(c *compiler, f *conf.Func, a []expr) expr {
	if s, ok := f.Args[1].(*conf.Str); ok && len(s.Value) != 1 {
		c.errorf(s.Pos, "", "unflatten(): the separator %q is not one character", s.Value)
	}
	tree, separator, env := a[0].asValue(), a[1].asText(), c.deps.Env
	return valueExpr(func(e *eval, m *message.Message) value {
		v, sep := tree(e, m), separator(e, m)
		ok := v.kind == jsonKind && v.json.Kind() == message.KindObject && len(sep) == 1
		e.fail(!ok)
		if !ok {
			return numberValue(0)
		}
		return value{kind: jsonKind, json: unflattened(v.json, string(sep), env.VarsCaseSensitive)}
	})
}

func unflattened(v message.Value, sep string, caseSensitive bool) message.Value {
	if v.Kind() != message.KindObject {
		return v.Clone()
	}
	to := message.NewObject()
	for i := range v.Len() {
		name, elem := v.At(i)
		parent, rest := to, name
		// The objects that a name makes count as levels of the tree when it is set.
		for part, after, more := strings.Cut(rest, sep); more; part, after, more = strings.Cut(rest, sep) {
			next, ok := parent.Member(part, caseSensitive)
			if !ok || next.Kind() != message.KindObject {
				next = message.NewObject()
				parent.SetMember(part, next, caseSensitive)
			}
			parent, rest = next, after
		}
		parent.SetMember(rest, unflattened(elem, sep, caseSensitive), caseSensitive)
	}
	return to
}
