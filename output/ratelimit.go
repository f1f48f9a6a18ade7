package output

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sysrelay/message"
)

// RateParams are the parameters of an output's own rate limit.
type RateParams struct {
	RateLimitInterval int    `conf:"ratelimit.interval" doc:"Seconds of the rate limit's interval; what is beyond it is discarded. 0 is no limit." status:"full"`
	RateLimitBurst    int    `conf:"ratelimit.burst" default:"200" doc:"Messages let through in that time." status:"full"`
	RateLimitName     string `conf:"ratelimit.name" doc:"Name of a ratelimit() object, instead of the above." status:"full"`
}

// RateLimit is a ratelimit() object as outputs see it. The values may change.
type RateLimit interface {
	// Limit is how many messages are let through in how many seconds; 0 seconds
	// is no limit.
	Limit() (burst, seconds int64)
	// Mode is what a limit of outputs does: drop or pace. ok is false if it is a
	// limit of inputs.
	Mode() (mode string, ok bool)
}

// fixedLimit is a limit that stands in the action itself.
type fixedLimit struct{ burst, seconds int64 }

func (f fixedLimit) Limit() (burst, seconds int64) { return f.burst, f.seconds }
func (f fixedLimit) Mode() (string, bool)          { return "drop", true }

// Limited is an output with a rate limit of its own.
type Limited interface{ RateLimit() RateLimit }

// limit finds the limit the parameters ask for, nil if that is none.
func (p RateParams) limit(d Deps) (RateLimit, error) {
	switch {
	case p.RateLimitName == "" && p.RateLimitInterval <= 0:
		return nil, nil
	case p.RateLimitName == "":
		return fixedLimit{int64(p.RateLimitBurst), int64(p.RateLimitInterval)}, nil
	case p.RateLimitInterval != 0:
		return nil, errors.New("rateLimit.name and rateLimit.interval exclude each other")
	}
	return d.rateLimit(p.RateLimitName)
}

func (d Deps) rateLimit(name string) (RateLimit, error) {
	if d.RateLimit != nil {
		if r, ok := d.RateLimit(name); ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("there is no ratelimit() object %q", name)
}

// limiter applies a rate limit to what an action delivers. rsyslog's default is
// to discard what is too much; with pace it waits for the next interval.
type limiter struct {
	policy RateLimit
	pace   bool
	name   string
	log    func(severity int, text string)

	mu                sync.Mutex
	rate              message.Rate
	begin             int64 // when the interval under way began, nanoseconds
	lastBurst, lastIn int64
}

// newLimiter finds the limit of an action; nil if it has none.
func newLimiter(o *ActionOptions) (*limiter, error) {
	l := &limiter{name: o.Name, log: o.Deps.Log}
	if out, ok := o.Output.(Limited); ok {
		l.policy = out.RateLimit()
	}
	if name := o.Params.RateLimitName; name != "" {
		if l.policy != nil {
			return nil, errors.New("action.rateLimit.name and the module's own rateLimit parameters exclude each other")
		}
		policy, err := o.Deps.rateLimit(name)
		if err != nil {
			return nil, err
		}
		if _, ok := policy.Mode(); !ok {
			return nil, fmt.Errorf("ratelimit() object %q is not for outputs: its policy file needs scope: output", name)
		}
		l.policy = policy
	}
	if l.policy == nil {
		return nil, nil
	}
	mode, _ := l.policy.Mode()
	l.pace = mode == "pace"
	switch {
	case l.pace && direct(o.Queue.Params.Type):
		return nil, errors.New("a limit in mode pace needs a queue: set queue.type")
	}
	return l, nil
}

// take says how many of n messages may be delivered now, and when there will be more.
func (l *limiter) take(n int, now time.Time) (allowed int, wait time.Duration) {
	burst, seconds := l.policy.Limit()
	if seconds <= 0 {
		return n, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t, interval := now.UnixNano(), seconds*int64(time.Second)
	if l.begin == 0 || t-l.begin > interval || t < l.begin {
		l.begin = t
	}
	l.tell(l.rate.Next(t, interval))
	l.lastBurst, l.lastIn = burst, seconds
	for allowed < n && l.rate.Allow(burst) {
		allowed++
	}
	if allowed == n {
		return n, 0
	}
	if l.pace {
		l.rate.Missed = 0
		return allowed, time.Duration(l.begin + interval + 1 - t)
	}
	if l.rate.Missed == 1 {
		l.log(severityInfo, fmt.Sprintf("%s: begin to drop messages due to rate-limiting", l.name))
	}
	l.rate.Missed += int64(n - allowed - 1)
	return allowed, 0
}

// tell reports what was discarded in the interval that is over.
func (l *limiter) tell(missed int64) {
	if missed > 0 {
		l.log(severityInfo, fmt.Sprintf("%s: %d messages lost due to rate-limiting (%d allowed within %d seconds)",
			l.name, missed, l.lastBurst, l.lastIn))
	}
}

// close reports what was discarded and not yet told of.
func (l *limiter) close() {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tell(l.rate.Missed)
		l.rate = message.Rate{}
	}
}

// deliverLimited delivers what the rate limit lets through.
func (a *Action) deliverLimited(ctx context.Context, v message.View) error {
	for v.Len() > 0 {
		n, wait := a.limit.take(v.Len(), a.opts.Deps.Env.Now())
		if n > 0 {
			if err := a.deliverAll(ctx, v.Slice(0, n)); err != nil {
				return undelivered(joined(message.Rest(v.Slice(0, n), err), v.Slice(n, v.Len())), err)
			}
			v = v.Slice(n, v.Len())
		}
		switch {
		case v.Len() == 0:
		case !a.limit.pace:
			a.ledger.Receive(v.Len())
			a.ledger.Discard(message.RateLimited, v.Len())
			return nil
		default:
			if err := pause(ctx, wait); err != nil {
				return undelivered(v, err)
			}
		}
	}
	return nil
}

// joined is the messages of two views of one batch, of which b comes later.
func joined(a, b message.View) message.View {
	all := make([]int32, 0, a.Len()+b.Len())
	for _, v := range []message.View{a, b} {
		for i := range v.Len() {
			all = append(all, int32(v.Index(i)))
		}
	}
	return b.Select(all)
}
