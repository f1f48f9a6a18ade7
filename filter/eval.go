package filter

import (
	"sysrelay/conf"
	"sysrelay/message"
)

// condition is a compiled condition: a selector, or a closure.
type condition struct {
	pos      conf.Pos
	text     string // for the tracer
	selector *Selector
	holds    boolFunc
}

// boolFunc, like all compiled expressions, keeps nothing of e or m.
type boolFunc func(e *eval, m *message.Message) bool

// eval is what the evaluation of expressions works with.
type eval struct {
	buf []byte // values that are not part of a message's text
}

// holds evaluates a whole condition.
func (e *eval) holds(f boolFunc, m *message.Message) bool {
	e.buf = e.buf[:0]
	return f(e, m)
}
