package input

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"strings"
	"time"

	"sysrelay/message"
)

// limit is what one sender may send: max messages in window nanoseconds.
type limit struct{ max, window int64 }

// sourcePolicy limits each sender by itself.
type sourcePolicy struct {
	key    message.Template
	common limit
	own    map[string]limit // of the senders named in the policy
	states int
	top    int
}

// sourceStates are the senders remembered: a bounded number, so that made-up
// names cannot make it grow.
type sourceStates struct {
	byKey  map[string]*list.Element
	recent list.List // of *sourceState, the last to send first

	batch  message.Batch
	key    []byte
	missed int64 // of all senders, not told yet
	began  int64 // when these began to be missed
}

type sourceState struct {
	key     string
	rate    message.Rate
	dropped uint64
	untold  uint64
}

const (
	// sourceKeyMax is how much of a key counts.
	sourceKeyMax = 256
	// sourcesTold is how often it is said who is limited, in nanoseconds.
	sourcesTold = int64(time.Minute)
)

// allowSource decides about a message by who sent it.
func (r *RateLimit) allowSource(p *sourcePolicy, now int64, from message.Origin, text []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.sources
	st := s.state(r.keyOf(p, now, from, text), p.states)
	l, ok := p.own[st.key]
	if !ok {
		l = p.common
	}
	st.rate.Next(now, l.window)
	allowed := st.rate.Allow(l.max)
	if !allowed {
		st.dropped++
		st.untold++
		if s.missed++; s.missed == 1 {
			s.began = now
			r.deps.Log(severityInfo, fmt.Sprintf("ratelimit %q: begin to drop messages of %q due to rate-limiting per source (%d allowed within %v)",
				r.name, st.key, l.max, time.Duration(l.window)))
		}
	}
	if s.missed > 0 && now-s.began > sourcesTold {
		r.tell(p)
	}
	return allowed
}

// keyOf is the sender's key. The message is parsed for it by itself: who is over
// the limit costs no more than that.
func (r *RateLimit) keyOf(p *sourcePolicy, now int64, from message.Origin, text []byte) []byte {
	s := &r.sources
	s.batch.Reset()
	clean := r.deps.Env.Sanitize
	clean.Oversize, clean.OnOversize = message.Truncate, nil
	s.batch.Receive(&clean, text, from, now, message.ParseHostname)
	m := s.batch.All().At(0)
	r.deps.Parsers.Parse(m)
	s.key = p.key.Append(s.key[:0], m)
	return s.key[:min(len(s.key), sourceKeyMax)]
}

// state returns what is known about a sender, forgetting another if there are
// too many.
func (s *sourceStates) state(key []byte, most int) *sourceState {
	if s.byKey == nil {
		s.byKey = map[string]*list.Element{}
	}
	if e, ok := s.byKey[string(key)]; ok {
		s.recent.MoveToFront(e)
		return e.Value.(*sourceState)
	}
	for s.recent.Len() >= most {
		e := s.recent.Back()
		delete(s.byKey, e.Value.(*sourceState).key)
		s.recent.Remove(e)
	}
	st := &sourceState{key: string(key)}
	s.byKey[st.key] = s.recent.PushFront(st)
	return st
}

// SourceCount is a sender and how many of its messages were not let through.
type SourceCount struct {
	Key     string
	Dropped uint64
}

// Top are the senders that lost most, at most as many as the policy names.
func (r *RateLimit) Top() []SourceCount {
	p := r.values.Load().sources
	if p == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources.top(p.top, func(st *sourceState) uint64 { return st.dropped })
}

func (s *sourceStates) top(n int, of func(*sourceState) uint64) (all []SourceCount) {
	for e := s.recent.Front(); e != nil; e = e.Next() {
		if st := e.Value.(*sourceState); of(st) > 0 {
			all = append(all, SourceCount{st.key, of(st)})
		}
	}
	slices.SortFunc(all, func(a, b SourceCount) int {
		return cmp.Or(cmp.Compare(b.Dropped, a.Dropped), cmp.Compare(a.Key, b.Key))
	})
	return all[:min(n, len(all))]
}

// tell says who lost how much since it was said last.
func (r *RateLimit) tell(p *sourcePolicy) {
	s := &r.sources
	if s.missed == 0 {
		return
	}
	most := ""
	if top := s.top(p.top, func(st *sourceState) uint64 { return st.untold }); len(top) > 0 {
		names := make([]string, 0, len(top))
		for _, c := range top {
			names = append(names, fmt.Sprintf("%q (%d)", c.Key, c.Dropped))
		}
		most = "; most from " + strings.Join(names, ", ")
	}
	r.deps.Log(severityInfo, fmt.Sprintf("ratelimit %q: %d messages lost due to rate-limiting per source%s", r.name, s.missed, most))
	s.missed = 0
	for e := s.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*sourceState).untold = 0
	}
}

// tellSources says what has not been said yet.
func (r *RateLimit) tellSources() {
	if p := r.values.Load().sources; p != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tell(p)
	}
}
