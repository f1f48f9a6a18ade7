package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// fileParams are omfile's defaults with the template "text".
func fileParams() OMFileParams {
	return OMFileParams{Template: "text", CreateDirs: true, FailOnChown: true, FlushOnTXEnd: true,
		IOBufferSize: 4096, FlushInterval: 1, CacheSize: 512, OMFileRotation: OMFileRotation{Names: "number", Compress: "none"}}
}

func newOMFile(t *testing.T, p OMFileParams, templates map[string]message.Template) (*omfile, *logBook) {
	t.Helper()
	d, book := deps(templates)
	o, err := NewOMFile(OMFileModule{DoNotSuspend: true}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o.(*omfile), book
}

func write(t *testing.T, o Output, texts ...string) {
	t.Helper()
	if n, err := o.Write(context.Background(), batch(texts...)); err != nil || n != len(texts) {
		t.Fatalf("Write = %d, %v; want %d", n, err, len(texts))
	}
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", name, got, want)
	}
}

func TestStaticFile(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "a/b/log")
	o, _ := newOMFile(t, p, nil)
	write(t, o, "one", "two\n", "", "\n")
	write(t, o, "three")
	wantFile(t, p.File, "one\ntwo\n\n\nthree\n")
	for name, want := range map[string]os.FileMode{p.File: 0o644, filepath.Dir(p.File): os.ModeDir | 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, st.Mode(), err, want)
		}
	}
}

func TestDynaFile(t *testing.T) {
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile = "name"
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{dir, ".log"}})
	write(t, o, "a", "b/c", "a", "b/c", "a")
	wantFile(t, dir+"a.log", "a\na\na\n")
	wantFile(t, dir+"b/c.log", "b/c\nb/c\n")
}

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// tick gives o a clock.
func tick(o *omfile) *clock {
	c := &clock{time.Unix(1e9, 0)}
	o.env.Now = c.Now
	return c
}

func TestFileOfOthersEndsInHalfALine(t *testing.T) {
	for _, c := range []struct {
		there string
		addLF bool
		want  string
	}{
		{"whole\n", true, "whole\nnew\n"},
		{"whole\nha", true, "whole\nha\nnew\n"},
		{"", true, "new\n"},
		{"no lines", false, "no linesnew"},
	} {
		p := fileParams()
		p.File = filepath.Join(t.TempDir(), "log")
		p.AddLF = given(c.addLF)
		must(t, os.WriteFile(p.File, []byte(c.there), 0o600))
		o, _ := newOMFile(t, p, nil)
		write(t, o, "new")
		wantFile(t, p.File, c.want)
	}
}

// TestMovedAway: what happens, second by second, to a file that is moved away
// without a HUP.
func TestMovedAway(t *testing.T) {
	for _, c := range []struct {
		name    string
		replace bool // who moves it puts a new one there
		moved   string
		anew    string
	}{
		{"gone: a new one after two looks", false, "0\n1\n2\n", "3\n"},
		{"replaced: the new one at the next look", true, "0\n1\n", "2\n3\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := fileParams()
			p.File = filepath.Join(t.TempDir(), "log")
			o, _ := newOMFile(t, p, nil)
			now := tick(o)
			write(t, o, "0")
			must(t, os.Rename(p.File, p.File+".1"))
			if c.replace {
				must(t, os.WriteFile(p.File, nil, 0o600))
			}
			now.advance(recheck / 2)
			write(t, o, "1")
			for _, m := range []string{"2", "3"} {
				now.advance(recheck)
				write(t, o, m)
			}
			wantFile(t, p.File+".1", c.moved)
			wantFile(t, p.File, c.anew)
		})
	}
}

func TestHupReopens(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "log")
	o, _ := newOMFile(t, p, nil)
	write(t, o, "before")
	must(t, os.Rename(p.File, p.File+".1"))
	o.Hup()
	write(t, o, "after")
	wantFile(t, p.File+".1", "before\n")
	wantFile(t, p.File, "after\n")
}

// TestHupUnderLoad: rotating all the time loses, splits and repeats nothing.
func TestHupUnderLoad(t *testing.T) {
	p := fileParams()
	dir := t.TempDir()
	p.File = filepath.Join(dir, "log")
	o, _ := newOMFile(t, p, nil)
	const rounds, each = 200, 50
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			os.Rename(p.File, fmt.Sprintf("%s.%03d", p.File, i))
			o.Hup()
		}
	}()
	n := 0
	for range rounds {
		var texts []string
		for range each {
			texts = append(texts, strconv.Itoa(n))
			n++
		}
		write(t, o, texts...)
	}
	<-done
	o.Hup()
	// The last round may have moved it already.
	os.Rename(p.File, p.File+".999")
	files, err := filepath.Glob(p.File + ".*")
	must(t, err)
	want := 0
	for _, f := range files { // in order of their names, that is of time
		b, err := os.ReadFile(f)
		must(t, err)
		for line := range strings.Lines(string(b)) {
			if line != strconv.Itoa(want)+"\n" {
				t.Fatalf("%s: line %q, want %d", f, line, want)
			}
			want++
		}
	}
	if want != n {
		t.Errorf("%d lines, want %d", want, n)
	}
}

func TestGathering(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "log")
	p.FlushOnTXEnd, p.IOBufferSize = false, 10
	o, _ := newOMFile(t, p, nil)
	now := tick(o)
	write(t, o, "1234")
	if _, err := os.Stat(p.File); err == nil {
		t.Error("written at the end of a batch")
	}
	write(t, o, "5678")
	wantFile(t, p.File, "1234\n5678\n")
	write(t, o, "9")
	o.Tick(t.Context())
	wantFile(t, p.File, "1234\n5678\n")
	now.advance(time.Second)
	o.Tick(t.Context())
	wantFile(t, p.File, "1234\n5678\n9\n")
	write(t, o, "a")
	if n, err := o.Write(message.WithAck(t.Context(), message.Stored), batch("b")); n != 1 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	wantFile(t, p.File, "1234\n5678\n9\na\nb\n")
	write(t, o, "c")
	must(t, o.Close())
	wantFile(t, p.File, "1234\n5678\n9\na\nb\nc\n")
}

func TestZip(t *testing.T) {
	p := fileParams()
	p.File, p.ZipLevel = filepath.Join(t.TempDir(), "log.gz"), 6
	o, _ := newOMFile(t, p, nil)
	write(t, o, "one", "two")
	write(t, o, "three")
	out, err := exec.Command("gzip", "-dc", p.File).Output()
	if err != nil || string(out) != "one\ntwo\nthree\n" {
		t.Errorf("gzip reads %q, %v", out, err)
	}
}

// TestRotation pins rsyslogd's: the limit is looked at after writing, the
// command has no shell.
func TestRotation(t *testing.T) {
	p := fileParams()
	p.File, p.SizeLimit = filepath.Join(t.TempDir(), "log"), 10
	p.SizeCommand = "/bin/mv -f " + p.File + " " + p.File + ".1"
	o, book := newOMFile(t, p, nil)
	now := tick(o)
	write(t, o, "1234", "5678", "9")
	wantFile(t, p.File+".1", "1234\n5678\n")
	wantFile(t, p.File, "9\n")

	o.spec.command = "/bin/false"
	write(t, o, "aaaaaaaaaa", "b", "c")
	wantFile(t, p.File, "9\naaaaaaaaaa\nb\nc\n")
	if n := count(book.all(), `reached rotation.sizeLimit, but "/bin/false" failed`); n != 1 {
		t.Errorf("failure reported %d times, want 1: %q", n, book.all())
	}
	o.spec.command, o.spec.passName = "/bin/rm", true
	now.advance(rotateAgain)
	write(t, o, "d", "e")
	wantFile(t, p.File, "e\n")
}

func TestIdleFilesAreClosed(t *testing.T) {
	p := fileParams()
	p.DynaFile = "name"
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{t.TempDir() + "/", ""}})
	now := tick(o)
	write(t, o, "a", "b")
	now.advance(closeAfter*time.Minute - time.Second)
	write(t, o, "b")
	now.advance(time.Second)
	o.Tick(t.Context())
	if len(o.dyn.byName) != 1 || o.dyn.front.file == nil {
		t.Errorf("%d files are known, want only the one in use", len(o.dyn.byName))
	}
}

func TestSpecialFiles(t *testing.T) {
	p := fileParams()
	p.File, p.Sync = "/dev/null", true
	o, _ := newOMFile(t, p, nil)
	write(t, o, "into nothing")

	p.File = "/dev/full"
	o, _ = newOMFile(t, p, nil)
	n, err := o.Write(t.Context(), batch("never fits"))
	if n != 0 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Write = %d, %v; want ENOSPC", n, err)
	}
}

// TestPipeAsFile: nobody reading is an error, not a wait.
func TestPipeAsFile(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(p.File, 0o600))
	o, _ := newOMFile(t, p, nil)
	if n, err := o.Write(t.Context(), batch("m")); n != 0 || !errors.Is(err, unix.ENXIO) {
		t.Errorf("without reader Write = %d, %v; want ENXIO", n, err)
	}
	r, err := os.OpenFile(p.File, os.O_RDONLY|unix.O_NONBLOCK, 0)
	must(t, err)
	defer r.Close()
	write(t, o, "m")
	b := make([]byte, 10)
	if n, err := r.Read(b); string(b[:n]) != "m\n" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestFileThatMayNotBeWritten(t *testing.T) {
	p := fileParams()
	p.File = t.TempDir()
	o, _ := newOMFile(t, p, nil)
	_, err := o.Write(t.Context(), batch("m"))
	if want := "cannot open file " + p.File + ": is a directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if errors.Is(err, ErrUnacceptable) {
		t.Error("the message is blamed")
	}
}

func TestOwnership(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	p := fileParams()
	dir := t.TempDir()
	p.File = filepath.Join(dir, "d/log")
	p.FileOwner, p.FileGroupNum, p.DirOwnerNum, p.DirGroup = given(1), given(2), given(3), given(4)
	p.FileMode, p.DirMode = given(0o640), given(0o750)
	o, _ := newOMFile(t, p, nil)
	write(t, o, "m")
	for name, want := range map[string][3]uint32{p.File: {1, 2, 0o640}, dir + "/d": {3, 4, 0o750}} {
		var st unix.Stat_t
		must(t, unix.Stat(name, &st))
		if got := [3]uint32{st.Uid, st.Gid, st.Mode & 0o777}; got != want {
			t.Errorf("%s: owner, group, mode %o, want %o", name, got, want)
		}
	}
}

func TestNoAllocationPerMessage(t *testing.T) {
	var msgs []string
	for i := range 100 {
		msgs = append(msgs, strconv.Itoa(i%7))
	}
	v := batch(msgs...)
	v.At(0)
	dir := t.TempDir() + "/"
	static, dyn := fileParams(), fileParams()
	static.File, dyn.DynaFile = dir+"log", "name"
	for _, p := range []OMFileParams{static, dyn} {
		o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{dir, ""}})
		got := testing.AllocsPerRun(20, func() {
			if _, err := o.Write(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		})
		if got > 1 {
			t.Errorf("%v allocations per batch of %d", got, v.Len())
		}
	}
}
