package message

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Handler takes messages. It copies what it keeps; returning nil means that the
// messages are its responsibility from now on. An error of type *Undelivered
// says which messages were not taken; any other error means none were.
type Handler func(ctx context.Context, v View) error

// Undelivered is returned by a Handler that took only a part.
type Undelivered struct {
	Rest View  // not taken; valid as long as the View given to the Handler
	Err  error // why
}

func (e *Undelivered) Error() string {
	return fmt.Sprintf("%d messages not taken: %v", e.Rest.Len(), e.Err)
}
func (e *Undelivered) Unwrap() error { return e.Err }

// ErrMemory is why messages that cannot wait are not taken when the daemon has
// used up its memory.
var ErrMemory = errors.New("memory.max is in use")

// Rest returns the messages of v that a Handler, having returned err for v, has
// not taken.
func Rest(v View, err error) View {
	if err == nil {
		return v.Slice(v.Len(), v.Len())
	}
	if u := (*Undelivered)(nil); errors.As(err, &u) {
		return u.Rest
	}
	return v
}

// Ack is what an input promises to a sender with its acknowledgement.
type Ack uint8

const (
	// Received: in memory. Handlers may discard as the configuration says.
	Received Ack = iota
	// Stored: every durable queue has the message on disk and every direct
	// output has delivered it. Handlers wait or refuse instead of discarding,
	// and memory queues are passed by.
	Stored
	// Delivered: as Stored, and durable queues have been worked off, too.
	Delivered
)

type ackKey struct{}

// WithAck returns a context under which Handlers keep the promise a.
func WithAck(ctx context.Context, a Ack) context.Context {
	return context.WithValue(ctx, ackKey{}, a)
}

// AckOf is the promise ctx asks for; Received if it says nothing.
func AckOf(ctx context.Context) Ack {
	a, _ := ctx.Value(ackKey{}).(Ack)
	return a
}

// Reason says why a message was discarded.
type Reason uint8

const (
	// QueueFull: the queue stayed full for timeoutEnqueue.
	QueueFull Reason = iota
	// DiscardMark: less severe than discardSeverity while above discardMark.
	DiscardMark
	// Suspended: the action was suspended and had no retries left.
	Suspended
	// Unacceptable: the output says the message itself cannot be delivered.
	Unacceptable
	// ShutdownTimeout: still in a memory queue when the time to drain it was over.
	ShutdownTimeout
	// RateLimited: over the input's rate limit.
	RateLimited
	// NotAllowed: from a sender outside AllowedSender.
	NotAllowed
	// BadFrame: framing error; what could not be made a message.
	BadFrame
	// DiskFull: evicted from a disk queue at maxDiskSpace.
	DiskFull
	// Damaged: lost to damage of a disk queue's files.
	Damaged
	// Stopped: discarded by the configuration's stop, ~ or by no rule wanting it.
	Stopped
	// SocketFull: dropped by the kernel because the socket's buffer was full.
	SocketFull
	// Sampled: not among those a queue's samplingInterval keeps.
	Sampled
	// Repeated: said the same as the message before it ($RepeatedMsgReduction).
	Repeated
	// NotSupported: for an action whose module there is not.
	NotSupported
	// MemoryFull: there was no room for it in the daemon's memory (memory.max).
	MemoryFull
	reasons
)

var reasonNames = [reasons]string{"queue.full", "discard.mark", "suspended", "unacceptable",
	"shutdown", "ratelimit", "not.allowed", "bad.frame", "disk.full", "damaged", "stopped", "socket.full",
	"sampled", "repeated", "unsupported", "memory.full"}

func (r Reason) String() string { return reasonNames[r] }

// Ledger accounts for the messages of one input, queue or action:
//
//	received = delivered + queued + Σ discarded
//
// where queued is what the owner holds now. The zero value is ready; methods may
// be called from any goroutine.
type Ledger struct {
	received, delivered atomic.Uint64
	discarded           [reasons]atomic.Uint64
}

// Receive counts n messages taken in.
func (l *Ledger) Receive(n int) { l.received.Add(uint64(n)) }

// Deliver counts n messages passed on.
func (l *Ledger) Deliver(n int) { l.delivered.Add(uint64(n)) }

// Discard counts n messages given up.
func (l *Ledger) Discard(r Reason, n int) { l.discarded[r].Add(uint64(n)) }

// Account is a reading of a Ledger.
type Account struct {
	Received, Delivered uint64
	Discarded           [reasons]uint64
}

// Read returns the counts. They are read one after the other: while messages
// move, a reading may be off by those in motion.
func (l *Ledger) Read() Account {
	a := Account{Received: l.received.Load(), Delivered: l.delivered.Load()}
	for i := range l.discarded {
		a.Discarded[i] = l.discarded[i].Load()
	}
	return a
}

// Lost is the number of messages discarded for whatever reason.
func (a Account) Lost() (n uint64) {
	for _, d := range a.Discarded {
		n += d
	}
	return n
}

// Queued is what must still be held: received − delivered − discarded.
func (a Account) Queued() int64 { return int64(a.Received) - int64(a.Delivered) - int64(a.Lost()) }

// Each calls f for every reason that has a count.
func (a Account) Each(f func(r Reason, n uint64)) {
	for r, n := range a.Discarded {
		if n > 0 {
			f(Reason(r), n)
		}
	}
}
