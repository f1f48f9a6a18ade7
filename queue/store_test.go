package queue_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"sysrelay/message"
	"sysrelay/queue"
	"sysrelay/queue/disk"
)

// collector is a work that refuses while closed, and closes itself after so many.
type collector struct {
	mu    sync.Mutex
	takes int
	got   []string
	want  int
	all   chan struct{} // closed when want messages are there
}

func (c *collector) work(ctx context.Context, v message.View) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(v.Len(), c.takes)
	c.takes -= n
	for i := range n {
		c.got = append(c.got, string(v.At(i).Text))
	}
	if len(c.got) == c.want {
		close(c.all)
	}
	if n < v.Len() {
		return &message.Undelivered{Rest: v.Slice(n, v.Len()), Err: context.DeadlineExceeded}
	}
	return nil
}

// TestRestartsOnDisk puts messages into a queue with a real disk part that is
// stopped again and again before it could hand on all of them.
func TestRestartsOnDisk(t *testing.T) {
	for _, p := range []queue.Params{
		{Type: queue.Disk, Filename: "disk"},
		{Type: queue.LinkedList, Filename: "assisted", Size: 100},
		{Type: queue.LinkedList, Filename: "memory", Size: 100_000},
	} {
		t.Run(p.Filename, func(t *testing.T) {
			p.SpoolDirectory = t.TempDir()
			const rounds, each = 5, 1000
			c := &collector{want: rounds * each, all: make(chan struct{})}
			var want []string
			for round := range rounds {
				c.takes += each / 2
				q, stop := start(t, p, c)
				for i := range each {
					want = append(want, fmt.Sprint(round*each+i))
					put(t, q, want[len(want)-1], message.Ack(i%10/9))
				}
				stop()
			}
			c.takes = rounds * each
			_, stop := start(t, p, c)
			<-c.all
			stop()
			if !slices.Equal(c.got, want) {
				t.Errorf("%d messages arrived, %d were put; or not in this order", len(c.got), len(want))
			}
		})
	}
}

func start(t *testing.T, p queue.Params, c *collector) (q *queue.Queue, stop func()) {
	t.Helper()
	q, err := queue.Open(queue.Options{Name: "test Q", Kind: queue.Main, Params: p, Work: c.work, OpenStore: disk.Open})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- q.Run(ctx) }()
	return q, func() {
		q.Hurry()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if s := q.Stats(); s.Accounts.Queued() != int64(s.Size) {
			t.Errorf("accounts say that %d are queued, size is %d", s.Accounts.Queued(), s.Size)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, q *queue.Queue, text string, ack message.Ack) {
	t.Helper()
	var b message.Batch
	b.Add([]byte(text), message.NewOrigin("test", "", "", ""), 0, 0)
	if err := q.Put(message.WithAck(t.Context(), ack), b.All()); err != nil {
		t.Fatal(err)
	}
}
