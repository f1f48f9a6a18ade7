package conf

import (
	"bytes"
	"sort"
)

// source is a file or text while it is read. As in rsyslogd, lines are prepared
// before the language is looked at: blanks at the end of a line are dropped, and
// a line that ends in a backslash continues with the next one, whose leading
// blanks are dropped. That holds everywhere, also in comments and strings.
type source struct {
	*Source
	buf    []byte // the prepared text
	at     int    // where the lexer is
	marks  []mark
	parent *source // that includes it
	text   bool    // it is that of include(text=)
	depth  int     // how many do
	yaml   bool    // in the YAML form: nothing for the lexer
	flat   bool    // all of it stands at the first mark
}

// mark says where a run of buf comes from.
type mark struct{ at, line, col int }

func newSource(s *Source) *source {
	src := &source{Source: s, buf: make([]byte, 0, len(s.Text)+1)}
	rest, line, continued := s.Text, 1, false
	for len(rest) > 0 {
		var ln []byte
		ln, rest, _ = bytes.Cut(rest, []byte{'\n'})
		start := 0
		if continued {
			start = len(ln) - len(bytes.TrimLeft(ln, blanks))
		}
		ln = bytes.TrimRight(ln[start:], blanks)
		continued = bytes.HasSuffix(ln, []byte{'\\'})
		if continued {
			ln = ln[:len(ln)-1]
		}
		src.marks = append(src.marks, mark{len(src.buf), line, start + 1})
		src.buf = append(src.buf, ln...)
		if !continued {
			src.buf = append(src.buf, '\n')
		}
		line++
	}
	if continued {
		src.buf = append(src.buf, '\n')
	}
	s.prepared = src.buf
	return src
}

// blanks are what C's isspace knows, without the newline.
const blanks = " \t\r\v\f"

// pos returns the place in the file of offset at of the prepared text.
func (s *source) pos(at int) Pos {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].at > at }) - 1
	if i < 0 {
		return Pos{s.Name, 1, 1}
	}
	m := s.marks[i]
	if s.flat {
		at = m.at
	}
	return Pos{s.Name, m.line, m.col + at - m.at}
}

// lineText returns line n of the file, shortened if it is very long.
func (s *Source) lineText(n int) string {
	rest := s.Text
	for ; n > 1 && len(rest) > 0; n-- {
		_, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
	ln, _, _ := bytes.Cut(rest, []byte{'\n'})
	ln = bytes.TrimRight(ln, blanks)
	if len(ln) > maxQuoted {
		ln = ln[:maxQuoted]
	}
	return string(ln)
}

// maxQuoted bounds the line quoted in an error.
const maxQuoted = 1000

// skipBraces moves to the end of the line that closes the open braces and those
// opened from here to the end of the line. Where they are not closed, or not within
// reason, it does not move and says so.
func (s *source) skipBraces(open int) bool {
	closed := false
	for at := s.at; at < min(len(s.buf), s.at+maxSkipped); at++ {
		switch c := s.buf[at]; c {
		case '{':
			open++
		case '}':
			open--
			closed = true
		case '"', '\'', '`':
			at += count(s.buf[at+1:], func(d byte) bool { return d != c && d != '\n' })
		case '#':
			at += count(s.buf[at:], func(d byte) bool { return d != '\n' }) - 1
		case '\n':
			if open > 0 {
				continue
			}
			if closed {
				s.at = at
			}
			return true
		}
	}
	return false
}

// maxSkipped bounds the statement that is passed over.
const maxSkipped = 1 << 20

// skipStatement drops the rest of a statement that cannot be read: its line, and
// the blocks that begin on it, which must not be taken for statements of their own.
func (s *source) skipStatement() {
	s.skipBraces(0)
	s.skipLine()
}
