package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// slow is a work that takes a time for each batch, unless its context ends.
func slow(d time.Duration, taken *int) message.Handler {
	return func(ctx context.Context, v message.View) error {
		select {
		case <-time.After(d):
			*taken += v.Len()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name               string
		drain, completion  int
		batch              time.Duration
		taken              int // of ten messages, one to a batch
		took               time.Duration
		hurry              bool
		discardedAsOverdue int
	}{
		{name: "drained", drain: 1500, batch: 100 * time.Millisecond, taken: 10, took: time.Second},
		{name: "not drained", drain: 450, completion: 1000, batch: 100 * time.Millisecond,
			taken: 5, took: 500 * time.Millisecond, discardedAsOverdue: 5},
		{name: "the batch under way takes too long", drain: 50, completion: 1000, batch: time.Hour,
			taken: 0, took: 1050 * time.Millisecond, discardedAsOverdue: 10},
		{name: "no time to drain", drain: 0, completion: 1000, batch: 100 * time.Millisecond,
			taken: 1, took: 100 * time.Millisecond, discardedAsOverdue: 9},
		{name: "no time at all", drain: 0, completion: 0, batch: 100 * time.Millisecond,
			taken: 0, took: 0, discardedAsOverdue: 10},
		{name: "for ever", drain: -1, batch: time.Hour, taken: 10, took: 10 * time.Hour},
		{name: "for ever, hurried", drain: -1, completion: -1, batch: time.Hour, hurry: true,
			taken: 1, took: 90 * time.Minute, discardedAsOverdue: 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				taken := 0
				p := Params{DequeueBatchSize: 1, TimeoutShutdown: Given(c.drain), TimeoutCompletion: Given(c.completion)}
				r := open(t, Options{Kind: Main, Params: p, Work: slow(c.batch, &taken)})
				r.put(t.Context(), texts(1, 10)...)
				start := time.Now()
				r.run()
				synctest.Wait()
				if c.hurry {
					time.AfterFunc(90*time.Minute, func() { r.Hurry(); r.Hurry() })
				}
				r.end()
				if took := time.Since(start); took != c.took || taken != c.taken {
					t.Errorf("took %v and %d messages, want %v and %d", took, taken, c.took, c.taken)
				}
				a := r.Ledger.Read()
				if int(a.Delivered) != c.taken || int(a.Discarded[message.ShutdownTimeout]) != c.discardedAsOverdue {
					t.Errorf("accounts: %+v", a)
				}
				if said := r.log.has("are discarded"); said != (c.discardedAsOverdue > 0) {
					t.Errorf("log: %q", r.log.lines)
				}
				if s := r.Stats(); s.Size != 0 || s.Bytes != 0 {
					t.Errorf("stats: %+v", s)
				}
			})
		})
	}
}

// What the work did not take when the time is over is not handed on again.
func TestShutdownWhileTheWorkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{TimeoutShutdown: Given(1500)}})
		first := true
		r.sink.fail = func(_ context.Context, v message.View) (int, error) {
			if first {
				first = false
				return 2, errAgain
			}
			return 0, errAgain
		}
		r.put(t.Context(), texts(1, 5)...)
		start := time.Now()
		r.run().end()
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		r.wantGot("1", "2")
		if a := r.Ledger.Read(); a.Discarded[message.ShutdownTimeout] != 3 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

// Work that ignores its context does not keep the queue from ending.
func TestWorkThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		work := func(context.Context, message.View) error { <-hang; return nil }
		r := open(t, Options{Kind: Main, Params: Params{DequeueBatchSize: 2}, Work: work})
		r.put(t.Context(), texts(1, 5)...)
		r.run().end()
		if a := r.Ledger.Read(); a.Discarded[message.ShutdownTimeout] != 5 {
			t.Errorf("accounts: %+v", a)
		}
		if !r.log.has("does not return") {
			t.Errorf("log: %q", r.log.lines)
		}
		close(hang)
		synctest.Wait()
		r.balanced()
		if a := r.Ledger.Read(); a.Delivered != 0 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

func TestPutAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{Size: 1, TimeoutEnqueue: Given(-1)}})
		r.sink.fail = func(context.Context, message.View) (int, error) { return 0, errAgain }
		r.put(t.Context(), "1")
		waiting := r.putAsync(t.Context(), message.NoDelay, "2")
		r.run().end()
		if err := <-waiting; err == nil {
			t.Error("a message was taken from a sender that waited until the queue was shut down")
		}
		v := batchOf(message.NoDelay, "3").All()
		if err := r.Put(t.Context(), v); err == nil || message.Rest(v, err).Len() != 1 {
			t.Errorf("a message was taken by a queue that is shut down: %v", err)
		}
		if a := r.Ledger.Read(); a.Received != 1 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

// Senders may end after the queue was told to: what they put while it drains is
// handed on.
func TestPutWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{DequeueBatchSize: 1}})
		r.sink.fail = func(_ context.Context, v message.View) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return v.Len(), nil
		}
		r.put(t.Context(), "1", "2")
		r.run()
		time.Sleep(50 * time.Millisecond)
		time.AfterFunc(100*time.Millisecond, func() { r.put(t.Context(), "3", "4") })
		r.end()
		r.wantGot("1", "2", "3", "4")
	})
}

func TestRunWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := open(t, Options{Kind: Main})
	r.put(t.Context(), "1")
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
	r.wantGot("1") // a context that has ended already drains what is there
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
}
