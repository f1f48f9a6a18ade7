package engine

import (
	"testing"

	"sysrelay/conf"
	"sysrelay/queue"
)

func TestKindOfActionQueue(t *testing.T) {
	for _, c := range []struct {
		config string
		want   queue.Kind
	}{
		{`*.* action(type="omfile" file="/x" queue.type="LinkedList")`, queue.Action},
		{"$ActionQueueType LinkedList\n*.* /x", queue.ActionLegacy},
	} {
		cfg, err := conf.Parse("t.conf", []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range cfg.Stmts {
			if f, ok := s.(*conf.PRIFilter); ok {
				if got := actionQueue(f.Then[0].(*conf.Object)); got != c.want {
					t.Errorf("%s: kind %d, want %d", c.config, got, c.want)
				}
			}
		}
	}
}

// global()'s default time-outs count only where they are given: a queue's own
// defaults depend on its kind, and on whether a time was asked for at all.
func TestDefaultTimeouts(t *testing.T) {
	given := conf.Opt[int]{Value: 7, Given: true}
	unset := conf.Opt[int]{Value: 2000}
	p := queue.Params{TimeoutCompletion: queue.Given(5)}
	defaultTimeouts(&p, given, given, unset)
	if p.TimeoutShutdown != queue.Given(7) || p.TimeoutCompletion != queue.Given(5) || p.TimeoutEnqueue.Given {
		t.Errorf("time-outs %+v %+v %+v", p.TimeoutShutdown, p.TimeoutCompletion, p.TimeoutEnqueue)
	}
}
