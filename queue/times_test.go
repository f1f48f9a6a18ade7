package queue

import (
	"testing"
	"testing/synctest"
	"time"
)

// A time-out changed while the queue runs counts for what comes after it, even for
// inputs whose messages would have waited for ever.
func TestSetTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{Size: 1, TimeoutEnqueue: Given(5000)}})
		r.put(t.Context(), "1")
		r.SetTimeouts(Given(3000), Given(10))
		start := time.Now()
		r.put(t.Context(), "2")
		if d := time.Since(start); d != 10*time.Millisecond {
			t.Errorf("the second message waited %v, want 10ms", d)
		}
		r.SetTimeouts(Opt[int]{}, Given(20))
		if d := r.times.toShutdown(); d != 3*time.Second {
			t.Errorf("timeoutShutdown is %v after a change of the other, want 3s", d)
		}
		r.run()
		r.end()
	})
}
