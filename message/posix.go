package message

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CompileBRE compiles a POSIX basic regular expression with the GNU extensions
// \+ \? \| \w \W \s \S \b \B \< \>, as the property filter "regex" and
// regex.type="BRE" have them. Expressions match the longest of the leftmost
// matches and see UTF-8 characters. Unlike glibc's, they take linear time and
// therefore know no back-references; \< and \> are both \b; and where several
// ways of matching the same text remain, submatches may be chosen differently.
func CompileBRE(s string) (*regexp.Regexp, error) { return compilePOSIX(s, false, "") }

// CompileERE compiles a POSIX extended regular expression, as re_match and
// "ereregex" have them; see CompileBRE.
func CompileERE(s string) (*regexp.Regexp, error) { return compilePOSIX(s, true, "") }

// CompileEREFold is CompileERE without regard to case, for re_match_i and
// re_extract_i.
func CompileEREFold(s string) (*regexp.Regexp, error) { return compilePOSIX(s, true, "i") }

func compilePOSIX(s string, extended bool, flags string) (*regexp.Regexp, error) {
	t := posixTranslator{in: s, extended: extended, atom: -1, start: true}
	if err := t.translate(); err != nil {
		return nil, fmt.Errorf("regular expression %q, byte %d: %w", s, t.at, err)
	}
	// s: a dot matches a newline, too (no REG_NEWLINE).
	re, err := regexp.Compile("(?s" + flags + ")" + string(t.out))
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", s, err)
	}
	re.Longest()
	return re, nil
}

// posixTranslator rewrites POSIX syntax (IEEE 1003.1 §9) in Go's.
type posixTranslator struct {
	in       string
	at       int
	extended bool
	out      []byte
	atom     int   // where in out the last atom begins; -1 if there is none to repeat
	repeated bool  // that atom has a repetition already
	start    bool  // at the start of an alternative
	groups   []int // where in out the open groups begin
}

func (t *posixTranslator) translate() error {
	if !utf8.ValidString(t.in) {
		return errors.New("not valid UTF-8")
	}
	for t.at < len(t.in) {
		if err := t.token(); err != nil {
			return err
		}
	}
	if len(t.groups) > 0 {
		return errors.New("parenthesis not closed")
	}
	return nil
}

// token translates the next token. In basic expressions ( ) { } | + ? are
// operators with a backslash, in extended ones without.
func (t *posixTranslator) token() error {
	c := t.in[t.at]
	if c == '\\' {
		if t.at+1 == len(t.in) {
			return errors.New("backslash at the end")
		}
		if op := t.in[t.at+1]; !t.extended && strings.IndexByte("(){}|+?", op) >= 0 {
			return t.operator(op, 2)
		}
		return t.escape()
	}
	switch {
	case c == '[':
		return t.bracket()
	case c == '.':
		t.emit(".", 1)
	case c == '*':
		return t.operator(c, 1)
	case c == '^' && (t.extended || t.start):
		t.anchor("^", 1)
	case c == '$' && (t.extended || t.endOfAlternative()):
		t.anchor("$", 1)
	case t.extended && strings.IndexByte("(){|+?", c) >= 0:
		return t.operator(c, 1)
	default:
		t.literal()
	}
	return nil
}

func (t *posixTranslator) endOfAlternative() bool {
	rest := t.in[t.at+1:]
	return rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`)
}

// operator translates one that takes size bytes.
func (t *posixTranslator) operator(op byte, size int) error {
	switch op {
	case '(':
		t.groups = append(t.groups, len(t.out))
		t.out = append(t.out, '(')
		t.at, t.atom, t.start = t.at+size, -1, true
		return nil
	case ')':
		return t.closeGroup(size)
	case '|':
		t.out = append(t.out, '|')
		t.at, t.atom, t.start = t.at+size, -1, true
		return nil
	case '}':
		t.emit(`\}`, size) // as glibc: without \{ an ordinary character
		return nil
	case '{':
		return t.interval(size)
	}
	if t.atom < 0 && !t.extended {
		t.emit(regexp.QuoteMeta(string(op)), size) // basic: what has nothing to repeat is a character
		return nil
	}
	if err := t.repeat(string(op), string(op)); err != nil {
		return err
	}
	t.at += size
	return nil
}

func (t *posixTranslator) closeGroup(size int) error {
	n := len(t.groups)
	if n == 0 {
		if !t.extended {
			return errors.New(`\) without \(`)
		}
		t.emit(`\)`, size) // extended: as glibc, an ordinary character
		return nil
	}
	t.out = append(t.out, ')')
	t.at, t.atom, t.repeated, t.start = t.at+size, t.groups[n-1], false, false
	t.groups = t.groups[:n-1]
	return nil
}

// interval translates {m}, {m,}, {m,n} and GNU's {,n}.
func (t *posixTranslator) interval(size int) error {
	closing := "}"
	if !t.extended {
		closing = `\}`
	}
	body, _, ok := strings.Cut(t.in[t.at+size:], closing)
	if !ok {
		return errors.New("{ not closed")
	}
	low, high, ranged := strings.Cut(body, ",")
	m, n, err := intervalBounds(low, high, ranged)
	if err != nil {
		return err
	}
	switch op := "{" + body + "}"; {
	case !ranged:
		err = t.repeat(op, fmt.Sprintf("{%d}", m))
	case n < 0:
		err = t.repeat(op, fmt.Sprintf("{%d,}", m))
	default:
		err = t.repeat(op, fmt.Sprintf("{%d,%d}", m, n))
	}
	t.at += size + len(body) + len(closing)
	return err
}

// intervalBounds reads the numbers of an interval; n is -1 for "no limit".
func intervalBounds(low, high string, ranged bool) (m, n int, err error) {
	const most = 1000 // Go's limit; POSIX guarantees 255
	n = -1
	if low != "" || !ranged {
		if m, err = strconv.Atoi(low); err != nil || m < 0 {
			return 0, 0, errors.New("{} does not hold numbers")
		}
	}
	if high != "" {
		if n, err = strconv.Atoi(high); err != nil || n < m {
			return 0, 0, errors.New("{} does not hold two ascending numbers")
		}
	}
	if m > most || n > most {
		return 0, 0, fmt.Errorf("more than %d repetitions", most)
	}
	return m, n, nil
}

// repeat adds a repetition, written op, to the last atom. Go knows no repetition
// of a repetition, so that becomes a group first; in basic expressions glibc
// refuses some.
func (t *posixTranslator) repeat(op, goOp string) error {
	switch {
	case t.atom < 0:
		return fmt.Errorf("nothing before %s to repeat", op)
	case t.repeated && !t.extended && (op[0] == '*' || op[0] == '{'):
		return fmt.Errorf("%s repeats a repetition", op)
	case t.repeated:
		atom := string(t.out[t.atom:])
		t.out = append(t.out[:t.atom], "(?:"+atom+")"...)
	}
	t.out = append(t.out, goOp...)
	t.repeated = true
	return nil
}

// emit adds an atom that takes size bytes of the input.
func (t *posixTranslator) emit(atom string, size int) {
	t.atom, t.repeated, t.start = len(t.out), false, false
	t.out = append(t.out, atom...)
	t.at += size
}

// anchor adds an assertion that takes size bytes; it cannot be repeated.
func (t *posixTranslator) anchor(a string, size int) {
	t.out = append(t.out, a...)
	t.at += size
	t.atom, t.start = -1, false
}

func (t *posixTranslator) literal() {
	_, size := utf8.DecodeRuneInString(t.in[t.at:])
	t.emit(regexp.QuoteMeta(t.in[t.at:t.at+size]), size)
}

// escape translates a backslash and what follows: GNU's classes and assertions;
// every other character stands for itself.
func (t *posixTranslator) escape() error {
	switch c := t.in[t.at+1]; c {
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return fmt.Errorf("back-references (\\%c) are not supported", c)
	case 'w', 'W', 's', 'S':
		t.emit(`\`+string(c), 2)
	case 'b', 'B':
		t.anchor(`\`+string(c), 2)
	case '<', '>':
		t.anchor(`\b`, 2)
	case '`':
		t.anchor(`\A`, 2)
	case '\'':
		t.anchor(`\z`, 2)
	default:
		t.at++
		t.literal()
	}
	return nil
}
