package filter

import (
	"context"
	"slices"
	"strings"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// Only an action behind which a failover action comes next, whatever the message,
// may hand messages back.
func TestHasFailover(t *testing.T) {
	a, b, f := action("A"), action("B"), action("F", "failover")
	for _, c := range []struct {
		name  string
		stmts []conf.Stmt
		want  string
	}{
		{"next", []conf.Stmt{a, f}, "A"},
		{"chain", []conf.Stmt{a, f, action("G", "failover"), b}, "A F"},
		{"action between", []conf.Stmt{a, b, f}, "B"},
		{"none", []conf.Stmt{a, b}, ""},
		{"last of its block", []conf.Stmt{pri("*.crit", a), f}, "A"},
		{"last of blocks in blocks", []conf.Stmt{pri("*.crit", pri("*.alert", b, a)), f}, "A"},
		{"for some messages only", []conf.Stmt{a, pri("*.crit", f)}, ""},
		{"behind a stop", []conf.Stmt{a, &conf.Stop{}, f}, ""},
		{"end of the ruleset", []conf.Stmt{f, a}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bench := newBench(t)
			var made []*recorder
			make := bench.deps.Action
			bench.deps.Action = func(o *conf.Object) (Action, error) {
				act, err := make(o)
				made = append(made, act.(*recorder))
				return act, err
			}
			bench.compile("main", c.stmts...)
			bench.link(t)
			var got []string
			for _, r := range made {
				if r.followed {
					got = append(got, r.name)
				}
			}
			slices.Sort(got)
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("told: %q, want %q", got, c.want)
			}
		})
	}
}

// Under a promise a called ruleset's queue is given copies; what it does not take
// is nevertheless known.
func TestCopiesThatAreNotTaken(t *testing.T) {
	for _, ack := range []message.Ack{message.Received, message.Stored} {
		b := newBench(t)
		sub := b.compile("sub", action("S"))
		sub.SetQueue(func(_ context.Context, v message.View) error {
			return &message.Undelivered{Rest: v.Slice(1, v.Len()), Err: errRefused}
		})
		main := b.compile("main", pri("*.alert", &conf.Call{Ruleset: "sub"}))
		b.link(t)
		v := batch("0a", "2b", "1a", "3c", "1b").All()
		alert := texts(v.Select([]int32{0, 2, 4}))
		err := main.Handle(message.WithAck(context.Background(), ack), v)
		if got := texts(message.Rest(v, err)); got != strings.Join(strings.Fields(alert)[1:], " ") {
			t.Errorf("promise %d: handed back %q of %q", ack, got, alert)
		}
	}
}
