package filter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sysrelay/conf"
	"sysrelay/message"
)

// genStmts draws statements for a ruleset that may call the rulesets named.
func genStmts(t *rapid.T, depth int, calls []string, next *int) []conf.Stmt {
	var out []conf.Stmt
	for range rapid.IntRange(0, 4).Draw(t, "statements") {
		out = append(out, genStmt(t, depth, calls, next))
	}
	return out
}

func genStmt(t *rapid.T, depth int, calls []string, next *int) conf.Stmt {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case kind <= 2 && depth > 0:
		sel := rapid.SampledFrom([]string{"*.err", "*.=info", "*.*", "*.none", "*.*;*.!crit"}).Draw(t, "selector")
		return &conf.PRIFilter{Selector: sel, Then: genStmts(t, depth-1, calls, next)}
	case kind <= 4 && depth > 0:
		word := rapid.SampledFrom([]string{"a", "b", "c", "1"}).Draw(t, "word")
		return &conf.If{
			Cond: &conf.Binary{Op: "contains", X: &conf.Var{Name: "msg"}, Y: &conf.Str{Value: word}},
			Then: genStmts(t, depth-1, calls, next), Else: genStmts(t, depth-1, calls, next),
		}
	case kind == 5:
		return &conf.Stop{}
	case kind == 6 && len(calls) > 0:
		return &conf.Call{Ruleset: rapid.SampledFrom(calls).Draw(t, "call")}
	case kind == 7 && len(calls) > 0:
		return &conf.CallIndirect{Ruleset: &conf.Str{Value: rapid.SampledFrom(calls).Draw(t, "call")}}
	}
	*next++
	var more []string
	if rapid.IntRange(0, 2).Draw(t, "failover") == 0 {
		more = append(more, "failover")
	}
	if r := rapid.SampledFrom([]string{"", "", "1a", "3b 6c"}).Draw(t, "refuse"); r != "" {
		more = append(more, "refuse="+r)
	}
	return action(fmt.Sprint("A", *next), more...)
}

// program is a set of rulesets; each may call those before it.
type program [][]conf.Stmt

func (p program) build(t testing.TB) (*bench, *Ruleset) {
	b := newBench(t)
	var last *Ruleset
	for i, stmts := range p {
		last = b.compile(fmt.Sprint("r", i), stmts...)
		if i == 1 { // one of them has a queue
			last.SetQueue(func(_ context.Context, v message.View) error {
				b.got = append(b.got, "queue:"+texts(v))
				return nil
			})
		}
	}
	b.link(t)
	return b, last
}

// deliveries are the messages each action was given, in order.
func deliveries(got []string) map[string][]string {
	d := map[string][]string{}
	for _, g := range got {
		name, list, _ := strings.Cut(g, ":")
		d[name] = append(d[name], strings.Fields(list)...)
	}
	return d
}

// TestBatchIsLikeOneByOne: what actions get from a batch is what they get from
// its messages one after the other, in the same order, and so are what is handed
// back and the account.
func TestBatchIsLikeOneByOne(t *testing.T) {
	words := []string{"1a", "3b", "6c", "6ab", "2d", "3a", "6b", "7abc"}
	rapid.Check(t, func(rt *rapid.T) {
		var p program
		var calls []string
		next := 0
		for i := range 4 {
			p = append(p, genStmts(rt, 3, calls, &next))
			calls = append(calls, fmt.Sprint("r", i))
		}
		all, allSet := p.build(t)
		v := batch(words...).All()
		rest := texts(message.Rest(v, allSet.Handle(context.Background(), v)))
		one, oneSet := p.build(t)
		var oneRest []string
		for _, w := range words {
			v := batch(w).All()
			if r := message.Rest(v, oneSet.Handle(context.Background(), v)); r.Len() > 0 {
				oneRest = append(oneRest, texts(r))
			}
		}
		if want := strings.Join(oneRest, " "); rest != want {
			rt.Errorf("handed back %q, one by one %q", rest, want)
		}
		if got, want := account(allSet), account(oneSet); got != want {
			rt.Errorf("account %s, one by one %s", got, want)
		}
		got, want := deliveries(all.got), deliveries(one.got)
		if len(got) != len(want) {
			rt.Errorf("actions %v, one by one %v", got, want)
		}
		for name, w := range want {
			g := got[name]
			if twice(w) { // then only each way's order is kept
				slices.Sort(g)
				slices.Sort(w)
			}
			if !slices.Equal(g, w) {
				rt.Errorf("%s got %v, one by one %v", name, g, w)
			}
		}
	})
}

func twice(words []string) bool {
	seen := map[string]bool{}
	for _, w := range words {
		if seen[w] {
			return true
		}
		seen[w] = true
	}
	return false
}

// TestHandleFromManyGoroutines is for the race detector.
func TestHandleFromManyGoroutines(t *testing.T) {
	r := compileText(t, fiftyRules()+"set $!a = $msg; if $!a contains \"error\" then stop\n")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if err := r.Handle(context.Background(), traffic().All()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if a := r.Ledger.Read(); a.Received != 4*5*256 || a.Queued() != 0 {
		t.Errorf("account %+v", a)
	}
}
