package output

import (
	"sync"
	"time"

	"sysrelay/message"
)

// gate lets through the messages an action takes at all: execOnlyEveryNthTime,
// execOnlyOnceEveryInterval and mark messages.
type gate struct {
	active   bool
	nth      int           // execOnlyEveryNthTime
	timeout  time.Duration // …Timeout
	interval time.Duration // execOnlyOnceEveryInterval
	allMarks bool
	halfMark time.Duration

	mu     *sync.Mutex
	passed int       // messages not taken since the last that was
	epoch  time.Time // when counting last began anew
	last   time.Time // when a message was last taken
}

func newGate(p ActionParams, mark time.Duration) gate {
	return gate{
		active:   p.EveryNthTime > 1 || p.OnceEveryInterval > 0 || !p.WriteAllMarks,
		nth:      p.EveryNthTime,
		timeout:  time.Duration(p.EveryNthTimeTimeout) * time.Second,
		interval: time.Duration(p.OnceEveryInterval) * time.Second,
		allMarks: p.WriteAllMarks,
		halfMark: mark / 2,
		mu:       new(sync.Mutex),
	}
}

// pass returns the messages of v to be taken.
func (g *gate) pass(v message.View, now time.Time) message.View {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, _ = v.Filter(nil, func(m *message.Message) bool { return g.takes(m, now) })
	return v
}

// takes decides about one message, in rsyslog's order.
func (g *gate) takes(m *message.Message, now time.Time) bool {
	if !g.allMarks && m.Flags&message.Mark != 0 && !g.last.IsZero() && now.Sub(g.last) < g.halfMark {
		return false
	}
	if !g.isNth(now) {
		return false
	}
	if g.interval > 0 && !g.last.IsZero() && now.Sub(g.last) < g.interval {
		return false
	}
	g.last = now
	return true
}

func (g *gate) isNth(now time.Time) bool {
	if g.nth <= 1 {
		return true
	}
	if g.timeout > 0 && now.Sub(g.epoch) > g.timeout {
		g.passed, g.epoch = 0, now
	}
	if g.passed < g.nth-1 {
		g.passed++
		return false
	}
	g.passed = 0
	return true
}
