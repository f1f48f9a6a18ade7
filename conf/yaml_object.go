package conf

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object reads an object's mapping and adds it to the tree.
func (f *yamlFile) object(o *Object, n *yaml.Node) {
	if isNull(n) {
		return
	}
	var rules []entry
	for _, e := range f.entries(n, o.Kind+"()") {
		switch {
		case o.Kind == "template" && e.key == "elements":
			f.elements(o, e.value)
		case o.Kind == "ruleset" && (e.key == "filter" || e.key == "actions" || e.key == "statements" || e.key == "script"):
			rules = append(rules, e)
		default:
			f.param(o, e)
		}
	}
	if !o.enabled() {
		return
	}
	if o.Kind == "ruleset" {
		f.rules(o, rules)
	}
	f.addObject(o)
}

// param reads a parameter. A list is an array.
func (f *yamlFile) param(o *Object, e entry) {
	if !isName(e.key, "_.") {
		f.report(e.at, fmt.Sprintf("%q is no name of a parameter", e.key), "")
		return
	}
	q := &Param{Pos: e.at, Name: rsyslogName(o.Kind, e.key), ValuePos: f.pos(e.value)}
	if e.value.Kind == yaml.SequenceNode {
		q.Array = true
		for _, n := range e.value.Content {
			if v, ok := f.scalar(n, e.key); ok {
				q.Values = append(q.Values, v)
			}
		}
		if len(q.Values) == 0 {
			f.report(q.ValuePos, "the list of "+e.key+" is empty", "remove the parameter")
			return
		}
		o.Params = append(o.Params, q)
		return
	}
	if v, ok := f.scalar(e.value, e.key); ok {
		q.Values = []string{v}
		o.Params = append(o.Params, q)
	}
}

// isName says whether s is a name of the language: letters, digits and what else is
// given, with a letter first.
func isName(s, also string) bool {
	return s != "" && isAlpha(s[0]) &&
		count([]byte(s), func(c byte) bool { return isAlnum(c) || strings.IndexByte(also, c) >= 0 }) == len(s)
}

// rsyslogName is the parameter's name in RainerScript, where YAML has another.
func rsyslogName(kind, key string) string {
	switch {
	case kind == "main_queue" && !strings.HasPrefix(strings.ToLower(key), "queue.") && key != "config.enabled":
		return "queue." + key
	case kind == "lookup_table" && key == "filename":
		return "file"
	}
	return key
}

// elements are the parts of a template: {property: {…}} and {constant: {…}}.
func (f *yamlFile) elements(o *Object, n *yaml.Node) {
	for _, item := range f.items(n, "the elements of a template") {
		for _, e := range f.entries(item, "an element of a template") {
			if e.key != "property" && e.key != "constant" {
				f.report(e.at, "unknown element "+e.key, didYouMean(e.key, []string{"property", "constant"}))
				continue
			}
			part := &Object{Pos: e.at, Kind: e.key}
			for _, e := range f.entries(e.value, part.Kind+"()") {
				f.param(part, e)
			}
			if part.enabled() {
				o.Children = append(o.Children, part)
			}
		}
	}
}

// rules reads what a ruleset does: filter and actions, statements, or script.
func (f *yamlFile) rules(o *Object, rules []entry) {
	by := map[string]entry{}
	for _, e := range rules {
		if _, twice := by[e.key]; twice {
			f.report(e.at, e.key+" is there already", "")
			return
		}
		by[e.key] = e
	}
	_, hasScript := by["script"]
	_, hasStatements := by["statements"]
	filter, hasFilter := by["filter"]
	actions, hasActions := by["actions"]
	switch {
	case hasScript && len(by) > 1 || hasStatements && len(by) > 1:
		f.report(rules[1].at, "a ruleset has a script, or statements, or actions with a filter", "use one of them")
	case hasScript:
		f.script(o, by["script"].value)
	case hasStatements:
		o.Body = f.statements(by["statements"].value)
	case hasFilter && !hasActions:
		f.report(filter.at, "the filter has no actions", `write "actions:" with a list of actions`)
	case hasActions:
		o.Body = f.actions(actions.value)
		if hasFilter {
			o.Body = f.filtered(filter.value, o.Body)
		}
	}
}

// script reads RainerScript as the body of the ruleset.
func (f *yamlFile) script(o *Object, n *yaml.Node) {
	if _, ok := f.scalar(n, "script"); !ok {
		return
	}
	f.aside([]*source{f.text(n)}, modeStatement, func() {
		for f.peek().kind != tEOF && len(f.errs) < maxErrors {
			before := f.taken
			stmts, ok := f.statement()
			o.Body = append(o.Body, stmts...)
			if !ok {
				f.resync(f.taken > before)
			}
		}
	})
}

// filtered puts a selector or a property filter around statements.
func (f *yamlFile) filtered(n *yaml.Node, then []Stmt) []Stmt {
	if _, ok := f.scalar(n, "filter"); !ok {
		return nil
	}
	src := f.text(n)
	src.buf = append(src.buf[:max(len(src.buf)-1, 0)], " continue\n"...)
	var read []Stmt
	f.aside([]*source{src}, modeStatement, func() {
		t := f.peek()
		if t.kind != tPRIFilter && t.kind != tPropFilter {
			f.report(t.pos(), "expected a selector or a property filter, found "+t.String(), `write filter: "mail.info", or filter: ':msg, contains, "text"'`)
			return
		}
		read, _ = f.statement()
	})
	if len(read) != 1 {
		return nil
	}
	switch s := read[0].(type) {
	case *PRIFilter:
		s.Then = then
	case *PropertyFilter:
		s.Then = then
	}
	return read
}
