package conf

import (
	"os"
	"strconv"
	"strings"
)

// quoted reads a string in the quotes given; inExpr says that it stands in an
// expression, where a $ in double quotes has to be escaped.
func (l *lexer) quoted(s *source, quote byte, inExpr bool) (token, bool) {
	start := s.at
	var b strings.Builder
	at := start + 1
	for {
		if at >= len(s.buf) {
			l.broken(s.pos(start), "string is never closed", "end it with "+string(quote))
			// Take it to end with its line: what follows can then still be read.
			s.skipLine()
			return token{kind: tString, text: string(s.buf[start+1 : s.at]), src: s, at: start, end: s.at}, true
		}
		c := s.buf[at]
		if c == quote {
			break
		}
		switch {
		case c == '\\':
			n, ok := unescape(&b, s.buf[at:])
			if !ok {
				l.broken(s.pos(at), "unknown escape sequence "+printable(s.buf[at:min(at+2, len(s.buf))]), `known are \\ \" \' \$ \a \b \f \n \r \t \v, \xHH and \ooo`)
			}
			at += n
			continue
		case c == '$' && quote == '"' && inExpr:
			l.broken(s.pos(at), "a $ in double quotes has to be escaped in an expression", `write \$, or use single quotes`)
		}
		b.WriteByte(c)
		at++
	}
	t := s.take(tString, at+1-start, b.String())
	if quote == '`' {
		t.text = l.backticks(t)
	}
	return t, true
}

// unescape writes what the escape sequence at the start of b stands for and
// returns its length.
func unescape(w *strings.Builder, b []byte) (n int, ok bool) {
	if len(b) < 2 {
		w.WriteByte('\\')
		return 1, false
	}
	switch c := b[1]; c {
	case '\\', '"', '\'', '?', '$', '`':
		w.WriteByte(c)
	case 'a':
		w.WriteByte('\a')
	case 'b':
		w.WriteByte('\b')
	case 'f':
		w.WriteByte('\f')
	case 'n':
		w.WriteByte('\n')
	case 'r':
		w.WriteByte('\r')
	case 't':
		w.WriteByte('\t')
	case 'v':
		w.WriteByte('\v')
	case 'x':
		v, err := strconv.ParseUint(string(b[2:min(4, len(b))]), 16, 8)
		if err != nil || len(b) < 4 {
			w.WriteByte('\\')
			return 1, false
		}
		w.WriteByte(byte(v))
		return 4, true
	default:
		d := count(b[1:min(4, len(b))], func(c byte) bool { return c >= '0' && c <= '7' })
		v, err := strconv.ParseUint(string(b[1:1+d]), 8, 8)
		if err != nil {
			w.WriteByte('\\')
			return 1, false
		}
		w.WriteByte(byte(v))
		return 1 + d, true
	}
	return 2, true
}

// backticks expands `echo $VAR` and `cat FILE`; there is no shell.
func (l *lexer) backticks(t token) string {
	if arg, ok := strings.CutPrefix(t.text, "echo "); ok {
		return expandEnv(arg)
	}
	file, ok := strings.CutPrefix(t.text, "cat ")
	if !ok {
		l.fail(Error{Pos: t.pos(), Msg: "backticks know only echo and cat; this is read as an empty string", Suggest: "write `echo $VARIABLE` or `cat FILE`"})
		return ""
	}
	text, err := readBounded(file, maxCat)
	if err != nil {
		l.fail(Error{Pos: t.pos(), Msg: "cannot read " + reason(err) + "; this is read as an empty string"})
		return ""
	}
	return string(text)
}

// maxCat bounds the file of `cat FILE`.
const maxCat = 1 << 20

// expandEnv replaces $NAME. A name ends at a blank or a slash, and what is not
// set is empty, as in rsyslogd; ${NAME} is known as well.
func expandEnv(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if inner, ok := strings.CutPrefix(after, "{"); ok {
			if name, rest, closed := strings.Cut(inner, "}"); closed {
				b.WriteString(os.Getenv(name))
				s = rest
				continue
			}
		}
		n := strings.IndexAny(after, " \t\n\r\v\f/")
		if n < 0 {
			n = len(after)
		}
		b.WriteString(os.Getenv(after[:n]))
		s = after[n:]
	}
}
