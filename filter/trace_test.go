package filter

import (
	"fmt"
	"strings"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// noteTracer notes what it is told.
type noteTracer struct{ notes []string }

var stepNames = [...]string{"parsed", "condition", "set", "unset", "each", "call", "no call", "reload", "action", "failover", "stop"}

func (n *noteTracer) Step(m *message.Message, s Step) {
	line := fmt.Sprintf("%s%s %s", strings.Repeat("  ", s.Level), stepNames[s.Kind], s.Text)
	if s.Kind == StepCondition || s.Kind == StepCall {
		line += fmt.Sprintf(": %v", s.Holds)
	}
	if s.Value != "" {
		line += " = " + s.Value
	}
	if s.At.Line > 0 {
		line += fmt.Sprintf(" (%d:%d)", s.At.Line, s.At.Col)
	}
	n.notes = append(n.notes, line)
	for _, p := range s.Parts {
		value := p.Value
		if p.Skipped {
			value = "not looked at"
		}
		n.notes = append(n.notes, fmt.Sprintf("%s  . %s: %s", strings.Repeat("  ", s.Level+p.Level), p.Text, value))
	}
}

func TestTrace(t *testing.T) {
	rules := `ruleset(name="q" queue.type="LinkedList") {
    set $!x = "changed";
    action(type="omfile" file="/dir/q" template="RSYSLOG_FileFormat")
    stop
}
set $!x = 1 + strlen($msg);
if ($msg contains "a" or not ($!x == [ "p", 'q"\'\n' ])) and strlen($msg) + 1 > -2 then { call q }
mail.*;*.!info stop
:msg, !isequal, "x\"y" /dir/f;RSYSLOG_FileFormat
call_indirect "nowhere";
set $.r = parse_json("[1,2]", "\$.l");
foreach ($.i in $.l) do { continue }
unset $!x;
*.* stop
`
	e := newScriptEngine(t)
	e.deps.Traced = true
	c, err := conf.Parse("t.conf", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	main := e.build(t, c)
	for raw, want := range map[string]string{
		"<13>Oct 11 22:14:15 h tag: a": `parsed rsyslog.rfc3164
set $!x = 3 (6:1)
condition (($msg contains 'a') or not ($!x == ['p', 'q"\'\n'])) and ((strlen($msg) + 1) > -2): true (7:5)
  . (($msg contains 'a') or not ($!x == ['p', 'q"\'\n'])) and ((strlen($msg) + 1) > -2): true
    . ($msg contains 'a') or not ($!x == ['p', 'q"\'\n']): true
      . $msg contains 'a': true
        . $msg: ' a'
      . not ($!x == ['p', 'q"\'\n']): not looked at
    . (strlen($msg) + 1) > -2: true
      . strlen($msg) + 1: 3
        . strlen($msg): 2
          . $msg: ' a'
  call q: true (7:91)
    set $!x = changed (2:5)
    action  (3:5)
    stop  (4:5)
condition mail.*;*.!info: false (8:1)
  . $pri-text: 'user.notice'
condition :msg, !isequal, "x\"y": true (9:1)
  . $msg: ' a'
  action  (9:24)
no call nowhere (10:1)
set $.r = 0 (11:1)
  each $.i = 1 (12:1)
  each $.i = 2 (12:1)
unset $!x (13:1)
condition *.*: true (14:1)
  . $pri-text: 'user.notice'
  stop  (14:5)`,
	} {
		var tracer noteTracer
		main.Trace(t.Context(), received(t, []string{raw}).All(), &tracer)
		if got := strings.Join(tracer.notes, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if len(e.queued) != 0 || len(e.files) != 0 {
		t.Errorf("something was delivered: %v %v", e.queued, e.files)
	}
}
