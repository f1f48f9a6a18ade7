package input

import (
	"fmt"
	"sync"

	"sysrelay/message"
)

// limiter lets burst messages through in every interval, as rsyslog's
// ratelimit.interval and ratelimit.burst do. A nil limiter lets everything through.
type limiter struct {
	name            string
	interval, burst int64
	log             func(severity int, text string)
	ledger          *message.Ledger

	mu     sync.Mutex
	begin  int64 // second the interval began; 0 is not yet
	passed int64
	missed int64
}

// newLimiter returns nil if there is no limit.
func newLimiter(name string, interval, burst int, d Deps, l *message.Ledger) *limiter {
	if interval <= 0 {
		return nil
	}
	return &limiter{name: name, interval: int64(interval), burst: int64(burst), log: d.Log, ledger: l}
}

// allow decides about one message received at the time now, in nanoseconds since 1970, and accounts for it if it is not let through.
func (l *limiter) allow(now int64, from message.Origin) bool {
	if l == nil {
		return true
	}
	now /= 1e9
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begin == 0 {
		l.begin = now
	}
	if now > l.begin+l.interval || now < l.begin {
		l.tell()
		l.begin, l.passed = now, 0
	}
	if l.passed < l.burst {
		l.passed++
		return true
	}
	if l.missed == 0 {
		l.log(severityInfo, fmt.Sprintf("%s from <%s>: begin to drop messages due to rate-limiting", l.name, from.FromHost()))
	}
	l.missed++
	l.ledger.Receive(1)
	l.ledger.Discard(message.RateLimited, 1)
	return false
}

// tell reports what was dropped in the interval that is over.
func (l *limiter) tell() {
	if l.missed == 0 {
		return
	}
	l.log(severityInfo, fmt.Sprintf("%s: %d messages lost due to rate-limiting (%d allowed within %d seconds)",
		l.name, l.missed, l.burst, l.interval))
	l.missed = 0
}

// close reports what was dropped and not yet told of.
func (l *limiter) close() {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tell()
	}
}
