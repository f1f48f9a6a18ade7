package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"sysrelay/message"
)

// ownLog takes the daemon's own messages: one line each, about what happened,
// to whom, and what happens next. It is an input like any other: what is logged
// is kept until Run carries it to the default ruleset, so that a rule or an
// action can log without waiting for itself.
type ownLog struct {
	opts   Options
	env    *message.Env
	ledger message.Ledger
	origin message.Origin
	system string // socket of the system log

	mu      sync.Mutex
	globals *Globals
	waiting []ownMessage
	ready   chan struct{} // has a token when waiting is not empty
	started bool          // the daemon is up: standard error has had its share
	stderrs int
	window  time.Time // start of the rate limit's interval
	count   int
	lost    int
}

type ownMessage struct {
	severity int
	text     string
	at       time.Time
}

// Own messages kept at most while the rules cannot take them.
const ownWaiting = 1000

func newOwnLog(o Options, env *message.Env) *ownLog {
	return &ownLog{opts: o, env: env, ready: make(chan struct{}, 1), system: "/dev/log",
		origin:  message.NewOrigin(o.Program, env.Hostname(), "127.0.0.1", ""),
		globals: &Globals{InternalSeverity: 7, InternalBurst: ownWaiting, MaxErrorsToStderr: -1}}
}

// configure makes the log follow the configuration.
func (l *ownLog) configure(g *Globals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.globals = g
}

// Log takes one line. It never blocks.
func (l *ownLog) Log(severity int, text string) {
	now := l.env.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if severity > l.globals.InternalSeverity {
		return
	}
	if l.toStderr(severity) {
		fmt.Fprintf(l.opts.Stderr, "%s: %s\n", l.opts.Program, text)
	}
	if !l.allowed(now) {
		return
	}
	l.keep(ownMessage{severity, strings.ReplaceAll(text, "\n", " "), now})
}

func (l *ownLog) keep(m ownMessage) {
	l.ledger.Receive(1)
	if len(l.waiting) >= ownWaiting {
		l.ledger.Discard(message.QueueFull, 1)
		return
	}
	l.waiting = append(l.waiting, m)
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// toStderr: as rsyslog, errors go to standard error until the daemon is up.
// Under our own name and in the foreground warnings go there always: somebody is
// looking.
func (l *ownLog) toStderr(severity int) bool {
	if l.opts.Stderr == nil {
		return false
	}
	if l.globals.AllToStderr {
		return true
	}
	watched := l.opts.Foreground && !l.opts.Compat
	if severity > 4 || l.started && !watched {
		return false
	}
	if l.globals.MaxErrorsToStderr >= 0 && l.stderrs >= l.globals.MaxErrorsToStderr {
		return false
	}
	l.stderrs++
	return true
}

func (l *ownLog) allowed(now time.Time) bool {
	if l.globals.InternalInterval <= 0 {
		return true
	}
	if now.Sub(l.window) >= time.Duration(l.globals.InternalInterval)*time.Second {
		if l.lost > 0 {
			l.keep(ownMessage{5, fmt.Sprintf("%d messages lost due to rate-limiting (%d allowed within %d seconds)",
				l.lost, l.globals.InternalBurst, l.globals.InternalInterval), now})
		}
		l.window, l.count, l.lost = now, 0, 0
	}
	l.count++
	if l.count > l.globals.InternalBurst {
		l.lost++
		l.ledger.Receive(1)
		l.ledger.Discard(message.RateLimited, 1)
		return false
	}
	return true
}

// up ends the time in which errors go to standard error.
func (l *ownLog) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
}

func (l *ownLog) pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// Name, Addrs, Listen and Ledger make the log an input.
func (l *ownLog) Name() string            { return l.opts.Program }
func (l *ownLog) Addrs() []string         { return nil }
func (l *ownLog) Listen() error           { return nil }
func (l *ownLog) Ledger() *message.Ledger { return &l.ledger }

// Run carries messages until ctx is cancelled, and then what is still waiting.
func (l *ownLog) Run(ctx context.Context, to message.Handler) error {
	for {
		select {
		case <-l.ready:
			l.carry(ctx, to)
		case <-ctx.Done():
			l.last(to)
			return nil
		}
	}
}

// lastTime is how long own messages may hold up the shutdown: a queue may be
// full, or an output dead.
const lastTime = time.Second

// last carries what is waiting when a part of the daemon has stopped. When there
// are no rules any more, to is nil then, that goes to the system log.
func (l *ownLog) last(to message.Handler) {
	if l.pending() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	l.carry(ctx, to)
}

func (l *ownLog) carry(ctx context.Context, to message.Handler) {
	l.mu.Lock()
	ms, process := l.waiting, l.globals.ProcessInternal
	l.mu.Unlock()
	var left []ownMessage
	switch {
	case process && to != nil:
		left = l.toRules(ctx, ms, to)
	default:
		l.toSystemLog(ctx, ms)
	}
	// Only now, so that pending counts what is on its way.
	l.mu.Lock()
	l.waiting = append(left, l.waiting[len(ms):]...)
	again := len(l.waiting) > 0
	l.mu.Unlock()
	if again {
		select {
		case l.ready <- struct{}{}:
		default:
		}
	}
}

// toRules returns what the rules had no time to take.
func (l *ownLog) toRules(ctx context.Context, ms []ownMessage, to message.Handler) (left []ownMessage) {
	var b message.Batch
	for _, m := range ms {
		b.AddMessage(l.message(m))
	}
	v := b.All()
	rest := message.Rest(v, to(ctx, v))
	l.ledger.Deliver(len(ms) - rest.Len())
	if ctx.Err() == nil {
		l.ledger.Discard(message.QueueFull, rest.Len())
		return nil
	}
	for i := range rest.Len() {
		left = append(left, ms[rest.Index(i)])
	}
	return left
}

// systemLogTime is how long whoever reads the system log may take for a message.
const systemLogTime = time.Second

// toSystemLog hands messages to whoever reads /dev/log. as rsyslog with
// processInternalMessages off. When nobody reads, waiting for one message is
// enough.
func (l *ownLog) toSystemLog(ctx context.Context, ms []ownMessage) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unixgram", l.system)
	if err != nil {
		l.ledger.Discard(message.Stopped, len(ms))
		return
	}
	defer c.Close()
	for i, m := range ms {
		line := fmt.Sprintf("<%d>%s %s: %s", 5<<3|m.severity, m.at.Format(time.Stamp), l.opts.Program, m.text)
		c.SetWriteDeadline(time.Now().Add(systemLogTime))
		_, err := io.WriteString(c, line)
		switch {
		case err == nil:
			l.ledger.Deliver(1)
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.ledger.Discard(message.Stopped, len(ms)-i)
			return
		default:
			l.ledger.Discard(message.Stopped, 1)
		}
	}
}

// message is m as rsyslogd words it: facility syslog, our name as tag, local host.
func (l *ownLog) message(m ownMessage) *message.Message {
	own := message.Local{Origin: l.origin, Host: l.env.Hostname(), Tag: l.opts.Program + ":", Text: m.text,
		PRI: 5<<3 | m.severity, At: m.at}.Message()
	own.Flags |= message.Internal
	return own
}
