package output

import (
	"sync"
	"time"

	"sysrelay/message"
)

// GateParams say which messages an action takes at all.
type GateParams struct {
	OnlyWhenSuspended   bool `conf:"action.execonlywhenpreviousissuspended" doc:"Take only what the action before this one could not deliver." status:"full"`
	EveryNthTime        int  `conf:"action.execonlyeverynthtime" doc:"Take only every so many-th message." status:"full"`
	EveryNthTimeTimeout int  `conf:"action.execonlyeverynthtimetimeout" doc:"Seconds after which counting for it starts anew; 0 is never." status:"full"`
	OnceEveryInterval   int  `conf:"action.execonlyonceeveryinterval" doc:"Seconds after a message during which no other is taken." status:"full"`
	WriteAllMarks       bool `conf:"action.writeallmarkmessages" default:"on" doc:"off: take a mark message only if nothing was taken for half the mark interval." status:"full"`
}

// Gate lets through the messages an action takes at all: execOnlyEveryNthTime,
// execOnlyOnceEveryInterval and mark messages.
type Gate struct {
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

// NewGate returns the gate that p describes. mark is immark's interval; 0 is its
// default, 1200 s.
func NewGate(p GateParams, mark time.Duration) Gate {
	if mark == 0 {
		mark = 1200 * time.Second
	}
	return Gate{
		active:   p.EveryNthTime > 1 || p.OnceEveryInterval > 0 || !p.WriteAllMarks,
		nth:      p.EveryNthTime,
		timeout:  time.Duration(p.EveryNthTimeTimeout) * time.Second,
		interval: time.Duration(p.OnceEveryInterval) * time.Second,
		allMarks: p.WriteAllMarks,
		halfMark: mark / 2,
		mu:       new(sync.Mutex),
	}
}

// Pass returns the messages of v to be taken.
func (g *Gate) Pass(v message.View, now time.Time) message.View {
	if !g.active {
		return v
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	v, _ = v.Filter(nil, func(m *message.Message) bool { return g.takes(m, now) })
	return v
}

// takes decides about one message, in rsyslog's order.
func (g *Gate) takes(m *message.Message, now time.Time) bool {
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

func (g *Gate) isNth(now time.Time) bool {
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
