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
		p.SaveOnShutdown = Given(false)
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
		r.memStore().broken = errors.New("read-only file system")
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

// Better in the wrong order than lost.
func TestSavingInFrontFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(disk)
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: d.open(0)})
		r.sink.fail = func(_ context.Context, v message.View) (int, error) { return 0, errAgain }
		r.memStore().noFront = errors.New("no room")
		r.put(t.Context(), texts(1, 6)...)
		r.run()
		r.stop()
		if err := <-r.ran; err == nil || !strings.Contains(err.Error(), "no room; they were put behind") {
			t.Errorf("error %v", err)
		}
		r.balanced()
		r = open(t, Options{Kind: Main, Params: assisted(), OpenStore: d.open(0)})
		r.run().end()
		r.wantGot("5", "6", "1", "2", "3", "4")
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

// A Put that fails on its way to disk leaves the queue as it was: in memory, and
// with nothing read from disk before its turn.
func TestPutFailsOnItsWayToDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)})
		release := r.sink.hold()
		r.run()
		synctest.Wait()
		r.memStore().broken = errors.New("input/output error")
		stored := message.WithAck(t.Context(), message.Stored)
		if err := r.Put(stored, batchOf(message.LightDelay, "0").All()); err == nil {
			t.Error("Put took what the store refused")
		}
		synctest.Wait()
		r.memStore().broken = nil
		r.put(t.Context(), texts(1, 6)...)
		synctest.Wait()
		if s := r.memStore(); s.read != 0 || r.onDisk() != 2 {
			t.Errorf("%d messages on disk, %d read before their turn", r.onDisk(), s.read)
		}
		release()
		synctest.Wait()
		r.wantGot(texts(1, 6)...)
		r.end()
	})
}

// What is stored while memory is empty is handed on at once.
func TestStoredIsHandedOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: assisted(), OpenStore: new(disk).open(0)}).run()
		for i := 1; i <= 3; i++ {
			synctest.Wait()
			r.put(message.WithAck(t.Context(), message.Stored), fmt.Sprint(i))
			synctest.Wait()
			r.wantGot(texts(1, i)...)
		}
		start := time.Now()
		r.end()
		if took := time.Since(start); took != 0 {
			t.Errorf("an empty queue took %v to end", took)
		}
	})
}
