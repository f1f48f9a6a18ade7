package message

import (
	"math"
	"strconv"
	"strings"
)

// JSONStyle is how JSON is spaced.
type JSONStyle uint8

const (
	// JSONSpaced is `{ "a": 1 }`, rsyslog's usual form.
	JSONSpaced JSONStyle = iota
	// JSONPlain is `{"a":1}`, as $!all-json-plain and compactJsonString give it.
	JSONPlain
	// JSONCopied is JSONSpaced with numbers as a copy has them, which has forgotten
	// how they were written.
	JSONCopied
)

// AppendJSON appends v as JSON, byte for byte as libfastjson prints it.
func (v Value) AppendJSON(dst []byte, style JSONStyle) []byte {
	switch v.kind {
	case KindNull:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, v.num != 0)
	case KindInt:
		return strconv.AppendInt(dst, v.num, 10)
	case KindFloat:
		if style == JSONCopied {
			v.str = ""
		}
		return v.appendFloat(dst)
	case KindString:
		return appendJSONString(dst, v.str)
	case KindObject:
		return v.appendMembers(dst, style, "{}")
	}
	return v.appendMembers(dst, style, "[]")
}

func (v Value) appendMembers(dst []byte, style JSONStyle, braces string) []byte {
	dst = append(dst, braces[0])
	for i, e := range v.kids.vals {
		if i > 0 {
			dst = append(dst, ',')
		}
		if style != JSONPlain {
			dst = append(dst, ' ')
		}
		if v.kind == KindObject {
			dst = appendJSONString(dst, v.kids.keys[i])
			dst = append(dst, ':')
			if style != JSONPlain {
				dst = append(dst, ' ')
			}
		}
		dst = e.AppendJSON(dst, style)
	}
	if style != JSONPlain {
		dst = append(dst, ' ')
	}
	return append(dst, braces[1])
}

// appendFloat appends the number as it was written, or as C's %.17g with ".0"
// after a whole number.
func (v Value) appendFloat(dst []byte) []byte {
	if v.str != "" {
		return append(dst, v.str...)
	}
	f := v.Float()
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', 17, 64)
	if f == math.Trunc(f) && !strings.Contains(string(dst[at:]), "e") {
		// libfastjson writes ".0" behind an exponent, too, which is no number.
		dst = append(dst, ".0"...)
	}
	return dst
}

// jsonEscapes holds for every byte the letter that follows the backslash, 'u'
// if it is written as \u00XX, or 0 if it stands for itself. libfastjson and
// rsyslog's own json format escape the same bytes; '/' is one of them.
var jsonEscapes = [256]byte{
	0: 'u', 1: 'u', 2: 'u', 3: 'u', 4: 'u', 5: 'u', 6: 'u', 7: 'u',
	'\b': 'b', '\t': 't', '\n': 'n', 0x0b: 'u', '\f': 'f', '\r': 'r', 0x0e: 'u', 0x0f: 'u',
	0x10: 'u', 0x11: 'u', 0x12: 'u', 0x13: 'u', 0x14: 'u', 0x15: 'u', 0x16: 'u', 0x17: 'u',
	0x18: 'u', 0x19: 'u', 0x1a: 'u', 0x1b: 'u', 0x1c: 'u', 0x1d: 'u', 0x1e: 'u', 0x1f: 'u',
	'"': '"', '/': '/', '\\': '\\',
}

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendJSONEscaped(dst, s, lowerHex)
	return append(dst, '"')
}

// appendJSONEscaped appends s as the inside of a JSON string. hex are the digits
// of \u00XX: libfastjson writes small letters, rsyslog's json format capitals.
func appendJSONEscaped[T string | []byte](dst []byte, s T, hex string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		e := jsonEscapes[s[i]]
		if e == 0 {
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, '\\', e)
		if e == 'u' {
			dst = append(dst, '0', '0', hex[s[i]>>4], hex[s[i]&15])
		}
		from = i + 1
	}
	return append(dst, s[from:]...)
}
