package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// TestDynaFileStaysBelow: where messages can and cannot make their file be.
func TestDynaFileStaysBelow(t *testing.T) {
	top := t.TempDir()
	base := top + "/logs/"
	must(t, os.MkdirAll(base+"dir", 0o700))
	must(t, os.MkdirAll(top+"/outside", 0o700))
	must(t, os.Symlink(top+"/outside", base+"link"))
	must(t, os.Symlink("dir", base+"inside"))
	must(t, os.Symlink(top+"/outside/planted", base+"filelink"))
	must(t, os.WriteFile(top+"/outside/secret", []byte("secret"), 0o600))
	must(t, os.Link(top+"/outside/secret", base+"hardlink"))
	must(t, unix.Mkfifo(base+"pipe", 0o600))
	for _, c := range []struct {
		name  string
		wrote string // relative to base; "" is refused
	}{
		{"plain", "plain"},
		{"sub/dir/plain", "sub/dir/plain"},
		{"/etc/sysrelay-test", "etc/sysrelay-test"},
		{"a//b", "a/b"},
		{"./c", "c"},
		{"cut\x00off", "cut"},
		{"..x", "..x"},
		{"%2e%2e", "%2e%2e"},
		{"", ""},
		{".", ""},
		{"dir", ""},
		{"dir/", ""},
		{"..", ""},
		{"../escape", ""},
		{"../../escape", ""},
		{"dir/../plain2", ""},
		{"dir/../../outside/escape", ""},
		{"link/escape", ""},
		{"inside/plain", ""},
		{"filelink", ""},
		{"hardlink", ""},
		{"pipe", ""},
		{"plain/below-a-file", ""},
		{strings.Repeat("n", 300), ""},
		{strings.Repeat("n/", 3000) + "n", ""},
	} {
		p := fileParams()
		p.DynaFile = "name"
		o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{before: base}})
		v := batch(c.name)
		_, err := o.Write(t.Context(), v)
		if (err == nil) != (c.wrote != "") {
			t.Errorf("%.40q: error %v, wrote %q", c.name, err, c.wrote)
			continue
		}
		if err != nil && !errors.Is(err, ErrUnacceptable) {
			t.Errorf("%.40q: %v; want the message to be blamed", c.name, err)
		}
		if c.wrote != "" {
			if _, err := os.Stat(base + c.wrote); err != nil {
				t.Errorf("%.40q: %v", c.name, err)
			}
		}
	}
	entries, err := os.ReadDir(top + "/outside")
	if err != nil || len(entries) != 1 {
		t.Errorf("outside holds %v, %v; want only the secret", entries, err)
	}
	wantFile(t, top+"/outside/secret", "secret")
}

// TestDynaFileWithoutBase: a template that begins with a property.
func TestDynaFileWithoutBase(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	p := fileParams()
	p.DynaFile = "name"
	templates := map[string]message.Template{"name": textTemplate{}}
	o, _ := newOMFile(t, p, templates)
	write(t, o, "relative/name")
	wantFile(t, "relative/name", "relative/name\n")
	_, err := o.Write(t.Context(), batch(dir+"/absolute"))
	if !errors.Is(err, errNoBase) || !errors.Is(err, ErrUnacceptable) {
		t.Errorf("error %v, want errNoBase", err)
	}
	must(t, os.Mkdir("sub", 0o700))
	p.PermitEscape = true
	o, _ = newOMFile(t, p, templates)
	write(t, o, dir+"/sub/../absolute")
	wantFile(t, "absolute", dir+"/sub/../absolute\n")
}

// TestBadNamesHoldUpNobody: in one batch, what can be written is, once.
func TestBadNamesHoldUpNobody(t *testing.T) {
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile = "name"
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{before: dir}})
	a, _ := newAction(t, o, nil)
	must(t, handle(a, "a", "../x", "b", "../y", "a"))
	wantFile(t, dir+"a", "a\na\n")
	wantFile(t, dir+"b", "b\n")
	wantAccounts(t, a, 5, 3, map[message.Reason]uint64{message.Unacceptable: 2})
}

func TestDynaFileStrict(t *testing.T) {
	dir := t.TempDir()
	p := fileParams()
	p.DynaFile, p.CreateDirs = "name", false
	for _, c := range []struct {
		doNotSuspend bool
		blamed       bool
	}{{true, true}, {false, false}} {
		d, _ := deps(map[string]message.Template{"name": textTemplate{before: dir + "/"}})
		o, err := NewOMFile(OMFileModule{DoNotSuspend: c.doNotSuspend}, p, d)
		must(t, err)
		_, err = o.Write(t.Context(), batch("no/such/dir"))
		if errors.Is(err, ErrUnacceptable) != c.blamed {
			t.Errorf("doNotSuspend %v: %v", c.doNotSuspend, err)
		}
	}
}

// TestCacheIsBounded: more files than may be open, and every line is there.
func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile, p.CacheSize = "name", 3
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{before: dir}})
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint(i))
	}
	for range 3 {
		write(t, o, names...)
		if n := len(o.dyn.byName); n > 3 {
			t.Errorf("%d files open, want 3 at most", n)
		}
	}
	for _, n := range names {
		wantFile(t, dir+n, strings.Repeat(n+"\n", 3))
	}
	if o.dyn.front.name != dir+"9" || o.dyn.end.name != dir+"7" {
		t.Errorf("kept %s … %s, want the last used", o.dyn.front.name, o.dyn.end.name)
	}
}

// fullDisk mounts a small file system.
func fullDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// TestFullDisk: the disk fills, is freed, fills again. Afterwards every message
// is there once, in order, on a line of its own, and no reader ever found half
// a line.
func TestFullDisk(t *testing.T) {
	for _, kind := range []string{"static", "dynamic", "gathering"} {
		t.Run(kind, func(t *testing.T) {
			dir := fullDisk(t, 64<<10)
			p := fileParams()
			templates := map[string]message.Template{}
			switch kind {
			case "gathering":
				p.FlushOnTXEnd, p.IOBufferSize = false, 1000
				fallthrough
			case "static":
				p.File = dir + "/log"
			case "dynamic":
				p.DynaFile = "name"
				templates["name"] = constantTemplate(dir + "/log")
			}
			o, _ := newOMFile(t, p, templates)
			var want strings.Builder
			for i := range 50 {
				var texts []string
				for j := range 7 {
					texts = append(texts, fmt.Sprintf("%d.%d %s", i, j, strings.Repeat("x", 50*j)))
				}
				fmt.Fprintln(&want, strings.Join(texts, "\n"))
				for v := batch(texts...); v.Len() > 0; {
					n, err := o.Write(context.Background(), v)
					rest := v.Slice(n, v.Len())
					if u := (*message.Undelivered)(nil); errors.As(err, &u) {
						rest = u.Rest
					}
					v = rest
					if err != nil {
						if !errors.Is(err, unix.ENOSPC) {
							t.Fatal(err)
						}
						wantWholeLines(t, dir+"/log")
						if p.File != "" && o.TryResume(t.Context()) == nil {
							t.Error("TryResume says yes while there is no room")
						}
						growDisk(t, dir, 8<<10)
					}
				}
			}
			must(t, o.Close())
			wantFile(t, dir+"/log", want.String())
		})
	}
}

type constantTemplate string

func (t constantTemplate) Name() string                                 { return "constant" }
func (t constantTemplate) Prefix() string                               { return string(t) }
func (t constantTemplate) Append(dst []byte, m *message.Message) []byte { return append(dst, t...) }

func wantWholeLines(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s ends in half a line: %q", name, b[max(0, len(b)-60):])
	}
}

func growDisk(t *testing.T, dir string, by uint64) {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	size := st.Blocks*uint64(st.Bsize) + by
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size)))
}

// TestTornLineOfAnother: when a write fails in the middle and somebody else has
// written since, nothing is taken back and nothing is glued together.
func TestTornLineOfAnother(t *testing.T) {
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "log")
	o, _ := newOMFile(t, p, nil)
	write(t, o, "first")
	f := o.static
	other, err := os.OpenFile(p.File, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer other.Close()
	var l lines
	l.buf = append(l.buf, "torn line"...)
	l.end(true)
	_, err = f.file.WriteString("torn")
	must(t, err)
	_, err = other.WriteString(" other")
	must(t, err)
	if n, err := f.takeBack(&l, 4, unix.ENOSPC); n != 0 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("takeBack = %d, %v", n, err)
	}
	write(t, o, "torn line")
	wantFile(t, p.File, "first\ntorn other\ntorn line\n")
}

// TestTwoActionsOneFile: both write whole lines, even while one of them fails.
func TestTwoActionsOneFile(t *testing.T) {
	dir := fullDisk(t, 32<<10)
	p := fileParams()
	p.File = dir + "/log"
	d, _ := deps(nil)
	d.FileLocks = new(FileLocks)
	done := make(chan int)
	for range 2 {
		o, err := NewOMFile(OMFileModule{}, p, d)
		must(t, err)
		t.Cleanup(func() { o.Close() })
		go func() {
			delivered := 0
			for range 200 {
				n, _ := o.Write(context.Background(), batch(strings.Repeat("y", 99), strings.Repeat("z", 499)))
				delivered += n
			}
			done <- delivered
		}()
	}
	total := <-done + <-done
	b, err := os.ReadFile(p.File)
	must(t, err)
	got := 0
	for line := range strings.Lines(string(b)) {
		if len(line) != 100 && len(line) != 500 {
			t.Fatalf("a line of %d bytes: %q", len(line), line)
		}
		got++
	}
	if got != total || total == 0 || total == 800 {
		t.Errorf("%d lines, %d delivered; want the same number, and some that did not fit", got, total)
	}
}
