package output

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// srvMost is how many targets are taken of DNS.
	srvMost = 32
	// srvRetry is how long an answer is held on to when there is no new one.
	srvRetry = time.Minute
)

// srv finds targets by DNS SRV records (RFC 2782).
type srv struct {
	name, proto string
	lookup      func(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	until       time.Time // when to look again
}

func newSRV(p *OMFwdParams, d Deps) *srv {
	if p.TargetSRV == "" {
		return nil
	}
	s := &srv{name: p.TargetSRV, proto: p.Protocol, lookup: d.LookupSRV}
	if s.lookup == nil {
		s.lookup = net.DefaultResolver.LookupSRV
	}
	return s
}

// find returns the records, ordered by priority and at random by weight.
func (s *srv) find(ctx context.Context) ([]*net.SRV, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, records, err := s.lookup(ctx, "syslog", s.proto, s.name)
	if err != nil {
		return nil, fmt.Errorf("cannot find targets by _syslog._%s.%s: %w", s.proto, s.name, err)
	}
	// RFC 2782: a target "." says that the service is not there.
	records = slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool { return strings.Trim(r.Target, ".") == "" })
	if len(records) == 0 {
		return nil, fmt.Errorf("_syslog._%s.%s names no target", s.proto, s.name)
	}
	return records[:min(len(records), srvMost)], nil
}

func srvTarget(r *net.SRV) hostPort {
	return hostPort{strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))}
}

// refresh makes the targets those that DNS names now. Connections to those that
// stay are kept.
func (o *tcpForward) refresh(ctx context.Context) error {
	s := o.srv
	if s == nil || len(o.targets) > 0 && o.now().Before(s.until) {
		return nil
	}
	records, err := s.find(ctx)
	if err != nil {
		if len(o.targets) == 0 {
			return err
		}
		s.until = o.now().Add(srvRetry)
		o.log(severityWarning, fmt.Sprintf("%v; the targets stay as they were", err))
		return nil
	}
	s.until = o.now().Add(resolveAgain)
	old := o.targets
	o.targets = nil
	for _, r := range records {
		to := srvTarget(r)
		if slices.ContainsFunc(o.targets, func(t *target) bool { return t.to == to }) {
			continue
		}
		i := slices.IndexFunc(old, func(t *target) bool { return t.to == to })
		t := &target{dialer: o.dialing.of(to)}
		if i >= 0 {
			t = old[i]
		}
		t.tier, t.weight = int(r.Priority), int(r.Weight)
		o.targets = append(o.targets, t)
	}
	for _, t := range old {
		if !slices.Contains(o.targets, t) {
			o.retire(ctx, t)
		}
	}
	return nil
}

// retire gives up a target that is none any more.
func (o *tcpForward) retire(ctx context.Context, t *target) {
	t.gone = true
	if t.stream != nil && t.stream.drain(ctx, drainTimeout) {
		_ = t.stream.Close() // all has arrived
		t.stream = nil
	}
	o.lose(t, nil)
}
