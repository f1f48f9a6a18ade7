package output

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"sysrelay/message"
)

// pool is what tcpForward needs for several targets. Targets that failed are
// dialed anew in the background, so that one that does not answer does not hold
// up the others.
type pool struct {
	resume  time.Duration // pool.resumeInterval
	turn    int           // of the targets, for the next message
	ctx     context.Context
	cancel  context.CancelFunc
	results chan dialed
	pending int

	todo   []int32
	online []*target
}

type dialed struct {
	t    *target
	conn net.Conn
	err  error
}

func newPool(n int, resume time.Duration) pool {
	ctx, cancel := context.WithCancel(context.Background())
	return pool{resume: max(resume, minInterval), ctx: ctx, cancel: cancel, results: make(chan dialed, max(n, srvMost))}
}

// close ends what is being dialed.
func (p *pool) close() {
	p.cancel()
	for ; p.pending > 0; p.pending-- {
		if d := <-p.results; d.conn != nil {
			d.conn.Close()
		}
	}
}

// writePool gives each message to the next target that is connected. What one
// could not take goes to the others.
func (o *tcpForward) writePool(ctx context.Context, v message.View) (int, error) {
	p := &o.pool
	p.todo = p.todo[:0]
	for i := range v.Len() {
		p.todo = append(p.todo, int32(i))
	}
	var failure error
	for len(p.todo) > 0 {
		if err := o.findOnline(ctx); err != nil {
			failure = errors.Join(failure, err)
			return 0, &message.Undelivered{Rest: v.Pick(slices.Clone(p.todo)), Err: failure}
		}
		p.share()
		failure = o.sendShares(ctx, v)
	}
	return v.Len(), nil
}

// share deals the positions in todo to the targets that are connected.
func (p *pool) share() {
	for _, t := range p.online {
		t.deal = t.deal[:0]
	}
	for _, i := range p.todo {
		t := p.next()
		t.deal = append(t.deal, i)
	}
	p.todo = p.todo[:0]
}

// next is the target whose turn it is.
func (p *pool) next() *target {
	p.turn = (p.turn + 1) % len(p.online)
	best, total, even := p.online[p.turn], 0, true
	for _, t := range p.online {
		w := max(t.weight, 1)
		total += w
		even = even && w == max(p.online[0].weight, 1)
	}
	if even {
		return best
	}
	// Each gets its share, spread evenly: who has waited for most goes first.
	for _, t := range p.online {
		if t.score += max(t.weight, 1); t.score > best.score {
			best = t
		}
	}
	best.score -= total
	return best
}

// sendShares sends to every target what was dealt to it, and puts back what was
// not delivered.
func (o *tcpForward) sendShares(ctx context.Context, v message.View) (failure error) {
	for _, t := range o.pool.online {
		// Pick writes to its argument, the positions are needed again.
		n, err := o.send(ctx, t, v.Pick(slices.Clone(t.deal)))
		if err != nil {
			failure = errors.Join(failure, err)
			o.offline(t, err)
		}
		o.pool.todo = append(o.pool.todo, t.deal[n:]...)
	}
	slices.Sort(o.pool.todo)
	return failure
}

// offline takes a target out of the pool for a time.
func (o *tcpForward) offline(t *target, err error) {
	t.retryAt = o.now().Add(o.pool.resume)
	if !t.out {
		t.out = true
		o.log(severityWarning, fmt.Sprintf("target %s is left out of its pool and tried again every %v: %v", t.to, o.pool.resume, err))
	}
}

// findOnline collects the targets that are connected, and waits for one if
// there is none.
func (o *tcpForward) findOnline(ctx context.Context) error {
	p := &o.pool
	o.dialDue()
	var failure error
	for {
		for more := true; more; {
			select {
			case d := <-p.results:
				failure = errors.Join(failure, o.dialed(ctx, d))
			default:
				more = false
			}
		}
		o.collectOnline()
		if len(p.online) == 0 {
			o.dialDue() // those of the next tier
		}
		switch {
		case len(p.online) > 0:
			return nil
		case p.pending == 0 && failure == nil:
			return errors.New("no target of the pool can be reached")
		case p.pending == 0:
			return failure
		}
		select {
		case d := <-p.results:
			failure = errors.Join(failure, o.dialed(ctx, d))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// collectOnline makes online the targets to be used: those of the lowest tier
// that has any connected.
func (o *tcpForward) collectOnline() {
	p := &o.pool
	p.online = p.online[:0]
	for _, t := range o.targets {
		if t.stream == nil {
			continue
		}
		if len(p.online) > 0 && t.tier < p.online[0].tier {
			p.online = p.online[:0]
		}
		if len(p.online) == 0 || t.tier == p.online[0].tier {
			p.online = append(p.online, t)
		}
	}
}

// busyTier is the lowest tier of which a target is connected or being dialed.
func (o *tcpForward) busyTier() int {
	tier := math.MaxInt
	for _, t := range o.targets {
		if t.stream != nil || t.dialing {
			tier = min(tier, t.tier)
		}
	}
	return tier
}

// dialDue begins to dial the targets whose time has come. Targets of a tier are
// left alone as long as there are better ones.
func (o *tcpForward) dialDue() {
	byTier := slices.Clone(o.targets)
	slices.SortStableFunc(byTier, func(a, b *target) int { return cmp.Compare(a.tier, b.tier) })
	for _, t := range byTier {
		if t.stream != nil || t.dialing || o.now().Before(t.retryAt) || t.tier > o.busyTier() {
			continue
		}
		t.dialing = true
		o.pool.pending++
		go func() {
			conn, err := t.link(o.pool.ctx)
			o.pool.results <- dialed{t, conn, err}
		}()
	}
}

// dialed takes over the result of a dial.
func (o *tcpForward) dialed(ctx context.Context, d dialed) error {
	o.pool.pending--
	d.t.dialing = false
	err := d.err
	if d.t.gone {
		if d.conn != nil {
			_ = d.conn.Close() // it is no target any more
		}
		return err
	}
	if err == nil {
		if d.t.stream, err = newStream(d.t.to, d.conn, o.opts); err == nil {
			d.t.count = 0
			err = o.adopt(ctx, d.t)
		}
	}
	switch {
	case err != nil:
		o.offline(d.t, err)
	case d.t.out:
		d.t.out = false
		o.log(severityInfo, fmt.Sprintf("target %s is back in its pool", d.t.to))
	}
	return err
}

// resumePool dials all targets that are not connected, and is content with one.
func (o *tcpForward) resumePool(ctx context.Context) error {
	for _, t := range o.targets {
		t.retryAt = time.Time{}
	}
	return o.findOnline(ctx)
}
