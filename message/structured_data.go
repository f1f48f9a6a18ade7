package message

import (
	"bytes"
	"fmt"
	"io"

	"github.com/influxdata/go-syslog/v3/rfc5424"
)

// conformsRFC5424 says whether raw, a whole message, is one RFC 5424 allows.
func conformsRFC5424(raw []byte) bool {
	if bytes.Count(raw, []byte{'\\'}) > fewEscapes {
		raw = withoutEscapes(raw)
	}
	_, err := parseRFC5424(raw)
	return err == nil
}

// fewEscapes are no burden to go-syslog, which moves the rest of a value for each
// one: the time they take grows with their square.
const fewEscapes = 64

// withoutEscapes returns a copy of raw that conforms if raw does, in which plain
// characters stand for what is escaped in the values of STRUCTURED-DATA.
func withoutEscapes(raw []byte) []byte {
	at := 0
	for range 6 { // spaces before STRUCTURED-DATA, RFC 5424 §6
		n := bytes.IndexByte(raw[at:], ' ')
		if n < 0 {
			return raw
		}
		at += n + 1
	}
	b := bytes.Clone(raw)
	for inside := false; at < len(b); at++ {
		switch c := b[at]; {
		case c == '"':
			inside = !inside
		case !inside && c == ']' && (at+1 == len(b) || b[at+1] != '['):
			return b
		case inside && c == '\\' && at+1 < len(b) && bytes.IndexByte([]byte(`"\]`), b[at+1]) >= 0:
			b[at], b[at+1] = 'x', 'x'
			at++
		}
	}
	return b
}

// parseRFC5424 is go-syslog's parser, which returns neither a message nor an
// error for some texts that end too early.
func parseRFC5424(raw []byte) (*rfc5424.SyslogMessage, error) {
	parsed, err := rfc5424.NewMachine().Parse(raw)
	if err != nil {
		return nil, err
	}
	m, ok := parsed.(*rfc5424.SyslogMessage)
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return m, nil
}

// SDElement is one element of STRUCTURED-DATA.
type SDElement struct {
	ID     string
	Params []SDParam
}

// SDParam is one parameter of an element; Value is not escaped any more.
type SDParam struct{ Name, Value string }

// ParseStructuredData returns the elements of STRUCTURED-DATA and their
// parameters in the order in which they stand there; none for "-" and for
// nothing. What RFC 5424 §6.3 does not allow is an error.
func ParseStructuredData(sd []byte) ([]SDElement, error) {
	if len(sd) == 0 || len(sd) == 1 && sd[0] == '-' {
		return nil, nil
	}
	known, err := structuredDataMap(sd)
	if err != nil {
		return nil, err
	}
	elements := make([]SDElement, 0, len(known))
	for len(sd) > 0 {
		var e SDElement
		e, sd = cutSDElement(sd)
		elements = append(elements, e)
	}
	return elements, nil
}

// structuredDataMap checks sd and returns its values by SD-ID and PARAM-NAME.
func structuredDataMap(sd []byte) (map[string]map[string]string, error) {
	const header = "<0>1 - - - - - "
	text := append(append(make([]byte, 0, len(header)+len(sd)), header...), sd...)
	m, err := parseRFC5424(text)
	if err != nil {
		return nil, fmt.Errorf("structured data %.100q: %w", sd, err)
	}
	if m.StructuredData == nil || sd[len(sd)-1] != ']' || m.Message != nil {
		return nil, fmt.Errorf("structured data %.100q: text follows the last element", sd)
	}
	return *m.StructuredData, nil
}

// cutSDElement splits sd, which is valid, behind its first element.
func cutSDElement(sd []byte) (e SDElement, rest []byte) {
	n := bytes.IndexAny(sd, " ]")
	e.ID, rest = string(sd[1:n]), sd[n:]
	for rest[0] == ' ' {
		var p SDParam
		eq := bytes.IndexByte(rest, '=')
		p.Name = string(rest[1:eq])
		p.Value, rest = cutSDValue(rest[eq+2:])
		e.Params = append(e.Params, p)
	}
	return e, rest[1:]
}

// cutSDValue splits b behind the quote that ends the value it begins with.
//
// RFC 5424 §6.3.3: a backslash escapes '"', '\' and ']'. go-syslog refuses it
// before anything else.
func cutSDValue(b []byte) (value string, rest []byte) {
	var plain []byte
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			return string(plain), b[i+1:]
		case '\\':
			i++
		}
		plain = append(plain, b[i])
	}
}
