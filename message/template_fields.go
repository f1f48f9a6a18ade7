package message

import "strings"

// fieldsTemplate is a template with option.jsonf or option.jsonftree: its
// segments are the members of a JSON object.
type fieldsTemplate struct {
	text *textTemplate
	root *fieldNode
}

// fieldNode is an object of fields.
type fieldNode struct {
	name   string
	fields []fieldNode
	index  int // of the segment, if fields is nil
}

// flatFields makes every segment a member.
func flatFields(n int) *fieldNode {
	root := &fieldNode{fields: make([]fieldNode, n)}
	for i := range root.fields {
		root.fields[i].index = i
	}
	return root
}

// nest makes "a.b" the member b of the member a. as rsyslog: if a name would be
// both a value and an object, nothing is nested.
func (b *templateBuilder) nest() *fieldNode {
	root := &fieldNode{}
	for i, name := range b.names {
		n, rest := root, name
		for {
			first, after, more := strings.Cut(rest, ".")
			if !more {
				break
			}
			if n = n.object(first); n == nil {
				return flatFields(len(b.names))
			}
			rest = after
		}
		if name != "" && n.has(rest) {
			return flatFields(len(b.names))
		}
		n.fields = append(n.fields, fieldNode{name: rest, index: i})
	}
	b.shortenNames(root)
	return root
}

// shortenNames gives nested fields the last part of their names.
func (b *templateBuilder) shortenNames(n *fieldNode) {
	for i := range n.fields {
		f := &n.fields[i]
		if f.fields != nil {
			b.shortenNames(f)
			continue
		}
		switch s := &b.segments[f.index]; {
		case b.names[f.index] == "":
		case s.kind == segConstant:
			s.constant = jsonConstant(f.name, b.values[f.index])
		default:
			s.repl.name = f.name
		}
	}
}

// object returns the object of that name below n, or nil if it is a value.
func (n *fieldNode) object(name string) *fieldNode {
	for i := range n.fields {
		if f := &n.fields[i]; f.name == name {
			if f.fields == nil {
				return nil
			}
			return f
		}
	}
	n.fields = append(n.fields, fieldNode{name: name, fields: []fieldNode{}})
	return &n.fields[len(n.fields)-1]
}

func (n *fieldNode) has(name string) bool {
	for i := range n.fields {
		if n.fields[i].name == name {
			return true
		}
	}
	return false
}

func (t *fieldsTemplate) Name() string { return t.text.name }

func (t *fieldsTemplate) Append(dst []byte, m *Message) []byte {
	var now int64
	if t.text.usesNow {
		now = t.text.env.Now().UnixNano()
	}
	dst = append(dst, '{')
	dst = t.appendFields(dst, t.root, m, now)
	return append(dst, '}', '\n')
}

// appendFields appends the members of n; those that are empty are left out.
func (t *fieldsTemplate) appendFields(dst []byte, n *fieldNode, m *Message, now int64) []byte {
	first := true
	for i := range n.fields {
		f := &n.fields[i]
		before := len(dst)
		if !first {
			dst = append(dst, ", "...)
		}
		at := len(dst)
		if f.fields == nil {
			dst = t.text.segments[f.index].append(dst, m, now)
		} else {
			dst = t.appendObject(dst, f, m, now)
		}
		if len(dst) == at {
			dst = dst[:before]
			continue
		}
		first = false
	}
	return dst
}

// appendObject appends f with its name, or nothing if all its fields are empty.
func (t *fieldsTemplate) appendObject(dst []byte, f *fieldNode, m *Message, now int64) []byte {
	at := len(dst)
	dst = append(dst, '"')
	dst = append(dst, f.name...)
	dst = append(dst, `":{`...)
	inside := len(dst)
	if dst = t.appendFields(dst, f, m, now); len(dst) == inside {
		return dst[:at]
	}
	return append(dst, '}')
}
