package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/output"
)

// singly lists the errors of New.
func singly(err error) []error {
	if m := (*multierror.Error)(nil); errors.As(err, &m) {
		return m.Errors
	}
	return nil
}

// findings builds a configuration and writes what is wrong with it, a line each.
func findings(t *testing.T, text string, o Options) (e *Engine, all []string, errs []error) {
	t.Helper()
	cfg, err := conf.Parse("t", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e, err = New(cfg, o)
	errs = singly(err)
	cfg.Sort(errs)
	for _, err := range errs {
		e := (*conf.Error)(nil)
		if !errors.As(err, &e) {
			t.Fatalf("%v has no place", err)
		}
		line := fmt.Sprintf("%d:%d %s: %s", e.Pos.Line, e.Col, e.Severity, e.Msg)
		if e.Why != "" {
			line += ": " + e.Why
		}
		if e.Suggest != "" {
			line += "; " + strings.TrimSpace(e.Suggest)
		}
		all = append(all, line)
	}
	return e, all, errs
}

// The modules and objects here are ones that no relay of logs needs; should one
// come to exist, take another.
func TestUnsupported(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`module(load="imbatchreport")`, `1:13 unsupported: module imbatchreport is not supported: its inputs receive nothing`},
		{"$ModLoad imbatchreport", `1:10 unsupported: module imbatchreport is not supported: its inputs receive nothing`},
		{`module(load="/usr/lib/rsyslog/omtesting.so")`, `1:13 unsupported: module /usr/lib/rsyslog/omtesting.so is not supported: messages for its actions are discarded`},
		{`module(load="mmaudit")`, `1:13 unsupported: module mmaudit is not supported: messages pass its actions unchanged`},
		{`module(load="ffaup")`, `1:13 unsupported: module ffaup is not supported: what uses its functions is left out`},
		{`module(load="lmnsd_gtls")`, ``},
		{`module(load="imbatchreprot")`, `1:13 error: there is no module "imbatchreprot"; did you mean "imbatchreport"?`},
		{`module(load="imhttp" ports="1" port="1")`, `1:13 unsupported: module imhttp is not supported: its inputs receive nothing` + "\n" +
			`1:32 error: parameter port not known in module(load="imhttp"); did you mean "ports"?`},
		{`input(type="imbatchreport" reports="x" ruleset="r" Tag="t" config.enabled="on")`,
			`1:12 unsupported: input module imbatchreport is not supported: this input receives nothing`},
		{`input(type="imbatchreport" report="x")`, `1:12 unsupported: input module imbatchreport is not supported: this input receives nothing` + "\n" +
			`1:28 error: parameter report not known in input(type="imbatchreport"); did you mean "reports"?`},
		{`action(type="omhdfs" template="x" action.resumeRetryCount="-1" queue.type="linkedlist")`,
			`1:13 unsupported: output module omhdfs is not supported: messages for this action are discarded`},
		{`action(type="omhdfs" queue.typ="x" queue.size="many")`, `1:13 unsupported: output module omhdfs is not supported: messages for this action are discarded` + "\n" +
			`1:22 error: parameter queue.typ not known in action(type="omhdfs"); did you mean "queue.type"?` + "\n" +
			`1:47 error: parameter queue.size: "many" is not a size; sizes are numbers with k, m, g (1024 and so on) or K, M, G (1000 and so on)`},
		{`action(type="mmaudit")`, `1:13 unsupported: output module mmaudit is not supported: messages pass it unchanged`},
		{`action(type="mmsnareparse" what.ever="x")`, `1:13 unsupported: output module mmsnareparse is not supported: messages pass it unchanged`},
		{`parser(name="x" type="pmdb2diag" timepos="1") ruleset(name="r" parser=["x", "rsyslog.rfc3164"]) { stop }`,
			`1:22 unsupported: parser module pmdb2diag is not supported: it is left out of every chain`},
		{`ruleset(name="r" parser="rsyslog.db2diag") { stop }`, ``},
		{`ruleset(name="r" parser="rsyslog.rfc3146") { stop }`, `1:25 error: there is no parser "rsyslog.rfc3146"; did you mean "rsyslog.rfc3164"?`},
		{`if http_request("http://x") == "y" then stop`, `1:4 unsupported: function http_request() of module fmhttp is not supported: it is 0`},
		{`if httprequest("http://x") == "y" then stop`, `1:4 error: function "httprequest" is not known`},
		{`action(type="omrelp" target="x")`, `1:13 error: module omrelp is not loaded; write module(load="omrelp") before it`},
		{`module(load="imkafka" ruleset="a") input(type="imkafka" parseHostname="maybe")`, `1:13 unsupported: module imkafka is not supported: its inputs receive nothing` + "\n" +
			`1:47 unsupported: input module imkafka is not supported: this input receives nothing` + "\n" +
			`1:71 error: parameter parseHostname: "maybe" is neither on nor off; write "on" or "off"`},
		{`action(type="omfwd" target="a b" keepalive.time="-1")`, `1:28 error: parameter target: "a b" contains blanks; remove the blanks` + "\n" +
			`1:49 error: parameter keepalive.time: -1 is out of range; write 0 or more`},
	} {
		_, got, _ := findings(t, c.config, Options{})
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.config, strings.Join(got, "\n     "), c.want)
		}
	}
}

// A module that has come to exist is not unsupported, whatever the list says.
func TestUnsupportedGivesWay(t *testing.T) {
	type params struct {
		Template string `conf:"template"`
	}
	exists := outputOf("omhdfs", func(struct{}, params, output.Deps) (output.Output, error) { return &testOut{}, nil })
	e, got, _ := findings(t, `module(load="omhdfs") action(type="omhdfs" template="x")`, Options{outputs: []outputKind{exists}})
	if len(got) > 0 || len(e.actions) != 1 {
		t.Errorf("%q, %d actions", got, len(e.actions))
	}
}

// A parameter that a later rsyslog has is no typing error.
func TestUnsupportedParameter(t *testing.T) {
	exists := outputOf("omtcl", func(_, _ struct{}, _ output.Deps) (output.Output, error) { return &testOut{}, nil })
	e, got, _ := findings(t, `module(load="omtcl") action(type="omtcl" template="x")`, Options{outputs: []outputKind{exists}})
	want := `1:42 unsupported: parameter template of action(type="omtcl") is not supported: it has no effect`
	if !slices.Equal(got, []string{want}) || len(e.actions) != 1 {
		t.Errorf("%q, %d actions", got, len(e.actions))
	}
}

func TestAbortsOn(t *testing.T) {
	const unsupported, wrong = `action(type="omhdfs")`, `action(type="omfile" fiel="x")`
	for _, c := range []struct {
		config string
		compat bool
		want   bool
	}{
		{unsupported, false, false},
		{wrong, false, true},
		{unsupported, true, false},
		{wrong, true, false},
		{`global(abortOnUncleanConfig="on") ` + unsupported, true, true},
		{`global(abortOnUncleanConfig="on") ` + unsupported, false, true},
		{`global(abortOnUncleanConfig="off") ` + wrong, false, false},
		{`global(abortOnUncleanConfig="on") stop`, false, false},
	} {
		e, _, errs := findings(t, c.config, Options{Compat: c.compat})
		if got := e.AbortsOn(errs); got != c.want {
			t.Errorf("%s, compat %v: %v", c.config, c.compat, got)
		}
	}
}

// Messages for an action that is not there are accounted for; others get theirs,
// and a failover action gets all.
func TestMissingAction(t *testing.T) {
	r := start(t, plain+`
		action(name="gone" type="omhdfs")
		action(name="modify" type="mmaudit")
		action(type="omfile" file="$DIR/other")
		action(name="gone2" type="omhdfs")
		action(type="omfile" file="$DIR/failover" action.execOnlyWhenPreviousIsSuspended="on")`)
	r.send("tcp", "<13>Nov 21 10:20:30 host a: one\n")
	r.waitFor("the message", func() bool { return strings.Contains(r.file("failover"), "one") })
	r.stop()
	if got := r.file("other"); !strings.Contains(got, "one") {
		t.Errorf("the other action got %q", got)
	}
	if a := r.account("gone"); a.Received != 1 || a.Discarded[message.NotSupported] != 1 {
		t.Errorf("discarded: %+v", a)
	}
	if a := r.account("modify"); a.Received != 1 || a.Delivered != 1 {
		t.Errorf("passed by: %+v", a)
	}
	if a := r.account("gone2"); a.Received != 0 {
		t.Errorf("with failover: %+v", a)
	}
}
