package filter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// recorder is an action that notes the texts it is given.
type recorder struct {
	name      string
	got       *[]string              // "name:text text …", one entry per Handle
	refuse    func(text string) bool // messages not taken
	suspended bool
	failover  bool
	followed  bool
}

var errRefused = errors.New("refused")

func (r *recorder) Handle(_ context.Context, v message.View) error {
	*r.got = append(*r.got, r.name+":"+texts(v))
	if r.refuse == nil {
		return nil
	}
	rest, _ := v.Filter(nil, func(m *message.Message) bool { return r.refuse(string(m.Text)) })
	if rest.Len() == 0 {
		return nil
	}
	return &message.Undelivered{Rest: rest, Err: errRefused}
}

func (r *recorder) Suspended() bool   { return r.suspended }
func (r *recorder) FailoverFor() bool { return r.failover }
func (r *recorder) HasFailover()      { r.followed = true }

func texts(v message.View) string {
	var s []string
	for i := range v.Len() {
		s = append(s, string(v.At(i).Text))
	}
	return strings.Join(s, " ")
}

// bench is a set of rulesets with recorders as actions. An action's parameters
// say how it behaves: name, refuse (texts), failover, suspended.
type bench struct {
	deps  Deps
	sets  map[string]*Ruleset
	got   []string
	fails []error // of Compile and Link
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{sets: map[string]*Ruleset{}}
	b.deps = Deps{
		Env: message.NewEnv("here"),
		Action: func(o *conf.Object) (Action, error) {
			r := &recorder{got: &b.got}
			for _, p := range o.Params {
				switch p.Name {
				case "name":
					r.name = p.Values[0]
				case "refuse":
					r.refuse = func(text string) bool { return strings.Contains(p.Values[0], text) }
				case "failover":
					r.failover = true
				case "suspended":
					r.suspended = true
				}
			}
			return r, nil
		},
		Ruleset: func(name string) (*Ruleset, bool) { r, ok := b.sets[name]; return r, ok },
		Log:     func(severity int, text string) { t.Logf("log %d: %s", severity, text) },
	}
	return b
}

func (b *bench) compile(name string, stmts ...conf.Stmt) *Ruleset {
	r, err := Compile(b.deps, name, stmts)
	if err != nil {
		b.fails = append(b.fails, err)
	}
	b.sets[name] = r
	return r
}

func (b *bench) link(t testing.TB) {
	t.Helper()
	for _, r := range b.sets {
		if err := r.Link(); err != nil {
			b.fails = append(b.fails, err)
		}
	}
	if len(b.fails) > 0 {
		t.Fatal(errors.Join(b.fails...))
	}
}

func action(name string, more ...string) *conf.Object {
	o := &conf.Object{Kind: "action", Params: []*conf.Param{{Name: "name", Values: []string{name}}}}
	for _, m := range more {
		n, v, _ := strings.Cut(m, "=")
		o.Params = append(o.Params, &conf.Param{Name: n, Values: []string{v}})
	}
	return o
}

func pri(selector string, then ...conf.Stmt) conf.Stmt {
	return &conf.PRIFilter{Selector: selector, Then: then}
}

// batch makes parsed messages whose text is their severity and a letter, "3a".
func batch(words ...string) *message.Batch {
	b := &message.Batch{}
	for _, w := range words {
		sev, err := strconv.Atoi(w[:1])
		if err != nil {
			panic(err)
		}
		end := uint32(len(w))
		b.AddMessage(&message.Message{Text: []byte(w), PRI: uint16(8 + sev), Flags: message.Parsed,
			Msg: message.Span{Start: 0, End: end}, Raw: message.Span{Start: 0, End: end}})
	}
	return b
}

func TestRulesetStatements(t *testing.T) {
	tests := []struct {
		name  string
		stmts []conf.Stmt
		want  string // Handle calls, separated by "; "
		acct  string // received delivered stopped
	}{
		{"no statement wants the messages", nil, "", "5 0 5"},
		{"one action has the whole batch", []conf.Stmt{action("A")}, "A:1a 3b 5c 6d 3e", "5 5 0"},
		{"selector splits", []conf.Stmt{pri("*.err", action("A")), pri("*.=info", action("B"))},
			"A:1a 3b 3e; B:6d", "5 4 1"},
		{"empty views are not handed on", []conf.Stmt{pri("*.=debug", action("A"))}, "", "5 0 5"},
		{"stop takes messages away from what follows",
			[]conf.Stmt{action("A"), pri("*.=err", &conf.Stop{}), action("B")},
			"A:1a 3b 5c 6d 3e; B:1a 5c 6d", "5 5 0"},
		{"stop before any action discards", []conf.Stmt{pri("*.=err", &conf.Stop{}), action("B")},
			"B:1a 5c 6d", "5 3 2"},
		{"two stops", []conf.Stmt{pri("*.=err", &conf.Stop{}), pri("*.=info", &conf.Stop{}), action("B")},
			"B:1a 5c", "5 2 3"},
		{"stop of all ends the ruleset", []conf.Stmt{&conf.Stop{}, action("B")}, "", "5 0 5"},
		{"nested stop", []conf.Stmt{pri("*.notice", pri("*.err", action("A"), &conf.Stop{}, action("B")), action("C")), action("D")},
			"A:1a 3b 3e; C:5c; D:5c 6d", "5 5 0"},
		{"continue does nothing", []conf.Stmt{&conf.Continue{}, action("A")}, "A:1a 3b 5c 6d 3e", "5 5 0"},
		{"objects of the top level are passed over", []conf.Stmt{&conf.Object{Kind: "module"}, action("A")},
			"A:1a 3b 5c 6d 3e", "5 5 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			r := b.compile("main", tt.stmts...)
			b.link(t)
			if err := r.Handle(context.Background(), batch("1a", "3b", "5c", "6d", "3e").All()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(b.got, "; "); got != tt.want {
				t.Errorf("actions\n got %s\nwant %s", got, tt.want)
			}
			if got := account(r); got != tt.acct {
				t.Errorf("account %s, want %s", got, tt.acct)
			}
		})
	}
}

func account(r *Ruleset) string {
	a := r.Ledger.Read()
	return fmt.Sprint(a.Received, a.Delivered, a.Discarded[message.Stopped])
}

func TestRulesetFailover(t *testing.T) {
	tests := []struct {
		name  string
		stmts []conf.Stmt
		want  string
		rest  string // handed back
	}{
		{"taken: failover is idle", []conf.Stmt{action("A"), action("B", "failover")}, "A:1a 2b 3c", ""},
		{"failover gets what was not taken", []conf.Stmt{action("A", "refuse=1a 3c"), action("B", "failover")},
			"A:1a 2b 3c; B:1a 3c", ""},
		{"chain of failovers", []conf.Stmt{action("A", "refuse=1a 3c"), action("B", "failover", "refuse=3c"), action("C", "failover")},
			"A:1a 2b 3c; B:1a 3c; C:3c", ""},
		{"end of the chain fails", []conf.Stmt{action("A", "refuse=1a 3c"), action("B", "failover", "refuse=3c")},
			"A:1a 2b 3c; B:1a 3c", "3c"},
		{"suspended with a queue", []conf.Stmt{action("A", "suspended"), action("B", "failover")},
			"A:1a 2b 3c; B:1a 2b 3c", ""},
		{"failover first in the ruleset never runs", []conf.Stmt{action("B", "failover"), action("A")}, "A:1a 2b 3c", ""},
		{"an error stops no other action", []conf.Stmt{action("A", "refuse=2b"), action("B"), action("C", "refuse=3c")},
			"A:1a 2b 3c; B:1a 2b 3c; C:1a 2b 3c", "2b 3c"},
		{"a failover makes up for its own action only", []conf.Stmt{action("Z", "refuse=1a"), action("A", "refuse=1a 2b"), action("B", "failover")},
			"Z:1a 2b 3c; A:1a 2b 3c; B:1a 2b", "1a"},
		// as rsyslog: the action before is the one that ran before for this message,
		// wherever it stands.
		{"the action before may be in another block", []conf.Stmt{pri("*.crit", action("A", "refuse=1a")), pri("*.alert", action("B", "failover"))},
			"A:1a 2b; B:1a", ""},
		{"stopped messages are handed back, too", []conf.Stmt{action("A", "refuse=2b"), &conf.Stop{}}, "A:1a 2b 3c", "2b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			r := b.compile("main", tt.stmts...)
			b.link(t)
			v := batch("1a", "2b", "3c").All()
			err := r.Handle(context.Background(), v)
			if got := strings.Join(b.got, "; "); got != tt.want {
				t.Errorf("actions\n got %s\nwant %s", got, tt.want)
			}
			if got := texts(message.Rest(v, err)); got != tt.rest {
				t.Errorf("handed back %q, want %q", got, tt.rest)
			}
			if err != nil && !errors.Is(err, errRefused) {
				t.Errorf("error %v does not name the cause", err)
			}
			if a := r.Ledger.Read(); a.Queued() != 0 || int(a.Received) != 3-message.Rest(v, err).Len() {
				t.Errorf("account %+v does not add up", a)
			}
		})
	}
}

func TestRulesetCalls(t *testing.T) {
	b := newBench(t)
	b.compile("inline", action("I"), pri("*.=err", &conf.Stop{}), action("J"))
	queued := b.compile("queued", &conf.Stop{})
	queued.SetQueue(func(_ context.Context, v message.View) error {
		b.got = append(b.got, "queue:"+texts(v))
		rest, _ := v.Filter(nil, func(m *message.Message) bool { return string(m.Text) == "1a" })
		return &message.Undelivered{Rest: rest, Err: errRefused}
	})
	r := b.compile("main", &conf.Call{Ruleset: "queued"}, &conf.Call{Ruleset: "inline"}, action("A"))
	b.link(t)
	v := batch("1a", "3b", "5c").All()
	err := r.Handle(context.Background(), v)
	// as rsyslog: stop in a called ruleset stops the caller, unless there is a queue between.
	want := "queue:1a 3b 5c; I:1a 3b 5c; J:1a 5c; A:1a 5c"
	if got := strings.Join(b.got, "; "); got != want {
		t.Errorf("actions\n got %s\nwant %s", got, want)
	}
	if got := texts(message.Rest(v, err)); got != "1a" {
		t.Errorf("handed back %q, want 1a", got)
	}
}

func TestRulesetErrors(t *testing.T) {
	b := newBench(t)
	at := conf.Pos{File: "f", Line: 2, Col: 10}
	_, err := Compile(b.deps, "main", []conf.Stmt{&conf.PRIFilter{Pos: at, Selector: "mail.inof"},
		&conf.PRIFilter{Pos: at, Selector: "mial.*"}})
	var e *conf.Error
	if !errors.As(err, &e) || e.Col != 15 || e.Suggest != `did you mean "info"?` {
		t.Errorf("got %#v", err)
	}
	if !strings.Contains(err.Error(), `unknown facility name "mial"`) {
		t.Errorf("second error is missing: %v", err)
	}
	r := b.compile("main", &conf.Call{Pos: at, Ruleset: "nowhere"})
	if err := r.Link(); !errors.As(err, &e) || e.Pos != at {
		t.Errorf("got %#v", err)
	}
}

// TestCopies: omruleset gives copies. What happens to them happens to no message of
// the caller's, and a ruleset with a queue gets them there.
func TestCopies(t *testing.T) {
	world := map[string]*Ruleset{}
	var other, main []string
	show := func(to *[]string, deps Deps) Action {
		p, err := deps.Env.Property("$!v")
		if err != nil {
			t.Fatal(err)
		}
		return actionFunc(func(v message.View) {
			for i := range v.Len() {
				*to = append(*to, string(v.At(i).Msg.Of(v.At(i).Text))+"="+string(p.Value(v.At(i), nil)))
			}
		})
	}
	deps := testDeps()
	deps.Ruleset = func(name string) (*Ruleset, bool) { r, ok := world[name]; return r, ok }
	deps.Copies = func(o *conf.Object) (string, bool, error) {
		return o.Value("rulesetname"), o.Value("type") == "omruleset", nil
	}
	compile := func(name, text string, out *[]string) *Ruleset {
		t.Helper()
		d := deps
		d.Action = func(*conf.Object) (Action, error) { return show(out, deps), nil }
		stmts, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Compile(d, name, stmts)
		if err != nil {
			t.Fatal(err)
		}
		world[name] = r
		return r
	}
	copying := `action(type="omruleset" rulesetname="other")` + "\n"
	inner := compile("other", `set $!v = "changed"; action(type="omfile" file="x") stop`, &other)
	outer := compile("main", `set $!v = "own"; if $msg contains "a" then `+copying+`action(type="omfile" file="y")`, &main)
	for _, r := range world {
		if err := r.Link(); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want string) {
		t.Helper()
		other, main = nil, nil
		if err := outer.Handle(t.Context(), received(t, []string{"<13>Oct 11 22:14:15 h t:a", "<13>Oct 11 22:14:15 h t:b"}).All()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(other, " ") + " | " + strings.Join(main, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	run("a=changed | a=own b=own")
	queued := 0
	inner.SetQueue(func(_ context.Context, v message.View) error { queued += v.Len(); return nil })
	run(" | a=own b=own")
	if queued != 1 {
		t.Errorf("the queue got %d messages, want 1", queued)
	}

	// A ruleset that copies to itself would go on for ever.
	r := compile("other", copying, &other)
	if err := r.Link(); err == nil || !strings.Contains(err.Error(), "for ever") {
		t.Errorf("a circle of copies: %v", err)
	}
}
