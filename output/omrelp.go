package output

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net"
	"time"

	"sysrelay/message"
)

// defaultWindow is librelp's.
const defaultWindow = 128

const (
	// refusalsMax is how often in a row a peer that takes other messages may refuse
	// one until it is set aside.
	refusalsMax = 3
	// refusalsOnly is the same for a peer that takes none.
	refusalsOnly = 10
)

// omrelp sends messages to one RELP peer, over one connection at a time. A
// message is delivered when the peer has answered 200, and not before.
//
// A connection that fails is closed; what it leaves unanswered is the caller's
// again, who sends it over the next one. So a message may arrive twice, but is
// not lost.
//
// A peer that refuses a message (any answer but 200) may mean the message, or
// may be unable to take any at the moment. If it takes others, it means the
// message: one refused over three connections in a row is set aside. If it takes
// none, it is left alone for a resumeInterval each time, and gets ten.
type omrelp struct {
	relpOptions
	rebind int
	dialer dialer
	dial   func(ctx context.Context) (net.Conn, error)

	session *relpSession // nil while not connected
	count   int          // messages since then

	refusal refusal
}

// refusal is what is known about the message refused last.
type refusal struct {
	seed  maphash.Seed
	id    uint64 // hash of the message
	times int    // in a row
	took  bool   // the peer has taken others since
	hold  error  // why TryResume says no the next time
}

// NewOMRELP makes the output of action(type="omrelp"). It opens no connection.
func NewOMRELP(_ OMRELPModule, p OMRELPParams, d Deps) (Output, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	tpl, err := d.template(p.Template, message.DefaultTemplate("omrelp"))
	if err != nil {
		return nil, err
	}
	o := &omrelp{rebind: p.RebindInterval, refusal: refusal{seed: maphash.MakeSeed()}}
	o.relpOptions = relpOptions{to: hostPort{p.Target, p.Port}, tpl: tpl, limit: d.Env.Sanitize.MaxSize,
		window: cmp.Or(p.WindowSize, defaultWindow), timeout: seconds(p.Timeout), connTimeout: seconds(p.ConnTimeout), log: d.Log}
	secure, err := d.keyring().RELPTLS("omrelp to "+o.to.String(), false, p.RELPTLS)
	if err != nil {
		return nil, err
	}
	o.dialer = dialer{Dialing: p.dialing(), to: o.to, timeout: o.connTimeout, tls: secure}
	o.dial = func(ctx context.Context) (net.Conn, error) { return o.dialer.connect(ctx) }
	return o, nil
}

// Render shows what would be sent, for the error file.
func (o *omrelp) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Write implements Output.
func (o *omrelp) Write(ctx context.Context, v message.View) (n int, err error) {
	for n < v.Len() {
		if err := o.connect(ctx); err != nil {
			return n, err
		}
		part := v.Slice(n, n+min(v.Len()-n, o.untilRebind()))
		if err := o.session.send(ctx, part); err != nil {
			return o.failed(v, n, err)
		}
		n += part.Len()
		o.count += part.Len()
		o.refusal.times, o.refusal.took = 0, false
	}
	return n, nil
}

func (o *omrelp) untilRebind() int {
	if o.rebind == 0 {
		return math.MaxInt
	}
	return o.rebind - o.count
}

// TryResume implements Output: it connects and opens a session.
func (o *omrelp) TryResume(ctx context.Context) error {
	if err := o.refusal.hold; err != nil {
		o.refusal.hold = nil
		return err
	}
	return o.connect(ctx)
}

// connect sees to it that there is a session. One that has broken while nothing
// was under way is replaced, as is one that has had its number of messages.
func (o *omrelp) connect(ctx context.Context) error {
	if o.session != nil {
		if o.session.usable() && o.untilRebind() > 0 {
			return nil
		}
		o.session.close()
		o.session = nil
	}
	began := time.Now()
	conn, err := o.dial(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(o.connTimeout))
	defer cancel()
	o.session, err = openRelp(ctx, conn, o.relpOptions)
	o.count = 0
	if errors.Is(err, errNoOpen) {
		o.dialer.noAnswer(err)
	}
	return err
}

// failed gives up a session that could not send all of v from the n-th message
// on, and returns what Write does.
func (o *omrelp) failed(v message.View, n int, err error) (int, error) {
	s := o.session
	o.session = nil
	s.abandon()
	var rest []int32
	for i := n; i < v.Len(); i++ {
		if !s.acknowledged(i - n) {
			rest = append(rest, int32(i))
		}
	}
	if len(rest) == 0 { // the last answers came after all
		return v.Len(), nil
	}
	first := int(rest[0])
	if s.refused(first - n) {
		err = o.refused(s, v.At(first), err)
	}
	if len(rest) == v.Len()-first {
		return first, err
	}
	return 0, &message.Undelivered{Rest: v.Pick(rest), Err: err}
}

// refused counts that the peer of session s refused m, the first message it did
// not take.
func (o *omrelp) refused(s *relpSession, m *message.Message, err error) error {
	var h maphash.Hash
	h.SetSeed(o.refusal.seed)
	h.Write(m.Text)
	maphash.WriteComparable(&h, m.Received)
	if id := h.Sum64(); id != o.refusal.id {
		o.refusal.id, o.refusal.times = id, 0
	}
	limit := refusalsOnly
	if o.refusal.took = o.refusal.took || s.took; o.refusal.took {
		limit = refusalsMax
	}
	if o.refusal.times++; o.refusal.times >= limit {
		o.refusal.times = 0
		return fmt.Errorf("%w: %w, over %d connections in a row", ErrUnacceptable, err, limit)
	}
	if !s.took {
		o.refusal.hold = err
	}
	return err
}

// Hup implements Output. The connection stays.
func (o *omrelp) Hup() {}

// Close says goodbye to the peer.
func (o *omrelp) Close() error {
	if o.session != nil {
		o.session.close()
		o.session = nil
	}
	return nil
}
