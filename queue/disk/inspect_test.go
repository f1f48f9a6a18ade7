package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sysrelay/message"
	"sysrelay/queue"
)

// listEach is what Each sees.
func listEach(t *testing.T, dir string) (list []int) {
	t.Helper()
	last := uint64(0)
	if err := Each(dir, func(seq uint64, m *message.Message) error {
		var n int
		if _, err := fmt.Sscanf(string(m.Text[strings.IndexByte(string(m.Text), ' '):]), "%d", &n); err != nil {
			return err
		}
		if seq <= last {
			return fmt.Errorf("sequence %d after %d", seq, last)
		}
		last = seq
		list = append(list, n)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInspectChangesNothing(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxFileSize = minFileSize })
	for i := 0; i < 9000; i += 300 {
		r.append(i, 300)
	}
	r.expect(0, 700)
	r.close()
	before := contents(t, r.cfg.Dir)
	rep, err := Inspect(r.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Messages != 8300 || rep.InUse != "" || len(rep.Problems) != 0 || rep.Oldest.IsZero() {
		t.Errorf("%+v", rep)
	}
	held, active := 0, 0
	for _, f := range rep.Files {
		held += f.Messages
		if f.Status == Active {
			active++
		}
	}
	if held != 8300 || active != 1 || len(rep.Files) < 3 {
		t.Errorf("%d messages in %d files, %d of them active: %+v", held, len(rep.Files), active, rep.Files)
	}
	if got := listEach(t, r.cfg.Dir); !slices.Equal(got, sequence(700, 8300)) {
		t.Errorf("Each sees %d messages", len(got))
	}
	if v, err := Verify(r.cfg.Dir); err != nil || len(v.Problems) != 0 || v.Lost != 0 || v.Messages != 8300 {
		t.Errorf("Verify: %+v, %v", v, err)
	}
	if after := contents(t, r.cfg.Dir); after != before {
		t.Error("looking has changed something")
	}
	r.open()
}

// contents is everything in a directory.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", e.Name(), checksum(b))
	}
	return all.String()
}

func TestInspectWhileInUse(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MaxFileSize, c.Sync = minFileSize, false })
	const total = 60000
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := 0; i < total; i += 60 {
			if err := r.Append(t.Context(), frames(i, 60), 60); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for n := 0; n < total-1000; {
			run, err := r.Read(t.Context(), 100)
			if err != nil {
				t.Error(err)
				return
			}
			r.Ack(run.N)
			n += run.N
		}
	})
	for looks := 0; ; looks++ {
		rep, err := Inspect(r.cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if rep.InUse == "" || len(rep.Problems) > 0 {
			t.Fatalf("look %d: %+v", looks, rep)
		}
		list := listEach(t, r.cfg.Dir)
		for i, n := range list {
			if i > 0 && n <= list[i-1] {
				t.Fatalf("look %d: message %d after %d", looks, n, list[i-1])
			}
		}
		if v, err := Verify(r.cfg.Dir); err != nil || len(v.Problems) > 0 {
			t.Fatalf("look %d: Verify: %+v, %v", looks, v, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestVerifyAndRepair(t *testing.T) {
	const total, acked = 9000, 700
	dir := specimen(t, total, acked)
	for seed := range seeds() / 6 {
		in := injuries[seed%len(injuries)]
		t.Run(fmt.Sprintf("%s/%d", in.name, seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 4))
			hurt := filepath.Join(t.TempDir(), "q")
			copyDir(t, dir, hurt)
			files, err := filepath.Glob(filepath.Join(hurt, "gen-*.db"))
			if err != nil {
				t.Fatal(err)
			}
			hit(t, files[rnd.IntN(len(files)-1)], func(f *os.File, size int64) error { return in.do(rnd, f, size) })
			rep, err := Verify(hurt)
			if err != nil {
				t.Fatal(err)
			}
			whole := listEach(t, hurt)
			if rep.Messages+rep.Lost != total-acked || len(whole) != rep.Messages {
				t.Errorf("Verify says %d messages and %d lost, Each sees %d; want %d in all",
					rep.Messages, rep.Lost, len(whole), total-acked)
			}
			if rep.Lost > 0 && len(rep.Problems) == 0 {
				t.Error("messages are lost and there is no problem")
			}
			var log []string
			lost, err := Repair(hurt, func(line string) { log = append(log, line) })
			if err != nil {
				t.Fatal(err)
			}
			if lost > rep.Lost {
				t.Errorf("Repair lost %d messages, Verify said %d\n%s", lost, rep.Lost, strings.Join(log, "\n"))
			}
			if got := listEach(t, hurt); !slices.Equal(got, whole) {
				t.Errorf("%d messages after Repair, %d before", len(got), len(whole))
			}
			again, err := Verify(hurt)
			if err != nil || again.Lost+lost != rep.Lost || again.Messages != rep.Messages {
				t.Errorf("after Repair: %+v, %v\nbefore: %+v", again, err, rep)
			}
		})
	}
}

func TestDropAndMove(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 100)
	none := func(line string) { t.Error(line) }
	if _, _, err := Drop(r.cfg.Dir, 1, none); err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("Drop from a queue in use: %v", err)
	}
	r.close()
	if done, left, err := Drop(r.cfg.Dir, 30, none); done != 30 || left != 70 || err != nil {
		t.Errorf("Drop: %d, %d, %v", done, left, err)
	}
	to := filepath.Join(t.TempDir(), "to")
	if done, left, err := Move(r.cfg.Dir, to, 20, none); done != 20 || left != 50 || err != nil {
		t.Errorf("Move: %d, %d, %v", done, left, err)
	}
	if done, left, err := Move(r.cfg.Dir, to, -1, none); done != 50 || left != 0 || err != nil {
		t.Errorf("Move: %d, %d, %v", done, left, err)
	}
	if got := listEach(t, to); !slices.Equal(got, sequence(30, 70)) {
		t.Errorf("moved %v", got)
	}
	if done, left, err := Drop(to, -1, none); done != 70 || left != 0 || err != nil {
		t.Errorf("Drop: %d, %d, %v", done, left, err)
	}
	if _, _, err := Drop(t.TempDir(), -1, none); err == nil || !strings.Contains(err.Error(), "is not a queue") {
		t.Errorf("Drop from an empty directory: %v", err)
	}
	if _, _, err := Drop(filepath.Join(to, "nowhere"), -1, none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Drop from nowhere: %v", err)
	}
	r.open()
	r.empty()
}

func TestEachStops(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	stop := errors.New("stop")
	n := 0
	if err := Each(r.cfg.Dir, func(uint64, *message.Message) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("Each called f %d times and returned %v", n, err)
	}
}
