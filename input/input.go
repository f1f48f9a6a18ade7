// Package input receives messages: one file per input module, and what they
// share (framing, listening, rate limits) beside them.
//
// An input reads, splits into messages, copies them into its own batch with
// their origin, and gives the batch to a message.Handler. It parses nothing. It
// counts what it received and what it had to discard, and why.
//
// Memory is bounded whatever peers do. Bytes are read into scratch buffers that
// an input lends, a fixed number at a time, and only once there is something to
// read; between reads a connection keeps no more than the start of one message.
// Who gets no scratch does not read: TCP holds the sender up. Idle connections
// of imtcp and imptcp have no goroutine either.
//
// Lines about what peers do wrong are limited per input; counts are not.
//
// The package imports conf and message.
package input

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// Input is one input() of the configuration.
type Input interface {
	// Listen binds what has to be bound and writes listenPortFileName files.
	// After it has returned, senders can reach the input.
	Listen() error
	// Run receives until ctx is cancelled and gives every batch to the handler.
	// It returns once nothing of the input runs any more.
	Run(ctx context.Context, to message.Handler) error
	// Name is what statistics and messages call the input: "imtcp(5514)".
	Name() string
	// Addrs are the addresses bound, for tests and own messages.
	Addrs() []string
	// Ledger accounts for the input's messages.
	Ledger() *message.Ledger
}

// Deps is what every input may use.
type Deps struct {
	Env *message.Env
	// Log takes one line about what happened, with its severity.
	Log func(severity int, text string)
	// Resolve returns the name of a peer's address, the address itself if there is
	// none, or "" if messages from there are to be dropped: Resolver.Name.
	Resolve func(ctx context.Context, ip string) string
	// RateLimit finds a ratelimit() object; nil if there are none.
	RateLimit func(name string) (*RateLimit, bool)
	// IPVersion is "4" or "6" to listen on that alone (net.ipprotocol), or "".
	IPVersion string
	// StopTimeout is how long an input may go on handing over what it has
	// received once it is told to stop (inputs.timeout.shutdown); nil is a second.
	StopTimeout func() time.Duration
	// TLS has certificates and keys; nil has none.
	TLS *conf.Keyring
	// OwnThroughRules tells that the daemon's own messages go through the rules.
	OwnThroughRules bool
	// WorkDirectory is where state files are kept; "" is the current directory.
	WorkDirectory string
	// Program is the daemon's name, for messages it makes itself.
	Program string
}

// Severities of the lines inputs log.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// graceful returns a context for Handlers that outlives ctx by the stop
// timeout, so that what was received when ctx ends can still be handed over.
func (d *Deps) graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		wait := time.Second
		if d.StopTimeout != nil {
			wait = d.StopTimeout()
		}
		time.AfterFunc(wait, cancel)
	})
	return out, func() { stop(); cancel() }
}

// networkFlags are the flags of messages from a network input with this
// defaultTZ, which is +hh:mm or -hh:mm, or empty.
func networkFlags(defaultTZ string) (message.Flags, error) {
	if defaultTZ == "" {
		return message.ParseHostname, nil
	}
	t, err := time.Parse("-07:00", defaultTZ)
	if err != nil {
		return 0, fmt.Errorf("defaultTZ %q is not of the form +hh:mm", defaultTZ)
	}
	_, seconds := t.Zone()
	return message.ParseHostname | message.DefaultTZ(seconds/60), nil
}

// handOver gives a batch to the handler, accounts for it and empties it. What
// the handler did not take is lost: the senders of these inputs cannot be told.
func handOver(ctx context.Context, b *message.Batch, to message.Handler, l *message.Ledger) {
	n := b.Len()
	if n == 0 {
		return
	}
	l.Receive(n)
	err := to(ctx, b.All())
	lost := message.Rest(b.All(), err).Len()
	l.Deliver(n - lost)
	if lost > 0 {
		reason := message.QueueFull
		switch {
		case errors.Is(err, message.ErrMemory):
			reason = message.MemoryFull
		case ctx.Err() != nil:
			reason = message.ShutdownTimeout
		}
		l.Discard(reason, lost)
	}
	b.Reset()
}
