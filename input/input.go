// Package input receives messages: one file per input module, and what they
// share (framing, listening, rate limits) beside them.
//
// An input reads, splits into messages, copies them into its own batch with
// their origin, and gives the batch to a message.Handler. It parses nothing. It
// counts what it received and what it had to discard, and why.
//
// The package imports conf and message.
package input

import (
	"context"

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
	// Resolve returns the name of a peer's address, or the address itself
	// (net.enableDNS, preserveFQDN, the reverse look-up cache).
	Resolve func(ctx context.Context, ip string) string
}
