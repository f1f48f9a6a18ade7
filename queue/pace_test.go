package queue

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// Above paceBytes a sender that can wait does so for a moment, and no longer
// when the worker cannot catch up; others never do.
func TestPace(t *testing.T) {
	big := make([]string, 40)
	for i := range big {
		big[i] = strings.Repeat("x", paceBytes/32)
	}
	for _, c := range []struct {
		name string
		flow message.Flow
		held []string
		want time.Duration
	}{
		{"below", message.LightDelay, big[:20], 0},
		{"light", message.LightDelay, big, paceDelay},
		{"full", message.FullDelay, big, paceDelay},
		{"none", message.NoDelay, big, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := filled(t, Params{Size: 1000}, 0)
				r.put(t.Context(), c.held...)
				start := time.Now()
				if err := <-r.putAsync(t.Context(), c.flow, "last"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
				r.run().end()
			})
		})
	}
}

// A worker that catches up lets the sender in at once.
func TestPaceEndsWhenTheWorkerCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 1000}, 0)
		for range 40 {
			r.put(t.Context(), strings.Repeat("x", paceBytes/32))
		}
		start := time.Now()
		given := r.putAsync(t.Context(), message.LightDelay, "last")
		if !pending(given) {
			t.Fatal("Put did not wait")
		}
		r.run()
		if err := <-given; err != nil || time.Since(start) != 0 {
			t.Errorf("Put returned %v after %v, want at once", err, time.Since(start))
		}
		r.end()
	})
}
