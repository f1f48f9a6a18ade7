package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sysrelay/queue"
)

// specimen makes a queue directory of several files, as a process that was killed
// leaves it: messages 0..total-1, of which the first acked are acknowledged.
func specimen(t *testing.T, total, acked int) string {
	t.Helper()
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxFileSize, c.Sync = minFileSize, false })
	for i, sizes := 0, []int{1, 3, 400, 10, 2000, 50}; i < total; {
		n := min(sizes[(i/7)%len(sizes)], total-i)
		r.append(i, n)
		i += n
	}
	for n := 0; n < acked; {
		run, err := r.Read(t.Context(), acked-n)
		if err != nil {
			t.Fatal(err)
		}
		r.Ack(run.N)
		n += run.N
	}
	eventually(t, "acknowledgements are durable", func() bool {
		r.Store.mu.Lock()
		defer r.Store.mu.Unlock()
		return r.pos.durable == r.pos.acked
	})
	dir := filepath.Join(t.TempDir(), "specimen")
	copyDir(t, r.cfg.Dir, dir)
	return dir
}

// copyDir copies a directory as it is: what a process that dies leaves behind.
func copyDir(t failer, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// injury changes the files of a queue and says what it did.
type injury struct {
	name string
	// pages is how many pages are hit at most: whole chunks beyond those survive.
	pages int
	do    func(rnd *rand.Rand, f *os.File, size int64) error
}

// pageOf picks a page in use.
func pageOf(rnd *rand.Rand, size int64) int64 { return rnd.Int64N(size/pageSize) * pageSize }

var injuries = []injury{
	{"bit", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		at := rnd.Int64N(size)
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] ^= 1 << rnd.IntN(8)
		_, err := f.WriteAt(b[:], at)
		return err
	}},
	{"header bit", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		at := pageOf(rnd, size) + rnd.Int64N(64)
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] ^= 1 << rnd.IntN(8)
		_, err := f.WriteAt(b[:], at)
		return err
	}},
	{"zeroed page", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		_, err := f.WriteAt(make([]byte, pageSize), pageOf(rnd, size))
		return err
	}},
	{"zeroed sector", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		_, err := f.WriteAt(make([]byte, 512), pageOf(rnd, size)+512*rnd.Int64N(8))
		return err
	}},
	{"garbage page", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		b := make([]byte, pageSize)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		_, err := f.WriteAt(b, pageOf(rnd, size))
		return err
	}},
	{"page in another's place", 1, func(rnd *rand.Rand, f *os.File, size int64) error {
		b := make([]byte, pageSize)
		if _, err := f.ReadAt(b, pageOf(rnd, size)); err != nil {
			return err
		}
		_, err := f.WriteAt(b, pageOf(rnd, size))
		return err
	}},
	{"cut", 1 << 30, func(rnd *rand.Rand, f *os.File, size int64) error { return f.Truncate(rnd.Int64N(size)) }},
	{"cut to pages", 1 << 30, func(rnd *rand.Rand, f *os.File, size int64) error { return f.Truncate(pageOf(rnd, size)) }},
	{"emptied", 1 << 30, func(_ *rand.Rand, f *os.File, _ int64) error { return f.Truncate(0) }},
}

// seeds is how many random injuries the tests try.
func seeds() int {
	if testing.Short() {
		return 90
	}
	return 1800
}

func TestDamageLosesNoMoreThanItHits(t *testing.T) {
	const total, acked, largest = 9000, 700, 400
	dir := specimen(t, total, acked)
	for seed := range seeds() {
		in := injuries[seed%len(injuries)]
		t.Run(fmt.Sprintf("%s/%d", in.name, seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			hurt := filepath.Join(t.TempDir(), "q")
			copyDir(t, dir, hurt)
			files, err := filepath.Glob(filepath.Join(hurt, "gen-*.db"))
			if err != nil || len(files) < 3 {
				t.Fatal(files, err)
			}
			name := files[rnd.IntN(len(files))]
			hit(t, name, func(f *os.File, size int64) error { return in.do(rnd, f, size) })
			newest := name == files[len(files)-1]
			got, r := readAll(t, hurt)
			missing := total - acked - count(got, acked)
			if in.pages == 1 && missing > largest {
				t.Errorf("%s in %s: %d messages are missing\n%s", in.name, name, missing, strings.Join(r.log, "\n"))
			}
			if missing != r.lost && !newest {
				t.Errorf("%s in %s: %d messages are missing, %d were reported\n%s", in.name, name, missing, r.lost, strings.Join(r.log, "\n"))
			}
		})
	}
}

// hit changes a file; size is up to where its pages are in use.
func hit(t failer, name string, do func(*os.File, int64) error) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := (&pageFile{r: f}).root()
	if err != nil {
		t.Fatal(err)
	}
	if err := do(f, int64(r.pages)*pageSize); err != nil && err != io.EOF {
		t.Fatal(err)
	}
}

// readAll opens a directory, reads and acknowledges all there is, appends one
// message to see that it still can be, and closes.
func readAll(t *testing.T, dir string) ([]int, *rig) {
	t.Helper()
	r := newRig(t, func(c *queue.StoreConfig) { c.Dir = dir; c.MaxFileSize, c.Sync = minFileSize, false })
	const mark = 99999999
	r.append(mark, 1)
	list := r.readTo(mark)
	r.close()
	return list[:len(list)-1], r
}

// readTo reads and acknowledges messages up to the last, and checks that there are
// no more and that they came in order and once.
func (r *rig) readTo(last int) (list []int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	for len(list) == 0 || list[len(list)-1] != last {
		run, err := r.Read(ctx, 1000)
		if err != nil {
			r.t.Fatalf("after %d messages: %v\n%s", len(list), err, strings.Join(r.log, "\n"))
		}
		r.Ack(run.N)
		list = append(list, numbers(r.t, run)...)
	}
	for i, n := range list[1:] {
		if n <= list[i] {
			r.t.Fatalf("message %d after %d", n, list[i])
		}
	}
	r.empty()
	return list
}

// count is how many of the messages are from, or later.
func count(list []int, from int) int {
	i, _ := slices.BinarySearch(list, from)
	return len(list) - i
}
