// Package modify has the message modifiers: what rsyslog's modules mmjsonparse,
// mmfields, mmanon and their like do to a message on its way through a ruleset.
//
// A modifier is made of its parameters, one file per module, and changes one
// message at a time where it is. It may be called from many goroutines, each with
// a message of its own. What a modifier remembers between messages is bounded.
//
// Outcomes are those of rsyslogd 8.2302, which wrote the golden files the engine's
// tests read; modules and parameters that it does not have follow their manuals.
//
// The package imports message and lognorm.
package modify

import (
	"context"
	"fmt"

	"sysrelay/message"
)

// Modifier changes a message. An error says that it cannot do so now; the message
// is then as it was.
type Modifier interface {
	Modify(ctx context.Context, m *message.Message) error
}

// Deps is what modifiers need of the rest of the relay.
type Deps struct {
	Env *message.Env
	// Log takes one line for people about what happened, with its severity.
	Log func(severity int, text string)
	// Sequences are the counters that all mmsequence actions share.
	Sequences *Sequences
}

// NoModule is the parameters of module() for a module that has none.
type NoModule struct{}

// Severities of own messages.
const (
	severityError   = 3
	severityWarning = 4
)

// container resolves the name of the variable a modifier stores its results in:
// "!" and "$!" are the root of the message's tree.
func container(env *message.Env, param, name string) (message.Path, error) {
	p, err := env.Path(name)
	if err != nil {
		return message.Path{}, fmt.Errorf("%s: %w", param, err)
	}
	return p, nil
}

// oneChar is the character of a parameter that must be one.
func oneChar(param, value string) (byte, error) {
	if len(value) != 1 {
		return 0, fmt.Errorf("%s must be one character, not %q", param, value)
	}
	return value[0], nil
}

// text is MSG or the whole raw message.
func text(m *message.Message, raw bool) []byte {
	if raw {
		return m.Raw.Of(m.Text)
	}
	return m.Msg.Of(m.Text)
}

// setParseSuccess sets the property parsesuccess.
func setParseSuccess(m *message.Message, ok bool) {
	m.Flags &^= message.ParseSuccess
	if ok {
		m.Flags |= message.ParseSuccess
	}
}

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
