package output

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHeldIsNotDelivered: messages gathered with flushOnTXEnd=off count as
// delivered when they are written, not before.
func TestHeldIsNotDelivered(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "log")
	p.FlushOnTXEnd, p.IOBufferSize = false, 10
	o, _ := newOMFile(t, p, nil)
	now := tick(o)
	a, _ := newAction(t, o, nil)
	want := func(step string, delivered, queued int) {
		t.Helper()
		got := a.Ledger().Read()
		if int(got.Delivered) != delivered || int(got.Queued()) != queued {
			t.Errorf("%s: %d delivered, %d held; want %d, %d", step, got.Delivered, got.Queued(), delivered, queued)
		}
	}
	must(t, a.Handle(t.Context(), batch("1", "2")))
	want("gathered", 0, 2)
	must(t, a.Handle(t.Context(), batch("3", "4", "5")))
	want("written", 5, 0)
	must(t, a.Handle(t.Context(), batch("6")))
	a.Hup()
	want("after a HUP", 6, 0)
	must(t, a.Handle(t.Context(), batch("7")))
	now.advance(time.Second)
	a.tick(t.Context())
	want("after the interval", 7, 0)
	must(t, a.Handle(t.Context(), batch("8")))
	// It cannot be written any more: it is lost, and counted.
	must(t, os.RemoveAll(filepath.Dir(p.File)))
	must(t, os.WriteFile(filepath.Dir(p.File), nil, 0o600))
	must(t, o.static.close())
	if a.Close() == nil {
		t.Error("closing reports nothing")
	}
	want("closed", 7, 0)
	if lost := a.Ledger().Read().Lost(); lost != 1 {
		t.Errorf("%d lost, want 1", lost)
	}
}
