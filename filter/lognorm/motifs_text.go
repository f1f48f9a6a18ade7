package lognorm

import (
	"bytes"
	"fmt"
	"strings"

	"sysrelay/message"
)

// quoted is text in double quotes, with the quotes.
func quoted(x *run, at int) (v message.Value, n int, ok bool) {
	t := x.t[at:]
	if len(t) < 2 || t[0] != '"' {
		return v, 0, false
	}
	end := bytes.IndexByte(t[1:], '"')
	if end < 0 {
		return v, 0, false
	}
	return message.StringValue(string(t[:end+2])), end + 2, true
}

// optionallyQuoted is text in double quotes, less the quotes, or a word.
func optionallyQuoted(x *run, at int) (v message.Value, n int, ok bool) {
	if t := x.t[at:]; len(t) == 0 || t[0] != '"' {
		return textOf(word)(x, at)
	}
	return unquoted(x, at)
}

// unquoted is text in double quotes, less the quotes.
func unquoted(x *run, at int) (v message.Value, n int, ok bool) {
	v, n, ok = quoted(x, at)
	if ok {
		v = message.StringValue(string(x.t[at+1 : at+n-1]))
	}
	return v, n, ok
}

// stringForm are the parameters of string.
type stringForm struct {
	mode        string // of quoting: none, required, auto
	escape      string // double, backslash, both, none
	begin, end  byte
	permitted   func(byte) bool // nil: anything
	lazy        bool
	dashIsEmpty bool
}

func stringMotif(s *spec) (matcher, int, error) {
	f := stringForm{mode: "auto", escape: "both", begin: '"', end: '"', lazy: param(s.params, "matching.mode") == "lazy",
		dashIsEmpty: param(s.params, "option.dashIsEmpty") == "true"}
	if v := param(s.params, "quoting.mode"); v != "" {
		f.mode = v
	}
	if v := param(s.params, "quoting.escape.mode"); v != "" {
		f.escape = v
	}
	for name, to := range map[string]*byte{"quoting.char.begin": &f.begin, "quoting.char.end": &f.end} {
		switch v := param(s.params, name); {
		case len(v) == 1:
			*to = v[0]
		case v != "":
			return nil, 0, fmt.Errorf("field %s: %s must be one character, not %q", s.name, name, v)
		}
	}
	if p, ok := s.params.Member("matching.permitted", false); ok {
		var err error
		if f.permitted, err = permitted(p); err != nil {
			return nil, 0, fmt.Errorf("field %s: %w", s.name, err)
		}
	}
	return f.match, 32, nil
}

// permitted reads matching.permitted: characters, or an array of classes and
// characters.
func permitted(p message.Value) (func(byte) bool, error) {
	var set [256]bool
	add := func(chars string, class string) error {
		for c := range 256 {
			b := byte(c)
			in := map[string]bool{"digit": isDigit(b), "hexdigit": hexDigit(b), "alpha": isAlpha(b), "alnum": isAlpha(b) || isDigit(b)}
			is, known := in[class]
			if class != "" && !known {
				return fmt.Errorf("matching.permitted: there is no class %q", class)
			}
			set[c] = set[c] || is || strings.IndexByte(chars, b) >= 0
		}
		return nil
	}
	if p.Kind() == message.KindString {
		return func(c byte) bool { return set[c] }, add(p.Str(), "")
	}
	for i := range p.Len() {
		_, e := p.At(i)
		if err := add(param(e, "chars"), param(e, "class")); err != nil {
			return nil, err
		}
	}
	return func(c byte) bool { return set[c] }, nil
}

func (f *stringForm) match(x *run, at int) (v message.Value, n int, ok bool) {
	t := x.t[at:]
	inQuotes := f.mode != "none" && len(t) > 0 && t[0] == f.begin
	if f.mode == "required" && !inQuotes {
		return v, 0, false
	}
	var out []byte
	if inQuotes {
		if out, n, ok = f.quoted(t); !ok {
			return v, 0, false
		}
	} else {
		n = span(t, func(c byte) bool { return f.permitted != nil && f.permitted(c) || f.permitted == nil && c != ' ' })
		out = t[:n]
		if n == 0 || !f.lazy && n < len(t) && t[n] != ' ' {
			return v, 0, false
		}
	}
	if f.dashIsEmpty && string(out) == "-" {
		out = nil
	}
	return message.StringValue(string(out)), n, true
}

// quoted reads text in quotes.
func (f *stringForm) quoted(t []byte) (out []byte, n int, ok bool) {
	double, backslash := f.escape == "double" || f.escape == "both", f.escape == "backslash" || f.escape == "both"
	for n = 1; n < len(t); n++ {
		switch c := t[n]; {
		case c == f.end && double && n+1 < len(t) && t[n+1] == f.end,
			c == '\\' && backslash && n+1 < len(t) && (t[n+1] == f.end || t[n+1] == '\\'):
			n++
		case c == f.end:
			return out, n + 1, true
		}
		if f.permitted != nil && !f.permitted(t[n]) {
			return nil, 0, false
		}
		out = append(out, t[n])
	}
	return nil, 0, false
}
