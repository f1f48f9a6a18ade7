package disk

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sysrelay/queue"
)

// The power-cut test runs a scenario in a process of its own, whose system calls
// strace writes down with all their data. After every one of them it makes up
// what may be on the disk if the power fails there, opens the queue from that,
// and checks that nothing is missing that had been acknowledged before.

// traced are the system calls that change files, or tell how far the scenario is.
const traced = "openat,close,dup,fcntl,write,pwrite64,ftruncate,truncate,fallocate,fsync,fdatasync," +
	"rename,renameat,renameat2,unlink,unlinkat"

// childDir is the variable that makes the test binary run the scenario.
const childDir = "SYSRELAY_POWERCUT_DIR"

// TestPowerCutScenario is the scenario, when this process is the one under strace.
// What it says on standard output is part of the trace: "stored N": messages below
// N are stored; "front N": N messages put in front are; "taking N": messages below
// N are about to be acknowledged; "done N": that is durable.
func TestPowerCutScenario(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs under strace only, see TestPowerCut")
	}
	r := newRig(t, func(c *queue.StoreConfig) { c.Dir, c.MaxFileSize, c.MemoryLimit = dir, minFileSize, 64<<10 })
	next := 0
	put := func(sizes ...int) {
		for _, n := range sizes {
			r.append(next, n)
			next += n
			say("stored", next)
		}
	}
	got := 0
	take := func(n int) {
		say("taking", got+n)
		r.expect(got, n)
		got += n
		eventually(t, "acknowledgements are durable", func() bool {
			r.Store.mu.Lock()
			defer r.Store.mu.Unlock()
			return r.pos.durable == r.pos.acked
		})
		say("done", got)
	}
	put(1, 10, 300, 1)
	take(5)
	put(20)
	take(307)
	for range 12 {
		put(100, 150)
	}
	take(1500)
	r.reopen()
	put(1, 1, 1)
	take(next - got - 20)
	put(500, 500, 500, 500, 500)
	take(next - got)
	put(300)
	r.append(junk, 3000)
	put(10)
	n, err := r.Evict(t.Context(), 1<<40, func(frame []byte) bool {
		return numbers(t, queue.Run{Frames: frame, N: 1})[0] >= junk
	})
	if n != 3000 || err != nil {
		t.Fatalf("evicted %d, %v", n, err)
	}
	take(300)
	put(40)
	take(30)
	if err := r.Prepend(t.Context(), []queue.Run{{Frames: frames(1000000, 50), N: 50}}); err != nil {
		t.Fatal(err)
	}
	say("front", 50)
	r.close()
}

// junk is the first message of those that are appended to be evicted; it does not
// matter what becomes of them.
const junk = 3000000

func say(what string, n int) { fmt.Fprintf(os.Stdout, "%s %d\n", what, n) }

// call is one line of the trace.
type call struct {
	name string
	args []string
	ret  int
}

var callLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)

// trace runs the scenario under strace.
func trace(t *testing.T) []call {
	t.Helper()
	needStrace(t)
	dir := filepath.Join(t.TempDir(), "q")
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command("strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "8388608", "-e", "trace="+traced, "-o", log,
		os.Args[0], "-test.run=^TestPowerCutScenario$", "-test.count=1")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("PTRACE")) {
			without(t, fmt.Sprintf("strace may not be used here: %s", out))
		}
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	begun := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		pid, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimLeft(rest, " ")
		if head, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
			begun[pid] = head
			continue
		}
		if strings.HasPrefix(rest, "<... ") {
			_, tail, _ := strings.Cut(rest, "resumed>")
			line = pid + " " + begun[pid] + tail
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue // signals, exits
		}
		ret, _ := strconv.Atoi(m[4])
		if ret >= 0 {
			calls = append(calls, call{name: m[2], args: strings.Split(m[3], ", "), ret: ret})
		}
	}
	if len(calls) < 100 {
		t.Fatalf("only %d calls in the trace", len(calls))
	}
	return calls
}

// str decodes a string argument.
func str(arg string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Trim(arg, `".`), `\x`, ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

func num(arg string) int64 {
	n, err := strconv.ParseInt(arg, 0, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// inode is a file of the modelled file system: what is on the disk for certain,
// and what was done since.
type inode struct {
	disk    []byte
	pending []func([]byte, *rand.Rand) []byte
}

// volume is the modelled file system: one directory.
type volume struct {
	names   map[string]*inode // as programs see them
	disk    map[string]*inode // on the disk for certain
	pending []func(map[string]*inode)
	fds     map[int]*inode
	dirs    map[int]bool

	stored, front, taking, done int
}

func newVolume() *volume {
	return &volume{names: map[string]*inode{}, disk: map[string]*inode{}, fds: map[int]*inode{}, dirs: map[int]bool{}, front: 0}
}

// apply carries out one call, and reports whether it is one worth a cut.
func (v *volume) apply(c call) bool {
	switch c.name {
	case "openat":
		return v.open(filepath.Base(str(c.args[1])), str(c.args[1]), c)
	case "close":
		delete(v.fds, int(num(c.args[0])))
		delete(v.dirs, int(num(c.args[0])))
	case "fcntl":
		if f := v.fds[int(num(c.args[0]))]; f != nil && strings.HasPrefix(c.args[1], "F_DUPFD") {
			v.fds[c.ret] = f
		}
	case "write":
		return c.args[0] == "1" && v.hear(str(c.args[1]))
	case "rename", "renameat", "renameat2", "unlink", "unlinkat":
		v.rename(c)
		return true
	case "truncate":
		if f := v.names[filepath.Base(str(c.args[0]))]; f != nil {
			f.resize(num(c.args[1]), true)
			return true
		}
	default:
		return v.onFile(c)
	}
	return false
}

// open notes a descriptor, and the file if it is new.
func (v *volume) open(name, path string, c call) bool {
	if !strings.HasPrefix(name, namePrefix) && name != lockName {
		if strings.HasSuffix(filepath.Dir(path), "TestPowerCut") || strings.Contains(path, "/q") {
			v.dirs[c.ret] = true
		}
		return false
	}
	if f := v.names[name]; f != nil {
		v.fds[c.ret] = f
		return false
	}
	f := &inode{}
	v.names[name], v.fds[c.ret] = f, f
	v.pending = append(v.pending, func(m map[string]*inode) { m[name] = f })
	return true
}

// onFile carries out a call whose first argument is a descriptor.
func (v *volume) onFile(c call) bool {
	fd := int(num(c.args[0]))
	if v.dirs[fd] && c.name == "fsync" {
		for _, p := range v.pending {
			p(v.disk)
		}
		v.pending = nil
		return true
	}
	f := v.fds[fd]
	if f == nil {
		return false
	}
	switch c.name {
	case "pwrite64":
		f.write(num(c.args[3]), []byte(str(c.args[1])))
	case "ftruncate":
		f.resize(num(c.args[1]), true)
	case "fallocate":
		f.resize(num(c.args[2])+num(c.args[3]), false)
	case "fsync", "fdatasync":
		for _, p := range f.pending {
			f.disk = p(f.disk, nil)
		}
		f.pending = nil
	}
	return true
}

// write notes a write. When it is not synced any of its sectors may be missing.
func (f *inode) write(off int64, data []byte) {
	f.pending = append(f.pending, func(b []byte, rnd *rand.Rand) []byte {
		if need := off + int64(len(data)); need > int64(len(b)) {
			b = append(b, make([]byte, need-int64(len(b)))...)
		}
		const sector = 512
		for i := 0; i < len(data); i += sector {
			if rnd == nil || rnd.IntN(2) == 0 {
				copy(b[off+int64(i):], data[i:min(i+sector, len(data))])
			}
		}
		return b
	})
}

func (f *inode) resize(n int64, shrink bool) {
	f.pending = append(f.pending, func(b []byte, _ *rand.Rand) []byte {
		if n > int64(len(b)) {
			return append(b, make([]byte, n-int64(len(b)))...)
		}
		if shrink {
			return b[:n]
		}
		return b
	})
}

// rename carries out a rename or removal.
func (v *volume) rename(c call) {
	var names []string
	for _, a := range c.args {
		if strings.HasPrefix(a, `"`) {
			names = append(names, filepath.Base(str(a)))
		}
	}
	do := func(m map[string]*inode) {
		if f := m[names[0]]; len(names) == 2 && f != nil {
			m[names[1]] = f
		}
		delete(m, names[0])
	}
	do(v.names)
	v.pending = append(v.pending, do)
}

// hear takes note of what the scenario says.
func (v *volume) hear(line string) bool {
	var what string
	var n int
	if _, err := fmt.Sscanf(line, "%s %d", &what, &n); err != nil {
		return false
	}
	switch what {
	case "stored":
		v.stored = n
	case "front":
		v.front = n
	case "taking":
		v.taking = n
	case "done":
		v.done = n
	default:
		return false
	}
	return true
}

// fate says what becomes of writes that were not synced.
type fate struct {
	name string
	file func(rnd *rand.Rand) (apply bool, sectors *rand.Rand)
	dir  func(rnd *rand.Rand, n int) int // how many of the directory's changes are done
}

var fates = []fate{
	{"nothing", func(*rand.Rand) (bool, *rand.Rand) { return false, nil }, func(*rand.Rand, int) int { return 0 }},
	{"everything", func(*rand.Rand) (bool, *rand.Rand) { return true, nil }, func(_ *rand.Rand, n int) int { return n }},
	{"data without names", func(*rand.Rand) (bool, *rand.Rand) { return true, nil }, func(*rand.Rand, int) int { return 0 }},
	{"names without data", func(*rand.Rand) (bool, *rand.Rand) { return false, nil }, func(_ *rand.Rand, n int) int { return n }},
	{"some", func(r *rand.Rand) (bool, *rand.Rand) { return r.IntN(2) == 0, nil }, func(r *rand.Rand, n int) int { return r.IntN(n + 1) }},
	{"some sectors", func(r *rand.Rand) (bool, *rand.Rand) { return true, r }, func(r *rand.Rand, n int) int { return r.IntN(n + 1) }},
}

// cut writes to dir what is on the disk when the power fails now.
func (v *volume) cut(t *testing.T, dir string, f fate, rnd *rand.Rand) {
	t.Helper()
	names := map[string]*inode{}
	for n, i := range v.disk {
		names[n] = i
	}
	for _, p := range v.pending[:f.dir(rnd, len(v.pending))] {
		p(names)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for n, i := range names {
		b := bytes.Clone(i.disk)
		for _, p := range i.pending {
			if apply, sectors := f.file(rnd); apply {
				b = p(b, sectors)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPowerCut(t *testing.T) {
	calls := trace(t)
	v := newVolume()
	cuts := 0
	for i, c := range calls {
		if !v.apply(c) {
			continue
		}
		for j, f := range fates {
			cuts++
			if testing.Short() && (i*len(fates)+j)%23 != 0 {
				continue
			}
			rnd := rand.New(rand.NewPCG(uint64(i), uint64(j)))
			dir := filepath.Join(t.TempDir(), "cut")
			v.cut(t, dir, f, rnd)
			if msg := v.check(t, dir); msg != "" {
				t.Fatalf("cut after call %d of %d, %s(%.60s), %s survives of what was not synced: %s",
					i, len(calls), c.name, strings.Join(c.args, ", "), f.name, msg)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d calls, %d cuts", len(calls), cuts)
	if v.front == 0 || v.done < 5000 {
		t.Errorf("the scenario did not get to its end: stored %d, front %d, done %d", v.stored, v.front, v.done)
	}
}

// check opens a queue and says what is wrong with what it delivers.
func (v *volume) check(t *testing.T, dir string) string {
	r := &rig{t: t, cfg: queue.StoreConfig{Name: "q", Dir: dir, MaxFileSize: minFileSize}}
	r.open()
	defer r.close()
	r.append(2000000, 1)
	next, front := -1, 0
	for {
		run, err := r.Read(t.Context(), 1000)
		if err != nil {
			return err.Error()
		}
		r.Ack(run.N)
		for _, n := range numbers(t, run) {
			switch {
			case n >= junk:
			case n == 2000000:
				if next = max(next, v.taking); next < v.stored {
					return fmt.Sprintf("messages from %d on are missing, %d were stored", next, v.stored)
				}
				if front < v.front {
					return fmt.Sprintf("%d messages put in front are missing", v.front-front)
				}
				return ""
			case n >= 1000000:
				if n != 1000000+front || next >= 0 {
					return fmt.Sprintf("message %d out of order", n)
				}
				front++
			case next < 0 && (n < v.done || n > v.taking):
				return fmt.Sprintf("the first message is %d, want one from %d to %d", n, v.done, v.taking)
			case next >= 0 && n != next:
				return fmt.Sprintf("message %d after %d", n, next-1)
			default:
				next = n + 1
			}
		}
	}
}
