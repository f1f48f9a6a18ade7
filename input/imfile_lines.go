package input

import (
	"errors"
	"fmt"
	"regexp"

	"sysrelay/message"
)

// lineRules say how lines become messages.
type lineRules struct {
	mode       lineMode
	start, end *regexp.Regexp
	lf         string // between the lines of a message
	limit      int    // longest message
	trim       int    // of a line; 0 is no limit
	discard    bool   // drop what is beyond the limit
}

type lineMode uint8

const (
	eachLine lineMode = iota
	paragraphs
	indented
	byStart
	byEnd
)

func newLineRules(p IMFileParams, limit int) (*lineRules, error) {
	r := &lineRules{mode: lineMode(p.ReadMode), limit: limit, trim: p.Trim, discard: p.DiscardRest, lf: "#012"}
	if p.StartRegex != "" && p.EndRegex != "" || p.ReadMode != 0 && p.StartRegex+p.EndRegex != "" {
		return nil, errors.New("readMode, startmsg.regex and endmsg.regex exclude each other")
	}
	var err error
	if p.StartRegex != "" {
		if r.start, err = message.CompileERE(p.StartRegex); err != nil {
			return nil, fmt.Errorf("startmsg.regex: %w", err)
		}
		r.mode, r.lf = byStart, `\n`
	}
	if p.EndRegex != "" {
		if r.end, err = message.CompileERE(p.EndRegex); err != nil {
			return nil, fmt.Errorf("endmsg.regex: %w", err)
		}
		r.mode, r.lf = byEnd, `\n`
	}
	switch {
	case !p.EscapeLF:
		r.lf = "\n"
	case p.Replacement.Given:
		r.lf = p.Replacement.Value
	}
	if r.mode != eachLine && r.mode != indented {
		r.trim = 0 // as rsyslog: it belongs to readMode 0 and 2
	}
	if r.mode == indented && r.trim > 0 && r.trim < r.limit {
		r.limit, r.discard = r.trim, true
	}
	return r, nil
}

// assembler makes messages of the bytes of one file. It keeps no more than one
// line and one message, each cut at the limit.
type assembler struct {
	*lineRules
	// emit takes a message that began at the offset at; reading may resume at next.
	emit func(at, next int64, text []byte)
	// tooLong is told of a message that is longer than the limit, once each.
	tooLong func(text []byte)

	line   []byte // the start of the line that has not ended yet
	lineAt int64  // its offset
	inLine bool   // a part of the line has been used already: the line is longer than the limit
	text   []byte // the message that has not ended yet
	textAt int64
	open   bool // there is one
	full   bool // what is added to it is dropped
	told   bool // that it is too long
}

// write takes bytes of the file, which begin at the offset at.
func (a *assembler) write(at int64, b []byte) {
	for i := 0; i < len(b); {
		n, ended := lineLen(b[i:])
		if len(a.line) == 0 && !a.inLine {
			a.lineAt = at + int64(i)
		}
		piece := b[i : i+n]
		for len(a.line)+len(piece) > a.limit {
			room := a.limit - len(a.line)
			a.line = append(a.line, piece[:room]...)
			piece = piece[room:]
			a.use(a.line, at+int64(i+n-len(piece)), false)
			a.line, a.inLine = a.line[:0], true
		}
		a.line = append(a.line, piece...)
		i += n
		if !ended {
			break
		}
		i++
		a.use(a.line, at+int64(i), true)
		a.line, a.inLine = a.line[:0], false
		a.lineAt = at + int64(i)
	}
	if a.mode == indented && a.open && !a.inLine && len(a.line) > 0 && !isBlank(a.line[0]) {
		a.flush(a.lineAt) // the next message has begun
	}
	if len(a.line) == 0 {
		a.line = nil
	}
}

// lineLen is the length of the first line of b, and whether it ends there.
func lineLen(b []byte) (n int, ended bool) {
	for i, c := range b {
		if c == '\n' {
			return i, true
		}
	}
	return len(b), false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// use takes a line, or as much of one as the limit permits; next is the offset
// behind it, ended whether the line ends there.
func (a *assembler) use(line []byte, next int64, ended bool) {
	if a.mode == eachLine {
		a.useLine(line, next, ended)
		return
	}
	if !a.inLine {
		switch {
		case a.mode == paragraphs && ended && len(line) == 0:
			a.flush(next)
			return
		case a.mode == byStart && a.start.Match(line), a.mode == indented && (len(line) == 0 || !isBlank(line[0])):
			a.flush(a.lineAt)
		}
	}
	a.add(line, next)
	if a.mode == byEnd && ended && a.end.Match(line) {
		a.flush(next)
	}
}

// useLine is use where each line is a message.
func (a *assembler) useLine(line []byte, next int64, ended bool) {
	cut := a.trim > 0
	if a.inLine && (cut || a.discard) {
		return
	}
	if cut && len(line) > a.trim {
		line = line[:a.trim]
	} else if !ended && !cut && !a.inLine {
		a.tooLong(line)
	}
	if len(line) > 0 { // as rsyslog: empty lines are no messages
		a.emit(a.lineAt, next, line)
	}
	if !ended {
		a.lineAt = next
	}
}

// add adds a line to the message. What does not fit into it is dropped, or begins
// another.
func (a *assembler) add(line []byte, next int64) {
	switch {
	case !a.open:
		a.open, a.full, a.told, a.textAt = true, false, false, a.lineAt
		a.text = append(a.text[:0], line...)
		return
	case a.full:
		return
	}
	lf := a.lf
	if a.inLine {
		lf = ""
	}
	if len(a.text)+len(lf)+len(line) <= a.limit {
		a.text = append(append(a.text, lf...), line...)
		return
	}
	if a.trim == 0 && !a.told {
		a.told = true
		a.tooLong(a.text)
	}
	if a.discard {
		room := a.limit - len(a.text)
		a.text = append(a.text, (lf + string(line))[:room]...)
		a.full = true
		return
	}
	at := next - int64(len(line))
	if !a.inLine {
		at = a.lineAt
	}
	a.flush(at)
	a.open, a.textAt = true, at
	a.text = append(a.text[:0], line...)
}

// flush ends the message, if there is one.
func (a *assembler) flush(next int64) {
	if a.open && len(a.text) > 0 {
		a.emit(a.textAt, next, a.text)
	}
	a.open, a.full, a.text = false, false, nil
}

// finish makes a message of what is there: nothing will be added to it.
func (a *assembler) finish() {
	next := a.lineAt
	if len(a.line) > 0 {
		next += int64(len(a.line))
		a.use(a.line, next, true)
	}
	a.flush(next)
	a.line, a.inLine, a.lineAt = nil, false, next
}

// restart forgets everything and expects the bytes at the offset at next.
func (a *assembler) restart(at int64) {
	a.line, a.inLine, a.lineAt = nil, false, at
	a.text, a.open, a.full = nil, false, false
}
