package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// posixClasses are the names that [:name:] may have; Go knows the same.
const posixClasses = " alnum alpha blank cntrl digit graph lower print punct space upper xdigit "

// bracket translates a bracket expression (IEEE 1003.1 §9.3.5). A backslash is
// an ordinary character in it.
func (t *posixTranslator) bracket() error {
	b := bracketTranslator{in: t.in, at: t.at + 1}
	err := b.translate()
	if err != nil {
		t.at = b.at
		return err
	}
	t.emit(string(b.out), b.at-t.at)
	return nil
}

type bracketTranslator struct {
	in  string
	at  int
	out []byte
}

var errBracket = errors.New("[ not closed")

func (b *bracketTranslator) translate() error {
	b.out = append(b.out, '[')
	if strings.HasPrefix(b.in[b.at:], "^") {
		b.out = append(b.out, '^')
		b.at++
	}
	for first := true; ; first = false {
		if b.at >= len(b.in) {
			return errBracket
		}
		if b.in[b.at] == ']' && !first {
			b.out = append(b.out, ']')
			b.at++
			return nil
		}
		if err := b.element(); err != nil {
			return err
		}
	}
}

// element translates a class, a character or a range.
func (b *bracketTranslator) element() error {
	if strings.HasPrefix(b.in[b.at:], "[:") {
		return b.class()
	}
	low, err := b.char()
	if err != nil {
		return err
	}
	high := low
	if rest := b.in[b.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		b.at++
		if high, err = b.char(); err != nil {
			return err
		}
	}
	if high < low {
		return fmt.Errorf("range %c-%c ends before it begins", low, high)
	}
	b.out = fmt.Appendf(b.out, `\x{%x}-\x{%x}`, low, high)
	return nil
}

func (b *bracketTranslator) class() error {
	name, _, ok := strings.Cut(b.in[b.at+2:], ":]")
	if !ok {
		return errBracket
	}
	if strings.ContainsRune(name, ' ') || !strings.Contains(posixClasses, " "+name+" ") {
		return fmt.Errorf("no character class is named %q", name)
	}
	b.out = append(b.out, "[:"+name+":]"...)
	b.at += len(name) + 4
	return nil
}

// char reads a character, which may be written [.x.] or [=x=].
func (b *bracketTranslator) char() (rune, error) {
	rest := b.in[b.at:]
	if rest == "" {
		return 0, errBracket
	}
	for _, quote := range []string{".", "="} {
		if !strings.HasPrefix(rest, "["+quote) {
			continue
		}
		name, _, ok := strings.Cut(rest[2:], quote+"]")
		r, size := utf8.DecodeRuneInString(name)
		if !ok || size == 0 || size != len(name) {
			return 0, fmt.Errorf("[%s…%s] must hold one character", quote, quote)
		}
		b.at += size + 4
		return r, nil
	}
	r, size := utf8.DecodeRuneInString(rest)
	b.at += size
	return r, nil
}
