package engine

import (
	"slices"
	"testing"
	"testing/synctest"

	"sysrelay/message"
)

// as rsyslog: a ruleset with a queue works on a copy, whatever the sender was
// promised and however the message gets there.
func TestRulesetWithQueueWorksOnACopy(t *testing.T) {
	for _, ack := range []message.Ack{message.Received, message.Stored} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, `
				ruleset(name="sub" queue.type="LinkedList") { set $!x = "changed"; action(type="omtest" out="sub") stop }
				if $msg contains "3" then call sub
				if $!x == "changed" then action(type="omtest" out="wrong")
				else action(type="omtest" out="right")`, "")
			w.input.put(ack, message.NoDelay, "a", numbers(1, 4)...)
			if err := w.stop(); err != nil {
				t.Error(err)
			}
			for out, want := range map[string][]string{"sub": {"3"}, "wrong": nil, "right": numbers(1, 4)} {
				if got := w.outs[out].texts(); !slices.Equal(got, want) {
					t.Errorf("promise %d: %s got %v, want %v", ack, out, got, want)
				}
			}
			w.balanced(t)
		})
	}
}
