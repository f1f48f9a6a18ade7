package filter

import (
	"bytes"
	"encoding/base64"

	"sysrelay/conf"
	"sysrelay/message"
)

func strlen(a []expr) expr {
	t := a[0].asText()
	return numberExpr(func(e *eval, m *message.Message) int64 { return int64(len(t(e, m))) })
}

// mapped is a function that changes every byte.
func mapped(change func(byte) byte) func([]expr) expr {
	return func(a []expr) expr {
		t := a[0].asText()
		return textExpr(func(e *eval, m *message.Message) []byte {
			text := t(e, m)
			at := len(e.buf)
			for _, c := range text {
				e.buf = append(e.buf, change(c))
			}
			return e.since(at)
		})
	}
}

func unfold(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// trimmed is a function whose result is a part of its argument.
func trimmed(trim func([]byte) []byte) func([]expr) expr {
	return func(a []expr) expr {
		t := a[0].asText()
		return textExpr(func(e *eval, m *message.Message) []byte { return trim(t(e, m)) })
	}
}

func ltrim(t []byte) []byte { return bytes.TrimLeft(t, " ") }
func rtrim(t []byte) []byte { return bytes.TrimRight(t, " ") }

// substring(s, start, length). as rsyslog: start counts from 0, a negative one is
// 0; a negative length is that of s less so much.
func substring(a []expr) expr {
	t, from, count := a[0].asText(), a[1].asNumber(), a[2].asNumber()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text := t(e, m)
		start, n := max(from(e, m), 0), count(e, m)
		size := int64(len(text))
		if n < 0 {
			n += size
		}
		if start >= size || n <= 0 {
			return nil
		}
		return text[start : start+min(n, size-start)]
	})
}

// replace(s, old, new).
func replace(a []expr) expr {
	t, from, to := a[0].asText(), a[1].asText(), a[2].asText()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text, old, by := t(e, m), from(e, m), to(e, m)
		at := len(e.buf)
		e.buf = appendReplaced(e.buf, text, old, by)
		return e.since(at)
	})
}

func appendReplaced(dst, text, old, by []byte) []byte {
	if len(old) == 0 { // as rsyslog: the empty string is found before and behind every byte
		for _, c := range text {
			dst = append(append(dst, by...), c)
		}
		return append(dst, by...)
	}
	for {
		i := bytes.Index(text, old)
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(append(dst, text[:i]...), by...)
		text = text[i+len(old):]
	}
}

// wrap(s, wrapper[, escape]): escape replaces the wrapper within s.
func wrap(a []expr) expr {
	t, w := a[0].asText(), a[1].asText()
	escape := w
	if len(a) == 3 {
		escape = a[2].asText()
	}
	return textExpr(func(e *eval, m *message.Message) []byte {
		text, wrapper, esc := t(e, m), w(e, m), escape(e, m)
		at := len(e.buf)
		e.buf = append(e.buf, wrapper...)
		if len(a) == 3 {
			e.buf = appendReplaced(e.buf, text, wrapper, esc)
		} else {
			e.buf = append(e.buf, text...)
		}
		e.buf = append(e.buf, wrapper...)
		return e.since(at)
	})
}

const fieldNotFound = "***FIELD NOT FOUND***"

// field(s, delimiter, n): the delimiter is a string, or the code of a character.
func field(a []expr) expr {
	t, delimiter, number := a[0].asText(), a[1].asValue(), a[2].asNumber()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text, n := t(e, m), number(e, m)
		delim := delimiter(e, m)
		if delim.kind != textKind {
			code, _ := delim.number()
			e.buf = append(e.buf, byte(code))
			delim.text = e.since(len(e.buf) - 1)
		}
		if f, ok := nthField(text, delim.text, n); ok {
			return f
		}
		return e.keep(fieldNotFound)
	})
}

func nthField(text, delim []byte, n int64) ([]byte, bool) {
	if n < 1 {
		return nil, false
	}
	if len(delim) == 0 { // as rsyslog: all fields are empty
		return nil, true
	}
	for ; n > 1; n-- {
		i := bytes.Index(text, delim)
		if i < 0 {
			return nil, false
		}
		text = text[i+len(delim):]
	}
	if i := bytes.Index(text, delim); i >= 0 {
		text = text[:i]
	}
	return text, true
}

func cstr(a []expr) expr { return textExpr(a[0].asText()) }

// b64Decode is the empty string for what is not base64.
func b64Decode(a []expr) expr {
	t := a[0].asText()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text := t(e, m)
		at := len(e.buf)
		decoded, err := base64.StdEncoding.AppendDecode(e.buf, text)
		if err != nil {
			return nil
		}
		e.buf = decoded
		return e.since(at)
	})
}

// split(s, separator) is an array of what stands between the separators.
func split(_ *compiler, _ *conf.Func, a []expr) expr {
	t, sep := a[0].asText(), a[1].asText()
	return valueExpr(func(e *eval, m *message.Message) value {
		text, s := t(e, m), sep(e, m)
		list := message.NewArray()
		if len(s) == 0 {
			list.Append(message.StringValue(string(text)))
			return value{kind: jsonKind, json: list}
		}
		for part := range bytes.SplitSeq(text, s) {
			list.Append(message.StringValue(string(part)))
		}
		return value{kind: jsonKind, json: list}
	})
}
