package filter

import (
	"slices"
	"strconv"

	"sysrelay/message"
)

// eval is what the evaluation of expressions works with: room for values that
// are not part of a message's text, and what is known about the message.
type eval struct {
	buf  []byte
	mark *mark // of the message
}

// begin prepares for the evaluation of a whole condition or value. What was
// evaluated before becomes invalid.
func (e *eval) begin(m *mark) {
	e.buf, e.mark = e.buf[:0], m
}

// minRoom is what a property value is offered at least.
const minRoom = 256

// property is the value of p: a part of the message's text, or kept in e.
func (e *eval) property(p message.Property, m *message.Message) []byte {
	e.reserve(minRoom)
	free := e.buf[len(e.buf):cap(e.buf)]
	v := p.Value(m, free[:0])
	switch {
	case len(v) == 0:
	case &v[0] == &free[0]:
		e.buf = e.buf[:len(e.buf)+len(v)]
	case len(v) > len(free):
		e.reserve(len(v)) // so that the next one of this size finds room
	}
	return v[:len(v):len(v)]
}

// reserve makes room for n more bytes. Values kept before stay where they are.
func (e *eval) reserve(n int) {
	e.buf = slices.Grow(e.buf, n)
}

// since returns what has been appended to e.buf since it was at bytes long.
func (e *eval) since(at int) []byte { return e.buf[at:len(e.buf):len(e.buf)] }

// keep copies s to where values live.
func (e *eval) keep(s string) []byte {
	at := len(e.buf)
	e.buf = append(e.buf, s...)
	return e.since(at)
}

// number is n as decimal text.
func (e *eval) number(n int64) []byte {
	at := len(e.buf)
	e.buf = strconv.AppendInt(e.buf, n, 10)
	return e.since(at)
}

// fail sets or clears what script_error() tells.
func (e *eval) fail(failed bool) {
	*e.mark &^= scriptError
	if failed {
		*e.mark |= scriptError
	}
}
