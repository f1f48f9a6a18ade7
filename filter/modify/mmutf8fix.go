package modify

import (
	"context"
	"fmt"
	"unicode/utf8"

	"sysrelay/message"
)

// MMUTF8FixParams are mmutf8fix's parameters.
type MMUTF8FixParams struct {
	Mode                string `conf:"mode,enum=utf-8|controlcharacters" default:"utf-8" doc:"utf-8: replace what is no UTF-8; controlcharacters: replace whatever is not printable US-ASCII." status:"full"`
	ReplacementChar     string `conf:"replacementchar" default:" " doc:"Character that replaces each bad byte." status:"full"`
	ReplacementSequence string `conf:"replacementsequence" doc:"Text that replaces each bad byte instead." status:"full"`
}

type utf8Fix struct {
	replacement string
	bad         func(t []byte) (good, bad int)
}

// NewMMUTF8Fix returns what makes MSG valid UTF-8, or US-ASCII.
func NewMMUTF8Fix(_ NoModule, p MMUTF8FixParams, _ Deps) (Modifier, error) {
	f := &utf8Fix{replacement: p.ReplacementSequence, bad: badUTF8}
	if p.Mode == "controlcharacters" {
		f.bad = badASCII
	}
	if f.replacement == "" {
		c, err := oneChar("replacementChar", p.ReplacementChar)
		if err != nil {
			return nil, err
		}
		f.replacement = string(rune(c))
		if c < ' ' || c > '~' {
			return nil, fmt.Errorf("replacementChar must be printable US-ASCII, not %q", p.ReplacementChar)
		}
	}
	if !utf8.ValidString(f.replacement) {
		return nil, fmt.Errorf("replacementSequence %q is no UTF-8 itself", p.ReplacementSequence)
	}
	return f, nil
}

// Modify replaces what is bad. rawmsg changes with MSG, as in rsyslog.
func (f *utf8Fix) Modify(_ context.Context, m *message.Message) error {
	msg := m.Msg.Of(m.Text)
	var fixed []byte
	for rest := msg; len(rest) > 0; {
		good, bad := f.bad(rest)
		if bad == 0 && fixed == nil {
			return nil // the usual case: nothing to do
		}
		fixed = append(fixed, rest[:good]...)
		for range bad {
			fixed = append(fixed, f.replacement...)
		}
		rest = rest[good+bad:]
	}
	if fixed != nil {
		m.ReplaceMsg(fixed)
	}
	return nil
}

// badASCII finds the next bytes that are not printable.
func badASCII(t []byte) (good, bad int) {
	for good < len(t) && ' ' <= t[good] && t[good] <= '~' {
		good++
	}
	for good+bad < len(t) && (t[good+bad] < ' ' || t[good+bad] > '~') {
		bad++
	}
	return good, bad
}

// badUTF8 finds the next sequence that is not valid.
//
// as rsyslog: of a sequence that breaks off the bytes up to where it does are
// bad, of one that stands for no character all.
func badUTF8(t []byte) (good, bad int) {
	for good < len(t) {
		if t[good] < utf8.RuneSelf {
			good++
			continue
		}
		if r, n := utf8.DecodeRune(t[good:]); r != utf8.RuneError || n == 3 {
			good += n
			continue
		}
		return good, sequence(t[good:])
	}
	return good, 0
}

// sequence is how much of t, which begins with no character, looks like one.
func sequence(t []byte) int {
	want := 1
	switch c := t[0]; {
	case 0xc2 <= c && c < 0xe0:
		want = 2
	case 0xe0 <= c && c < 0xf0:
		want = 3
	case 0xf0 <= c && c < 0xf8:
		want = 4
	}
	n := 1
	for n < want && n < len(t) && t[n]&0xc0 == 0x80 {
		n++
	}
	return n
}
