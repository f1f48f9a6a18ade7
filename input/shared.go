package input

import (
	"context"
	"net"

	"sysrelay/message"
)

// This file is for inputs in packages of their own, below this one.

// HandOver gives a batch to the handler, accounts for it and empties it. What the
// handler did not take is lost.
func HandOver(ctx context.Context, b *message.Batch, to message.Handler, l *message.Ledger) {
	handOver(ctx, b, to, l)
}

// Graceful is a context for Handlers that outlives ctx by the stop timeout.
func (d *Deps) Graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	return d.graceful(ctx)
}

// Complaints returns what logs lines about peers of the input of that name, of
// which there are not too many, and what says at the end how many were left out.
func (d *Deps) Complaints(name string) (add func(text string), end func()) {
	c := &complaints{name: name, log: d.Log, now: d.Env.Now}
	return c.add, c.close
}

// WritePortFile writes a listenPortFileName file.
func WritePortFile(name string, a net.Addr) error { return writePortFile(name, a) }
