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
