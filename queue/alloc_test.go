//go:build !race

package queue

import "testing"

// The race detector makes a sync.Pool forget.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name    string
		decoded bool
		params  Params
	}{
		{"as received", false, Params{}},
		{"decoded", true, Params{}},
		{"several workers", false, Params{WorkerThreads: 2}},
		{"small batches", false, Params{DequeueBatchSize: 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, work := running(t, c.params)
			b := hundred(1)
			if c.decoded {
				b.All().At(0)
			}
			n := testing.AllocsPerRun(1000, func() {
				work.goal.Add(int64(b.Len()))
				if err := q.Put(t.Context(), b.All()); err != nil {
					t.Fatal(err)
				}
				<-work.all
			})
			if n != 0 {
				t.Errorf("%v allocations for Put and work", n)
			}
		})
	}
}
