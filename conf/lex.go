package conf

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// lexer splits the innermost of a stack of sources into tokens. An included file
// is pushed on the stack, so its text stands where the include stands.
type lexer struct {
	stack []*source
	mode  mode
	fail  func(e Error) // told of what is no token
	yaml  func(*source) // reads a source in the YAML form
}

// broken reports what is not the language.
func (l *lexer) broken(at Pos, msg, suggest string) {
	l.fail(Error{Pos: at, Msg: msg, Suggest: suggest, Syntax: true})
}

func (l *lexer) top() *source { return l.stack[len(l.stack)-1] }

// next returns the next token. At the end of an included file it goes on in the
// file that includes it.
func (l *lexer) next() token {
	for len(l.stack) > 0 {
		s := l.top()
		if s.at >= len(s.buf) {
			if len(l.stack) == 1 {
				return token{kind: tEOF, src: s, at: max(len(s.buf)-1, 0), end: len(s.buf)}
			}
			l.stack = l.stack[:len(l.stack)-1]
			continue
		}
		if s.yaml {
			s.at = len(s.buf)
			l.yaml(s)
			continue
		}
		var t token
		var ok bool
		switch l.mode {
		case modeStatement:
			t, ok = l.statement(s)
		case modeExpr, modeProcedure:
			t, ok = l.expr(s)
		case modeObject:
			t, ok = l.object(s)
		case modeCall:
			t, ok = l.call(s)
		}
		if ok {
			return t
		}
	}
	return token{kind: tEOF}
}

// take makes a token of the next n bytes and moves past it.
func (s *source) take(kind tokenKind, n int, text string) token {
	t := token{kind: kind, text: text, src: s, at: s.at, end: s.at + n}
	s.at += n
	return t
}

// skip drops blanks, and comments of the form /* */, at the current place. It
// says whether there was anything to drop.
func (l *lexer) skip(s *source) bool {
	switch c := s.buf[s.at]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
		s.at++
		return true
	case bytes.HasPrefix(s.buf[s.at:], []byte("/*")):
		n := bytes.Index(s.buf[s.at+2:], []byte("*/"))
		if n < 0 {
			l.fail(Error{Pos: s.pos(s.at), Msg: "comment is never closed", Suggest: `end it with "*/"`})
			s.at = len(s.buf)
			return true
		}
		s.at += n + 4
		return true
	}
	return false
}

// skipLine drops the rest of the line, but not its newline.
func (s *source) skipLine() {
	if n := bytes.IndexByte(s.buf[s.at:], '\n'); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.buf)
	}
}

// invalid reports the byte at the current place, which cannot begin a token, and
// passes it and its like.
func (l *lexer) invalid(s *source, where, suggest string) {
	c := s.buf[s.at]
	l.broken(s.pos(s.at), "unexpected "+printable(s.buf[s.at:s.at+1])+" "+where, suggest)
	s.at += s.span(func(d byte) bool { return d == c })
}

// printable quotes text of the configuration for an error.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return strconv.QuoteToASCII(string(b))
		}
	}
	if bytes.IndexByte(b, '"') >= 0 {
		return "'" + string(b) + "'"
	}
	return `"` + string(b) + `"`
}

// object reads a token inside the parentheses of an object.
func (l *lexer) object(s *source) (token, bool) {
	if l.skip(s) {
		return token{}, false
	}
	switch c := s.buf[s.at]; {
	case c == ')':
		l.mode = modeStatement
		return s.take(tEndObject, 1, ")"), true
	case c == ',' || c == '[' || c == ']' || c == '=':
		return s.take(tPunct, 1, string(c)), true
	case c == '#':
		s.skipLine()
	case isAlpha(c):
		if kind, n := s.objectStart(); n > 0 {
			return s.take(tObject, n, kind), true // the one before it was not closed
		}
		n := s.span(func(c byte) bool { return isAlnum(c) || c == '_' || c == '.' })
		return s.take(tName, n, string(s.buf[s.at:s.at+n])), true
	case c == '"' || c == '`':
		return l.quoted(s, c, false)
	case c == '\'':
		l.broken(s.pos(s.at), "parameters are not written in single quotes", `write "value"`)
		return l.quoted(s, c, false)
	case c >= '0' && c <= '9':
		n := s.span(func(c byte) bool { return isAlnum(c) || c == '.' })
		word := string(s.buf[s.at : s.at+n])
		l.broken(s.pos(s.at), "parameters are written in double quotes", `write "`+word+`"`)
		return s.take(tString, n, word), true
	default:
		l.invalid(s, "in an object", "")
	}
	return token{}, false
}

// expr reads a token of an expression.
func (l *lexer) expr(s *source) (token, bool) {
	if l.skip(s) {
		return token{}, false
	}
	if s.atLineStart() {
		// No line of an expression looks like a selector: the expression was not ended.
		if n := selectorLen(s.buf[s.at:]); n > 0 {
			return s.take(tPRIFilter, n, string(s.buf[s.at:s.at+n])), true
		}
	}
	c := s.buf[s.at]
	switch {
	case isAlpha(c):
		return l.exprWord(s), true
	case c >= '0' && c <= '9':
		return l.number(s), true
	case c == '$':
		return s.variable(), true
	case c == '"' || c == '\'' || c == '`':
		return l.quoted(s, c, true)
	case c == '#':
		l.broken(s.pos(s.at), "no # comment inside an expression", "put the comment between /* and */")
		s.skipLine()
		return token{}, false
	}
	for _, op := range [...]string{"==", "<=", ">=", "!=", "<>"} {
		if bytes.HasPrefix(s.buf[s.at:], []byte(op)) {
			t := s.take(tPunct, 2, op)
			if op == "<>" {
				t.text = "!="
			}
			return t, true
		}
	}
	if c == '{' || c == '}' { // the expression was not ended
		l.mode = modeStatement
		return s.take(tPunct, 1, string(c)), true
	}
	if strings.IndexByte("=,*/%+&-[]()<>;", c) < 0 {
		l.invalid(s, "in an expression", "")
		return token{}, false
	}
	if c == ';' || c == ')' && l.mode == modeProcedure {
		l.mode = modeStatement
	}
	return s.take(tPunct, 1, string(c)), true
}

func (l *lexer) exprWord(s *source) token {
	n := s.span(func(c byte) bool { return isAlnum(c) || c == '_' })
	word := strings.ToLower(string(s.buf[s.at : s.at+n]))
	switch {
	case word == "then" || word == "do":
		l.mode = modeStatement
		return s.take(tKeyword, n, word)
	case word == "in":
		return s.take(tKeyword, n, word)
	case exprWords[word]:
		return s.take(tPunct, n, word)
	}
	return s.take(tFunc, n, word)
}

// number reads 0x1f, 017 or 15. As with strtoll, what is too large is the
// largest number there is.
func (l *lexer) number(s *source) token {
	n := s.span(isAlnum)
	word := string(s.buf[s.at : s.at+n])
	v, err := strconv.ParseInt(word, 0, 64)
	if err != nil || strings.HasPrefix(strings.ToLower(word), "0b") || strings.HasPrefix(strings.ToLower(word), "0o") {
		if v != math.MaxInt64 {
			l.broken(s.pos(s.at), strconv.Quote(word)+" is not a number", "numbers are decimal, octal with a leading 0, or hexadecimal with 0x; text goes in quotes")
		}
	}
	t := s.take(tNumber, n, word)
	t.num = v
	return t
}

// variable reads $msg, $!a!b, $.x, $/y, $$now, with subscripts. A minus and a
// dot belong to the name, as in rsyslogd.
func (s *source) variable() token {
	n := 1
	at := func() byte {
		if s.at+n < len(s.buf) {
			return s.buf[s.at+n]
		}
		return 0
	}
	if c := at(); c == '$' || c == '!' || c == '.' || c == '/' {
		n++
	}
	for c := at(); isAlnum(c) || c != 0 && strings.IndexByte("!@-_.[]", c) >= 0; c = at() {
		n++
	}
	return s.take(tVar, n, string(s.buf[s.at+1:s.at+n]))
}

// call reads the name of a ruleset.
func (l *lexer) call(s *source) (token, bool) {
	if l.skip(s) {
		return token{}, false
	}
	if !isAlpha(s.buf[s.at]) {
		l.fail(Error{Pos: s.pos(s.at), Msg: "unexpected " + printable(s.buf[s.at:s.at+1]) + " after call", Suggest: "call is followed by the name of a ruleset, without quotes"})
		s.at++
		return token{}, false
	}
	n := s.span(func(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' })
	l.mode = modeStatement
	return s.take(tName, n, string(s.buf[s.at:s.at+n])), true
}

func (s *source) atLineStart() bool { return s.at == 0 || s.buf[s.at-1] == '\n' }

// span counts the bytes from here for which in holds.
func (s *source) span(in func(byte) bool) int {
	n := 0
	for s.at+n < len(s.buf) && in(s.buf[s.at+n]) {
		n++
	}
	return n
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlnum(c byte) bool { return isAlpha(c) || c >= '0' && c <= '9' }
