package queue

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

// What a disk-assisted queue hands on from memory may wait in the next queue's
// memory when what is on disk passes that by. It must not overtake it.
func TestOrderBehindADiskAssistedQueue(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				last := open(t, Options{Kind: Action, Params: Params{Size: 1000, DequeueBatchSize: 7, TimeoutShutdown: Given(-1), WorkerThreads: workers}})
				last.sink.fail = func(_ context.Context, v message.View) (int, error) {
					time.Sleep(time.Millisecond)
					return v.Len(), nil
				}
				d := &disk{latency: time.Millisecond}
				first := open(t, Options{Kind: Main, OpenStore: d.open(0), Work: last.Put,
					Params: Params{Filename: "f", Size: 50, HighWatermark: 40, DequeueBatchSize: 10, TimeoutShutdown: Given(-1)}})
				first.run()
				last.run()
				want := texts(1, 1000)
				for i := 0; i < len(want); i += 20 {
					first.put(t.Context(), want[i:i+20]...)
					if i%200 == 0 {
						time.Sleep(20 * time.Millisecond) // memory and disk take turns
					}
				}
				first.end()
				last.end()
				got := last.sink.texts()
				if !slices.Equal(got, want) {
					t.Errorf("got %d messages in the order %v", len(got), got)
				}
			})
		})
	}
}
