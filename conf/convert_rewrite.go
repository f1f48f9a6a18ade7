package conf

import (
	"fmt"
	"slices"
	"strings"
)

// rewrite gives directives and actions their new texts.
func (c *conversion) rewrite() {
	c.rewriteDefaults()
	c.rewriteModules()
	c.rewriteMainQueue()
	c.rewriteGlobals()
	for _, d := range c.rec.uses {
		c.directiveText(d)
	}
	for _, a := range c.rec.actions {
		c.actionText(a)
	}
	for _, s := range c.rec.scripts {
		c.scriptText(s)
	}
	c.rewriteRulesets()
}

// rewriteDefaults makes module(load="builtin:omfile") of settings.
func (c *conversion) rewriteDefaults() {
	for _, module := range []string{"omfile", "omfwd"} {
		params := []*Param{word(Pos{}, "load", "builtin:"+module)}
		var first *directiveUse
		for _, d := range c.defaults {
			if d.kept.to != module && d.kept.to != module+".default" {
				continue
			}
			params = append(params, d.kept.param)
			if first == nil {
				first = d
				continue
			}
			c.put(d, "")
		}
		if first != nil {
			c.put(first, objectText("module", params))
		}
	}
}

// rewriteModules makes module() of $ModLoad with the parameters set by directives.
func (c *conversion) rewriteModules() {
	for _, load := range c.rec.uses {
		if load.dir.name != "ModLoad" {
			continue
		}
		if len(load.made) == 0 { // it was loaded already
			c.put(load, "")
			continue
		}
		o := load.made[0]
		var sets []*directiveUse
		for _, d := range c.rec.uses {
			if d.module == o {
				sets = append(sets, d)
			}
		}
		i := slices.IndexFunc(sets, func(d *directiveUse) bool { return d.tok.src != load.tok.src })
		if i >= 0 {
			at := sets[i].tok.pos()
			c.stays(load, "%s:%d sets a parameter of the module", at.File, at.Line)
			for _, d := range sets {
				c.stays(d, "the module is loaded by $ModLoad")
			}
			continue
		}
		var params []*Param
		for _, q := range o.Params {
			if !strings.EqualFold(q.Name, "allowedSender") { // $AllowedSender stays
				params = append(params, q)
			}
		}
		c.put(load, objectText("module", params))
		for _, d := range sets {
			c.put(d, "")
		}
	}
}

// The defaults of a main queue that directives make.
var legacyMainQueue = []struct{ name, value string }{
	{"queue.size", "100000"}, {"queue.dequeueBatchSize", "256"}, {"queue.highWatermark", "80000"},
}

// mainQueueParams are the parameters of main_queue() for the ones of directives.
func mainQueueParams(o *Object) []*Param {
	params := slices.Clone(o.Params)
	for _, d := range legacyMainQueue {
		given := o.Param("queue.size") != nil && d.name == "queue.highWatermark" && !sizeIsAtLeast(o.Value("queue.size"), 80000)
		if o.Param(d.name) == nil && !given {
			params = append(params, word(Pos{}, d.name, d.value))
		}
	}
	return params
}

func sizeIsAtLeast(size string, n int64) bool {
	v, err := parseSize(size)
	return err == nil && v >= n
}

// rewriteMainQueue makes main_queue() of $MainMsgQueue….
func (c *conversion) rewriteMainQueue() {
	var all []*directiveUse
	for _, d := range c.rec.uses {
		if d.dir.scope == toMainQueue && d.dir.do == nil {
			all = append(all, d)
		}
	}
	if len(all) == 0 || c.legacy.mainq == nil {
		return
	}
	for _, d := range all {
		if d.tok.src != all[0].tok.src {
			for _, d := range all {
				c.stays(d, "the main queue's parameters are set in several files")
			}
			return
		}
	}
	for _, d := range c.rec.uses {
		if d.dir.name == "RulesetCreateMainQueue" {
			for _, d := range all {
				c.stays(d, "$RulesetCreateMainQueue copies it")
			}
			return
		}
	}
	c.put(all[0], objectText("main_queue", mainQueueParams(c.legacy.mainq)))
	for _, d := range all[1:] {
		c.put(d, "")
	}
}

// rewriteGlobals makes global() of neighbouring directives.
func (c *conversion) rewriteGlobals() {
	var group []*directiveUse
	flush := func() {
		if len(group) == 0 {
			return
		}
		var params []*Param
		for _, d := range group {
			params = append(params, d.made[0].Params...)
		}
		c.put(group[0], objectText("global", params))
		for _, d := range group[1:] {
			c.put(d, "")
		}
		group = nil
	}
	for _, d := range c.rec.uses {
		if len(d.made) != 1 || d.made[0].Kind != "global" {
			continue
		}
		if name := d.made[0].Params[0].Name; strings.EqualFold(name, "repeatedMsgReduction") {
			c.stays(d, "global() has no parameter for it")
			continue
		}
		if n := len(group); n > 0 && (!follows(group[n-1], d) || repeats(group, d)) {
			flush()
		}
		group = append(group, d)
	}
	flush()
}

// follows says whether b stands on the line behind a.
func follows(a, b *directiveUse) bool {
	return a.tok.src == b.tok.src && strings.TrimLeft(string(a.tok.src.buf[a.end:max(a.end, b.tok.at)]), " \t") == "\n"
}

func repeats(group []*directiveUse, d *directiveUse) bool {
	return slices.ContainsFunc(group, func(g *directiveUse) bool {
		return strings.EqualFold(g.made[0].Params[0].Name, d.made[0].Params[0].Name)
	})
}

// directiveText gives the other directives their texts.
func (c *conversion) directiveText(d *directiveUse) {
	switch {
	case c.done[d] || c.keep[d] != "":
	case d.kept != nil:
		c.put(d, "")
	case d.dir.name == "IncludeConfig":
		c.put(d, objectText("include", []*Param{word(Pos{}, "file", includePattern(d))}))
	case len(d.made) == 1 && d.made[0].Kind == "input":
		c.put(d, objectText("input", d.made[0].Params))
	case len(d.made) == 1 && d.made[0].Kind == "template":
		c.templateText(d)
	case d.dir.name == "ResetConfigVariables":
		c.resetText(d)
	case d.dir.name == "RuleSet", d.dir.name == "RulesetParser", d.dir.name == "RulesetCreateMainQueue":
		// rewriteRulesets decides.
	default:
		c.stays(d, "it has no counterpart")
	}
}

func includePattern(d *directiveUse) string {
	_, arg, _ := strings.Cut(strings.ReplaceAll(d.tok.text, "\t", " "), " ")
	return strings.TrimSpace(arg)
}

// resetText drops $ResetConfigVariables if nothing that it resets is left.
func (c *conversion) resetText(d *directiveUse) {
	for _, o := range c.rec.uses {
		if o.seq < d.seq && o.kept != nil && !c.leaves(o) {
			c.stays(d, "it resets $%s", o.dir.name)
			return
		}
	}
	c.put(d, "")
}

// templateText makes template() of $template.
func (c *conversion) templateText(d *directiveUse) {
	o := d.made[0]
	params := slices.Clone(o.Params)
	for i, q := range params {
		if q.Name != "string" {
			continue
		}
		text, ok := templateString(q.Values[0])
		if !ok {
			c.stays(d, "its text holds a percent sign that template() cannot")
			return
		}
		params[i] = word(q.Pos, "string", text)
	}
	c.put(d, objectText("template", params))
}

// templateString is the text of a $template as template(string=) has it: escapes
// outside of properties are resolved.
func templateString(text string) (string, bool) {
	var b strings.Builder
	for at := 0; at < len(text); {
		switch ch := text[at]; {
		case ch == '%':
			n := propertyEnd(text[at:])
			if n < 0 {
				return "", false
			}
			b.WriteString(text[at : at+n])
			at += n
		case ch == '\\' && at+1 == len(text):
			at++
		case ch == '\\':
			ch, n := templateEscape(text[at+1:])
			if ch == '%' || ch == 0 {
				return "", false
			}
			b.WriteByte(ch)
			at += 1 + n
		default:
			b.WriteByte(ch)
			at++
		}
	}
	return b.String(), true
}

// propertyEnd is the length of %…% at the start of s, -1 if it has no end.
func propertyEnd(s string) int {
	from := 1
	if i := strings.Index(s, "--end"); i > 0 {
		if head, _, _ := strings.Cut(s[1:], "%"); strings.Contains(head, ":R") {
			from = i
		}
	}
	i := strings.IndexByte(s[from:], '%')
	if i < 0 {
		return -1
	}
	return from + i + 1
}

// templateEscape reads what follows a backslash in $template.
func templateEscape(s string) (c byte, n int) {
	if digits := count([]byte(s), func(c byte) bool { return c >= '0' && c <= '9' }); digits > 0 {
		v := 0
		for _, d := range s[:digits] {
			v = v*10 + int(d-'0')
		}
		return byte(v), digits
	}
	switch s[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	}
	return s[0], 1
}

// actionText gives an action of the old style its text.
func (c *conversion) actionText(a *actionUse) {
	if a.object == nil {
		c.replace(a.tok.src, a.tok.at, a.end, "stop")
		return
	}
	o := a.object
	var params []*Param
	explicit := strings.HasPrefix(strings.TrimPrefix(a.tok.text, "-"), "?")
	for _, q := range o.Params {
		by := c.rec.origin[q]
		if slices.Contains(c.defaults, by) && by.tok.src == a.tok.src {
			explicit = explicit || by.kept.param.Name != "template"
			continue
		}
		explicit = explicit || c.leaves(by)
		params = append(params, q)
	}
	switch {
	case explicit && expressible(o):
		c.replace(a.tok.src, a.tok.at, a.end, objectText("action", params))
	case ModuleName(o.Value("type")) == "omusrmsg" && a.tok.text[0] != ':':
		c.replace(a.tok.src, a.tok.at, a.tok.at, ":omusrmsg:")
	}
}

// scriptText adds the template to an action() that a directive has given it.
func (c *conversion) scriptText(s *scriptUse) {
	for _, q := range s.object.Params {
		if by := c.rec.origin[q]; c.leaves(by) && !slices.Contains(c.defaults, by) {
			c.replace(s.close.src, s.close.at, s.close.at, " "+paramText(q))
		}
	}
}

// paramText is a parameter as it is written.
func paramText(q *Param) string {
	if !q.Array {
		v := strings.Join(q.Values, ",")
		if q.written != "" {
			v = q.written
		}
		return q.Name + "=" + quoteParam(v)
	}
	quoted := make([]string, len(q.Values))
	for i, v := range q.Values {
		quoted[i] = quoteParam(v)
	}
	return q.Name + "=[" + strings.Join(quoted, ", ") + "]"
}

// objectText is an object as it is written, on several lines if one is too long.
func objectText(kind string, params []*Param) string {
	const longest = 90
	line, lines := kind+"(", []string{}
	for i, q := range params {
		text := paramText(q)
		if i > 0 && len(line)+1+len(text) > longest {
			lines = append(lines, line)
			line = strings.Repeat(" ", indentWidth)
		} else if i > 0 {
			line += " "
		}
		line += text
	}
	return strings.Join(append(lines, line), "\n") + ")"
}

// keptNotes are the directives that stay, with the reason.
func (c *conversion) keptNotes(s *source) (all []*Error) {
	for _, d := range c.rec.uses {
		if why := c.keep[d]; why != "" && d.tok.src == s {
			e := c.cfg.errorAt(d.tok.pos(), fmt.Sprintf("%s stays: %s", firstWord(d.tok.text), why), "")
			e.Severity, e.ID = Note, "not-converted"
			all = append(all, e)
		}
	}
	return all
}
