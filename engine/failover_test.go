package engine

import (
	"strings"
	"testing"

	"sysrelay/message"
)

// An action hands back what it cannot deliver only if a failover action comes
// next for it. One that runs elsewhere makes up for nothing: the message would
// go through the rules, and to the other actions, again and again.
func TestFailoverElsewhere(t *testing.T) {
	for _, c := range []struct{ name, config string }{
		{"in another ruleset", `
			action(type="omfile" file="$DIR/other")
			action(name="dead" type="omfwd" target="127.0.0.1" port="1" protocol="tcp")
			ruleset(name="r") { action(type="omfile" file="$DIR/failover" action.execOnlyWhenPreviousIsSuspended="on") }`},
		{"for other messages", `
			action(type="omfile" file="$DIR/other")
			action(name="dead" type="omfwd" target="127.0.0.1" port="1" protocol="tcp")
			mail.* action(type="omfile" file="$DIR/failover" action.execOnlyWhenPreviousIsSuspended="on")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, plain+c.config)
			r.send("tcp", "<13>Nov 21 10:20:30 host a: one\n")
			r.waitFor("the decision", func() bool {
				return strings.Count(r.file("other"), "\n") > 1 || r.account("dead").Discarded[message.Suspended] == 1
			})
			r.stop()
			if got := r.file("other"); strings.Count(got, "\n") != 1 {
				t.Errorf("the other action got\n%s", got)
			}
		})
	}
}

func TestFailoverBehindABlock(t *testing.T) {
	r := start(t, plain+`
		if $msg contains "o" then {
			action(name="dead" type="omfwd" target="127.0.0.1" port="1" protocol="tcp")
		}
		action(type="omfile" file="$DIR/failover" action.execOnlyWhenPreviousIsSuspended="on")`)
	r.send("tcp", "<13>Nov 21 10:20:30 host a: one\n<13>Nov 21 10:20:30 host a: 2\n<13>Nov 21 10:20:30 host a: two\n")
	r.waitFor("the messages", func() bool { return strings.Contains(r.file("failover"), "two") })
	r.stop()
	if got := r.file("failover"); strings.Count(got, "\n") != 2 || r.account("dead").Received != 0 {
		t.Errorf("the failover action got\n%s, the action before it %+v", got, r.account("dead"))
	}
}

// account is the account of that name.
func (r *running) account(name string) message.Account {
	r.t.Helper()
	for _, a := range r.Accounts() {
		if a.Name == name {
			return a.Account
		}
	}
	r.t.Fatalf("no account of %s", name)
	return message.Account{}
}
