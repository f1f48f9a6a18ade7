package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

const (
	// maxOrphans is how many bytes of messages without acknowledgement are kept
	// after connections were lost. Kernels keep less than that.
	maxOrphans = 16 << 20
	// maxFree is how many bytes of buffers are kept for later.
	maxFree = 4 * writeSize
	// drainTimeout is how long a rebind waits for acknowledgements.
	drainTimeout = time.Second
)

// tcpForward sends messages to one TCP target, or to each of a pool in turn.
//
// A message counts as delivered when the kernel has taken it. Until the peer's
// kernel has acknowledged it, it is kept, and after a lost connection it is sent
// again, so that a peer that restarts costs nothing that was under way; some may
// arrive twice. What the peer's kernel had acknowledged and its program not read
// is lost with it: plain TCP tells at most that there was something, by a reset.
// resendAfterReset then sends the last bytes again. RELP knows exactly.
type tcpForward struct {
	wire
	opts   streamOptions
	rebind int
	log    func(severity int, text string)
	now    func() time.Time

	srv     *srv   // nil: the configuration names the targets
	dialing dialer // to any target
	targets []*target
	named   []hostPort // targets the configuration names
	orphans []*chunk   // to be sent again

	free                []*chunk
	freeSize            int
	lastSize, lastCount int // bytes and messages of the last chunk

	pool  pool
	bytes atomic.Int64
}

// target is one peer.
type target struct {
	dialer
	stream *stream // nil while not connected
	count  int     // messages since then

	tier   int // targets of a higher one are used only while none of a lower one works
	weight int // share of the messages; all the same: in turn
	score  int
	gone   bool // it is no target any more

	out     bool      // left out of its pool
	retryAt time.Time // when it is dialed again
	dialing bool
	deal    []int32 // positions of the messages that are its turn
}

func newTCPForward(p OMFwdParams, secure *conf.TLS, d Deps, w wire) *tcpForward {
	o := &tcpForward{wire: w, rebind: p.rebind(), log: d.Log, now: d.Env.Now, srv: newSRV(&p, d), dialing: dialer{Dialing: p.Dialing, timeout: dialTimeout, tls: secure, oneWay: true},
		opts: streamOptions{check: p.CheckConnection, resend: p.ResendUnacked, last: p.ResendLast, unread: int(p.ResendAfterReset), pack: p.packing()}}
	o.opts.bytes = &o.bytes
	o.named = p.addresses()
	for i, a := range o.named {
		t := &target{dialer: o.dialing.of(a)}
		if p.PoolMode == "failover" {
			t.tier = i
		}
		o.targets = append(o.targets, t)
	}
	o.pool = newPool(len(o.targets), time.Duration(p.PoolResume)*time.Second)
	return o
}

// Write implements Output.
func (o *tcpForward) Write(ctx context.Context, v message.View) (int, error) {
	if err := o.refresh(ctx); err != nil {
		return 0, err
	}
	if len(o.targets) > 1 {
		return o.writePool(ctx, v)
	}
	t := o.targets[0]
	if err := o.connect(ctx, t); err != nil {
		return 0, err
	}
	return o.send(ctx, t, v)
}

// TryResume implements Output: it connects.
func (o *tcpForward) TryResume(ctx context.Context) error {
	if err := o.refresh(ctx); err != nil {
		return err
	}
	if len(o.targets) > 1 {
		return o.resumePool(ctx)
	}
	return o.connect(ctx, o.targets[0])
}

// connect sees to it that t is connected and has what other connections left.
func (o *tcpForward) connect(ctx context.Context, t *target) error {
	if t.stream != nil {
		return nil
	}
	conn, err := t.dialer.connect(ctx)
	if err != nil {
		return err
	}
	if t.stream, err = newStream(t.to, conn, o.opts); err != nil {
		return err
	}
	t.count = 0
	return o.adopt(ctx, t)
}

// adopt sends what was not acknowledged on connections that were lost.
func (o *tcpForward) adopt(ctx context.Context, t *target) error {
	if len(o.orphans) == 0 {
		return nil
	}
	n := 0
	for len(o.orphans) > 0 {
		c := o.orphans[0]
		done, err := t.stream.write(ctx, c)
		n += done - c.from
		if done > c.from {
			o.orphans = slices.Delete(o.orphans, 0, 1)
		}
		if err != nil {
			o.lose(t, err)
			return err
		}
		t.stream.release(o.recycle)
	}
	o.log(severityInfo, fmt.Sprintf("%d messages of lost connections that may not have been read were sent again to %s", n, t.to))
	return nil
}

// send sends v to a target that is connected.
func (o *tcpForward) send(ctx context.Context, t *target, v message.View) (n int, err error) {
	for n < v.Len() {
		if err := o.rebindIfDue(ctx, t); err != nil {
			return n, err
		}
		c := o.fill(v, n, o.untilRebind(t))
		size := len(c.ends)
		done, err := t.stream.write(ctx, c)
		n += done
		t.count += done
		if done < size {
			c.keep(done)
		}
		if done == 0 {
			o.recycle(c)
		}
		if err != nil {
			o.lose(t, err)
			return n, err
		}
		t.stream.release(o.recycle)
	}
	return n, nil
}

// fill makes a chunk of the messages of v from the n-th on, limit at most.
func (o *tcpForward) fill(v message.View, n, limit int) *chunk {
	c := o.newChunk()
	for i := n; i < v.Len() && len(c.ends) < limit && len(c.buf) < writeSize; i++ {
		o.append(&c.lines, v.At(i))
	}
	o.lastSize, o.lastCount = len(c.buf), len(c.ends)
	return c
}

func (o *tcpForward) newChunk() *chunk {
	i := len(o.free) - 1
	if i < 0 {
		// As large as the last one was.
		return &chunk{lines: lines{buf: make([]byte, 0, o.lastSize), ends: make([]int, 0, o.lastCount)}}
	}
	c := o.free[i]
	o.free = o.free[:i]
	o.freeSize -= cap(c.buf)
	return c
}

// recycle keeps chunks for later, up to some size.
func (o *tcpForward) recycle(c *chunk) {
	if o.freeSize+cap(c.buf) <= maxFree {
		c.reset()
		c.from = 0
		o.freeSize += cap(c.buf)
		o.free = append(o.free, c)
	}
}

// lose gives up a connection and keeps what has to be sent again.
func (o *tcpForward) lose(t *target, cause error) {
	if t.stream == nil {
		return
	}
	o.orphans = append(t.stream.abandon(cause), o.orphans...)
	t.stream = nil
	size := 0
	for i, c := range slices.Backward(o.orphans) {
		if size += len(c.buf); size > maxOrphans {
			o.forget(o.orphans[:i+1])
			o.orphans = slices.Delete(o.orphans, 0, i+1)
			break
		}
	}
}

// forget reports messages that are not sent again.
func (o *tcpForward) forget(chunks []*chunk) {
	n := 0
	for _, c := range chunks {
		n += len(c.ends) - c.from
	}
	if n > 0 {
		o.log(severityError, fmt.Sprintf("%d messages were sent to %s and never acknowledged; they may be lost", n, o.shown()))
	}
}

// shown is what messages call the targets.
func (o *tcpForward) shown() string {
	if len(o.targets) > 0 {
		return o.targets[0].to.String()
	}
	return o.srv.name
}

func (o *tcpForward) untilRebind(t *target) int {
	if o.rebind <= 0 {
		return writeSize
	}
	return o.rebind - t.count
}

// rebindIfDue closes a connection that has had its number of messages, once
// they are acknowledged, and opens the next.
func (o *tcpForward) rebindIfDue(ctx context.Context, t *target) error {
	if o.rebind <= 0 || t.count < o.rebind {
		return nil
	}
	if t.stream.drain(ctx, drainTimeout) {
		// All has arrived, however the connection ends.
		_ = t.stream.Close()
		t.stream = nil
	} else {
		o.lose(t, nil)
	}
	return o.connect(ctx, t)
}

// Hup implements Output. Connections stay.
func (o *tcpForward) Hup() {}

// Close closes the connections; kernels deliver what they have.
func (o *tcpForward) Close() (err error) {
	o.pool.close()
	for _, t := range o.targets {
		if t.stream != nil {
			err = errors.Join(err, t.stream.Close())
			t.stream = nil
		}
	}
	o.forget(o.orphans)
	o.orphans = nil
	return err
}
