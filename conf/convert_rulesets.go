package conf

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// rewriteRulesets makes ruleset() { } of what stands behind $RuleSet, where that is
// one piece of one file.
func (c *conversion) rewriteRulesets() {
	var marks []*directiveUse // the $RuleSet of all files
	for _, d := range c.rec.uses {
		if d.dir.name == "RuleSet" {
			marks = append(marks, d)
		}
	}
	why := c.scattered(marks)
	for _, d := range c.rec.uses {
		inside := d.dir.name == "RulesetParser" || d.dir.name == "RulesetCreateMainQueue"
		switch {
		case why != "" && (inside || d.dir.name == "RuleSet"):
			c.stays(d, "%s", why)
		case inside && c.legacyCurrent(marks, d) == nil:
			c.stays(d, "it has no counterpart")
		}
	}
	if why != "" {
		return
	}
	for i, m := range marks {
		end := len(m.tok.src.buf)
		if i+1 < len(marks) {
			end = marks[i+1].tok.at
		}
		c.block(m, end)
		if c.rulesetOf(m) != nil {
			c.blocks = true
		}
	}
}

// scattered says why the rulesets cannot become blocks.
func (c *conversion) scattered(marks []*directiveUse) string {
	seen := map[*Object]bool{}
	for _, m := range marks {
		o := c.rulesetOf(m)
		switch {
		case m.tok.src != marks[0].tok.src || m.tok.src.parent != nil:
			return "the rulesets are not all in the configuration file itself"
		case o != nil && (seen[o] || !o.Legacy):
			return fmt.Sprintf("ruleset %s is made of several pieces", o.Value("name"))
		}
		seen[o] = o != nil
	}
	if len(marks) == 0 {
		return ""
	}
	for i, m := range marks {
		if c.rulesetOf(m) == nil {
			continue
		}
		end := len(m.tok.src.buf)
		if i+1 < len(marks) {
			end = marks[i+1].tok.at
		}
		if why := c.unfit(m, end); why != "" {
			return why
		}
	}
	return ""
}

// unfit says why what stands from a $RuleSet to end cannot be a block.
func (c *conversion) unfit(m *directiveUse, end int) string {
	in := func(t token) bool { return t.src == m.tok.src && t.at > m.tok.at && t.at < end }
	for _, d := range c.rec.uses {
		if !in(d.tok) {
			continue
		}
		switch {
		case d.dir.name == "IncludeConfig":
			return "a file is included in a ruleset"
		case d.dir.name == "RulesetParser", d.dir.name == "RulesetCreateMainQueue":
		case c.keep[d] != "":
			return fmt.Sprintf("$%s stays in a ruleset: %s", d.dir.name, c.keep[d])
		}
	}
	for _, s := range c.cfg.Stmts {
		if o, ok := s.(*Object); ok && !o.Legacy && o.Kind != "action" && m.tok.src.Name == o.File {
			if from, to := m.tok.pos().Line, m.tok.src.pos(max(end-1, 0)).Line; o.Line > from && o.Line <= to {
				return fmt.Sprintf("%s() stands in a ruleset", o.Kind)
			}
		}
	}
	for _, inc := range m.tok.src.includes {
		if inc.start > m.tok.at && inc.start < end {
			return "a file is included in a ruleset"
		}
	}
	return ""
}

// rulesetOf is the ruleset that a $RuleSet leads to, nil for the default one.
func (c *conversion) rulesetOf(d *directiveUse) *Object {
	if len(d.made) == 0 {
		return nil
	}
	return d.made[0]
}

// legacyCurrent is the ruleset that a directive stands in.
func (c *conversion) legacyCurrent(marks []*directiveUse, d *directiveUse) *Object {
	var current *Object
	for _, m := range marks {
		if m.seq < d.seq {
			current = c.rulesetOf(m)
		}
	}
	return current
}

// block makes a block of what stands from a $RuleSet to end. Objects that directives
// in it make go in front of it.
func (c *conversion) block(m *directiveUse, end int) {
	o := c.rulesetOf(m)
	if o == nil {
		c.put(m, "")
		return
	}
	s := m.tok.src
	var before strings.Builder
	for i, e := range c.edits[s] {
		if e.from <= m.tok.at || e.from >= end || !c.hoisted(s, e) {
			continue
		}
		before.WriteString(e.text + "\n")
		c.edits[s][i].text, c.edits[s][i].dropLine = "", true
	}
	for _, d := range c.rec.uses {
		if (d.dir.name == "RulesetParser" || d.dir.name == "RulesetCreateMainQueue") && d.tok.src == s && d.tok.at > m.tok.at && d.tok.at < end {
			c.put(d, "")
		}
	}
	c.put(m, before.String()+objectText("ruleset", o.Params)+" {")
	last := end
	for last > m.end && (isBlank(s.buf[last-1]) || s.buf[last-1] == '\n') {
		last--
	}
	for n := bytes.LastIndexByte(s.buf[:last], '\n') + 1; last < end && n > m.end && isComment(s.buf[n:last]); n = bytes.LastIndexByte(s.buf[:last], '\n') + 1 {
		last = n - 1 // comments in front of the next ruleset are about that one
		for last > m.end && s.buf[last-1] == '\n' {
			last--
		}
	}
	c.edits[s] = append(c.edits[s], edit{from: last, to: last, text: "\n}", behind: true})
}

func isComment(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && line[0] == '#'
}

// hoisted says whether an edit writes an object that cannot stand in a block.
func (c *conversion) hoisted(s *source, e edit) bool {
	return slices.ContainsFunc(c.rec.uses, func(d *directiveUse) bool {
		return d.tok.src == s && d.tok.at == e.from && e.text != "" && d.dir.name != "RuleSet"
	})
}

// files applies the edits.
func (c *conversion) files() ([]Converted, error) {
	byName := map[string]Converted{}
	var out []Converted
	if c.all[0].yaml {
		return nil, errYAML(c.all[0].Name)
	}
	for _, s := range c.all {
		if s.text || s.yaml {
			continue
		}
		text := c.apply(s)
		if c.blocks && s.parent == nil {
			if laid, err := Format(s.Name, text); err == nil {
				text = laid
			}
		}
		f := Converted{s.Name, s.Text, text, c.keptNotes(s)}
		if other, twice := byName[s.Name]; twice {
			if !bytes.Equal(other.Text, f.Text) {
				return nil, fmt.Errorf("%s is included twice, and would have to be converted in two ways", s.Name)
			}
			continue
		}
		byName[s.Name] = f
		out = append(out, f)
	}
	return out, nil
}

// apply is the text of a file with its edits.
func (c *conversion) apply(s *source) []byte {
	edits := c.edits[s]
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].from < edits[j].from })
	o := s.origins()
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		from := o.at(e.from)
		to := from
		if e.to > e.from {
			to = o.at(e.to-1) + 1
		}
		if e.behind {
			from = o.at(e.from-1) + 1
			to = from
		}
		if e.dropLine {
			from, to = dropped(s.Text, from, to)
		}
		if from < at {
			from = at
		}
		out.Write(s.Text[at:from])
		out.WriteString(e.text)
		at = max(at, to)
	}
	out.Write(s.Text[at:])
	return out.Bytes()
}

// dropped widens a part of a text that goes to its whole line, if nothing else is on
// it, and to the blanks in front of a comment.
func dropped(text []byte, from, to int) (int, int) {
	start := from
	for start > 0 && isBlank(text[start-1]) {
		start--
	}
	end := to
	for end < len(text) && (isBlank(text[end]) || text[end] == '\r') {
		end++
	}
	alone := start == 0 || text[start-1] == '\n'
	switch {
	case alone && end == len(text):
		return start, end
	case alone && text[end] == '\n':
		return start, end + 1
	case alone:
		return start, end
	}
	return from, end
}
