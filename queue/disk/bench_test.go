package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/queue"
)

// BenchmarkAppend has senders append batches of messages, each waiting for its
// batch to be stored, while a reader takes and acknowledges them.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ senders, batch int }{{1, 1}, {1, 128}, {8, 1}, {8, 100}, {64, 100}} {
		for _, sync := range []bool{true, false} {
			b.Run(fmt.Sprintf("senders=%d/batch=%d/sync=%v", c.senders, c.batch, sync), func(b *testing.B) {
				benchAppend(b, c.senders, c.batch, sync)
			})
		}
	}
}

func benchAppend(b *testing.B, senders, batch int, syncing bool) {
	r := newRig(b, func(c *queue.StoreConfig) { c.Sync = syncing })
	f := frames(0, batch)
	b.SetBytes(int64(len(f)))
	b.ReportAllocs()
	stop := drain(r)
	before := r.commits()
	latencies := r.timeCommits()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := r.Append(b.Context(), f, batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(r.commits()-before)/b.Elapsed().Seconds(), "commits/s")
	stop()
	times := latencies()
	if len(times) == 0 {
		return // the first commit makes the file
	}
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs/commit")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs/commit")
}

// timeCommits has commits timed; what it returns ends that and returns the times,
// the shortest first.
func (r *rig) timeCommits() func() []time.Duration {
	times := make([]time.Duration, 0, 1<<20)
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	r.commit = func(w *writer, c *commit) error {
		start := time.Now()
		defer func() { times = append(times, time.Since(start)) }()
		return w.commit(c)
	}
	return func() []time.Duration {
		r.commitMu.Lock()
		defer r.commitMu.Unlock()
		r.commit = (*writer).commit
		slices.Sort(times)
		return times
	}
}

// commits is how many commits there have been.
func (r *rig) commits() uint64 {
	r.Store.mu.Lock()
	defer r.Store.mu.Unlock()
	return r.pos.commit
}

// drain reads and acknowledges in the background.
func drain(r *rig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			run, err := r.Read(ctx, 1024)
			if err != nil {
				return
			}
			r.Ack(run.N)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// BenchmarkFloor is what BenchmarkAppend with 8 senders of 100 messages is
// compared with: the same bytes written to a file that is preallocated, one
// fdatasync for every group.
func BenchmarkFloor(b *testing.B) {
	f := frames(0, 100)
	for _, group := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			const size = 64 << 20
			if _, err := file.WriteAt(make([]byte, size), 0); err != nil {
				b.Fatal(err)
			}
			if err := file.Sync(); err != nil {
				b.Fatal(err)
			}
			var buf []byte
			for range group {
				buf = append(buf, f...)
			}
			b.SetBytes(int64(len(f)))
			off := int64(0)
			for i := 0; i < b.N; i += group {
				if off+int64(len(buf)) > size {
					off = 0
				}
				if _, err := file.WriteAt(buf, off); err != nil {
					b.Fatal(err)
				}
				off += int64(len(buf))
				if err := unix.Fdatasync(int(file.Fd())); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkDrain reads and acknowledges a backlog that is on disk only.
func BenchmarkDrain(b *testing.B) {
	r := newRig(b, nil)
	f := frames(0, 1000)
	b.SetBytes(int64(len(f)))
	for range b.N {
		if err := r.Append(b.Context(), f, 1000); err != nil {
			b.Fatal(err)
		}
	}
	r.reopen()
	b.ResetTimer()
	for n := 0; n < 1000*b.N; {
		run, err := r.Read(b.Context(), 1024)
		if err != nil {
			b.Fatal(err)
		}
		n += run.N
		r.Ack(run.N)
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
