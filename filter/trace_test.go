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

func (n *noteTracer) note(m *message.Message, format string, args ...any) {
	n.notes = append(n.notes, string(m.Msg.Of(m.Text))+": "+fmt.Sprintf(format, args...))
}
func (n *noteTracer) Parsed(m *message.Message, parser string) { n.note(m, "parsed by %s", parser) }
func (n *noteTracer) Condition(m *message.Message, where, text string, outcome bool) {
	n.note(m, "%s %s: %v", where, text, outcome)
}
func (n *noteTracer) Action(m *message.Message, where string) { n.note(m, "action %s", where) }

func TestTrace(t *testing.T) {
	rules := `ruleset(name="q" queue.type="LinkedList") { action(type="omfile" file="/dir/q" template="RSYSLOG_FileFormat") }
if ($msg contains "a" or not ($!x == [ "p", 'q"\'\n' ])) and strlen($msg) + 1 > -2 then { call q }
mail.*;*.!info stop
:msg, !isequal, "x\"y" /dir/f;RSYSLOG_FileFormat
`
	e := newScriptEngine(t)
	c, err := conf.Parse("t.conf", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	main := e.build(t, c)
	var tracer noteTracer
	messages := received(t, []string{"<13>Oct 11 22:14:15 h tag: a", "<19>1 - h app - - - b"})
	if err := main.Trace(t.Context(), messages.All(), &tracer); err != nil {
		t.Fatal(err)
	}
	want := ` a: parsed by rsyslog.rfc3164
b: parsed by rsyslog.rfc5424
 a: t.conf:2:5 (($msg contains 'a') or not ($!x == ['p', 'q"\'\n'])) and ((strlen($msg) + 1) > -2): true
b: t.conf:2:5 (($msg contains 'a') or not ($!x == ['p', 'q"\'\n'])) and ((strlen($msg) + 1) > -2): true
 a: action t.conf:1:45
b: action t.conf:1:45
 a: t.conf:3:1 mail.*;*.!info: false
b: t.conf:3:1 mail.*;*.!info: false
 a: t.conf:4:1 :msg, !isequal, "x\"y": true
b: t.conf:4:1 :msg, !isequal, "x\"y": true
 a: action t.conf:4:24
b: action t.conf:4:24`
	if got := strings.Join(tracer.notes, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(e.queued) != 0 {
		t.Error("a traced message went into a queue")
	}
	if got := e.files["q"]; strings.Count(got, "\n") != 2 {
		t.Errorf("the queued ruleset's action wrote %q", got)
	}
}
