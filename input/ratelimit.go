package input

import (
	"errors"
	"fmt"
	"sync"

	"sysrelay/message"
)

// RateParams are the parameters of a listener's rate limit.
type RateParams struct {
	RateInterval int    `conf:"ratelimit.interval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst    int    `conf:"ratelimit.burst" default:"10000" doc:"Messages let through in an interval." status:"full"`
	RateSeverity int    `conf:"ratelimit.severity,type=severity" doc:"Only messages of this severity and less severe ones are limited; default is all (sysrelay's own, as imuxsock has it)." status:"full"`
	RateName     string `conf:"ratelimit.name" doc:"Name of a ratelimit() object, instead of the above." status:"full"`
}

// limiter lets burst messages through in every interval, as rsyslog's
// ratelimit.interval and ratelimit.burst do. A nil limiter lets everything through.
type limiter struct {
	name   string
	policy *RateLimit
	log    func(severity int, text string)
	ledger *message.Ledger

	mu   sync.Mutex
	rate message.Rate
	last rateValues // what the interval under way began with
}

// newLimiter returns nil if there is no limit.
func newLimiter(name string, interval, burst int, d Deps, l *message.Ledger) *limiter {
	if interval <= 0 {
		return nil
	}
	return newLimiterOf(name, NewRateLimit("", RateValues{Interval: interval, Burst: burst}), d, l)
}

func newLimiterOf(name string, policy *RateLimit, d Deps, l *message.Ledger) *limiter {
	return &limiter{name: name, policy: policy, log: d.Log, ledger: l}
}

// limiter returns the limiter the parameters ask for, nil if that is none.
func (p RateParams) limiter(name string, d Deps, l *message.Ledger) (*limiter, error) {
	if p.RateName == "" {
		if p.RateInterval <= 0 {
			return nil, nil
		}
		v := RateValues{Interval: p.RateInterval, Burst: p.RateBurst, Severity: p.RateSeverity}
		return newLimiterOf(name, NewRateLimit("", v), d, l), nil
	}
	if p.RateInterval != 0 {
		return nil, errors.New("rateLimit.name and rateLimit.interval exclude each other")
	}
	if d.RateLimit != nil {
		if policy, ok := d.RateLimit(p.RateName); ok {
			return newLimiterOf(name, policy, d, l), nil
		}
	}
	return nil, fmt.Errorf("there is no ratelimit() object %q", p.RateName)
}

// allow decides about one message received at the time now, in nanoseconds since
// 1970, whatever its severity, and accounts for it if it is not let through.
func (l *limiter) allow(now int64, from message.Origin) bool { return l.allowText(now, from, nil) }

// allowText is allow for limits that look at the message.
func (l *limiter) allowText(now int64, from message.Origin, text []byte) bool {
	if l == nil {
		return true
	}
	v := l.policy.values.Load()
	if v.severity > 0 && message.SeverityOf(text) < v.severity {
		return true
	}
	if v.sources != nil && !l.policy.allowSource(v.sources, now, from, text) || !l.own(now, from, v) {
		l.ledger.Receive(1)
		l.ledger.Discard(message.RateLimited, 1)
		return false
	}
	return true
}

// own is the limit of this listener, whoever sends.
func (l *limiter) own(now int64, from message.Origin, v *rateValues) bool {
	if v.interval == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(l.rate.Next(now/1e9, v.interval))
	l.last = *v
	if l.rate.Allow(v.burst) {
		return true
	}
	if l.rate.Missed == 1 {
		l.log(severityInfo, fmt.Sprintf("%s from <%s>: begin to drop messages due to rate-limiting", l.name, from.FromHost()))
	}
	return false
}

// tell reports what was dropped in the interval that is over.
func (l *limiter) tell(missed int64) {
	if missed > 0 {
		l.log(severityInfo, fmt.Sprintf("%s: %d messages lost due to rate-limiting (%d allowed within %d seconds)",
			l.name, missed, l.last.burst, l.last.interval))
	}
}

// close reports what was dropped and not yet told of.
func (l *limiter) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(l.rate.Missed)
	l.rate = message.Rate{}
	l.policy.tellSources()
}
