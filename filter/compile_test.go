package filter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/message"
)

// TestCompileErrors: an error says where, what, and what to write instead.
func TestCompileErrors(t *testing.T) {
	tests := []struct {
		rules string
		col   int // on the first line
		msg   string
		hint  string
	}{
		{`if $msg contains foo("a") then stop`, 18, `function "foo" is not known`, ""},
		{`if strlenn($msg) > 3 then stop`, 4, `function "strlenn" is not known`, `did you mean "strlen"?`},
		{`if 3 < strlen() then stop`, 8, `strlen() takes 1 argument, not 0`, ""},
		{`if wrap("a") == "b" then stop`, 4, `wrap() takes 2 or 3 arguments, not 1`, ""},
		{`if substring("a", 1) == "b" then stop`, 4, `substring() takes 3 arguments, not 2`, ""},
		{`if script_error(1) then stop`, 4, `script_error() takes 0 arguments, not 1`, ""},
		{`if $hostnam == "x" then stop`, 4, `there is no property "hostnam"; did you mean "hostname"?`, ""},
		{`if re_match($msg, $msg) then stop`, 19, `argument 2 of re_match() must be a constant string`, ""},
		{`if prifilt("mail.inof") then stop`, 12, `selector "mail.inof": unknown priority name "inof"`, `did you mean "info"?`},
		{`if exec_template("nope") == "x" then stop`, 18, `exec_template(): there is no template "nope"`, ""},
		{`if lookup("nope", "x") == "x" then stop`, 11, `lookup(): there is no lookup table "nope"`, ""},
		{`if dyn_inc("nope", "x") == 0 then stop`, 12, `dyn_inc(): there is no dyn_stats() bucket "nope"`, ""},
		{`if exists("x") then stop`, 11, `the argument of exists() must be a variable, such as $!name`, ""},
		{`if exists($msg) then stop`, 11, `the argument of exists() must be a variable, such as $!name`, ""},
		{`if is_time("x", "date-rfc333") then stop`, 17, `is_time(): format "date-rfc333" is not one of date-rfc3164, date-rfc3339, date-unix`, `did you mean "date-rfc3339"?`},
		{`if is_in_subnet("1.2.3.4", "x") then stop`, 28, `is_in_subnet(): "x" is no network`, "write a network such as 192.0.2.0/24"},
		{`reload_lookup_table("nope")`, 1, `there is no lookup table "nope"`, ""},
		{`call nowhere`, 1, `call of unknown ruleset "nowhere"`, ""},
		{`set $.x = nosuch();`, 11, `function "nosuch" is not known`, ""},
		{`call_indirect nosuch();`, 15, `function "nosuch" is not known`, ""},
		{`foreach ($.i in nosuch()) do { stop }`, 17, `function "nosuch" is not known`, ""},
		{`if $msg == "a" and (1 + nosuch()) * 2 > 3 or not nosuch() then stop`, 25, `function "nosuch" is not known`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rules, func(t *testing.T) {
			stmts, err := parse(tt.rules)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Compile(testDeps(), "main", stmts)
			if err == nil {
				err = r.Link()
			}
			var e *conf.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Pos.Line != 1 || e.Col != tt.col || e.Msg != tt.msg || e.Suggest != tt.hint {
				t.Errorf("got %d:%d %q, %q\nwant 1:%d %q, %q", e.Pos.Line, e.Col, e.Msg, e.Suggest, tt.col, tt.msg, tt.hint)
			}
		})
	}
}

// TestCompileGoesOn: every error is found, and what is right still works.
func TestCompileGoesOn(t *testing.T) {
	rules := "if nosuch1() then stop\nif strlen() then stop\n:nosuch2, contains, \"x\" stop\n" +
		":msg, regex, \"\\\\(\" stop\ncall nowhere\nset $.x = nosuch3();\nif $msg contains \"b\" then /file"
	messages := received(t, []string{"<13>Oct 11 22:14:15 h a: a", "<13>Oct 11 22:14:15 h a: b"})
	stmts, err := parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	deps := testDeps()
	got := 0
	deps.Action = func(*conf.Object) (Action, error) { return actionFunc(func(v message.View) { got += v.Len() }), nil }
	r, err := Compile(deps, "main", stmts)
	all := new(multierror.Error)
	if !errors.As(err, &all) || len(all.Errors) != 5 {
		t.Errorf("want 5 errors, got %v", err)
	}
	for _, e := range all.Errors {
		if _, ok := e.(*conf.Error); !ok {
			t.Errorf("%T is no *conf.Error: %v", e, e)
		}
	}
	if err := r.Link(); err == nil {
		t.Error("the unknown ruleset is no error")
	}
	if err := r.Handle(t.Context(), messages.All()); err != nil {
		t.Error(err)
	}
	if got != 1 {
		t.Errorf("the last rule got %d messages, want 1", got)
	}
}

// TestEndlessCalls: rulesets that call each other are an error, through a queue
// they are not.
func TestEndlessCalls(t *testing.T) {
	for _, queued := range []bool{false, true} {
		t.Run(fmt.Sprint("queued=", queued), func(t *testing.T) {
			b := newBench(t)
			a := b.compile("a", &conf.Call{Ruleset: "b"})
			second := b.compile("b", &conf.Call{Ruleset: "c"})
			c := b.compile("c", action("C"), &conf.Call{Ruleset: "b"})
			self := b.compile("self", &conf.Call{Ruleset: "self"})
			if queued {
				take := func(_ context.Context, _ message.View) error { return nil }
				c.SetQueue(take)
				self.SetQueue(take)
			}
			for _, r := range []*Ruleset{second, c, self} {
				if err := r.Link(); (err == nil) != queued {
					t.Errorf("Link of %s: %v", r.Name, err)
				}
			}
			if err := a.Link(); err != nil {
				t.Errorf("Link of a, which is not in the circle: %v", err)
			}
			if err := a.Handle(context.Background(), batch("1a").All()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCallIndirectEndless: a circle through call_indirect ends, is reported once,
// and stops no message.
func TestCallIndirectEndless(t *testing.T) {
	b := newBench(t)
	reports := 0
	b.deps.Log = func(int, string) { reports++ }
	b.compile("loop", &conf.CallIndirect{Ruleset: &conf.Str{Value: "loop"}})
	main := b.compile("main", &conf.CallIndirect{Ruleset: &conf.Str{Value: "loop"}}, action("A"))
	b.link(t)
	for range 2 {
		if err := main.Handle(context.Background(), batch("1a", "2b").All()); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(b.got, "; "); got != "A:1a 2b; A:1a 2b" || reports != 1 {
		t.Errorf("got %s, %d reports", got, reports)
	}
}
