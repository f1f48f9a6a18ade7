package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// assisted returns the parameters of a small disk-assisted queue.
func assisted() Params {
	return Params{Type: LinkedList, Filename: "f", Size: 100, HighWatermark: 4}
}

func (r *rig) onDisk() int { return r.Stats().DiskSize }

func (r *rig) memStore() *memStore { return r.store.(*memStore) }

// hold makes the work wait until the returned function is called.
func (s *sink) hold() (release func()) {
	gate := make(chan struct{})
	s.fail = func(ctx context.Context, v message.View) (int, error) {
		select {
		case <-gate:
			return v.Len(), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return func() { close(gate) }
}

func TestSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)})
		release := r.sink.hold()
		r.run()
		for i := 1; i <= 30; i += 3 {
			r.put(t.Context(), texts(i, i+2)...)
		}
		synctest.Wait()
		if s := r.Stats(); s.Size != 30 || s.DiskSize != 26 {
			t.Errorf("%d messages, %d of them on disk", s.Size, s.DiskSize)
		}
		release()
		synctest.Wait()
		r.wantGot(texts(1, 30)...)
		r.put(t.Context(), "31")
		synctest.Wait()
		if n := r.memStore().disk.commits; n != 10-1 {
			t.Errorf("%d commits: the queue did not go back to memory", n)
		}
		r.end()
		r.wantGot(texts(1, 31)...)
	})
}

// Messages go to disk as long as some are there, however empty memory is.
func TestSpillUntilTheDiskIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := assisted()
		p.DequeueBatchSize = 1
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)})
		r.put(t.Context(), texts(1, 8)...)
		step := make(chan struct{})
		r.sink.fail = func(context.Context, message.View) (int, error) { <-step; return 1, nil }
		r.run()
		for range 6 {
			step <- struct{}{}
		}
		synctest.Wait()
		if s := r.Stats(); s.Size != 2 || s.DiskSize != 2 {
			t.Fatalf("stats: %+v", s)
		}
		r.put(t.Context(), "9")
		if n := r.onDisk(); n != 3 {
			t.Errorf("%d messages on disk, want 3", n)
		}
		for range 3 {
			step <- struct{}{}
		}
		synctest.Wait()
		r.put(t.Context(), "10")
		if n := r.onDisk(); n != 0 {
			t.Errorf("%d messages on disk after it was empty", n)
		}
		step <- struct{}{}
		r.end()
		r.wantGot(texts(1, 10)...)
	})
}

// What must be stored is on disk when Put returns, and is handed on after what
// is in memory, under the same promise.
func TestStoredGoesToDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)})
		release := r.sink.hold()
		r.run()
		r.put(t.Context(), "1", "2")
		r.put(message.WithAck(t.Context(), message.Stored), "3")
		r.put(t.Context(), "4")
		if n := r.onDisk(); n != 2 {
			t.Errorf("%d messages on disk", n)
		}
		release()
		r.end()
		r.wantGot("1", "2", "3", "4")
		if want := []message.Ack{message.Received, message.Stored}; !slices.Equal(r.sink.acks, want) {
			t.Errorf("handed on under %v, want %v", r.sink.acks, want)
		}
	})
}

func TestDeliveredPassesTheDiskBy(t *testing.T) {
	r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)})
	r.put(message.WithAck(t.Context(), message.Delivered), "1")
	r.wantGot("1")
	if r.onDisk() != 0 {
		t.Error("it is on disk, too")
	}
}

// Memory is saved before what is on disk, because it is older.
func TestSaveAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(disk)
		for _, workers := range []int{1, 3} {
			p := assisted()
			p.WorkerThreads = workers
			r := open(t, Options{Kind: Main, Params: p, OpenStore: d.open(0)})
			r.sink.fail = func(_ context.Context, v message.View) (int, error) { return 0, errAgain }
			r.run()
			r.put(t.Context(), texts(1, 10)...)
			synctest.Wait()
			r.end()
			if s := r.Stats(); s.Size != 10 || s.DiskSize != 10 || !r.log.has("4 messages were saved") {
				t.Errorf("stats: %+v, log: %q", s, r.log.lines)
			}
			r = open(t, Options{Kind: Main, Params: p, OpenStore: d.open(0)})
			r.put(t.Context(), "11")
			r.run().end()
			r.wantGot(texts(1, 11)...)
			if len(d.records) != 0 {
				t.Errorf("%d messages are left on disk", len(d.records))
			}
		}
	})
}

func TestSaveOnShutdownOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := assisted()
		p.SaveOnShutdown = "off"
		d := new(disk)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: d.open(0)})
		r.sink.fail = func(_ context.Context, v message.View) (int, error) { return 0, errAgain }
		r.put(t.Context(), texts(1, 10)...)
		r.run().end()
		if a := r.Ledger.Read(); a.Discarded[message.ShutdownTimeout] != 4 || len(d.records) != 6 {
			t.Errorf("%d on disk, accounts: %+v", len(d.records), a)
		}
	})
}

func TestSavingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)})
		r.sink.fail = func(_ context.Context, v message.View) (int, error) { return 0, errAgain }
		r.memStore().prepend = errors.New("read-only file system")
		r.put(t.Context(), "1", "2")
		r.run()
		r.stop()
		err := <-r.ran
		if err == nil || !strings.Contains(err.Error(), "saving 2 messages to f: read-only file system") {
			t.Errorf("error %v", err)
		}
		if a := r.Ledger.Read(); a.Discarded[message.ShutdownTimeout] != 2 {
			t.Errorf("accounts: %+v", a)
		}
		r.balanced()
	})
}

func diskQueue() Params { return Params{Type: Disk, Filename: "f"} }

// Small commits are brought together, and acknowledged when the work took them.
func TestDiskQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(disk)
		r := open(t, Options{Kind: Action, Params: diskQueue(), OpenStore: d.open(0)})
		for i := 1; i <= 100; i++ {
			r.put(t.Context(), fmt.Sprint(i))
		}
		if n := r.onDisk(); n != 100 {
			t.Errorf("%d messages on disk", n)
		}
		r.run()
		synctest.Wait()
		r.wantGot(texts(1, 100)...)
		if got := len(r.sink.batches()); got > 4 {
			t.Errorf("%d batches", got)
		}
		if r.sink.acks[0] != message.Stored {
			t.Error("not handed on under Stored")
		}
		if len(d.records) != 0 {
			t.Errorf("%d messages are not acknowledged", len(d.records))
		}
		r.put(t.Context(), "101")
		r.end()
		r.wantGot(texts(1, 101)...)
	})
}

// What the work did not take stays on disk; what it did take before that does not.
func TestDiskQueueStopped(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := new(disk)
			p := diskQueue()
			p.WorkerThreads = workers
			r := open(t, Options{Kind: Action, Params: p, OpenStore: d.open(0)})
			left := 5
			r.sink.fail = func(_ context.Context, v message.View) (int, error) {
				n := min(left, v.Len())
				left -= n
				return n, errAgain
			}
			r.put(t.Context(), texts(1, 9)...)
			r.run()
			synctest.Wait()
			r.end()
			r.wantGot(texts(1, 5)...)
			want := 4
			if workers > 1 {
				want = 9 // shares of several workers are acknowledged together
			}
			if len(d.records) != want {
				t.Errorf("%d workers: %d messages on disk, want %d", workers, len(d.records), want)
			}
		})
	}
}

// What was not taken may be any part of a batch; then all of it stays on disk.
func TestDiskQueueStoppedInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(disk)
		work := func(_ context.Context, v message.View) error {
			rest, _ := v.Filter(nil, func(m *message.Message) bool { return string(m.Text) != "2" })
			return &message.Undelivered{Rest: rest, Err: errAgain}
		}
		r := open(t, Options{Kind: Action, Params: diskQueue(), OpenStore: d.open(0), Work: work})
		r.put(t.Context(), texts(1, 4)...)
		r.run()
		synctest.Wait()
		r.end()
		if len(d.records) != 4 {
			t.Errorf("%d messages on disk, want 4", len(d.records))
		}
	})
}

// What was accepted, but is not committed yet when the queue is told to end, is
// still handed on.
func TestDrainWaitsForTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: diskQueue(), OpenStore: (&disk{latency: time.Second}).open(0)}).run()
		r.put(t.Context(), "1")
		r.end()
		r.wantGot("1")
	})
}

// While a Put is on its way to disk the queue does not go back to memory: what
// came later would be handed on first.
func TestNoReturnToMemoryWhilePutsAreOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{latency: time.Second}
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: d.open(0)}).run()
		stored := message.WithAck(t.Context(), message.Stored)
		r.putAsync(stored, message.LightDelay, "1")
		time.Sleep(500 * time.Millisecond)
		second := r.putAsync(stored, message.LightDelay, "2")
		time.Sleep(600 * time.Millisecond) // the first is delivered
		r.wantGot("1")
		if !pending(second) {
			t.Error("the second Put did not wait for its commit")
		}
		r.putAsync(t.Context(), message.LightDelay, "3")
		r.wantGot("1")
		time.Sleep(2 * time.Second)
		r.end()
		r.wantGot("1", "2", "3")
	})
}

func TestNoLightDelayWhileSpilling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := assisted()
		p.LightDelayMark = Given(2)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)})
		start := time.Now()
		for i := 1; i <= 12; i += 3 {
			if err := r.Put(t.Context(), batchOf(message.LightDelay, texts(i, i+2)...).All()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != time.Second { // before the second, which spills
			t.Errorf("took %v", took)
		}
		r.run().end()
		r.wantGot(texts(1, 12)...)
	})
}

func TestDiskQueueMinimumBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.MinDequeueBatchSize, p.MinDequeueTimeout = 10, Given(500)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)}).run()
		for i := 1; i <= 12; i++ {
			r.put(t.Context(), fmt.Sprint(i))
			synctest.Wait()
		}
		if sizes := r.sink.batches(); !slices.Equal(sizes, []int{10}) {
			t.Errorf("batches of %v before the time-out", sizes)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		r.wantGot(texts(1, 12)...)
		r.put(t.Context(), "13")
		r.end()
		r.wantGot(texts(1, 13)...)
	})
}

// Memory of a disk-assisted queue that may not be handed on is saved.
func TestWindowClosedAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := assisted()
		p.DequeueTimeBegin, p.DequeueTimeEnd = 2, Given(3)
		d := new(disk)
		utc := func() time.Time { return time.Now().UTC() }
		r := open(t, Options{Kind: Main, Params: p, OpenStore: d.open(0), Now: utc}).run()
		r.put(t.Context(), texts(1, 6)...)
		start := time.Now()
		r.end()
		r.wantGot()
		if took := time.Since(start); took != 0 || len(d.records) != 6 {
			t.Errorf("took %v, %d messages on disk", took, len(d.records))
		}
	})
}

func TestDiskQueueWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.WorkerThreads = 3
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)})
		var b message.Batch
		for i := range 60 {
			b.Add(fmt.Append(nil, i), message.NewOrigin("test", fmt.Sprint(i%7), "", ""), 0, 0)
		}
		if err := r.Put(t.Context(), b.All()); err != nil {
			t.Fatal(err)
		}
		r.run().end()
		of := map[int][]int{}
		for _, text := range r.sink.texts() {
			var i int
			fmt.Sscan(text, &i)
			of[i%7] = append(of[i%7], i)
		}
		for origin, got := range of {
			if !slices.IsSorted(got) {
				t.Errorf("origin %d: %v", origin, got)
			}
		}
		if len(r.sink.got) != 60 {
			t.Errorf("got %d messages", len(r.sink.got))
		}
	})
}

// Only senders that cannot be held up do not wait for the commit.
func TestWhoWaitsForTheCommit(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		flow   message.Flow
		ack    message.Ack
		accept int
	}{
		{Main, message.NoDelay, message.Received, 1},
		{Main, message.LightDelay, message.Received, 0},
		{Main, message.NoDelay, message.Stored, 0},
		{Action, message.NoDelay, message.Received, 0},
	} {
		r := open(t, Options{Kind: c.kind, Params: diskQueue(), OpenStore: new(disk).open(0)})
		if err := r.Put(message.WithAck(t.Context(), c.ack), batchOf(c.flow, "1").All()); err != nil {
			t.Error(err)
		}
		if got := r.memStore().accepted; got != c.accept {
			t.Errorf("%+v: %d calls of Accept", c, got)
		}
	}
}

func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.TimeoutEnqueue = Given(100)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(5)})
		r.put(t.Context(), texts(1, 3)...)
		start := time.Now()
		r.put(t.Context(), texts(4, 7)...)
		if took := time.Since(start); took != 200*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if a := r.Ledger.Read(); a.Discarded[message.DiskFull] != 2 || !r.log.has("the queue is full") {
			t.Errorf("accounts: %+v, log: %q", a, r.log.lines)
		}
		ctx, cancel := context.WithTimeout(message.WithAck(t.Context(), message.Stored), time.Hour)
		defer cancel()
		v := batchOf(message.NoDelay, "8").All()
		if err := r.Put(ctx, v); !errors.Is(err, ErrNoRoom) || message.Rest(v, err).Len() != 1 {
			t.Errorf("a message that must be stored was taken by a full disk: %v", err)
		}
		if took := time.Since(start); took != time.Hour+200*time.Millisecond {
			t.Errorf("took %v", took)
		}
		done := r.putAsync(message.WithAck(t.Context(), message.Stored), message.NoDelay, "9")
		r.run()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.end()
		r.wantGot("1", "2", "3", "6", "7", "9")
	})
}

// Less important messages make room on a full disk if the user says so.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.TimeoutEnqueue, p.DiscardSeverity = Given(0), Given(6)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(4)})
		r.put(t.Context(), "<14>info 1", "<11>err 2", "<14>info 3", "<11>err 4")
		r.put(t.Context(), "<14>info 5")
		r.put(t.Context(), "<11>err 6")
		r.put(t.Context(), "<11>err 7")
		r.put(t.Context(), "<11>err 8") // nothing can make room any more
		r.run().end()
		r.wantGot("<11>err 2", "<11>err 4", "<11>err 6", "<11>err 7")
		if a := r.Ledger.Read(); a.Received != 8 || a.Discarded[message.DiskFull] != 4 {
			t.Errorf("accounts: %+v", a)
		}
	})
}

// What must be stored is not discarded on a full disk; but it makes others go
// only if it is more important.
func TestEvictionForStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.TimeoutEnqueue, p.DiscardSeverity = Given(0), Given(6)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(2)})
		stored := message.WithAck(t.Context(), message.Stored)
		r.put(stored, "<14>info 1", "<11>err 2")
		waiting := r.putAsync(stored, message.LightDelay, "<14>info 3")
		if !pending(waiting) || r.onDisk() != 2 {
			t.Errorf("%d messages on disk", r.onDisk())
		}
		r.put(stored, "<11>err 4")
		r.run()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		r.end()
		r.wantGot("<11>err 2", "<11>err 4", "<14>info 3")
	})
}

// queue.size limits a Disk queue if it is given.
func TestDiskQueueSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.Size, p.TimeoutEnqueue = 4, Given(100)
		r := open(t, Options{Kind: Main, Params: p, OpenStore: new(disk).open(0)})
		r.put(t.Context(), texts(1, 5)...)
		if a := r.Ledger.Read(); a.Discarded[message.QueueFull] != 1 || r.onDisk() != 4 {
			t.Errorf("%d on disk, accounts: %+v", r.onDisk(), a)
		}
		done := r.putAsync(message.WithAck(t.Context(), message.Stored), message.NoDelay, "6")
		time.Sleep(time.Hour)
		if !pending(done) {
			t.Error("a message was stored above queue.size")
		}
		r.run()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.end()
		r.wantGot("1", "2", "3", "4", "6")
	})
}

func TestDiskQueueWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := diskQueue()
		p.DequeueTimeBegin, p.DequeueTimeEnd = 2, Given(3)
		d := new(disk)
		utc := func() time.Time { return time.Now().UTC() }
		r := open(t, Options{Kind: Main, Params: p, OpenStore: d.open(0), Now: utc}).run()
		r.put(t.Context(), "1")
		time.Sleep(time.Hour)
		synctest.Wait()
		r.wantGot()
		time.Sleep(time.Hour)
		synctest.Wait()
		r.wantGot("1")
		time.Sleep(2 * time.Hour)
		r.put(t.Context(), "2")
		r.end()
		r.wantGot("1")
		if len(d.records) != 1 {
			t.Errorf("%d messages on disk, want 1", len(d.records))
		}
	})
}

func TestDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: diskQueue(), OpenStore: new(disk).open(0)})
		r.put(t.Context(), "1", "2", "3", "lost by the store")
		r.memStore().damage()
		copy(r.memStore().disk.records[1].frame[16:], "\xff\xff") // not a frame any more
		r.run()
		r.put(t.Context(), "4")
		r.end()
		r.wantGot("1", "3", "4")
		if a := r.Ledger.Read(); a.Discarded[message.Damaged] != 2 || a.Delivered != 3 {
			t.Errorf("accounts: %+v", a)
		}
		if !r.log.has("1 of 4 messages on disk are damaged") {
			t.Errorf("log: %q", r.log.lines)
		}
	})
}

func TestDiskWithoutStore(t *testing.T) {
	_, err := Open(Options{Name: "test Q", Kind: Main, Params: diskQueue()})
	if err == nil || !strings.Contains(err.Error(), "there is no disk queue in this program") {
		t.Errorf("error %v", err)
	}
	broken := func(StoreConfig) (Store, error) { return nil, errors.New("permission denied") }
	_, err = Open(Options{Name: "test Q", Kind: Main, Params: diskQueue(), OpenStore: broken})
	if err == nil || !strings.Contains(err.Error(), "test Q: opening its files in f: permission denied") {
		t.Errorf("error %v", err)
	}
}
