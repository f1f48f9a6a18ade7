package message

import "errors"

// JSONStyle is how JSON is spaced.
type JSONStyle uint8

const (
	// JSONSpaced is `{ "a": 1 }`, rsyslog's usual form.
	JSONSpaced JSONStyle = iota
	// JSONPlain is `{"a":1}`, as $!all-json-plain and compactJsonString give it.
	JSONPlain
)

// AppendJSON appends v as JSON.
func (v Value) AppendJSON(dst []byte, style JSONStyle) []byte { return dst }

// ErrJSON is the cause of every error about text that is not JSON.
var ErrJSON = errors.New("not JSON")

// ParseJSON reads the JSON value at the start of b and returns the number of
// bytes it took.
func ParseJSON(b []byte) (v Value, n int, err error) { return v, 0, ErrJSON }
