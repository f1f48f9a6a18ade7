package output

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"sysrelay/message"
)

const (
	// A message the server has refused refusals times over refusedFor can never be
	// delivered. librelp drops a message at the first refusal.
	refusals   = 3
	refusedFor = time.Minute
	// maxRefused is how many refused messages are remembered.
	maxRefused = 1000
)

// omrelp sends messages over RELP. A message is delivered when the server has
// answered 200 to it, and not before: what is unanswered when a connection ends
// is the caller's, who sends it again on the next.
type omrelp struct {
	p      OMRELPParams
	dialer dialer
	tpl    message.Template
	now    func() time.Time

	session *relpSession // nil while not connected
	count   int          // messages since then
	rest    []int32

	seed    maphash.Seed
	refused map[uint64]refusal // by hash of the message as it is sent
	text    []byte
}

// refusal is what is remembered of a message that was refused.
type refusal struct {
	times int
	since time.Time
}

// NewOMRELP makes the output of action(type="omrelp"). It opens no connection.
func NewOMRELP(_ OMRELPModule, p OMRELPParams, d Deps) (Output, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	tpl, err := d.template(p.Template, "RSYSLOG_ForwardFormat")
	if err != nil {
		return nil, err
	}
	to := dialer{Dialing: p.dialing(), to: hostPort{p.Target, p.Port}, timeout: seconds(p.ConnTimeout)}
	return &omrelp{p: p, dialer: to, tpl: tpl, now: d.Env.Now,
		seed: maphash.MakeSeed(), refused: map[uint64]refusal{}}, nil
}

// Write implements Output.
func (o *omrelp) Write(ctx context.Context, v message.View) (int, error) {
	if err := o.rebindIfDue(ctx); err != nil {
		return 0, err
	}
	if err := o.connect(ctx); err != nil {
		return 0, err
	}
	s := o.session
	err := s.exchange(ctx, o.tpl, v)
	o.count += s.done
	if err != nil || s.closing {
		o.drop()
	}
	o.rest = o.rest[:0]
	for i, a := range s.status {
		if a != accepted {
			o.rest = append(o.rest, int32(i))
		}
	}
	if len(o.rest) == 0 {
		return v.Len(), nil
	}
	if err == nil {
		err = o.refusal(v, string(s.text))
	}
	// The view outlives this call, o.rest must not.
	return 0, &message.Undelivered{Rest: v.Pick(append([]int32(nil), o.rest...)), Err: err}
}

// refusal is the error for messages the server refused, o.rest. It blames the
// first of them once it has been refused often enough.
func (o *omrelp) refusal(v message.View, why string) error {
	now := o.now()
	if len(o.refused) > maxRefused {
		clear(o.refused)
	}
	var first refusal
	for n, i := range o.rest {
		o.text = o.tpl.Append(o.text[:0], v.At(int(i)))
		key := maphash.Bytes(o.seed, o.text)
		r, known := o.refused[key]
		if !known {
			r.since = now
		}
		r.times++
		o.refused[key] = r
		if n == 0 {
			first = r
		}
	}
	err := fmt.Errorf("%s refuses %d messages: %.200q", o.dialer.to, len(o.rest), why)
	if first.times >= refusals && now.Sub(first.since) >= refusedFor {
		return errors.Join(ErrUnacceptable, err)
	}
	return err
}

func (o *omrelp) connect(ctx context.Context) (err error) {
	if o.session == nil {
		o.session, err = openRELP(ctx, &o.dialer, o.p)
		o.count = 0
	}
	return err
}

// drop gives up a connection that failed. What was unanswered is sent again on
// the next: the kernel must not send it, too.
func (o *omrelp) drop() {
	_ = o.session.conn.SetLinger(0)
	_ = o.session.conn.Close()
	o.session = nil
}

func (o *omrelp) rebindIfDue(ctx context.Context) error {
	if o.session == nil || o.p.RebindInterval <= 0 || o.count < o.p.RebindInterval {
		return nil
	}
	return o.hangUp(ctx)
}

func (o *omrelp) hangUp(ctx context.Context) error {
	s := o.session
	o.session = nil
	return s.hangUp(ctx)
}

// TryResume implements Output: it opens a session.
func (o *omrelp) TryResume(ctx context.Context) error { return o.connect(ctx) }

// Render shows what would be sent, for the error file.
func (o *omrelp) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Hup implements Output. The session stays.
func (o *omrelp) Hup() {}

// Close ends the session.
func (o *omrelp) Close() error {
	if o.session == nil {
		return nil
	}
	return o.hangUp(context.Background())
}
