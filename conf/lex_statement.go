package conf

import (
	"bytes"
	"strings"
)

// statement reads a token where statements stand. rsyslogd's lexer takes the
// longest match of a set of patterns; the order of the tests here gives the same
// result.
func (l *lexer) statement(s *source) (token, bool) {
	if s.atLineStart() {
		if t, ok := l.lineStart(s); ok {
			return t, true
		}
	}
	if l.skip(s) {
		return token{}, false
	}
	switch c := s.buf[s.at]; {
	case c == '#':
		s.skipLine()
		return token{}, false
	case c == '{' || c == '}' || c == '&':
		return s.take(tPunct, 1, string(c)), true
	case c == '$':
		return l.directive(s)
	case isWord(c):
		return l.word(s), true
	case c == '!':
		if n := s.line(); n > 1 && !bytes.ContainsAny(s.buf[s.at:s.at+n], " \t") {
			return s.take(tBSDBlock, n, string(s.buf[s.at:s.at+n])), true
		}
	case c == '+' || c == '-':
		if t, ok := s.anyHost(); ok {
			return t, true
		}
	}
	return l.legacyTarget(s)
}

// lineStart reads what is only known at the start of a line: selectors, property
// filters and BSD host blocks, with the blanks before them.
func (l *lexer) lineStart(s *source) (token, bool) {
	start := s.at
	s.at += s.span(func(c byte) bool { return c == ' ' || c == '\t' })
	if n := selectorLen(s.buf[s.at:]); n > 0 && n >= s.span(isTarget) {
		return s.take(tPRIFilter, n, string(s.buf[s.at:s.at+n])), true
	}
	if n := propFilterLen(s.buf[s.at:]); n > 0 {
		return s.take(tPropFilter, n, string(s.buf[s.at:s.at+n])), true
	}
	if n := s.line(); n > 1 && (s.buf[s.at] == '+' || s.buf[s.at] == '-') {
		host := s.buf[s.at+1 : s.at+n]
		if len(bytes.TrimFunc(host, func(r rune) bool { return r < 0x80 && (isAlnum(byte(r)) || strings.ContainsRune(".:-", r)) })) == 0 {
			return s.take(tBSDBlock, n, string(s.buf[s.at:s.at+n])), true
		}
	}
	s.at = start
	return token{}, false
}

// line counts the bytes up to the end of the line.
func (s *source) line() int { return s.span(func(c byte) bool { return c != '\n' }) }

// anyHost reads +* or -* alone on its line, which ends a BSD host block.
func (s *source) anyHost() (token, bool) {
	n := s.line()
	rest := s.buf[s.at+1 : s.at+n]
	if len(rest) == 0 || rest[0] != '*' {
		return token{}, false
	}
	if after := bytes.TrimLeft(rest[1:], " \t"); len(after) > 0 && after[0] != '#' {
		return token{}, false
	}
	return s.take(tBSDBlock, n, string(s.buf[s.at:s.at+2])), true
}

// selectorLen returns the length of the selector at the start of b, 0 if there
// is none. As in rsyslogd it has no blanks and does not begin with a number.
func selectorLen(b []byte) int {
	n := count(b, func(c byte) bool { return isAlpha(c) || c == '*' })
	if n == 0 {
		return 0
	}
	n += count(b[n:], func(c byte) bool { return c >= '0' && c <= '7' })
	if n == len(b) || b[n] != '.' && b[n] != ',' {
		return 0
	}
	rest := count(b[n+1:], func(c byte) bool {
		return isAlpha(c) || c >= '0' && c <= '7' || strings.IndexByte(",!=;.*", c) >= 0
	})
	if rest == 0 {
		return 0
	}
	return n + 1 + rest
}

// propFilterLen returns the length of the property filter at the start of b up
// to the end of its value, 0 if there is none.
func propFilterLen(b []byte) int {
	blank := func(c byte) bool { return c == ' ' || c == '\t' }
	if len(b) == 0 || b[0] != ':' {
		return 0
	}
	n := 1 + count(b[1:], blank)
	name := count(b[n:], func(c byte) bool { return isAlnum(c) || strings.IndexByte("$!./_-", c) >= 0 })
	n += name
	n += count(b[n:], blank)
	if name == 0 || n == len(b) || b[n] != ',' {
		return 0
	}
	n++
	n += count(b[n:], blank)
	if n < len(b) && b[n] == '!' {
		n++
	}
	op := count(b[n:], func(c byte) bool { return isAlpha(c) || c == '_' })
	n += op
	n += count(b[n:], blank)
	if op == 0 || n == len(b) || b[n] != ',' {
		return 0
	}
	n++
	n += count(b[n:], blank)
	if n == len(b) || b[n] != '"' {
		return 0
	}
	for n++; n < len(b) && b[n] != '"'; n++ {
		if b[n] == '\\' && n+1 < len(b) && b[n+1] == '"' {
			n++
		}
	}
	if n == len(b) {
		return 0
	}
	return n + 1
}

func count(b []byte, in func(byte) bool) int {
	n := 0
	for n < len(b) && in(b[n]) {
		n++
	}
	return n
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

// isTarget is what a user list or a bare word consists of.
func isTarget(c byte) bool { return isWord(c) || strings.IndexByte("-+,;", c) >= 0 }

// word reads a keyword, the beginning of an object, or the names of users.
func (l *lexer) word(s *source) token {
	n := s.span(isTarget)
	word := string(s.buf[s.at : s.at+n])
	low := strings.ToLower(word)
	if kind, n := s.objectStart(); n > 0 {
		l.mode = modeObject
		return s.take(tObject, n, kind)
	}
	if m, ok := statementWords[low]; ok {
		l.mode = m
		return s.take(tKeyword, n, low)
	}
	return s.take(tLegacyAction, n, word)
}

// objectStart returns the kind and the length of what begins an object here, up
// to the parenthesis.
func (s *source) objectStart() (kind string, n int) {
	n = s.span(isTarget)
	kind = strings.ToLower(string(s.buf[s.at : s.at+min(n, 32)]))
	if !objectKinds[kind] {
		return "", 0
	}
	n += count(s.buf[s.at+n:], func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' })
	if s.at+n == len(s.buf) || s.buf[s.at+n] != '(' {
		return "", 0
	}
	return kind, n + 1
}

// directive reads a line that begins with $word. Of $IncludeConfig it reads no
// more than the name, as rsyslogd does.
func (l *lexer) directive(s *source) (token, bool) {
	n := s.line()
	line := string(s.buf[s.at : s.at+n])
	if n < 2 || !isAlpha(line[1]) {
		return l.badLine(s, "unexpected $ where a statement is expected", "a variable can only be used in an expression"), true
	}
	word := strings.ToLower(line[1 : 1+count([]byte(line[1:]), isAlnum)])
	kind := tDirective
	switch word {
	case "ruleset":
		kind = tRuleset
	case "includeconfig":
		arg := strings.TrimLeft(line[len("$includeconfig"):], " \t")
		n = len(line) - len(arg) + count([]byte(arg), func(c byte) bool { return c != ' ' && c != '\t' })
		line = line[:n]
	}
	return s.take(kind, n, line), true
}

// legacyTarget reads an action of the old style, up to the end of its line.
func (l *lexer) legacyTarget(s *source) (token, bool) {
	n := s.line()
	line := s.buf[s.at : s.at+n]
	switch line[0] {
	case '*':
		return s.take(tLegacyAction, 1, "*"), true
	case '~', '|', '.', '-', '@', '^', '?', '>':
		if n > 1 || line[0] == '~' {
			return s.take(tLegacyAction, n, string(line)), true
		}
	case '/':
		if n > 1 {
			return s.take(tLegacyAction, n, string(line)), true
		}
	case ':':
		name := count(line[1:], isAlnum)
		if name > 0 && 1+name < n && line[1+name] == ':' {
			return s.take(tLegacyAction, n, string(line)), true
		}
		return l.badLine(s, "this is neither a property filter nor a module's action",
			`a property filter begins its line and reads :property, operation, "value"; a module's action reads :module:parameters`), true
	}
	return l.badLine(s, "unexpected "+printable(line[:1])+" where a statement is expected", ""), true
}

// badLine reports that the rest of the line is no statement. (rsyslogd drops one
// character and takes the words after it for the names of users.)
func (l *lexer) badLine(s *source, msg, suggest string) token {
	l.fail(Error{Pos: s.pos(s.at), Msg: msg, Suggest: suggest})
	at := s.at
	s.skipStatement()
	return token{kind: tBad, src: s, at: at, end: s.at}
}
