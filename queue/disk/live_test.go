package disk

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/queue"
)

// What somebody does to the files while the queue is in use must not end the
// process, and the queue goes on in a new file.

func TestFileIsRemovedWhileInUse(t *testing.T) {
	r := newRig(t, func(c *queue.StoreConfig) { c.MemoryLimit = 1 })
	r.append(0, 100)
	r.append(100, 100)
	r.expect(0, 50)
	for _, f := range r.files("gen-*.db") {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	r.append(200, 100)
	if !r.logged("somebody has removed it") || !r.logged("what was in the removed file is in") {
		t.Errorf("log: %v", r.log)
	}
	r.reopen() // it is on disk again
	r.expect(50, 250)
	r.empty()
	if r.lost != 0 {
		t.Errorf("%d messages were reported lost", r.lost)
	}
}

func TestFileIsCutWhileInUse(t *testing.T) {
	for _, size := range []int64{0, 1, 4096, 8192, 12288, 20000, 50000, 100000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := newRig(t, func(c *queue.StoreConfig) { c.MemoryLimit = 1 })
			for i := range 20 {
				r.append(100*i, 100)
			}
			r.expect(0, 150)
			for _, f := range r.files("gen-*.db") {
				if err := os.Truncate(f, size); err != nil {
					t.Fatal(err)
				}
			}
			r.append(2000, 100)
			if !r.logged("somebody has cut it") {
				t.Errorf("log: %v", r.log)
			}
			list := r.readTo(2099)
			if count(list, 2000) != 100 {
				t.Errorf("the messages appended after that are missing: %v", list)
			}
			if len(list)+r.lost != 1950 {
				t.Errorf("%d messages read and %d lost, want 1950 in all\n%s", len(list), r.lost, strings.Join(r.log, "\n"))
			}
		})
	}
}

func TestDamageWhileInUse(t *testing.T) {
	for seed := range 100 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 2))
			r := newRig(t, func(c *queue.StoreConfig) { c.MemoryLimit, c.Sync = 1, false })
			for i := range 20 {
				r.append(100*i, 100)
			}
			r.expect(0, 150)
			files := r.files("gen-*.db")
			in := injuries[rnd.IntN(len(injuries))]
			hit(t, files[rnd.IntN(len(files))], func(f *os.File, size int64) error { return in.do(rnd, f, size) })
			for i := 20; i < 30; i++ {
				r.append(100*i, 100)
			}
			list := r.readTo(2999)
			if len(list)+r.lost != 2850 {
				t.Errorf("%s: %d messages read and %d lost, want 2850 in all\n%s", in.name, len(list), r.lost, strings.Join(r.log, "\n"))
			}
			if in.pages == 1 && len(list) < 2850-200 {
				t.Errorf("%s: only %d messages read\n%s", in.name, len(list), strings.Join(r.log, "\n"))
			}
		})
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	r.close()
	foreign := []string{"notes.txt", "gen-x.db", "gen-0000000000000001-0000000000000002.db.orig", "sub"}
	for _, name := range foreign[:3] {
		if err := os.WriteFile(filepath.Join(r.cfg.Dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(r.cfg.Dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.cfg.Dir, fileName(firstGeneration-5, 1))
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.expect(0, 10)
	r.reopen()
	r.empty()
	for _, name := range append(foreign, filepath.Base(link)) {
		if _, err := os.Lstat(filepath.Join(r.cfg.Dir, name)); err != nil {
			t.Error(err)
		}
		if !r.logged(name) {
			t.Errorf("%s is not mentioned in the log: %v", name, r.log)
		}
	}
}

// TestFileOfALaterVersionIsLeftAlone makes a file that says it has a format this
// program does not know.
func TestFileOfALaterVersionIsLeftAlone(t *testing.T) {
	r := newRig(t, nil)
	r.append(0, 10)
	r.close()
	name := r.files("gen-*.db")[0]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := 0; i+stateSize <= len(b); i++ {
		if string(b[i:i+8]) == stateMagic {
			b[i+8]++
			le.PutUint32(b[i+stateSum:], checksum(b[i:i+stateSum]))
			n++
		}
	}
	if n == 0 {
		t.Fatal("no state found")
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	if !r.logged("is left alone and what it holds is not delivered: cannot be read by this program: it has format version 2") {
		t.Errorf("log: %v", r.log)
	}
	r.append(10, 1)
	r.expect(10, 1)
	r.close()
	if after, err := os.ReadFile(name); err != nil || string(after) != string(b) {
		t.Errorf("the file was changed: %v", err)
	}
}
