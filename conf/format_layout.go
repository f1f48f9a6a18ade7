package conf

import (
	"strings"
)

const (
	indentWidth = 4
	lineWidth   = 100 // from which an object is broken into lines
	selectorMax = 40  // a selector longer than this has no say in where actions stand
)

// layout writes elements in the canonical way.
type layout struct {
	lines []laidLine
	depth int         // of braces
	hang  int         // of statements behind then, else and selectors on lines of their own
	prev  elem        // the token before
	rest  []elem      // the elements behind the one at hand
	where surrounding // what the token stands in
	broke bool        // a # comment has ended the line
	sign  bool        // the token before is a minus that is a sign
	hangs []int       // hang of the braces around
	names map[string]string
}

// laidLine is a line being written; split is where the text that is put side by side
// with that of the neighbouring lines begins, 0 if there is none.
type laidLine struct {
	indent int
	text   strings.Builder
	split  int
}

// surrounding is what tokens are a part of.
type surrounding uint8

const (
	inStatement surrounding = iota
	inObject
	inExpr
)

// add writes the next element.
func (p *layout) add(e elem) {
	if e.comment {
		p.comment(e)
		return
	}
	switch p.where {
	case inObject:
		p.object(e)
	case inExpr:
		p.expr(e)
	default:
		p.statement(e)
	}
	p.prev = e
}

// line begins a line. more is added to the indentation.
func (p *layout) line(blank bool, more int) {
	if blank && len(p.lines) > 0 {
		p.lines = append(p.lines, laidLine{})
	}
	p.lines = append(p.lines, laidLine{indent: max(p.depth+p.hang+more, 0) * indentWidth})
	p.broke = false
}

func (p *layout) last() *laidLine { return &p.lines[len(p.lines)-1] }

// put appends to the line, behind a blank if one is wanted.
func (p *layout) put(space bool, text string) {
	if len(p.lines) == 0 {
		p.line(false, 0)
	}
	b := &p.last().text
	if space && b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(text)
}

// column is how long the line is.
func (p *layout) column() int {
	if len(p.lines) == 0 {
		return 0
	}
	t := p.last().text.String()
	if i := strings.LastIndexByte(t, '\n'); i >= 0 {
		return len(t) - i - 1
	}
	return p.last().indent + len(t)
}

// comment writes a comment: behind what is on its line, or on a line of its own.
func (p *layout) comment(e elem) {
	more := 0
	if p.where != inStatement {
		more = 1
	}
	switch {
	case p.where != inStatement:
	case p.pending():
		more = 1
	default:
		p.hang = 0
	}
	if e.lines > 0 || len(p.lines) == 0 || p.broke {
		p.line(e.lines > 1 && !p.opened(), more)
		p.put(false, e.text)
	} else {
		p.put(true, e.text)
	}
	p.broke = e.toEOL
}

// opened says whether an opening brace ends the line before.
func (p *layout) opened() bool {
	return p.prev.tok.is(tPunct, "{") && len(p.lines) > 0 && strings.HasSuffix(p.last().text.String(), "{")
}

// pending says whether the statement of the token before goes on in any case.
func (p *layout) pending() bool {
	t := p.prev.tok
	switch t.kind {
	case tPRIFilter, tPropFilter:
		return true
	case tKeyword:
		return t.text == "then" || t.text == "do" || t.text == "else" || t.text == "call"
	case tPunct:
		return t.text == "&"
	}
	return false
}

// continues says whether the token goes on with the statement of the one before.
func (p *layout) continues(e elem) bool {
	t := p.prev.tok
	switch {
	case p.prev.text == "":
		return false
	case e.tok.is(tPunct, "{"):
		return t.kind != tPunct
	}
	return p.pending() || t.is(tPunct, "}") && e.tok.is(tKeyword, "else")
}

// statement writes a token where statements stand.
func (p *layout) statement(e elem) {
	t := e.tok
	blank := e.lines > 1 && !p.opened()
	switch {
	case t.is(tPunct, "}"):
		p.close()
	case p.continues(e):
		p.joined(e)
	default:
		if !t.is(tPunct, "&") {
			p.hang = 0
		}
		p.line(blank, 0)
		p.put(false, p.word(e))
	}
	if t.is(tPunct, "{") {
		p.hangs = append(p.hangs, p.hang)
		p.depth, p.hang = p.depth+1+p.hang, 0
	}
	p.enter(e)
}

// close writes a closing brace.
func (p *layout) close() {
	p.hang = 0
	if n := len(p.hangs); n > 0 {
		p.hang = p.hangs[n-1]
		p.hangs = p.hangs[:n-1]
		p.depth -= 1 + p.hang
	}
	p.line(false, 0)
	p.put(false, "}")
}

// joined writes a token that goes on with a statement.
func (p *layout) joined(e elem) {
	t := e.tok
	filter := t.kind == tPRIFilter || t.kind == tPropFilter
	behind := p.prev.tok
	body := behind.kind == tKeyword && behind.text != "call" && !t.is(tPunct, "{") && !(behind.text == "else" && t.is(tKeyword, "if"))
	switch {
	case p.broke, filter, body && e.lines > 0:
		p.hang++
		p.line(false, 0)
		p.put(false, p.word(e))
	case (behind.kind == tPRIFilter || behind.kind == tPropFilter) && !t.is(tPunct, "{"):
		p.put(true, "")
		l := p.last()
		l.split = l.text.Len()
		p.put(false, p.word(e))
	default:
		p.put(true, p.word(e))
	}
}

// word is a token as it is written where statements stand.
func (p *layout) word(e elem) string {
	switch e.tok.kind {
	case tKeyword:
		return e.tok.text
	case tObject:
		return e.tok.text + "("
	case tDirective, tRuleset:
		return p.directive(e.text)
	}
	return e.text
}

// directive is a directive as rsyslogd's manual writes its name.
func (p *layout) directive(text string) string {
	n := 1 + count([]byte(text[1:]), isAlnum)
	if p.names == nil {
		p.names = map[string]string{}
		for low, d := range directives() {
			p.names[low] = d.name
		}
		for _, name := range []string{"RuleSet", "template", "outchannel"} {
			p.names[strings.ToLower(name)] = name
		}
	}
	name, known := p.names[strings.ToLower(text[1:n])]
	if !known {
		name = text[1:n]
	}
	return "$" + strings.TrimRight(name+" "+strings.TrimLeft(text[n:], " \t"), blanks)
}

// enter notes what the tokens behind e are a part of.
func (p *layout) enter(e elem) {
	switch {
	case e.tok.kind == tObject:
		p.where = inObject
	case e.tok.kind == tKeyword && (statementWords[e.tok.text] == modeExpr || statementWords[e.tok.text] == modeProcedure):
		p.where = inExpr
	}
}

// object writes a token between the parentheses of an object.
func (p *layout) object(e elem) {
	t := e.tok
	glued := t.is(tPunct, "=") || t.is(tPunct, ",") || t.is(tPunct, "]") ||
		p.prev.tok.is(tPunct, "=") || p.prev.tok.is(tPunct, "[") || p.prev.tok.kind == tObject
	switch {
	case t.kind == tEndObject:
		p.where = inStatement
		if e.lines > 0 || p.broke {
			p.line(false, 0)
		}
		p.put(false, ")")
	case t.is(tPunct, "="), p.prev.tok.is(tPunct, "="):
		p.put(false, e.text)
	case e.lines > 0 || p.broke || t.kind == tName && p.column()+1+p.paramLen(e) > lineWidth && p.prev.tok.kind != tObject:
		more := 1
		if t.kind != tName {
			more = 2 // in an array
		}
		p.line(false, more)
		p.put(false, e.text)
	default:
		p.put(!glued, e.text)
	}
}

// paramLen is how long a parameter is with its value.
func (p *layout) paramLen(e elem) int {
	n := len(e.text)
	for _, r := range p.rest {
		if r.comment || r.tok.kind == tName || r.tok.kind == tEndObject {
			break
		}
		n += len(r.text)
	}
	return n
}

// expr writes a token of an expression.
func (p *layout) expr(e elem) {
	t := e.tok
	text := e.text
	if t.kind == tPunct || t.kind == tKeyword || t.kind == tFunc {
		text = t.text
	}
	if t.is(tPunct, ";") || t.is(tKeyword, "then") || t.is(tKeyword, "do") || t.is(tPunct, ")") && e.mode == modeProcedure {
		p.where = inStatement
	}
	switch {
	case p.broke || e.lines > 0 && !t.is(tPunct, ";"):
		p.line(false, 1)
		p.put(false, text)
	default:
		p.put(p.spaced(e), text)
	}
	p.sign = t.is(tPunct, "-") && p.unary()
}

// unary says whether a minus here is a sign.
func (p *layout) unary() bool {
	t := p.prev.tok
	switch t.kind {
	case tVar, tNumber, tString:
		return false
	case tPunct:
		return t.text != ")" && t.text != "]"
	}
	return true
}

// spaced says whether there is a blank in front of a token of an expression.
func (p *layout) spaced(e elem) bool {
	t, before := e.tok, p.prev.tok
	switch {
	case t.kind == tPunct && strings.Contains(") , ; ]", t.text):
		return false
	case t.is(tPunct, "(") && (before.kind == tFunc || before.is(tKeyword, "reload_lookup_table")):
		return false
	case before.is(tPunct, "(") || before.is(tPunct, "["):
		return false
	case before.is(tPunct, "-") && p.sign:
		return false
	}
	return true
}

// bytes is the whole file, with actions side by side.
func (p *layout) bytes() []byte {
	var out strings.Builder
	for i := 0; i < len(p.lines); {
		n := i
		for n < len(p.lines) && p.lines[n].split > 0 && p.lines[n].indent == p.lines[i].indent {
			n++
		}
		if n == i {
			p.lines[i].write(&out, 0)
			i++
			continue
		}
		width := 0
		for _, l := range p.lines[i:n] {
			if l.split-1 <= selectorMax {
				width = max(width, l.split)
			}
		}
		for ; i < n; i++ {
			p.lines[i].write(&out, width)
		}
	}
	return []byte(out.String())
}

func (l *laidLine) write(out *strings.Builder, width int) {
	text := l.text.String()
	if text == "" {
		out.WriteByte('\n')
		return
	}
	out.WriteString(strings.Repeat(" ", l.indent))
	if l.split > 0 {
		out.WriteString(text[:l.split])
		out.WriteString(strings.Repeat(" ", max(width-l.split, 0)))
		text = text[l.split:]
	}
	out.WriteString(strings.TrimRight(text, blanks))
	out.WriteByte('\n')
}
