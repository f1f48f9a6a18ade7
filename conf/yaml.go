package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// rsyslog's YAML form (8.2604): the sections of a mapping hold the objects, with the
// same parameters; a ruleset's statements are a list, or RainerScript in a scalar.
// It is read into the same tree.

// isYAML tells the form by the file's name, as rsyslogd does.
func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// yamlFile is a file in the YAML form while it is read.
type yamlFile struct {
	*parser
	src   *source
	lines []int // where each line begins
}

// readYAML reads a source in the YAML form.
func (p *parser) readYAML(src *source) {
	f := &yamlFile{parser: p, src: src, lines: []int{0}}
	for i, c := range src.Text {
		if c == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(src.Text))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		f.syntax(err)
		return
	}
	if err := d.Decode(&more); err == nil {
		p.report(f.pos(&more), "a configuration is one YAML document; this one is not read", "remove the line ---")
	} else if !errors.Is(err, io.EOF) {
		f.syntax(err)
	}
	if len(doc.Content) == 1 && !isNull(doc.Content[0]) {
		f.sections(doc.Content[0])
	}
}

// syntax reports what is no YAML. The library says the line.
func (f *yamlFile) syntax(err error) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = strings.TrimPrefix(msg, m[0])
	}
	f.broken(Pos{f.src.Name, min(line, len(f.lines)), 1}, "this is no YAML: "+msg, "")
}

// pos is the place of a node. The library counts characters, a Pos counts bytes;
// the library knows line breaks of Unicode that are none elsewhere.
func (f *yamlFile) pos(n *yaml.Node) Pos {
	at := Pos{f.src.Name, min(max(n.Line, 1), len(f.lines)), max(n.Column, 1)}
	rest := f.src.Text[f.lines[at.Line-1]:]
	bytes := 0
	for range at.Col - 1 {
		_, size := utf8.DecodeRune(rest[bytes:])
		bytes += size
	}
	at.Col = bytes + 1
	return at
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    Pos
	value *yaml.Node
}

// entries lists a mapping; where says what it is, for errors.
func (f *yamlFile) entries(n *yaml.Node, where string) (all []entry) {
	if n.Kind != yaml.MappingNode {
		f.report(f.pos(n), "expected "+where+" as a mapping of names to values", `write "name: value", one a line`)
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			f.report(f.pos(key), "expected a name in "+where, "")
			continue
		}
		all = append(all, entry{key.Value, f.pos(key), n.Content[i+1]})
	}
	return all
}

// items lists a sequence.
func (f *yamlFile) items(n *yaml.Node, where string) []*yaml.Node {
	switch {
	case isNull(n):
		return nil
	case n.Kind != yaml.SequenceNode:
		f.report(f.pos(n), "expected "+where+" as a list", `begin each item with "- "`)
		return nil
	}
	return n.Content
}

// scalar is the text of a value, whatever YAML takes it for: on is no boolean.
func (f *yamlFile) scalar(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		f.report(f.pos(n), "anchors and aliases are not known in configurations", "write the value")
	case n.Kind != yaml.ScalarNode:
		f.report(f.pos(n), "expected the value of "+what, "")
	case isNull(n):
		return "", true
	default:
		return n.Value, true
	}
	return "", false
}

// kindOf are the objects of a section.
func kindOf(section string) string {
	return map[string]string{
		"modules": "module", "inputs": "input", "templates": "template", "rulesets": "ruleset",
		"parsers": "parser", "parser": "parser", "lookup_tables": "lookup_table", "lookup_table": "lookup_table",
		"dyn_stats": "dyn_stats", "perctile_stats": "percentile_stats", "percentile_stats": "percentile_stats",
		"ratelimits": "ratelimit", "ratelimit": "ratelimit", "timezones": "timezone", "timezone": "timezone",
	}[section]
}

func sectionNames() []string {
	return []string{
		"version", "global", "mainqueue", "include", "modules", "inputs", "templates", "rulesets", "parsers",
		"lookup_tables", "dyn_stats", "perctile_stats", "ratelimits", "timezones",
	}
}

// sections reads the file.
func (f *yamlFile) sections(root *yaml.Node) {
	seen := map[string]bool{}
	for _, e := range f.entries(root, "the configuration") {
		if seen[e.key] {
			f.report(e.at, "section "+e.key+" is there already", "put the items of both under one key")
			continue
		}
		seen[e.key] = true
		switch kind := kindOf(e.key); {
		case e.key == "version":
		case e.key == "global":
			f.object(&Object{Pos: e.at, Kind: "global"}, e.value)
		case e.key == "mainqueue" || e.key == "main_queue":
			f.object(&Object{Pos: e.at, Kind: "main_queue"}, e.value)
		case e.key == "include":
			for _, n := range f.items(e.value, "the files to include") {
				f.includeItem(n)
			}
		case kind == "":
			f.report(e.at, "unknown section "+e.key, didYouMean(e.key, sectionNames()))
		default:
			for _, n := range f.items(e.value, e.key) {
				f.object(&Object{Pos: f.pos(n), Kind: kind}, n)
			}
		}
	}
}

// includeItem is {path: …, optional: on}.
func (f *yamlFile) includeItem(n *yaml.Node) {
	by := includer{at: f.pos(n), src: f.src}
	mode, pattern := includeRequired, ""
	for _, e := range f.entries(n, "a file to include") {
		value, ok := f.scalar(e.value, e.key)
		switch {
		case !ok:
		case e.key == "path":
			pattern, by.at = value, f.pos(e.value)
		case e.key == "optional":
			if value == "on" || value == "yes" || value == "1" || value == "true" {
				mode = includeOptional
			}
		default:
			f.report(e.at, "an include has no parameter "+e.key, didYouMean(e.key, []string{"path", "optional"}))
		}
	}
	if pattern == "" {
		f.report(by.at, "an include needs a path", `write "- path: /etc/rsyslog.d/*.conf"`)
		return
	}
	f.aside(nil, modeStatement, func() {
		f.includeFiles(by, pattern, mode)
		f.topLevels()
	})
}

// aside reads something else than the text at hand, and goes on where it was.
func (p *parser) aside(stack []*source, m mode, read func()) {
	saved := *p
	p.stack, p.mode, p.have, p.open, p.lost = stack, m, false, 0, false
	read()
	p.stack, p.mode, p.tok, p.have = saved.stack, saved.mode, saved.tok, saved.have
	p.last, p.taken, p.depth, p.open, p.lost = saved.last, saved.taken, saved.depth, saved.open, saved.lost
}

// text makes a scalar a source whose positions are those in the YAML file. They are
// exact for literal blocks, and for what stands on one line without escapes;
// otherwise all is at the scalar's beginning.
func (f *yamlFile) text(n *yaml.Node) *source {
	at := f.pos(n)
	src := newSource(&Source{Name: f.src.Name, Text: []byte(n.Value)})
	src.parent, src.depth = f.src, f.src.depth
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		at.Line++
		indent := f.indent(n, at.Line)
		for i := range src.marks {
			src.marks[i].line += at.Line - 1
			src.marks[i].col += indent
		}
		return src
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.Col++
	}
	src.marks = []mark{{0, at.Line, at.Col}}
	src.flat = !bytes.HasPrefix(f.from(at), []byte(n.Value))
	return src
}

// indent is how far a literal block that begins on the line is indented.
func (f *yamlFile) indent(n *yaml.Node, line int) int {
	blank := func(c byte) bool { return c == ' ' }
	for text := range strings.Lines(n.Value) {
		if strings.TrimSpace(text) != "" {
			return max(count(f.from(Pos{Line: line, Col: 1}), blank)-count([]byte(text), blank), 0)
		}
		line++
	}
	return 0
}

// from is the text from a place on.
func (f *yamlFile) from(at Pos) []byte {
	if at.Line > len(f.lines) {
		return nil
	}
	return f.src.Text[min(f.lines[at.Line-1]+at.Col-1, len(f.src.Text)):]
}

// describe is a node's kind in words.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("%q", n.Value)
}
