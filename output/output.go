// Package output delivers messages: action.go is what every action has (queue,
// template, retry, suspension, failover, accounting); each output module has a
// file of its own and knows nothing of these.
//
// The package imports conf, message and queue.
package output

import (
	"context"
	"errors"
	"net"

	"sysrelay/conf"
	"sysrelay/message"
)

// Output is one destination. It is used by one goroutine at a time, except
// Hup, which may be called at any time.
type Output interface {
	// Write delivers the messages of v in order. It returns how many were
	// delivered, counted from the first, and why not the rest; an error of type
	// *message.Undelivered names the rest itself, and n means nothing. An error is
	// temporary, unless errors.Is(err, ErrUnacceptable): then the first message
	// not delivered is itself the reason and is set aside. When n < v.Len() err
	// is not nil.
	Write(ctx context.Context, v message.View) (n int, err error)
	// TryResume tests, after an error, whether delivering may work again.
	TryResume(ctx context.Context) error
	// Hup closes files so that they are opened anew, re-reads what can be re-read.
	Hup()
	// Close flushes and releases everything.
	Close() error
}

// ErrUnacceptable marks errors that are the message's own fault: trying again
// cannot help.
var ErrUnacceptable = errors.New("message cannot be delivered")

// Deps is what every output may use.
type Deps struct {
	Env *message.Env
	// Log takes one line about what happened, with its severity.
	Log func(severity int, text string)
	// Template returns the template of that name, built-in ones included.
	Template func(name string) (message.Template, bool)
	// RateLimit finds a ratelimit() object; nil if there are none.
	RateLimit func(name string) (RateLimit, bool)
	// LookupSRV finds DNS SRV records; nil asks the system's resolver.
	LookupSRV func(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	// TLS has certificates and keys; nil has none.
	TLS *conf.Keyring
	// FileLocks are shared by all omfile actions; nil if there is only one.
	FileLocks *FileLocks
}
