package input

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// SessionLimits are limits of connections that rsyslog does not have.
type SessionLimits struct {
	PerSource int `conf:"maxsessionspersource,min=0" doc:"Connections at a time from one address, of IPv6 from one /64; 0 is no limit (sysrelay's own)." status:"full"`
	Idle      int `conf:"timeout.idle,min=0" doc:"Seconds after which a connection is closed from which nothing comes; 0 is never, for senders idle for hours (sysrelay's own)." status:"full"`
	Frame     int `conf:"timeout.frame,min=0" default:"600" doc:"Seconds a message may take to arrive once it has begun; who is slower is disconnected. 0 is for ever (sysrelay's own)." status:"full"`
}

// patience is how long a connection may take for something.
type patience struct{ idle, frame time.Duration }

func (l SessionLimits) patience() patience {
	return patience{time.Duration(l.Idle) * time.Second, time.Duration(l.Frame) * time.Second}
}

// clock watches how a connection uses its time. The times are a reader's; zero is
// not yet.
type clock struct {
	patience
	heard time.Time // when something came last
	begun time.Time // when the message under way began to come
}

// tick notes that something has come, and whether it has left a message under way.
func (c *clock) tick(now time.Time, complete, underWay bool) {
	c.heard = now
	switch {
	case !underWay:
		c.begun = time.Time{}
	case complete || c.begun.IsZero():
		c.begun = now
	}
}

// due is when the connection's time will be over; zero is never.
func (c *clock) due() (t time.Time) {
	if c.idle > 0 && !c.heard.IsZero() {
		t = c.heard.Add(c.idle)
	}
	if c.frame > 0 && !c.begun.IsZero() {
		if f := c.begun.Add(c.frame); t.IsZero() || f.Before(t) {
			t = f
		}
	}
	return t
}

// over is why the connection's time is over, nil if it is not.
func (c *clock) over(now time.Time) error {
	if t := c.due(); t.IsZero() || now.Before(t) {
		return nil
	}
	if c.frame > 0 && !c.begun.IsZero() && !now.Before(c.begun.Add(c.frame)) {
		return fmt.Errorf("a message has not arrived whole within timeout.frame, %v", c.frame)
	}
	return fmt.Errorf("nothing has come for timeout.idle, %v", c.idle)
}

// sources counts connections by where they come from.
type sources struct {
	most int // 0 is no limit

	mu    sync.Mutex
	count map[netip.Prefix]int
}

var errTooMany = errors.New("too many connections from there")

// enter counts a connection from ip, unless there are too many.
func (s *sources) enter(ip netip.Addr) (netip.Prefix, error) {
	none := netip.Prefix{}
	if s.most <= 0 {
		return none, nil
	}
	p := sourceOf(ip)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[netip.Prefix]int{}
	}
	if s.count[p] >= s.most {
		return none, fmt.Errorf("connection from %s closed: %w, maxSessionsPerSource is %d", ip, errTooMany, s.most)
	}
	s.count[p]++
	return p, nil
}

// leave is the end of a connection that entered.
func (s *sources) leave(p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[p]--; s.count[p] == 0 {
		delete(s.count, p)
	}
}

// sourceOf is what counts as one sender: with IPv6 whoever has one address has a /64 of them.
func sourceOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the number of bits is right
	return p
}
