package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// valueKind is what kind of value a directive takes.
type valueKind uint8

const (
	aWord   valueKind = iota // up to the next blank
	anOnOff                  // on or off
	anInt
	aSize // a number with k, m, g, …
	aMode // octal
	aRest // the rest of the line
)

// directiveLine is read from left to right.
type directiveLine struct {
	*parser
	tok token
	at  int // into tok.text
}

func (d *directiveLine) rest() string { return d.tok.text[d.at:] }

// pos is the place of the next character.
func (d *directiveLine) pos() Pos { return d.tok.src.pos(min(d.tok.at+d.at, d.tok.end)) }

func (d *directiveLine) blanks() {
	d.at += len(d.rest()) - len(strings.TrimLeft(d.rest(), " \t"))
}

// word reads up to the next blank, and the blanks after it.
func (d *directiveLine) word() string {
	w := d.span(" \t")
	d.blanks()
	return w
}

// span reads up to one of the characters given, or to the end.
func (d *directiveLine) span(stop string) string {
	n := strings.IndexAny(d.rest(), stop)
	if n < 0 {
		n = len(d.rest())
	}
	s := d.rest()[:n]
	d.at += n
	return s
}

// until is span that passes the character it stops at.
func (d *directiveLine) until(stop string) string {
	s := d.span(stop)
	d.at = min(d.at+1, len(d.tok.text))
	return s
}

// end complains about what is left of the line, unless it is a comment.
func (d *directiveLine) end() {
	d.blanks()
	if rest := d.rest(); rest != "" && rest[0] != '#' {
		d.report(d.pos(), fmt.Sprintf("extra characters at the end of the directive are ignored: %q", rest), "")
	}
}

// param reads the value of a directive.
func (d *directiveLine) param(dir directive) (*Param, bool) {
	at := d.pos()
	var v string
	ok := true
	switch {
	case dir.kind == aRest:
		v = strings.TrimSpace(d.rest())
		d.at = len(d.tok.text)
	default:
		v = d.word()
	}
	if v == "" && dir.kind == aWord && dir.scope != runInput {
		d.warn(d.tok.pos(), "$"+dir.name+" has no value and is ignored", "")
		return nil, false
	}
	if v == "" {
		d.report(d.tok.pos(), "$"+dir.name+" needs a value", "")
		return nil, false
	}
	asWritten := v
	switch dir.kind {
	case anOnOff:
		v, ok = d.onOff(at, dir, v)
	case anInt, aSize:
		v, ok = d.number(at, dir, v)
	case aMode:
		if _, err := parseMode(v); err != nil {
			d.report(at, fmt.Sprintf("$%s: %v", dir.name, err), "modes are four octal digits, such as 0644")
			ok = false
		}
	}
	q := &Param{Pos: d.tok.pos(), Name: dir.param, Values: []string{v}, ValuePos: at}
	if dir.kind == aSize && !strings.ContainsAny(asWritten, ",.") {
		q.written = asWritten // 1g, not the number of bytes
	}
	return q, ok
}

// onOff knows on and off, and the words people use in their place.
func (d *directiveLine) onOff(at Pos, dir directive, v string) (string, bool) {
	switch low := strings.ToLower(v); low {
	case "on", "off":
		return low, true
	case "yes", "1", "true":
		d.notice(at, fmt.Sprintf("%q is read as on; rsyslogd would ignore the line", v), `write "on"`)
		return "on", true
	case "no", "0", "false":
		d.notice(at, fmt.Sprintf("%q is read as off; rsyslogd would ignore the line", v), `write "off"`)
		return "off", true
	}
	d.report(at, fmt.Sprintf("$%s: value must be on or off, but is %q", dir.name, v), "")
	return v, false
}

// number checks a number. As in rsyslogd, points and commas between digits do
// not count: 1,000.
func (d *directiveLine) number(at Pos, dir directive, v string) (string, bool) {
	digits := strings.NewReplacer(",", "", ".", "").Replace(v)
	parse := parseSize
	if dir.kind == anInt {
		parse = parseInt
	}
	n, err := parse(digits)
	if err != nil {
		d.report(at, fmt.Sprintf("$%s: %v", dir.name, err), "")
		return v, false
	}
	return strconv.FormatInt(n, 10), true
}
