package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sysrelay/message"
)

// counted is a work that counts messages and tells when all are there.
type counted struct {
	n    atomic.Int64
	goal atomic.Int64
	all  chan struct{}
}

func (c *counted) work(_ context.Context, v message.View) error {
	if c.n.Add(int64(v.Len())) == c.goal.Load() {
		c.all <- struct{}{}
	}
	return nil
}

// running starts a queue in the usual way, without a bubble.
func running(tb testing.TB, p Params) (*Queue, *counted) {
	c := &counted{all: make(chan struct{}, 1)}
	p.Type = LinkedList
	q, err := Open(Options{Name: "test Q", Kind: Main, Params: p, Work: c.work})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- q.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			tb.Error(err)
		}
	})
	return q, c
}

// hundred is a hundred messages of a usual length from one origin.
func hundred(origin int) *message.Batch {
	b := new(message.Batch)
	text := []byte("<13>1 2024-02-28T12:00:00Z host app 1234 - - " + strings.Repeat("x", 150))
	for range 100 {
		b.Add(text, message.NewOrigin("imtcp", fmt.Sprint(origin), "192.0.2.1", "514"), 0, 0)
	}
	return b
}

// Many senders and workers at once, for the race detector.
func TestManySenders(t *testing.T) {
	const senders, puts = 8, 200
	q, work := running(t, Params{WorkerThreads: 3, Size: 500, TimeoutEnqueue: Given(-1)})
	work.goal.Store(senders * puts * 100)
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() {
			b := hundred(i)
			b.Flow = message.Flow(i % 3)
			for range puts {
				if err := q.Put(t.Context(), b.All()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	<-work.all
	if a := q.Ledger.Read(); a.Received != senders*puts*100 || a.Lost() != 0 {
		t.Errorf("accounts: %+v", a)
	}
}

// BenchmarkPut reports the time for one message from Put to work.
func BenchmarkPut(b *testing.B) {
	for _, senders := range []int{1, 8} {
		b.Run(fmt.Sprint(senders, "-senders"), func(b *testing.B) {
			q, work := running(b, Params{TimeoutEnqueue: Given(-1)})
			rounds := b.N/100/senders + 1
			work.goal.Store(int64(rounds * senders * 100))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range senders {
				go func() {
					batch := hundred(i)
					for range rounds {
						if err := q.Put(context.Background(), batch.All()); err != nil {
							b.Error(err)
						}
					}
				}()
			}
			<-work.all
		})
	}
}
