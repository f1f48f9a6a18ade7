package filter

import (
	"context"
	"errors"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// marker is a modifier that appends a letter to MSG, or cannot work.
type marker struct {
	broken, failover bool
}

var errBroken = errors.New("broken")

func (k *marker) Modify(_ context.Context, v message.View) error {
	if k.broken {
		return errBroken
	}
	for i := range v.Len() {
		m := v.At(i)
		m.ReplaceMsg(append(m.Msg.Of(m.Text), '+'))
	}
	return nil
}

func (k *marker) Name() string { return "marker" }

func (k *marker) FailoverFor() bool { return k.failover }

// modifiers makes the objects named M, N and B modifiers; B is broken.
func modifiers(o *conf.Object) (Modifier, bool, error) {
	switch name := o.Value("name"); name {
	case "M":
		return &marker{}, true, nil
	case "N":
		return &marker{failover: true}, true, nil
	case "B":
		return &marker{broken: true}, true, nil
	}
	return nil, false, nil
}

func TestModifiers(t *testing.T) {
	a, m, n, b, f := action("A"), action("M"), action("N"), action("B"), action("F", "failover")
	for _, c := range []struct {
		name     string
		stmts    []conf.Stmt
		want     string // what the message is for the last action
		discards bool
	}{
		{"changes what follows", []conf.Stmt{m, a}, "5x+", false},
		{"twice", []conf.Stmt{m, m, a}, "5x++", false},
		{"in a block", []conf.Stmt{pri("*.crit", m), a}, "5x", false},
		{"cannot work", []conf.Stmt{b, a}, "5x", false},
		{"failover for one that cannot work", []conf.Stmt{b, f}, "5x", false},
		{"failover for one that works", []conf.Stmt{m, f}, "", true},
		{"is a failover", []conf.Stmt{b, n, a}, "5x+", false},
		{"is no failover needed", []conf.Stmt{a, n, a}, "5x", false},
		{"delivers nothing", []conf.Stmt{m}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bench := newBench(t)
			bench.deps.Modifier = modifiers
			last := ""
			make := bench.deps.Action
			bench.deps.Action = func(o *conf.Object) (Action, error) {
				act, err := make(o)
				return &watched{act, &last}, err
			}
			r := bench.compile("main", c.stmts...)
			bench.link(t)
			if err := r.Handle(context.Background(), batch("5x").All()); err != nil {
				t.Fatal(err)
			}
			if last != c.want {
				t.Errorf("the last action was given %q, want %q", last, c.want)
			}
			if got := r.Ledger.Read().Discarded[message.Stopped] > 0; got != c.discards {
				t.Errorf("counted as discarded: %v, want %v", got, c.discards)
			}
		})
	}
}

// watched is an action of which the last message is kept.
type watched struct {
	Action
	last *string
}

func (w *watched) Handle(ctx context.Context, v message.View) error {
	*w.last = texts(v)
	return w.Action.Handle(ctx, v)
}

// What is handed back is as it came, so that it is not changed twice when it
// comes again.
func TestModifiedMessagesAreHandedBackAsTheyCame(t *testing.T) {
	bench := newBench(t)
	bench.deps.Modifier = modifiers
	var seen []string
	bench.deps.Action = func(*conf.Object) (Action, error) { return refusing{&seen}, nil }
	set := &conf.Set{Var: "$!n", Value: &conf.Str{Value: "1"}}
	r := bench.compile("main", action("M"), set, action("A"))
	bench.link(t)
	v := batch("5a", "5b", "5c").All()
	for range 2 {
		err := r.Handle(context.Background(), v.Slice(1, 3))
		rest := message.Rest(v.Slice(1, 3), err)
		if rest.Len() != 2 {
			t.Fatalf("%d messages were handed back: %v", rest.Len(), err)
		}
		for i := range rest.Len() {
			if m := rest.At(i); len(m.Text) != 2 || m.Vars != nil {
				t.Errorf("message %d was handed back with what the rules did to it", i)
			}
		}
	}
	for _, s := range seen {
		if s != "5b+ 5c+" {
			t.Errorf("the action was given %q", s)
		}
	}
}

// refusing is an action that takes nothing.
type refusing struct{ seen *[]string }

func (r refusing) Handle(_ context.Context, v message.View) error {
	*r.seen = append(*r.seen, texts(v))
	return errRefused
}
func (refusing) Suspended() bool   { return false }
func (refusing) FailoverFor() bool { return false }
func (refusing) HasFailover()      {}
