package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sysrelay/message"
	"sysrelay/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is the text of test message i; its severity is i modulo 8.
func text(i int) string { return fmt.Sprintf("<%d>message %08d", 8+i%8, i) }

// frames are the messages first..first+n-1.
func frames(first, n int) []byte {
	var b message.Batch
	o := message.NewOrigin("test", "host", "127.0.0.1", "1")
	for i := first; i < first+n; i++ {
		m := message.Message{Text: []byte(text(i)), Origin: o, Received: int64(i), PRI: uint16(8 + i%8)}
		b.AddMessage(&m)
	}
	return b.All().AppendFrames(nil)
}

// failer is what a test of either kind has.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// numbers are the messages of a run.
func numbers(t failer, r queue.Run) []int {
	t.Helper()
	var b message.Batch
	if err := b.Load(r.Frames, r.N); err != nil {
		t.Fatal(err)
	}
	var list []int
	for i := range r.N {
		var n int
		txt := string(b.All().At(i).Text)
		if _, err := fmt.Sscanf(txt[strings.Index(txt, " "):], "%d", &n); err != nil || txt != text(n) {
			t.Fatalf("message %q: %v", txt, err)
		}
		list = append(list, n)
	}
	return list
}

func sequence(first, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = first + i
	}
	return list
}

// rig is a store under test.
type rig struct {
	*Store
	t    testing.TB
	cfg  queue.StoreConfig
	mu   sync.Mutex
	log  []string
	lost int
}

func newRig(t testing.TB, change func(*queue.StoreConfig)) *rig {
	r := &rig{t: t}
	r.cfg = queue.StoreConfig{Name: "q", Sync: true,
		Log: func(sev int, line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.log = append(r.log, fmt.Sprintf("<%d>%s", sev, line))
		},
		Lost: func(_ message.Reason, n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lost += n
		}}
	if change != nil {
		change(&r.cfg)
	}
	if r.cfg.Dir == "" {
		r.cfg.Dir = filepath.Join(t.TempDir(), "q")
	}
	r.open()
	t.Cleanup(func() {
		if r.Store != nil {
			r.close()
		}
	})
	return r
}

func (r *rig) open() {
	r.t.Helper()
	s, err := Open(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s.(*Store)
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
	r.Store = nil
}

func (r *rig) reopen() { r.t.Helper(); r.close(); r.open() }

// append appends messages first..first+n-1.
func (r *rig) append(first, n int) {
	r.t.Helper()
	if err := r.Append(r.t.Context(), frames(first, n), n); err != nil {
		r.t.Fatal(err)
	}
}

// read reads n messages, in runs of at most max.
func (r *rig) read(n, max int) (list []int) {
	r.t.Helper()
	for len(list) < n {
		run, err := r.Read(r.t.Context(), min(max, n-len(list)))
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, numbers(r.t, run)...)
	}
	return list
}

// expect reads and acknowledges messages first..first+n-1.
func (r *rig) expect(first, n int) {
	r.t.Helper()
	if got := r.read(n, n); !slices.Equal(got, sequence(first, n)) {
		r.t.Fatalf("read %v, want %d from %d", got, n, first)
	}
	r.Ack(n)
}

func (r *rig) empty() {
	r.t.Helper()
	if run, ok, err := r.next(1); ok || err != nil {
		r.t.Fatalf("read %v, %v; want nothing", run, err)
	}
	if l := r.Len(); l.Messages != 0 || l.Bytes != 0 {
		r.t.Fatalf("an empty store has %+v", l)
	}
}

// logged reports whether a line with that text was logged.
func (r *rig) logged(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.log, func(l string) bool { return strings.Contains(l, part) })
}

// files lists the names in the queue's directory that end so.
func (r *rig) files(pattern string) []string {
	r.t.Helper()
	list, err := filepath.Glob(filepath.Join(r.cfg.Dir, pattern))
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for range 2000 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never happened: %s", what)
}

func TestMessagesLeaveInOrderAndOnce(t *testing.T) {
	r := newRig(t, nil)
	for i := range 50 {
		r.append(10*i, 10)
	}
	if got := r.Len().Messages; got != 500 {
		t.Errorf("Len is %d, want 500", got)
	}
	r.expect(0, 200)
	r.reopen()
	r.expect(200, 300)
	r.empty()
	r.reopen()
	r.empty()
	r.append(500, 1)
	r.expect(500, 1)
}

func TestReadTakesAtMostMax(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	for _, want := range [][]int{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9}} {
		run, err := r.Read(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, run); !slices.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	}
	r.Ack(10)
	r.empty()
}

func TestWhatIsNotAcknowledgedIsReadAgain(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	r.append(10, 10)
	if got := r.read(15, 4); !slices.Equal(got, sequence(0, 15)) {
		t.Fatal(got)
	}
	r.Ack(3)
	r.reopen()
	r.expect(3, 5)
	r.reopen()
	r.expect(8, 12)
	r.empty()
}

func TestAcknowledgementIsCommittedWithoutAppend(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	r.expect(0, 4)
	eventually(t, "the acknowledgement is durable", func() bool {
		r.Store.mu.Lock()
		defer r.Store.mu.Unlock()
		return r.pos.durable == r.pos.acked
	})
}

func TestReadWaits(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() { _, err := r.Read(ctx, 1); got <- err }()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("Read returned %v, want the context's error", err)
	}
	go func() { _, err := r.Read(t.Context(), 1); got <- err }()
	r.append(0, 1)
	if err := <-got; err != nil {
		t.Error(err)
	}
	go func() { _, err := r.Read(t.Context(), 1); got <- err }()
	r.close()
	if err := <-got; !errors.Is(err, queue.ErrStoreClosed) {
		t.Errorf("Read returned %v, want %v", err, queue.ErrStoreClosed)
	}
}

func TestManyAppendAtOnce(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxFileSize = 2 << 20 })
	const senders, each, size = 8, 60, 100
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				first := (s*each + i) * size
				var err error
				if i%2 == 0 {
					err = r.Append(t.Context(), frames(first, size), size)
				} else {
					err = r.Accept(t.Context(), frames(first, size), size)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.reopen()
	list := r.read(senders*each*size, 1000)
	r.Ack(len(list))
	last := make([]int, senders) // of each sender
	for _, n := range list {
		s := n / (each * size)
		if want := s*each*size + last[s]; n != want {
			t.Fatalf("sender %d: read %d, want %d", s, n, want)
		}
		last[s]++
	}
	r.empty()
	eventually(t, "disk space is given back", func() bool { return r.Len().DiskBytes <= keepDrained })
}

func TestLargeAppendIsSplit(t *testing.T) {
	r := newRig(t, nil)
	const n = 60000 // more than one commit's worth
	r.append(0, n)
	r.reopen()
	r.expect(0, n)
	r.empty()
}

func TestPrepend(t *testing.T) {
	for _, acked := range []int{0, 3, 10, 13} {
		t.Run(fmt.Sprint(acked), func(t *testing.T) {
			r := newRig(t, nil)
			r.append(100, 10)
			r.append(110, 10)
			if acked > 0 {
				r.expect(100, acked)
			}
			runs := []queue.Run{{Frames: frames(0, 5), N: 5}, {Frames: frames(5, 5), N: 5}}
			if err := r.Prepend(t.Context(), runs); err != nil {
				t.Fatal(err)
			}
			if got := r.Len().Messages; got != 30-acked {
				t.Errorf("Len is %d, want %d", got, 30-acked)
			}
			r.reopen()
			r.expect(0, 6)
			r.reopen()
			r.expect(6, 4)
			r.expect(100+acked, 20-acked)
			r.empty()
			r.append(200, 1)
			r.reopen()
			r.expect(200, 1)
		})
	}
}

func TestPrependToNothing(t *testing.T) {
	r := newRig(t, nil)
	if err := r.Prepend(t.Context(), []queue.Run{{Frames: frames(0, 5), N: 5}}); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	r.append(5, 5)
	r.expect(0, 10)
	r.empty()
}

func TestEvict(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxFileSize = 1 << 20 })
	const n = 64000
	for i := 0; i < n; i += 1000 {
		r.append(i, 1000)
	}
	r.reopen() // nothing in memory
	r.expect(0, 500)
	before := r.Len()
	got, err := r.Evict(t.Context(), 1<<40, func(f []byte) bool {
		var b message.Batch
		if err := b.Load(f, 1); err != nil {
			t.Error(err)
		}
		return b.All().At(0).Severity() >= 6
	})
	if err != nil {
		t.Fatal(err)
	}
	after := r.Len()
	if want := (n - 1000) / 4; got != want || before.Messages-after.Messages != want {
		t.Errorf("evicted %d, Len went from %d to %d; want %d fewer", got, before.Messages, after.Messages, want)
	}
	if after.DiskBytes >= before.DiskBytes || after.Bytes >= before.Bytes {
		t.Errorf("evicted from %+v to %+v", before, after)
	}
	r.expect(500, 500) // these had been read already
	r.reopen()
	if l := r.Len(); l.Messages != after.Messages-500 {
		t.Errorf("after reopening Len is %d, want %d", l.Messages, after.Messages-500)
	}
	list := r.read(r.Len().Messages, 1000)
	r.Ack(len(list))
	i := 0
	for want := 1000; want < n; want++ {
		if want%8 >= 6 {
			continue
		}
		if list[i] != want {
			t.Fatalf("read %d, want %d", list[i], want)
		}
		i++
	}
	r.empty()
	if r.lost != 0 {
		t.Errorf("%d messages were reported lost", r.lost)
	}
}

func TestMaxDiskSpace(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxDiskSpace = 8 << 20 })
	appended := 0
	ctx, cancel := context.WithCancel(t.Context())
	full := make(chan error, 1)
	go func() {
		for {
			if err := r.Append(ctx, frames(appended, 1000), 1000); err != nil {
				full <- err
				return
			}
			appended += 1000
		}
	}()
	eventually(t, "the queue is full", func() bool { return r.logged("queue.maxDiskSpace") })
	cancel()
	if err := <-full; !errors.Is(err, queue.ErrNoRoom) {
		t.Fatalf("Append returned %v, want %v", err, queue.ErrNoRoom)
	}
	if got := r.Len(); got.DiskBytes > 8<<20 || got.Messages != appended {
		t.Errorf("%d messages appended, Len is %+v", appended, got)
	}
	// Nothing that waits is lost when room is made.
	done := make(chan error, 1)
	go func() { done <- r.Append(t.Context(), frames(appended, 1000), 1000) }()
	r.expect(0, appended)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.expect(appended, 1000)
	r.empty()
}

func TestSecondProcessIsRefused(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 1)
	_, err := Open(r.cfg)
	want := fmt.Sprintf("queue q: queue directory %s is in use by process %d; it is left alone", r.cfg.Dir, os.Getpid())
	if err == nil || err.Error() != want {
		t.Errorf("Open returned %v, want %s", err, want)
	}
	r.expect(0, 1)
}

func TestModes(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 1)
	r.close()
	if err := os.Chmod(r.cfg.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r.open()
	for _, f := range append(r.files("*"), r.cfg.Dir) {
		info, err := os.Lstat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
}

// What waits together may be more than a small maxDiskSpace: it is committed in parts.
func TestMaxDiskSpaceSmallerThanWhatWaits(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxDiskSpace = 3 << 20 })
	const senders, each = 64, 1000
	errs := make(chan error, senders)
	r.commitMu.Lock() // until all wait
	for i := range senders {
		go func() { errs <- r.Append(t.Context(), frames(i*each, each), each) }()
	}
	eventually(t, "all wait", func() bool {
		r.Store.mu.Lock()
		defer r.Store.mu.Unlock()
		n := 0
		for _, w := range r.backlog.waiting {
			n += w.n
		}
		return n >= (senders-1)*each
	})
	r.commitMu.Unlock()
	for got := 0; got < senders*each; {
		run, err := r.Read(t.Context(), each)
		if err != nil {
			t.Fatal(err)
		}
		got += run.N
		r.Ack(run.N)
	}
	for range senders {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Who cannot wait any longer is told so while the disk hangs in somebody else's
// commit; who comes with a context that has ended waits for the next commit.
func TestAppendGivenUpWhileACommitHangs(t *testing.T) {
	r := newRig(t, nil)
	hangs, goOn := make(chan struct{}), make(chan struct{})
	r.Store.commitMu.Lock()
	r.Store.commit = func(w *writer, c *commit) error {
		if len(c.records) > 0 {
			close(hangs)
			<-goOn
			r.Store.commit = (*writer).commit
		}
		return w.commit(c)
	}
	r.Store.commitMu.Unlock()
	first, never := make(chan error, 1), make(chan error, 1)
	r.append(0, 1) // makes the file
	go func() { first <- r.Append(t.Context(), frames(1, 1), 1) }()
	<-hangs
	ended, end := context.WithCancel(t.Context())
	end()
	go func() { never <- r.Append(ended, frames(2, 1), 1) }()
	eventually(t, "it waits", func() bool {
		r.Store.mu.Lock()
		defer r.Store.mu.Unlock()
		return len(r.backlog.waiting) == 1
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := r.Append(ctx, frames(3, 1), 1); !errors.Is(err, queue.ErrNoRoom) {
		t.Errorf("Append returned %v, want %v", err, queue.ErrNoRoom)
	}
	close(goOn)
	for _, c := range []chan error{first, never} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	r.expect(0, 3)
	r.empty()
}
