package message

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrJSON is the cause of every error about text that is not JSON.
var ErrJSON = errors.New("not JSON")

// ParseJSON reads the JSON value at the start of b. n is the number of bytes it
// took, with the blanks and comments behind it: n < len(b) means that something
// else follows.
//
// As libfastjson: comments, single quotes, a comma before a closing bracket and
// names of constants in any case are accepted; whole numbers are cut to 64 bits;
// other numbers keep the form they were written in; a string ends at a NUL; a
// plain value must be followed by something, be it a blank. Of members whose
// names are equal (see VarsCaseSensitive) the first gives place and name, the
// last the value.
func (e *Env) ParseJSON(b []byte) (v Value, n int, err error) {
	p := jsonParser{b: b, caseSensitive: e.VarsCaseSensitive}
	if v, err = p.document(); err != nil {
		return Value{}, p.at, fmt.Errorf("%w: %v at byte %d", ErrJSON, err, p.at)
	}
	return v, p.at, nil
}

var (
	errJSONEnd   = errors.New("unexpected end")
	errJSONChar  = errors.New("unexpected character")
	errJSONDepth = fmt.Errorf("nested deeper than %d levels", maxJSONDepth)
)

type jsonParser struct {
	b             []byte
	at            int
	caseSensitive bool
}

func (p *jsonParser) document() (Value, error) {
	v, err := p.value(1)
	if err != nil {
		return Value{}, err
	}
	if p.at == len(p.b) && v.kids == nil && v.kind != KindString {
		return Value{}, errJSONEnd
	}
	if err := p.blanks(); err != nil && err != errJSONEnd {
		return Value{}, err
	}
	return v, nil
}

// next skips blanks and comments and returns the byte that follows.
func (p *jsonParser) next() (byte, error) {
	if err := p.blanks(); err != nil {
		return 0, err
	}
	if p.at == len(p.b) {
		return 0, errJSONEnd
	}
	return p.b[p.at], nil
}

func (p *jsonParser) blanks() error {
	for p.at < len(p.b) {
		switch c := p.b[p.at]; {
		case c == ' ' || '\t' <= c && c <= '\r':
			p.at++
		case c == '/':
			if err := p.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (p *jsonParser) comment() error {
	rest := p.b[p.at:]
	open, end := 2, ""
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		end = "\n"
	case bytes.HasPrefix(rest, []byte("/*")):
		end = "*/"
	default:
		return errJSONChar
	}
	n := bytes.Index(rest[open:], []byte(end))
	if n < 0 {
		p.at = len(p.b)
		return errors.New("comment without an end")
	}
	p.at += open + n + len(end)
	return nil
}

// value reads a value; depth counts the levels that are open, this one included.
func (p *jsonParser) value(depth int) (Value, error) {
	c, err := p.next()
	if err != nil {
		return Value{}, err
	}
	if depth > maxJSONDepth {
		return Value{}, errJSONDepth
	}
	switch {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"' || c == '\'':
		s, err := p.str(c)
		return StringValue(s), err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	return p.constant()
}

func (p *jsonParser) array(depth int) (Value, error) {
	v := NewArray()
	p.at++
	for {
		c, err := p.next()
		if err != nil {
			return v, err
		}
		if c == ']' {
			p.at++
			return v, nil
		}
		elem, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.Append(elem)
		if err := p.separator(']'); err != nil {
			return v, err
		}
	}
}

func (p *jsonParser) object(depth int) (Value, error) {
	o := NewObjectBuilder(p.caseSensitive)
	p.at++
	for {
		c, err := p.next()
		if err != nil {
			return o.Object, err
		}
		if c == '}' {
			p.at++
			return o.Object, nil
		}
		name, elem, err := p.member(c, depth)
		if err != nil {
			return o.Object, err
		}
		o.Set(name, elem)
		if err := p.separator('}'); err != nil {
			return o.Object, err
		}
	}
}

func (p *jsonParser) member(quote byte, depth int) (name string, elem Value, err error) {
	if quote != '"' && quote != '\'' {
		return "", Value{}, errors.New("name in quotes expected")
	}
	if name, err = p.str(quote); err != nil {
		return "", Value{}, err
	}
	c, err := p.next()
	if err != nil {
		return "", Value{}, err
	}
	if c != ':' {
		return "", Value{}, errors.New("':' expected")
	}
	p.at++
	elem, err = p.value(depth + 1)
	return name, elem, err
}

// separator takes the comma behind a member or element; the closing bracket is
// left to the caller.
func (p *jsonParser) separator(closing byte) error {
	c, err := p.next()
	switch {
	case err != nil:
		return err
	case c == ',':
		p.at++
	case c != closing:
		return fmt.Errorf("',' or '%c' expected", closing)
	}
	return nil
}

func (p *jsonParser) number() (Value, error) {
	from, float, exponent := p.at, false, -1
scan:
	for ; p.at < len(p.b); p.at++ {
		switch c := p.b[p.at]; {
		case '0' <= c && c <= '9' || c == '+':
		case c == '.':
			if float {
				return Value{}, errors.New("malformed number")
			}
			float = true
		case c == 'e' || c == 'E':
			if exponent >= 0 {
				return Value{}, errors.New("malformed number")
			}
			float, exponent = true, p.at
		case c == '-':
			if p.at != from && p.at != exponent+1 || exponent < 0 && p.at != from {
				return Value{}, errors.New("malformed number")
			}
		default:
			break scan
		}
	}
	text := string(p.b[from:p.at])
	if text == "-" && p.at < len(p.b) && p.b[p.at]|0x20 == 'i' {
		v, err := p.constant()
		v.num = int64(math.Float64bits(math.Inf(-1)))
		return v, err
	}
	if float {
		v := FloatValue(leadingFloat(text))
		v.str = text
		return v, nil
	}
	return leadingInt(text)
}

// leadingInt reads a whole number as strtoll does: up to the first byte that is
// no digit, cut to 64 bits.
func leadingInt(text string) (Value, error) {
	end := 1
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return Value{}, errors.New("malformed number")
	}
	return IntValue(n), nil // ParseInt gives the nearest number when it is out of range
}

// leadingFloat is the value of the longest start of text that is a number.
func leadingFloat(text string) float64 {
	for end := len(text); end > 0; end-- {
		f, err := strconv.ParseFloat(text[:end], 64)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			return f
		}
	}
	return 0
}

func (p *jsonParser) constant() (Value, error) {
	for _, c := range []struct {
		name  string
		value Value
	}{
		{"null", Value{}}, {"true", BoolValue(true)}, {"false", BoolValue(false)},
		{"nan", FloatValue(math.NaN())}, {"infinity", FloatValue(math.Inf(1))},
	} {
		end := p.at + len(c.name)
		if end <= len(p.b) && equalFoldASCII(string(p.b[p.at:end]), c.name) {
			p.at = end
			return c.value, nil
		}
	}
	return Value{}, errJSONChar
}

// str reads a string up to its closing quote.
func (p *jsonParser) str(quote byte) (string, error) {
	p.at++
	from := p.at
	for ; p.at < len(p.b); p.at++ {
		switch p.b[p.at] {
		case quote:
			s := string(p.b[from:p.at])
			p.at++
			return s, nil
		case '\\':
			return p.escapedStr(quote, from)
		case 0:
			return "", errJSONEnd
		}
	}
	return "", errJSONEnd
}

// escapedStr goes on with a string from its first backslash.
func (p *jsonParser) escapedStr(quote byte, from int) (string, error) {
	s := append([]byte(nil), p.b[from:p.at]...)
	var err error
	for p.at < len(p.b) {
		switch c := p.b[p.at]; c {
		case quote:
			p.at++
			text, _, _ := strings.Cut(string(s), "\x00")
			return text, nil
		case 0:
			return "", errJSONEnd
		case '\\':
			if s, err = p.escape(s); err != nil {
				return "", err
			}
		default:
			s = append(s, c)
			p.at++
		}
	}
	return "", errJSONEnd
}

const jsonEscapeLetters, jsonEscapeBytes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

// escape reads one backslash sequence.
func (p *jsonParser) escape(dst []byte) ([]byte, error) {
	p.at++
	if p.at == len(p.b) {
		return dst, errJSONEnd
	}
	c := p.b[p.at]
	if i := strings.IndexByte(jsonEscapeLetters, c); i >= 0 {
		p.at++
		return append(dst, jsonEscapeBytes[i]), nil
	}
	if c != 'u' {
		return dst, errors.New("unknown escape sequence")
	}
	r, err := p.unicode()
	if err != nil {
		return dst, err
	}
	if 0xd800 <= r && r < 0xdc00 && p.at+1 < len(p.b) && p.b[p.at] == '\\' && p.b[p.at+1] == 'u' {
		p.at++
		low, err := p.unicode()
		if err != nil {
			return dst, err
		}
		if 0xdc00 <= low && low < 0xe000 {
			return utf8.AppendRune(dst, (r-0xd800)<<10+(low-0xdc00)+0x10000), nil
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
		r = low
	}
	// AppendRune writes U+FFFD for half a surrogate pair.
	return utf8.AppendRune(dst, r), nil
}

// unicode reads "u" and four hexadecimal digits.
func (p *jsonParser) unicode() (rune, error) {
	if p.at+5 > len(p.b) {
		p.at = len(p.b)
		return 0, errJSONEnd
	}
	n, err := strconv.ParseUint(string(p.b[p.at+1:p.at+5]), 16, 16)
	if err != nil {
		return 0, errors.New(`\u needs four hexadecimal digits`)
	}
	p.at += 5
	return rune(n), nil
}
