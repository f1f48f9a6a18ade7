package engine

import (
	"context"
	"fmt"
	"io"

	"sysrelay/conf"
	"sysrelay/input"
	"sysrelay/output"
)

// readRateLimits makes the ratelimit() objects.
func (b *builder) readRateLimits() {
	deps := input.RateLimitDeps{Env: b.env, Log: b.log.Log, Parsers: b.defaultChain(), Template: b.template}
	for _, o := range b.objects("ratelimit") {
		var p input.RateLimitParams
		if !b.decode(o, &p) {
			continue
		}
		if _, dup := b.rateLimit(p.Name); dup {
			b.errorf(o.Pos, "give it another name", "there is a ratelimit() object %q already", p.Name)
			continue
		}
		r, err := input.OpenRateLimit(p, deps)
		if err != nil {
			b.failed(b.cfg.Errorf(rateLimitFile(o), "", "%v", err))
			continue
		}
		b.limits = append(b.limits, r)
	}
}

// rateLimitFile is where the policy file stands in the configuration.
func rateLimitFile(o *conf.Object) conf.Pos {
	for _, name := range []string{"policy", "perSourcePolicy"} {
		if p := o.Param(name); p != nil {
			return p.ValuePos
		}
	}
	return o.Pos
}

// rateLimit finds a ratelimit() object.
func (e *Engine) rateLimit(name string) (*input.RateLimit, bool) {
	for _, r := range e.limits {
		if r.Name() == name {
			return r, true
		}
	}
	return nil, false
}

// outputLimit is rateLimit as outputs want it.
func (e *Engine) outputLimit(name string) (output.RateLimit, bool) {
	r, ok := e.rateLimit(name)
	if !ok {
		return nil, false
	}
	return r, true
}

// watchPolicies reads policy files again when they change, until ctx ends.
func (e *Engine) watchPolicies(i int, ctx context.Context) error {
	e.limits[i].Watch(ctx)
	return nil
}

// writeTopSenders writes who was limited most.
func (e *Engine) writeTopSenders(w io.Writer) {
	for _, r := range e.limits {
		for _, c := range r.Top() {
			fmt.Fprintf(w, "%-8s %-32s %q lost %d\n", "limit", r.Name(), c.Key, c.Dropped)
		}
	}
}
