package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sysrelay/conf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an engine that runs in a directory of its own.
type running struct {
	*Engine
	dir  string
	t    *testing.T
	stop func()
}

// start runs a configuration; $DIR in it is the test's directory.
func start(t *testing.T, text string) *running {
	t.Helper()
	dir := t.TempDir()
	text = strings.ReplaceAll(text, "$DIR", dir)
	cfg, err := conf.Parse("test.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(cfg, Options{Program: "sysrelay", Version: "test"})
	if e.AbortsOn(singly(err)) {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	r := &running{Engine: e, dir: dir, t: t}
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		e.Stop(15)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func (r *running) file(name string) string {
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *running) waitFor(what string, met func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			var accounts bytes.Buffer
			r.WriteAccounts(&accounts)
			r.t.Fatalf("waited in vain for %s\n%s", what, accounts.String())
		}
	}
}

func (r *running) addr(input string) string {
	r.t.Helper()
	for _, in := range r.inputs {
		if strings.HasPrefix(in.Name(), input) {
			return in.Addrs()[0]
		}
	}
	r.t.Fatalf("no input %s", input)
	return ""
}

func (r *running) send(network, text string) {
	r.t.Helper()
	c, err := net.Dial(network, r.addr("im"+network))
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

const plain = `
global(net.enableDNS="off" workDirectory="$DIR")
module(load="imtcp") module(load="imudp")
input(type="imtcp" address="127.0.0.1" port="0")
input(type="imudp" address="127.0.0.1" port="0")
`

func TestRulesetsAndTheirQueues(t *testing.T) {
	for _, c := range []struct{ name, config, file, want string }{
		{"selector", plain + `
			mail.* action(type="omfile" file="$DIR/mail" template="RSYSLOG_TraditionalFileFormat")`, "mail", "two"},
		{"stop", plain + `
			if $msg contains "one" then stop
			action(type="omfile" file="$DIR/rest")`, "rest", "two"},
		{"call", plain + `
			ruleset(name="sub") { action(type="omfile" file="$DIR/sub") }
			mail.* call sub`, "sub", "two"},
		{"call through a queue", plain + `
			ruleset(name="sub" queue.type="LinkedList") { action(type="omfile" file="$DIR/sub") }
			mail.* call sub`, "sub", "two"},
		{"input's ruleset", `
			global(net.enableDNS="off")
			module(load="imtcp")
			input(type="imtcp" address="127.0.0.1" port="0" ruleset="sub")
			ruleset(name="sub") {
				mail.* action(type="omfile" file="$DIR/sub")
			}
			action(type="omfile" file="$DIR/wrong")`, "sub", "two"},
		{"disk queue", plain + `
			mail.* action(type="omfile" file="$DIR/act" queue.type="Disk" queue.filename="q")`, "act", "two"},
		{"dynamic file", plain + `
			template(name="name" type="string" string="$DIR/%programname%.log")
			mail.* action(type="omfile" dynaFile="name")`, "b.log", "two"},
		{"name of another case", plain + `
			ruleset(name="Sub") { action(type="omfile" file="$DIR/sub") }
			mail.* call sUB`, "sub", "two"},
		{"legacy", `
			$ModLoad imtcp
			$InputTCPServerRun 0
			$template short,"%msg%\n"
			mail.* $DIR/legacy;short`, "legacy", "two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, c.config)
			r.send("tcp", "<13>Nov 21 10:20:30 host a: one\n<22>Nov 21 10:20:30 host b: two\n")
			r.waitFor("the message", func() bool { return strings.Contains(r.file(c.file), c.want) })
			if strings.Contains(r.file(c.file), "one") {
				t.Errorf("a message that was not wanted arrived: %s", r.file(c.file))
			}
		})
	}
}

// Everything received is delivered, queued or discarded with a reason, in every
// account, once nothing moves any more.
func TestAccountsAddUp(t *testing.T) {
	r := start(t, plain+`
		mail.* stop
		*.* action(type="omfile" file="$DIR/all" queue.type="LinkedList")
		*.* action(type="omfile" file="$DIR/again" action.execOnlyEveryNthTime="2")`)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "<%d>Nov 21 10:20:30 host a: number %d\n", i%192, i)
	}
	r.send("tcp", text.String())
	mail := 0
	for i := range 1000 {
		if i%192>>3 == 2 {
			mail++
		}
	}
	r.waitFor("all messages", func() bool { return strings.Count(r.file("all"), "\n") == 1000-mail })
	r.stop()
	for _, a := range r.Accounts() {
		if a.Queued() != 0 {
			t.Errorf("%s %s: %+v does not add up: %d are nowhere", a.Kind, a.Name, a.Account, a.Queued())
		}
	}
	i := slices.IndexFunc(r.Accounts(), func(a AccountOf) bool { return strings.HasPrefix(a.Name, "imtcp") })
	if a := r.Accounts()[i]; a.Received != 1000 || a.Delivered != 1000 {
		t.Errorf("imtcp: %+v, want 1000 received and delivered", a.Account)
	}
}

func TestHupReopensFiles(t *testing.T) {
	r := start(t, plain+`*.* action(type="omfile" file="$DIR/log")`)
	r.send("tcp", "<13>Nov 21 10:20:30 host a: before\n")
	r.waitFor("the first message", func() bool { return strings.Contains(r.file("log"), "before") })
	if err := os.Rename(filepath.Join(r.dir, "log"), filepath.Join(r.dir, "old")); err != nil {
		t.Fatal(err)
	}
	r.Hup()
	r.send("tcp", "<13>Nov 21 10:20:30 host a: after\n")
	r.waitFor("the second message", func() bool { return strings.Contains(r.file("log"), "after") })
	if strings.Contains(r.file("old"), "after") {
		t.Error("the old file was written to after HUP")
	}
}

// An input that cannot listen does not keep the others from working.
func TestPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	r := start(t, `global(net.enableDNS="off") module(load="imtcp") module(load="imudp")
		input(type="imtcp" address="127.0.0.1" port="`+port+`")
		input(type="imudp" address="127.0.0.1" port="0")
		*.* action(type="omfile" file="$DIR/log")`)
	r.send("udp", "<13>Nov 21 10:20:30 host a: over the other")
	r.waitFor("the message", func() bool { return strings.Contains(r.file("log"), "over the other") })
}

// A queue that is full for good, behind an action that will never work again,
// does not keep the daemon from stopping, nor own messages from being accounted for.
func TestStopsWithAFullQueue(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	r := start(t, plain+`
		global(processInternalMessages="on" inputs.timeout.shutdown="100")
		main_queue(queue.size="100" queue.timeoutEnqueue="-1" queue.timeoutShutdown="50" queue.timeoutActionCompletion="50")
		action(type="omfwd" target="127.0.0.1" port="`+port+`" protocol="tcp" action.resumeRetryCount="-1")`)
	r.send("tcp", strings.Repeat("<13>Nov 21 10:20:30 host a: text\n", 500))
	r.waitFor("a full queue", func() bool { return r.order[0].queue.Stats().Size >= 100 })
	r.stop()
	for _, a := range r.Accounts() {
		if a.Queued() != 0 {
			t.Errorf("%s %s: %+v does not add up", a.Kind, a.Name, a.Account)
		}
	}
}

func TestErrorsHavePlaces(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`module(load="imupd")`, `1:13: there is no module "imupd"`},
		{`module()`, `1:1: module() needs the parameter load`},
		{`input(type="imudp" port="0")`, `1:12: module "imudp" is not loaded`},
		{"module(load=\"imudp\")\ninput(type=\"imudp\" prot=\"0\")", `2:20: parameter prot not known`},
		{`action(type="omflie" file="/x")`, `1:13: there is no output module "omflie"`},
		{`action(type="omfile" file="/x" template="nope")`, `there is no template "nope"`},
		{`call nowhere`, `1:1: call of unknown ruleset "nowhere"`},
		{"module(load=\"imudp\")\ninput(type=\"imudp\" port=\"0\" ruleset=\"r\")", `2:37: there is no ruleset "r"`},
		{`ruleset(name="a") { stop } ruleset(name="a") { stop }`, `1:28: ruleset "a" exists already`},
		{`ruleset(name="a" parser="rsyslog.rfc3165") { stop }`, `1:25: there is no parser "rsyslog.rfc3165"`},
		{`parser(name="p" type="pmnothing")`, `there is no parser module "pmnothing"`},
		{`template(name="t" type="list") { property(name="mgs") }`, `1:1: template "t"`},
		{`global(workDirectroy="/x")`, `parameter workDirectroy not known`},
	} {
		cfg, err := conf.Parse("t.conf", []byte(c.config))
		if err != nil {
			t.Errorf("%s: %v", c.config, err)
			continue
		}
		if _, err = New(cfg, Options{Program: "sysrelay"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.config, err, c.want)
		}
	}
}
