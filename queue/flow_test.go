package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// filled is a queue nothing is taken from that holds as much as it can.
func filled(t *testing.T, p Params, n int) *rig {
	r := open(t, Options{Kind: Main, Params: p})
	r.put(t.Context(), texts(1, n)...)
	return r
}

// putAsync puts messages of a flow class; the channel has the result.
func (r *rig) putAsync(ctx context.Context, flow message.Flow, texts ...string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Put(ctx, batchOf(flow, texts...).All()) }()
	synctest.Wait()
	return done
}

func pending(done <-chan error) bool {
	synctest.Wait()
	return len(done) == 0
}

func TestFullQueue(t *testing.T) {
	for _, c := range []struct {
		name    string
		enqueue int
		want    time.Duration // until three messages are given up
	}{
		{"discards at once", 0, 0},
		{"each message waits", 100, 300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := filled(t, Params{Size: 4, TimeoutEnqueue: Given(c.enqueue)}, 3)
				start := time.Now()
				r.put(t.Context(), texts(4, 7)...) // one fits
				if took := time.Since(start); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
				if a := r.Ledger.Read(); a.Received != 7 || a.Discarded[message.QueueFull] != 3 {
					t.Errorf("accounts: %+v", a)
				}
				if s := r.Stats(); s.Size != 4 || s.MaxSize != 4 || s.Full != 3 {
					t.Errorf("stats: %+v", s)
				}
				if !r.log.has("the queue is full") {
					t.Errorf("log: %q", r.log.lines)
				}
				r.run().end()
				r.wantGot(texts(1, 4)...)
				if !r.log.has("3 messages have been discarded") {
					t.Errorf("log: %q", r.log.lines)
				}
			})
		})
	}
}

func TestFullQueueWaitsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 4, TimeoutEnqueue: Given(-1)}, 4)
		ctx, cancel := context.WithCancel(t.Context())
		given := r.putAsync(ctx, message.NoDelay, "5", "6")
		second := r.putAsync(t.Context(), message.NoDelay, "7")
		time.Sleep(24 * time.Hour)
		if !pending(given) {
			t.Fatal("Put did not wait")
		}
		cancel()
		var u *message.Undelivered
		if err := <-given; !errors.Is(err, context.Canceled) || errors.As(err, &u) {
			t.Errorf("a Put that took nothing returned %v", err)
		}
		r.run()
		if err := <-second; err != nil {
			t.Error(err)
		}
		r.end()
		r.wantGot("1", "2", "3", "4", "7")
	})
}

// Inputs that can wait are not made to lose messages, unless somebody has asked
// for it.
func TestPatience(t *testing.T) {
	const forEver = -1
	explicit := Params{Size: 4, TimeoutEnqueue: Given(3000)}
	for _, c := range []struct {
		name   string
		kind   Kind
		params Params
		flow   message.Flow
		want   time.Duration
	}{
		{"NoDelay", Main, Params{Size: 4}, message.NoDelay, 2 * time.Second},
		{"LightDelay", Main, Params{Size: 4}, message.LightDelay, forEver},
		{"FullDelay", Ruleset, Params{Size: 4, FullDelayMark: 4}, message.FullDelay, forEver},
		{"LightDelay, given", Main, explicit, message.LightDelay, time.Second + 3*time.Second}, // at lightDelayMark, too
		{"action", Action, Params{Size: 4}, message.LightDelay, 2 * time.Second},
		{"legacy action", ActionLegacy, Params{Size: 4}, message.LightDelay, 50 * time.Millisecond},
		{"action that looks at the class", Action, Params{Size: 4, TakeFlowCtl: true}, message.LightDelay, forEver},
	} {
		for _, disk := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, ", disk ", disk), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { patience(t, c.kind, c.params, c.flow, c.want, disk) })
			})
		}
	}
}

func patience(t *testing.T, k Kind, p Params, flow message.Flow, want time.Duration, onDisk bool) {
	o := Options{Kind: k, Params: p}
	if onDisk { // where it is the store that is full
		o.Params.Type, o.Params.Filename, o.Params.Size = Disk, "f", 100
		o.OpenStore = new(disk).open(4)
		if want > 3*time.Second {
			want = 3 * time.Second // the marks are far away
		}
	}
	r := open(t, o)
	r.put(t.Context(), texts(1, 4)...)
	start := time.Now()
	done := r.putAsync(t.Context(), flow, "5")
	if want < 0 {
		time.Sleep(24 * time.Hour)
		if !pending(done) {
			t.Fatal("Put did not wait")
		}
	} else if err := <-done; err != nil || time.Since(start) != want {
		t.Errorf("took %v, error %v, want %v", time.Since(start), err, want)
	}
	r.run()
	if want < 0 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	r.end()
	if a := r.Ledger.Read(); a.Lost() != map[bool]uint64{true: 0, false: 1}[want < 0] {
		t.Errorf("accounts: %+v", a)
	}
}

func TestPutTakesAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 4, TimeoutEnqueue: Given(-1)}, 2)
		ctx, cancel := context.WithCancel(t.Context())
		v := batchOf(message.NoDelay, texts(3, 7)...).All()
		done := make(chan error, 1)
		go func() { done <- r.Put(ctx, v) }()
		synctest.Wait()
		cancel()
		rest := message.Rest(v, <-done)
		if rest.Len() != 3 || string(rest.At(0).Text) != "5" {
			t.Errorf("%d messages were not taken", rest.Len())
		}
		if a := r.Ledger.Read(); a.Received != 4 {
			t.Errorf("received %d, want 4", a.Received)
		}
		r.run().end()
		r.wantGot(texts(1, 4)...)
	})
}

// Those who wait for room get it in the order in which they came, before those
// who come later.
func TestRoomIsGivenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		r := open(t, Options{Kind: Main, Params: Params{Size: 2, DequeueBatchSize: 1, TimeoutEnqueue: Given(-1)}})
		r.sink.fail = func(ctx context.Context, v message.View) (int, error) { <-hold; return v.Len(), nil }
		r.run()
		r.put(t.Context(), "1", "2")
		for i := 3; i <= 9; i++ {
			r.putAsync(t.Context(), message.NoDelay, fmt.Sprint(i))
		}
		for range 9 {
			hold <- struct{}{}
			synctest.Wait()
		}
		r.end()
		r.wantGot(texts(1, 9)...)
	})
}

// Who was let in, but found that another let in took all the room, is first again.
func TestTurnIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := make(chan struct{})
		r := open(t, Options{Kind: Main, Params: Params{Size: 2, TimeoutEnqueue: Given(-1)}})
		r.sink.fail = func(ctx context.Context, v message.View) (int, error) { <-step; return v.Len(), nil }
		r.put(t.Context(), "1", "2")
		r.run()
		r.putAsync(t.Context(), message.NoDelay, "a1", "a2", "a3")
		r.putAsync(t.Context(), message.NoDelay, "b1", "b2", "b3")
		r.putAsync(t.Context(), message.NoDelay, "c")
		for len(r.sink.texts()) < 9 {
			step <- struct{}{}
			synctest.Wait()
		}
		r.end()
		if got := r.sink.texts(); max(slices.Index(got, "a1"), slices.Index(got, "b1")) > slices.Index(got, "c") {
			t.Errorf("got %v", got)
		}
	})
}

// Room for many lets in all who wait, not only the first, though what was let in
// is not worked off.
func TestRoomForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 10, TimeoutEnqueue: Given(-1), LightDelayMark: Given(0)}, 10)
		first := true
		r.sink.fail = func(ctx context.Context, v message.View) (int, error) {
			if first {
				first = false
				return 6, errAgain // the rest stays in the queue
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		var all []<-chan error
		for i := range 5 {
			all = append(all, r.putAsync(t.Context(), message.NoDelay, fmt.Sprint("late ", i)))
		}
		r.run()
		for i, done := range all {
			if pending(done) {
				t.Errorf("sender %d waits though there is room", i)
			}
		}
		r.end()
	})
}

// Room that somebody waited for is not taken by who comes later.
func TestNobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 1, TimeoutEnqueue: Given(-1)}, 1)
		r.putAsync(t.Context(), message.NoDelay, "2")
		go r.put(t.Context(), "3")
		r.mu.Lock()
		r.lanes[0].lend(1)
		r.mu.Unlock()
		r.release(1)
		r.putAsync(t.Context(), message.NoDelay, "4")
		r.mu.Lock()
		r.lanes[0].done(&r.pool)
		r.mu.Unlock()
		r.run()
		synctest.Wait()
		r.end()
		if got := r.sink.texts(); len(got) != 3 || got[0] != "2" {
			t.Errorf("got %v", got)
		}
	})
}

func TestMemoryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := len(batchOf(message.NoDelay, "1").All().AppendFrames(nil))
		r := filled(t, Params{Size: 1000, MemoryLimit: int64(3 * one), TimeoutEnqueue: Given(0)}, 5)
		if s := r.Stats(); s.Size != 3 || s.Bytes != int64(3*one) {
			t.Errorf("stats: %+v", s)
		}
		r.run().end()
		if s := r.Stats(); s.Bytes != 0 {
			t.Errorf("%d bytes in an empty queue", s.Bytes)
		}
	})
}

// A message that is larger than all there may be in memory must go somewhere.
func TestHugeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{MemoryLimit: 1000, TimeoutEnqueue: Given(-1)}}).run()
		huge := string(make([]byte, 3*chunkSize))
		for range 3 {
			r.put(t.Context(), "small", huge, huge)
		}
		r.end()
		r.wantGot("small", huge, huge, "small", huge, huge, "small", huge, huge)
	})
}

func TestDelayMarks(t *testing.T) {
	p := Params{Size: 100, LightDelayMark: Given(4), FullDelayMark: 6, DequeueBatchSize: 1}
	for _, c := range []struct {
		name string
		flow message.Flow
		kind Kind
		take bool
		hold int           // messages in the queue
		want time.Duration // -1 is for ever
	}{
		{"no delay at the full mark", message.NoDelay, Main, false, 50, 0},
		{"light below the mark", message.LightDelay, Main, false, 3, 0},
		{"light at the mark", message.LightDelay, Main, false, 4, time.Second},
		{"full delay at the light mark", message.FullDelay, Main, false, 5, 0},
		{"full delay at its mark", message.FullDelay, Main, false, 6, -1},
		{"an action holds nobody up", message.FullDelay, Action, false, 6, 0},
		{"takeFlowCtlFromMsg", message.FullDelay, Action, true, 6, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := p
				p.Type, p.TakeFlowCtl = LinkedList, c.take
				r := open(t, Options{Kind: c.kind, Params: p})
				r.put(t.Context(), texts(1, c.hold)...)
				start := time.Now()
				done := r.putAsync(t.Context(), c.flow, "more", "and more")
				if c.want < 0 {
					time.Sleep(24 * time.Hour)
					if !pending(done) {
						t.Fatal("Put did not wait")
					}
					r.run()
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); c.want >= 0 && took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
				if c.want >= 0 {
					r.run()
				}
				r.end()
				r.wantGot(append(texts(1, c.hold), "more", "and more")...)
			})
		})
	}
}

// Senders held up at the light delay mark are let in when it is no longer
// reached, all of them.
func TestLetInBelowTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(t, Params{Size: 100, LightDelayMark: Given(10)}, 10)
		var all []<-chan error
		for i := range 5 {
			all = append(all, r.putAsync(t.Context(), message.LightDelay, fmt.Sprint("late ", i)))
		}
		start := time.Now()
		r.run()
		for _, done := range all {
			<-done
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		r.end()
		got := r.sink.texts()
		slices.Sort(got[10:]) // which sender comes first is open
		if want := append(texts(1, 10), "late 0", "late 1", "late 2", "late 3", "late 4"); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestDiscardMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Params{Size: 100, DiscardMark: 4, DiscardSeverity: Given(5), DequeueBatchSize: 2}
		r := open(t, Options{Kind: Main, Params: p})
		// <14> is user.info, <11> user.err; without PRI it is user.notice.
		r.put(t.Context(), "<14>1", "2", "<11>3", "<14>4", "<14>5", "6", "<11>7", "<14>8")
		if a := r.Ledger.Read(); a.Received != 8 || a.Discarded[message.DiscardMark] != 3 {
			t.Errorf("accounts: %+v", a)
		}
		// What is queued is discarded, too, as long as there is as much.
		r.run().end()
		r.wantGot("<11>3", "<14>4", "<11>7")
		if a := r.Ledger.Read(); a.Discarded[message.DiscardMark] != 5 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

// What must be stored is not discarded because it is less important.
func TestStoredIsNotDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Params{Type: Disk, Filename: "f", Size: 100, DiscardMark: 2, DiscardSeverity: Given(5)}
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)})
		r.put(message.WithAck(t.Context(), message.Stored), "1", "2", "3")
		r.put(t.Context(), "4", "<11>5", "6")
		r.run().end()
		r.wantGot("1", "2", "3", "<11>5")
	})
}

func TestSampling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{SamplingInterval: 3}}).run()
		r.put(t.Context(), texts(1, 4)...)
		r.put(message.WithAck(t.Context(), message.Stored), texts(5, 6)...)
		r.put(t.Context(), texts(7, 10)...)
		r.end()
		got := r.sink.texts()
		slices.Sort(got)
		if !slices.Equal(got, []string{"3", "6", "9"}) {
			t.Errorf("got %v", got)
		}
		if a := r.Ledger.Read(); a.Received != 10 || a.Discarded[message.Sampled] != 7 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

// What samplingInterval does not keep is done with, also when the rest is not taken.
func TestSamplingOfWhatIsNotTaken(t *testing.T) {
	r := open(t, Options{Kind: Main, Params: Params{SamplingInterval: 2},
		Work: func(context.Context, message.View) error { return errAgain }})
	v := batchOf(message.NoDelay, texts(1, 4)...).All()
	rest := message.Rest(v, r.Put(message.WithAck(t.Context(), message.Stored), v))
	if rest.Len() != 2 || string(rest.At(0).Text) != "2" || string(rest.At(1).Text) != "4" {
		t.Errorf("%d messages were handed back", rest.Len())
	}
	if a := r.Ledger.Read(); a.Received != 2 || a.Discarded[message.Sampled] != 2 {
		t.Errorf("accounts %+v", a)
	}
}

// Under Stored nothing may be left in memory: the sender's goroutine does the work.
func TestStoredPassesMemoryBy(t *testing.T) {
	refused := errors.New("refused")
	r := open(t, Options{Kind: Main, Params: Params{Size: 1, TimeoutEnqueue: Given(0)}})
	r.sink.fail = func(_ context.Context, v message.View) (int, error) { return min(v.Len(), 2), refused }
	v := batchOf(message.NoDelay, "1", "2", "3").All()
	for _, ack := range []message.Ack{message.Stored, message.Delivered} {
		err := r.Put(message.WithAck(t.Context(), ack), v)
		if rest := message.Rest(v, err); !errors.Is(err, refused) || rest.Len() != 1 {
			t.Errorf("%d: %d messages not taken, error %v", ack, rest.Len(), err)
		}
	}
	if a := r.Ledger.Read(); a.Received != 4 || a.Delivered != 4 {
		t.Errorf("accounts: %+v", a)
	}
	r.wantGot("1", "2", "1", "2")
}

func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Action, Params: Params{Type: Direct}}).run()
		r.put(t.Context(), "1", "2")
		r.wantGot("1", "2")
		r.end()
		if r.Ledger.Read().Delivered != 2 {
			t.Errorf("accounts: %+v", r.Ledger.Read())
		}
	})
}
