package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sysrelay/message"
	"sysrelay/queue"
)

// model is what a store should do: messages in order, of which some are read and
// not acknowledged.
type model struct {
	*rapid.T
	s    *Store
	cfg  queue.StoreConfig
	root string // of the directories used so far
	dirs int

	next    int   // number of the next message
	before  int   // number of the next message put in front, descending
	unread  []int // in order
	flying  []int // read and not acknowledged
	acked   []int // acknowledged, and perhaps not durably so
	loose   int   // of unread, the last so many are accepted only
	maybe   map[int]bool
	evicted int // of maybe, so many are gone
	lost    int
	log     []string
	fail    func(w *writer, c *commit) error // the next commit
}

func (m *model) open() {
	m.cfg.Log = func(_ int, line string) { m.log = append(m.log, line) }
	m.cfg.Lost = func(_ message.Reason, n int) { m.lost += n }
	s, err := Open(m.cfg)
	if err != nil {
		m.Fatal(err)
	}
	m.s = s.(*Store)
	m.s.commitMu.Lock()
	defer m.s.commitMu.Unlock()
	m.s.commit = func(w *writer, c *commit) error {
		if f := m.fail; f != nil {
			m.fail = nil
			return f(w, c)
		}
		return w.commit(c)
	}
}

// failures are the ways in which a commit can fail.
var failures = map[string]func(w *writer, c *commit) error{
	"before": func(*writer, *commit) error { return unix.EIO },
	"after": func(w *writer, c *commit) error {
		if err := w.commit(c); err != nil {
			return err
		}
		return unix.EIO
	},
	"full":      func(*writer, *commit) error { return errFull },
	"file full": func(*writer, *commit) error { return errFileFull },
	"descriptor": func(w *writer, c *commit) error {
		_ = w.file.Close()
		return w.commit(c)
	},
	"panic": func(w *writer, c *commit) error {
		return guard(func() error { panic("a page is not what it should be") })
	},
}

// quiet waits until the committer has nothing to do, and keeps it from having.
func (m *model) quiet(f func()) {
	m.s.commitMu.Lock()
	defer m.s.commitMu.Unlock()
	f()
}

func (m *model) Append(t *rapid.T) {
	n := rapid.IntRange(1, 400).Draw(t, "n")
	if err := m.s.Append(t.Context(), frames(m.next, n), n); err != nil {
		t.Fatal(err)
	}
	m.loose = 0
	m.unread = append(m.unread, sequence(m.next, n)...)
	m.next += n
}

func (m *model) Accept(t *rapid.T) {
	n := rapid.IntRange(1, 50).Draw(t, "n")
	if err := m.s.Accept(t.Context(), frames(m.next, n), n); err != nil {
		t.Fatal(err)
	}
	m.loose += n
	m.unread = append(m.unread, sequence(m.next, n)...)
	m.next += n
}

// FailAppend appends, and the commit fails in one way or another.
func (m *model) FailAppend(t *rapid.T) {
	kind := rapid.SampledFrom(slices.Sorted(maps(failures))).Draw(t, "kind")
	m.quiet(func() { m.fail = failures[kind] })
	m.Append(t)
}

func maps(m map[string]func(*writer, *commit) error) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Full has a sender find no room and give up.
func (m *model) Full(t *rapid.T) {
	m.quiet(func() { m.s.cfg.MaxDiskSpace = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	n := 40000 // more than there is room for in any file
	err := m.s.Append(ctx, frames(m.next, n), n)
	if !errors.Is(err, queue.ErrNoRoom) {
		t.Fatalf("Append returned %v, want %v", err, queue.ErrNoRoom)
	}
	m.quiet(func() { m.s.cfg.MaxDiskSpace = 0 })
	m.Append(t) // it goes on, and what was refused is not there
}

func (m *model) Read(t *rapid.T) {
	if len(m.unread) == m.evicted {
		return
	}
	want := rapid.IntRange(1, 500).Draw(t, "max")
	run, err := m.s.Read(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if run.N > want {
		t.Fatalf("read %d, asked for %d", run.N, want)
	}
	m.take(numbers(m, run))
}

// take compares messages read with those expected.
func (m *model) take(got []int) {
	for _, n := range got {
		for len(m.unread) > 0 && m.unread[0] != n && m.maybe[m.unread[0]] {
			m.unread = m.unread[1:]
			m.evicted--
		}
		if len(m.unread) == 0 || m.unread[0] != n {
			m.Fatalf("read %d, want %v\n%s", n, m.unread[:min(3, len(m.unread))], strings.Join(m.log, "\n"))
		}
		m.unread = m.unread[1:]
		m.flying = append(m.flying, n)
	}
}

func (m *model) Ack(t *rapid.T) {
	if len(m.flying) == 0 {
		return
	}
	n := rapid.IntRange(1, len(m.flying)).Draw(t, "n")
	m.s.Ack(n)
	m.acked = append(m.acked, m.flying[:n]...)
	m.flying = m.flying[n:]
}

func (m *model) Roll(t *rapid.T) {
	m.quiet(func() {
		if err := m.s.begin(nil); err != nil {
			t.Fatal(err)
		}
	})
}

func (m *model) Reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.unread = append(m.flying, m.unread...)
	m.flying, m.acked, m.loose = nil, nil, 0
	m.open()
}

// Crash goes on with a copy of the files as they are.
func (m *model) Crash(t *rapid.T) {
	m.dirs++
	dir := filepath.Join(m.root, fmt.Sprint(m.dirs))
	var durable bool
	m.quiet(func() {
		copyDir(t, m.cfg.Dir, dir)
		m.s.mu.Lock()
		durable = m.s.pos.durable == m.s.pos.acked
		m.s.mu.Unlock()
	})
	_ = m.s.Close()
	_ = os.RemoveAll(m.cfg.Dir)
	m.cfg.Dir = dir
	m.open()
	m.unread = append(m.flying, m.unread...)
	m.flying = nil
	// What was accepted only may be there or not, and acknowledgements since the
	// last commit are forgotten: where it goes on, the store says.
	first, last := m.ends()
	if i := slices.Index(m.acked, first); i >= 0 && !durable {
		m.unread = append(slices.Clone(m.acked[i:]), m.unread...)
	}
	if sure := len(m.unread) - m.loose; m.loose > 0 {
		m.unread = m.unread[:max(sure, slices.Index(m.unread, last)+1)]
	}
	m.acked, m.loose = nil, 0
}

// ends are the first and the last message in the directory.
func (m *model) ends() (first, last int) {
	first, last = -1, -1
	if err := Each(m.cfg.Dir, func(_ uint64, msg *message.Message) error {
		var n int
		_, err := fmt.Sscanf(string(msg.Text[strings.IndexByte(string(msg.Text), ' '):]), "%d", &n)
		if last = n; first < 0 {
			first = n
		}
		return err
	}); err != nil {
		m.Fatal(err)
	}
	return first, last
}

func (m *model) Prepend(t *rapid.T) {
	if len(m.flying) > 0 {
		return
	}
	n := rapid.IntRange(1, 300).Draw(t, "n")
	m.before -= n
	if err := m.s.Prepend(t.Context(), []queue.Run{{Frames: frames(m.before, n), N: n}}); err != nil {
		t.Fatal(err)
	}
	m.unread = append(sequence(m.before, n), m.unread...)
	m.acked = nil // that was a commit
}

func (m *model) Evict(t *rapid.T) {
	m.Append(t) // nothing is accepted only
	n, err := m.s.Evict(t.Context(), int64(rapid.IntRange(1, 1<<20).Draw(t, "want")), func(frame []byte) bool {
		return numbers(m, queue.Run{Frames: frame, N: 1})[0]%8 == 7
	})
	if err != nil {
		t.Fatal(err)
	}
	m.evicted += n
	for _, n := range m.unread {
		if n%8 == 7 {
			m.maybe[n] = true
		}
	}
}

// Corrupt damages a file, and reads all that is left.
func (m *model) Corrupt(t *rapid.T) {
	m.Reopen(t)
	m.unread = slices.DeleteFunc(m.unread, func(n int) bool { return m.maybe[n] })
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(m.cfg.Dir, "gen-*.db"))
	newest := true
	if len(files) > 0 {
		in := injuries[rapid.IntRange(0, len(injuries)-1).Draw(t, "injury")]
		i := rapid.IntRange(0, len(files)-1).Draw(t, "file")
		newest = files[i] == m.newest()
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		hit(m, files[i], func(f *os.File, size int64) error { return in.do(rnd, f, size) })
	}
	m.lost, m.log = 0, nil
	m.open()
	m.Append(t)
	mark := m.unread[len(m.unread)-1]
	var got []int
	for len(got) == 0 || got[len(got)-1] != mark {
		run, err := m.s.Read(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		m.s.Ack(run.N)
		got = append(got, numbers(m, run)...)
	}
	missing, i := 0, 0
	for _, n := range m.unread {
		if j := slices.Index(got[i:], n); j >= 0 {
			i += j + 1
		} else {
			missing++
		}
	}
	if len(m.maybe) == 0 && missing != m.lost && !newest {
		t.Fatalf("%d messages are missing, %d were reported\n%s", missing, m.lost, strings.Join(m.log, "\n"))
	}
	m.unread, m.flying, m.acked, m.maybe, m.evicted, m.lost = nil, nil, nil, map[int]bool{}, 0, 0
	m.Reopen(t)
}

// newest is the file that has the latest state: without it, what is acknowledged
// may be read again, and is reported lost if it is not there any more.
func (m *model) newest() (name string) {
	v, err := take(&directory{path: m.cfg.Dir})
	if err != nil {
		m.Fatal(err)
	}
	defer v.release()
	commit := uint64(0)
	for _, g := range v.gens {
		if g.commit >= commit {
			name, commit = filepath.Join(m.cfg.Dir, g.name), g.commit
		}
	}
	return name
}

// Check is run after every step.
func (m *model) Check(t *rapid.T) {
	if m.lost > 0 {
		t.Fatalf("%d messages were reported lost\n%s", m.lost, strings.Join(m.log, "\n"))
	}
	if got, want := m.s.Len().Messages, len(m.unread)+len(m.flying)-m.evicted; got != want {
		t.Fatalf("Len is %d, want %d\n%s", got, want, strings.Join(m.log, "\n"))
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp("", "model")
		if err != nil {
			t.Fatal(err)
		}
		m := &model{T: t, root: root, maybe: map[int]bool{}, next: 1000000, before: 1000000,
			cfg: queue.StoreConfig{Name: "q", Dir: filepath.Join(root, "0"), MaxFileSize: minFileSize,
				MemoryLimit: int64(rapid.SampledFrom([]int{1, 20 << 10, 8 << 20}).Draw(t, "memory"))}}
		defer os.RemoveAll(root)
		m.open()
		defer func() { _ = m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.Append, "accept": m.Accept, "fail": m.FailAppend, "full": m.Full,
			"read": m.Read, "read more": m.Read, "ack": m.Ack, "roll": m.Roll, "reopen": m.Reopen,
			"crash": m.Crash, "prepend": m.Prepend, "evict": m.Evict, "corrupt": m.Corrupt, "": m.Check,
		})
	})
}
