package conf

import (
	"fmt"
	"strings"
)

// Error is one thing wrong with a configuration, or one thing to note.
type Error struct {
	Pos
	Msg     string // what is wrong, lower case, no full stop
	Suggest string // what to write instead; may be empty
	Line    string // the line of the text, for the caret
	Syntax  bool   // this is not the language; rsyslogd reads no further and starts with what stands before it
	Fatal   bool   // nothing may start: the file cannot be read, or an include with abort-if-missing is missing

	Severity Severity // Warning and Note are no errors: the daemon starts all the same
	ID       string   // what kind of finding it is; "" is the severity's general one
	Why      string   // what it leads to; may be empty
}

// Error returns "file:line:col: message", the line, a caret and the suggestion,
// on up to four lines.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, e.Pos.Line, e.Col, e.Msg)
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	if e.Line != "" {
		fmt.Fprintf(&b, "\n    %s\n    %s^", e.Line, caretIndent(e.Line, e.Col))
	}
	if suggest := strings.TrimSpace(e.Suggest); suggest != "" {
		fmt.Fprintf(&b, "\n    %s", suggest)
	}
	return b.String()
}

// caretIndent is what stands before a caret under column col: tabs stay tabs.
func caretIndent(line string, col int) string {
	n := min(max(col-1, 0), len(line))
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, line[:n])
}
