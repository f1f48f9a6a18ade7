package tests

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const rotationRelay = `global(net.enableDNS="off" workDirectory="$DIR")
module(load="imrelp")
input(type="imrelp" address="127.0.0.1" port="0" listenPortFileName="$DIR/port")
action(type="omfile" file="$DIR/logs/log" template="RSYSLOG_TraditionalFileFormat" rotation.size="32k" rotation.compress="gzip")`

// rotationsWanted is how many rotations the test lasts: SYSRELAY_ROTATIONS if it
// is set.
func rotationsWanted(t *testing.T) int {
	if s := os.Getenv("SYSRELAY_ROTATIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 50
}

// TestRotationUnderLoad: while a file is rotated under full load, and the daemon
// killed again and again, a copier that reads it sees every line exactly once:
// what was acknowledged is there, nothing is there twice, no line is torn, and
// the copy is what the rotated files hold. A tail -F sees whole lines in order.
func TestRotationUnderLoad(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	dir := t.TempDir()
	b := &bench{processes: map[string]*process{}, dir: dir}
	defer b.killAll()
	conf := filepath.Join(dir, "r.conf")
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(rotationRelay, "$DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &relpSender{acked: map[int]bool{}}
	copier := newLogCopier(dir+"/logs", "log")
	tail := startTail(t, b, dir+"/logs/log")
	want := rotationsWanted(t)
	kills := 0
	for copier.rotations() < want {
		p := startRelay(t, b, dir, conf)
		stop, senders := make(chan struct{}), sync.WaitGroup{}
		port := readPort(t, p, dir)
		senders.Go(func() { s.run(port, stop) })
		// Killed after some rotations, in the middle of something.
		upto := min(copier.rotations()+max(1, want/4)+random.IntN(3), want)
		if !until(func() bool { return copier.rotations() >= upto }) {
			t.Fatalf("only %d rotations\n%s", copier.rotations(), b.output())
		}
		napUpTo(random, 20)
		p.cmd.Process.Kill()
		<-p.done
		close(stop)
		senders.Wait()
		kills++
	}
	// Once more, to repair and to end in order.
	p := startRelay(t, b, dir, conf)
	stop, senders := make(chan struct{}), sync.WaitGroup{}
	port := readPort(t, p, dir)
	before := s.count()
	senders.Go(func() { s.run(port, stop) })
	if !until(func() bool { return s.count() > before+1000 }) {
		t.Fatalf("nothing is acknowledged any more\n%s", b.output())
	}
	close(stop)
	senders.Wait()
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		t.Fatalf("it did not stop cleanly: %v\n%s", p.err, b.output())
	}
	got := copier.finish()
	if all := allGenerations(t, dir+"/logs", "log"); !bytes.Equal(got, all) {
		t.Errorf("the copy has %d bytes, the files have %d: the same up to byte %d", len(got), len(all), common(got, all))
	}
	checkNumbers(t, "copy", got, s)
	tail.stop(t, s)
	t.Logf("%d rotations, %d kills, %d acknowledged of %d sent, all once", copier.rotations(), kills, len(s.acked), s.next)
}

func common(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// checkNumbers checks that every acknowledged number is there, and none twice.
func checkNumbers(t *testing.T, what string, text []byte, s *relpSender) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[int]bool{}
	for line := range bytes.Lines(text) {
		n, ok := wholeLine(string(line))
		if !ok {
			t.Fatalf("%s: not a whole line: %q", what, line)
		}
		if seen[n] {
			t.Fatalf("%s: number %d is there twice", what, n)
		}
		seen[n] = true
	}
	for n := range s.acked {
		if !seen[n] {
			t.Fatalf("%s: number %d was acknowledged and is not there", what, n)
		}
	}
}

// wholeLine reads a line of the relpSender's.
func wholeLine(line string) (n int, ok bool) {
	const before, after = "Nov 21 10:20:30 host app: c=0 n=", " some text to make it as long as messages are\n"
	text, begins := strings.CutPrefix(line, before)
	text, ends := strings.CutSuffix(text, after)
	n, err := strconv.Atoi(text)
	return n, begins && ends && err == nil
}

// logCopier copies a file that is rotated, as a shipper of logs does: it reads the
// current file to its end, and when that has got another name, goes on with the
// one that came after it.
type logCopier struct {
	dir, base string
	stop      chan struct{}
	done      chan struct{}

	mu    sync.Mutex
	index int // of the file being read: 1 is the oldest
	copy  []byte
}

func newLogCopier(dir, base string) *logCopier {
	c := &logCopier{dir: dir, base: base, index: 1, stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

func (c *logCopier) rotations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index - 1
}

func (c *logCopier) run() {
	defer close(c.done)
	var f *os.File
	offset := int64(0)
	for last := false; ; {
		if f == nil {
			f, offset = c.open(), 0
		}
		if f != nil {
			moved := !c.isCurrent(f)
			offset = c.read(f, offset)
			if moved {
				f.Close()
				f = nil
				c.mu.Lock()
				c.index++
				c.mu.Unlock()
				continue
			}
		}
		if last {
			return
		}
		select {
		case <-c.stop:
			last = true // what was written before is read
		case <-time.After(time.Millisecond):
		}
	}
}

// read copies whole lines: half a line at the end may be taken back yet.
func (c *logCopier) read(f *os.File, offset int64) int64 {
	b, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<30))
	if err != nil {
		panic(err)
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.copy = append(c.copy, b...)
	return offset + int64(len(b))
}

func (c *logCopier) isCurrent(f *os.File) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(filepath.Join(c.dir, c.base))
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// open opens the file whose turn it is, nil if there is none yet. Names change
// while it looks: it looks until they have not.
func (c *logCopier) open() *os.File {
	for {
		before := generationNames(c.dir, c.base)
		if c.index > len(before) {
			return nil
		}
		name := before[c.index-1]
		f, err := os.Open(filepath.Join(c.dir, name))
		if err != nil {
			continue
		}
		a, _ := f.Stat()
		b, err := os.Stat(filepath.Join(c.dir, name))
		if err != nil || !os.SameFile(a, b) || !slices.Equal(before, generationNames(c.dir, c.base)) {
			f.Close()
			continue
		}
		if strings.HasSuffix(name, ".gz") {
			f = unzipped(f)
		}
		return f
	}
}

// unzipped is a plain copy of a file.
func unzipped(f *os.File) *os.File {
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(err) // compressed files are whole
	}
	fd, err := os.CreateTemp("", "unzipped")
	if err != nil {
		panic(err)
	}
	os.Remove(fd.Name())
	if _, err := io.Copy(fd, z); err != nil {
		panic(err)
	}
	return fd
}

func (c *logCopier) finish() []byte {
	close(c.stop)
	<-c.done
	return c.copy
}

// generationNames are the names of a file and those it was rotated to, the oldest
// first. A number counts once, compressed or not.
func generationNames(dir, base string) []string {
	entries, _ := os.ReadDir(dir)
	byNumber := map[int]string{}
	for _, e := range entries {
		if rest, is := strings.CutPrefix(e.Name(), base+"."); is {
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, ".gz")); err == nil && !strings.HasSuffix(byNumber[n], ".gz") {
				byNumber[n] = e.Name()
			}
		} else if e.Name() == base {
			byNumber[0] = base
		}
	}
	var names []string
	for n := len(byNumber); n >= 0; n-- {
		if name := byNumber[n]; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// allGenerations is what they hold together.
func allGenerations(t *testing.T, dir, base string) (all []byte) {
	t.Helper()
	for _, name := range generationNames(dir, base) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			f = unzipped(f)
		}
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		all = append(all, b...)
	}
	return all
}

// follower is a tail -F.
type follower struct {
	p    *process
	file string
}

func startTail(t *testing.T, b *bench, name string) *follower {
	t.Helper()
	f := &follower{file: b.dir + "/tail.out"}
	out, err := os.Create(f.file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	f.p = &process{cmd: exec.Command("tail", "-n", "+1", "-s", "0.01", "-F", name), done: make(chan struct{})}
	f.p.cmd.Stdout = out
	if err := f.p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { f.p.err = f.p.cmd.Wait(); close(f.p.done) }()
	b.processes["tail"] = f.p
	return f
}

// stop checks what it has seen. It cannot see everything: what was rotated twice
// between two of its looks is gone for it, and half a line of a daemon that was
// killed is there for it.
func (f *follower) stop(t *testing.T, s *relpSender) {
	t.Helper()
	f.p.cmd.Process.Kill()
	<-f.p.done
	text, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	last, torn, lines := -1, 0, 0
	for line := range strings.Lines(string(text)) {
		n, ok := wholeLine(line)
		if !ok {
			torn++
			continue
		}
		if n <= last {
			t.Errorf("tail -F: number %d after %d", n, last)
		}
		last = n
		lines++
	}
	if lines == 0 || torn > 10 {
		t.Errorf("tail -F has seen %d whole lines and %d halves", lines, torn)
	}
}
