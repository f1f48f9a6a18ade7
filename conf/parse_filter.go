package conf

import (
	"strings"
)

// selector reads what follows a selector.
func (p *parser) selector(t token) ([]Stmt, bool) {
	if strings.HasSuffix(t.text, ";") || strings.HasSuffix(t.text, ",") {
		p.report(t.src.pos(t.end-1), "the selector ends in the middle", "no blanks are allowed in a selector")
		t.src.skipStatement()
		return nil, true
	}
	s := &PRIFilter{Pos: t.pos(), Selector: t.text}
	var ok bool
	s.Then, ok = p.block()
	return []Stmt{s}, ok
}

// operations are those of property filters.
func operations() []string {
	return []string{"contains", "contains_i", "isequal", "startswith", "startswith_i", "endswith", "regex", "ereregex", "isempty"}
}

// propertyFilter splits `:property, [!]operation, "value"` and reads what
// follows it.
func (p *parser) propertyFilter(t token) ([]Stmt, bool) {
	s := &PropertyFilter{Pos: t.pos()}
	name, rest, _ := strings.Cut(t.text[1:], ",")
	op, value, _ := strings.Cut(rest, ",")
	s.Property = strings.TrimSpace(name)
	s.Op = strings.ToLower(strings.TrimSpace(op))
	s.Op, s.Negate = strings.CutPrefix(s.Op, "!")
	quote := len(t.text) - len(value) + strings.IndexByte(value, '"')
	s.ValuePos = t.src.pos(t.at + quote)
	s.Value = unescapeFilter(t.text[quote+1 : len(t.text)-1])
	known := false
	for _, o := range operations() {
		known = known || o == s.Op
	}
	if !known {
		at := t.at + strings.IndexByte(t.text, ',') + 1 + len(op) - len(strings.TrimLeft(op, " \t!"))
		p.report(t.src.pos(at), "unknown operation "+s.Op+" in a property filter", didYouMean(s.Op, operations()))
	}
	var ok bool
	s.Then, ok = p.block()
	if !known {
		return nil, ok
	}
	return []Stmt{s}, ok
}

// unescapeFilter drops the backslash before each character: \" and \\ are the
// ones that are meant.
func unescapeFilter(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
