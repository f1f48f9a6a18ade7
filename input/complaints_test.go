package input

import (
	"fmt"
	"testing"
	"time"
)

func TestComplaintsAreBounded(t *testing.T) {
	s := newSink()
	now := time.Unix(1_700_000_000, 0)
	c := complaints{name: "imtcp(514)", log: s.logf, now: func() time.Time { return now }}
	for i := range complaintsMax + 5 {
		c.add(fmt.Sprint(i))
	}
	if len(s.log) != complaintsMax {
		t.Errorf("%d lines", len(s.log))
	}
	now = now.Add(complaintsTime)
	c.add("later")
	now = now.Add(-time.Hour)
	c.add("the clock was set back")
	want := []string{"imtcp(514): 5 more lines about connections were left out", "later", "the clock was set back"}
	if got := s.log[complaintsMax:]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("then %q", got)
	}
	for range complaintsMax {
		c.add("again")
	}
	c.close()
	c.close()
	if got := s.log[len(s.log)-1]; got != "imtcp(514): 1 more lines about connections were left out" {
		t.Errorf("at last %q", got)
	}
}
