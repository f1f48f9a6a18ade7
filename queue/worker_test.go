package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

var errAgain = errors.New("not now")

func TestBatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{DequeueBatchSize: 40}})
		r.put(t.Context(), texts(1, 100)...)
		r.run().end()
		r.wantGot(texts(1, 100)...)
		if sizes := r.sink.batches(); !slices.Equal(sizes, []int{40, 40, 20}) {
			t.Errorf("batches of %v", sizes)
		}
	})
}

func TestMinimumBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{MinDequeueBatchSize: 10, MinDequeueTimeout: Given(500)}})
		r.run()
		start := time.Now()
		for i := 1; i <= 12; i++ {
			r.put(t.Context(), fmt.Sprint(i))
			synctest.Wait()
		}
		if sizes := r.sink.batches(); !slices.Equal(sizes, []int{10}) {
			t.Errorf("batches of %v before the time-out", sizes)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if sizes := r.sink.batches(); !slices.Equal(sizes, []int{10, 2}) || time.Since(start) != 500*time.Millisecond {
			t.Errorf("batches of %v after the time-out", sizes)
		}
		r.put(t.Context(), "13") // does not wait at shutdown
		r.end()
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("shutdown took until %v", took)
		}
		r.wantGot(texts(1, 13)...)
	})
}

// The time-out counts from the first message.
func TestMinimumBatchTrickling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{MinDequeueBatchSize: 10, MinDequeueTimeout: Given(500)}}).run()
		for i := 1; i <= 4; i++ {
			r.put(t.Context(), fmt.Sprint(i))
			time.Sleep(150 * time.Millisecond)
		}
		synctest.Wait()
		r.wantGot(texts(1, 4)...)
		r.end()
	})
}

// A minimum that no chunk holds is brought together from several.
func TestMinimumBatchAcrossChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{MinDequeueBatchSize: 30, DequeueBatchSize: 35}})
		var want []string
		for i := range 70 {
			want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat("x", chunkSize/8)))
			r.put(t.Context(), want[i])
		}
		r.run()
		synctest.Wait()
		if sizes := r.sink.batches(); len(sizes) != 2 || min(sizes[0], sizes[1]) < 30 || max(sizes[0], sizes[1]) > 35 {
			t.Errorf("batches of %v", sizes)
		}
		r.end()
		r.wantGot(want...)
	})
}

func TestSlowdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Params{DequeueSlowdown: 200_000, DequeueBatchSize: 2, TimeoutShutdown: Given(-1)}
		r := open(t, Options{Kind: Main, Params: p})
		r.put(t.Context(), texts(1, 6)...)
		start := time.Now()
		r.run().end()
		if took := time.Since(start); took != 600*time.Millisecond {
			t.Errorf("three batches took %v", took)
		}
	})
}

// The bubble's clock starts at midnight UTC.
func TestDequeueWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		utc := func() time.Time { return time.Now().UTC() }
		p := Params{DequeueTimeBegin: 2, DequeueTimeEnd: Given(3)}
		r := open(t, Options{Kind: Main, Params: p, Now: utc}).run()
		r.put(t.Context(), "early")
		time.Sleep(2*time.Hour - time.Second)
		synctest.Wait()
		r.wantGot()
		time.Sleep(time.Second)
		synctest.Wait()
		r.wantGot("early")
		r.put(t.Context(), "within")
		synctest.Wait()
		r.wantGot("early", "within")
		time.Sleep(time.Hour)
		r.put(t.Context(), "late")
		synctest.Wait()
		r.wantGot("early", "within")
		r.end() // what would be lost is handed on
		r.wantGot("early", "within", "late")
	})
}

// What the work does not take it is given again, before what came later.
func TestRestIsHandedOnAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{DequeueBatchSize: 5, TimeoutShutdown: Given(-1)}})
		calls := 0
		r.sink.fail = func(_ context.Context, v message.View) (int, error) {
			if calls++; calls%3 == 0 {
				return v.Len(), nil
			}
			return min(v.Len(), calls%2), errAgain
		}
		r.put(t.Context(), texts(1, 50)...)
		start := time.Now()
		r.run().end()
		r.wantGot(texts(1, 50)...)
		if time.Since(start) == 0 {
			t.Error("the work was given the rest again without a pause")
		}
		if !r.log.has("not now") {
			t.Errorf("log: %q", r.log.lines)
		}
	})
}

// The work may use its selections' memory again for the next batch, and may give
// back any selection of what it was given.
func TestRestMayBeAnySelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var scratch []int32
		rng := rand.New(rand.NewPCG(1, 2))
		work := func(_ context.Context, v message.View) error {
			for i := range scratch {
				scratch[i] = 0
			}
			var rest message.View
			rest, scratch = v.Filter(scratch, func(m *message.Message) bool {
				if rng.IntN(3) > 0 {
					return true
				}
				got = append(got, string(m.Text))
				return false
			})
			if rest.Len() > 2 {
				rest = rest.Slice(0, rest.Len()) // a part of what was given
			}
			return &message.Undelivered{Rest: rest, Err: errAgain}
		}
		r := open(t, Options{Kind: Main, Work: work, Params: Params{TimeoutShutdown: Given(-1)}})
		r.put(t.Context(), texts(1, 100)...)
		r.run().end()
		slices.Sort(got)
		want := texts(1, 100)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %d: %v", len(got), got)
		}
	})
}

// What the work has in hand stays as it is while the queue is filled.
func TestLentMessagesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", chunkSize/4)
		r := open(t, Options{Kind: Main, Params: Params{DequeueBatchSize: 1, TimeoutShutdown: Given(-1)}})
		r.sink.fail = func(_ context.Context, v message.View) (int, error) {
			time.Sleep(3 * time.Second)
			return v.Len(), nil
		}
		r.run()
		var want []string
		for i := range 60 {
			want = append(want, fmt.Sprint(i, long))
			r.put(t.Context(), want[i])
			time.Sleep(300 * time.Millisecond)
		}
		r.end()
		r.wantGot(want...)
	})
}

// Several workers work at the same time, and keep the order of each origin.
func TestWorkersKeepTheOrderOfAnOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string][]string{}
		at, most := 0, 0
		work := func(_ context.Context, v message.View) error {
			mu.Lock()
			at++
			most = max(most, at)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			at--
			for i := range v.Len() {
				from := string(v.At(i).Origin.FromHost())
				got[from] = append(got[from], string(v.At(i).Text))
			}
			return nil
		}
		p := Params{WorkerThreads: 4, DequeueBatchSize: 3, TimeoutShutdown: Given(-1)}
		r := open(t, Options{Kind: Main, Work: work, Params: p}).run()
		var b message.Batch
		for i := 1; i <= 50; i++ {
			b.Reset()
			for origin := range 20 {
				b.Add(fmt.Append(nil, i), message.NewOrigin("test", fmt.Sprint(origin), "", ""), 0, 0)
			}
			if err := r.Put(t.Context(), b.All()); err != nil {
				t.Fatal(err)
			}
		}
		r.end()
		for origin := range 20 {
			if g := got[fmt.Sprint(origin)]; !slices.Equal(g, texts(1, 50)) {
				t.Errorf("origin %d: %v", origin, g)
			}
		}
		if most < 2 {
			t.Error("the workers worked one after the other")
		}
	})
}

// Messages that were parsed and changed keep what is known about them.
func TestDecodedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []message.Message
		work := func(_ context.Context, v message.View) error {
			for i := range v.Len() {
				m := *v.At(i)
				m.Text = slices.Clone(m.Text)
				got = append(got, m)
			}
			return nil
		}
		r := open(t, Options{Kind: Main, Work: work})
		b := batchOf(message.NoDelay, "<11>one", "<11>two", "<11>three")
		for i := range 3 {
			m := b.All().At(i)
			m.Flags |= message.Parsed
			m.PRI = 11
			m.Msg = message.Span{Start: 4, End: uint32(len(m.Text))}
		}
		if err := r.Put(t.Context(), b.All().Slice(1, 3)); err != nil {
			t.Fatal(err)
		}
		r.run().end()
		if len(got) != 2 || got[0].PRI != 11 || string(got[1].Msg.Of(got[1].Text)) != "three" {
			t.Errorf("got %+v", got)
		}
	})
}

// An empty queue gives back the memory of a burst after a while.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Options{Kind: Main, Params: Params{Size: 100_000}})
		long := strings.Repeat("x", 1000)
		for range 5000 {
			r.put(t.Context(), long)
		}
		r.run()
		synctest.Wait()
		free := func() (n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for c := r.pool.free; c != nil; c = c.next {
				n++
			}
			return n
		}
		if free() < 30 {
			t.Errorf("%d chunks are kept for the next burst", free())
		}
		time.Sleep(idleAfter)
		synctest.Wait()
		if free() != 0 {
			t.Errorf("%d chunks are kept by an idle queue", free())
		}
		r.put(t.Context(), "still works")
		r.end()
	})
}
