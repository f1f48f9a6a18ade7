package filter

import (
	"bytes"
	"cmp"

	"sysrelay/message"
)

// kind is the type of a value. as rsyslog: RainerScript has numbers, strings and
// JSON; a JSON string is a string.
type kind uint8

const (
	textKind kind = iota
	numberKind
	jsonKind
)

// value is the result of an expression whose type is known only when it is
// evaluated. Its text is good until eval begins anew.
type value struct {
	kind kind
	num  int64
	text []byte
	json message.Value
}

func numberValue(n int64) value { return value{kind: numberKind, num: n} }
func textValue(t []byte) value  { return value{kind: textKind, text: t} }

// fromJSON makes a value of JSON. as rsyslog: null is the empty string.
func (e *eval) fromJSON(v message.Value) value {
	switch v.Kind() {
	case message.KindNull:
		return textValue(nil)
	case message.KindString:
		return textValue(e.keep(v.Str()))
	}
	return value{kind: jsonKind, json: v}
}

// number is v as a number, as far as it goes; ok tells whether all of v is one.
func (v *value) number() (n int64, ok bool) {
	switch v.kind {
	case numberKind:
		return v.num, true
	case jsonKind:
		return v.json.Int(), true
	}
	return parseNumber(v.text)
}

// string is v as text.
func (v *value) string(e *eval) []byte {
	switch v.kind {
	case numberKind:
		return e.number(v.num)
	case jsonKind:
		at := len(e.buf)
		e.buf = v.json.AppendCopied(e.buf) // as rsyslog, which copies what it reads
		return e.since(at)
	}
	return v.text
}

// variable is v as set stores it.
func (v *value) variable() message.Value {
	switch v.kind {
	case numberKind:
		return message.IntValue(v.num)
	case jsonKind:
		return v.json
	}
	return message.StringValue(string(v.text))
}

// parseNumber reads the decimal number at the start of b. as rsyslog: neither
// blanks nor '+' are accepted, the empty string is 0, and what is too large
// wraps around. ok tells whether all of b was the number.
func parseNumber(b []byte) (n int64, ok bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	i := 0
	for ; i < len(digits) && digits[i]-'0' <= 9; i++ {
		n = n*10 + int64(digits[i]-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, i == len(digits)
}

// equal tells whether l == r.
//
// as rsyslog: two strings are compared as such; so are JSON and a string. A
// number and a string that is one are compared by number.
func (e *eval) equal(l, r *value) bool {
	switch {
	case l.kind == textKind && r.kind == textKind:
		return bytes.Equal(l.text, r.text)
	case l.kind == jsonKind && r.kind == jsonKind:
		if l.json.Kind() == message.KindInt && r.json.Kind() == message.KindInt {
			return l.json.Int() == r.json.Int()
		}
		return bytes.Equal(l.string(e), r.string(e))
	case l.kind != textKind && r.kind != textKind:
		nl, _ := l.number()
		nr, _ := r.number()
		return nl == nr
	case l.kind != jsonKind && r.kind != jsonKind:
		return e.order(l, r) == 0
	}
	return bytes.Equal(l.string(e), r.string(e))
}

// order compares l and r for < <= > >=.
//
// as rsyslog: by number if both are numbers or strings that are, else as text.
func (e *eval) order(l, r *value) int {
	nl, okl := l.number()
	nr, okr := r.number()
	if okl && okr {
		return cmp.Compare(nl, nr)
	}
	return bytes.Compare(l.string(e), r.string(e))
}
