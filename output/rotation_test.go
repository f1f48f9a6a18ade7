package output

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

func TestScheduleStart(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for _, c := range []struct{ every, at, now, want string }{
		{"hourly", "", "2026-05-05 10:20:30", "2026-05-05 10:00"},
		{"hourly", ":30", "2026-05-05 10:20:30", "2026-05-05 09:30"},
		{"hourly", ":15", "2026-05-05 00:10:00", "2026-05-04 23:15"},
		{"daily", "", "2026-05-05 00:00:00", "2026-05-05 00:00"},
		{"daily", "", "2026-05-04 23:59:59", "2026-05-04 00:00"},
		{"daily", "03:30", "2026-05-01 03:29:59", "2026-04-30 03:30"},
		{"weekly", "", "2026-05-05 12:00:00", "2026-05-03 00:00"}, // a Tuesday
		{"weekly", "wed 04:00", "2026-05-05 12:00:00", "2026-04-29 04:00"},
		{"weekly", "Tuesday 12:00", "2026-05-05 12:00:00", "2026-05-05 12:00"},
		{"monthly", "", "2026-01-31 12:00:00", "2026-01-01 00:00"},
		{"monthly", "28 01:00", "2026-03-28 00:59:00", "2026-02-28 01:00"},
		{"yearly", "06:00", "2026-01-01 05:00:00", "2025-01-01 06:00"},
		// The clock was put forward at two, there is no half past two.
		{"daily", "02:30", "2026-03-29 12:00:00", "2026-03-29 03:30"},
	} {
		s, err := newSchedule(c.every, c.at, berlin)
		must(t, err)
		now, err := time.ParseInLocation("2006-01-02 15:04:05", c.now, berlin)
		must(t, err)
		got := s.start(now)
		if f := got.Format("2006-01-02 15:04"); f != c.want {
			t.Errorf("%s %s at %s began %s, want %s", c.every, c.at, c.now, f, c.want)
		}
		if again := s.start(got); !again.Equal(got) {
			t.Errorf("%s %s: the period of %v begins at %v", c.every, c.at, got, again)
		}
	}
	// The hour that comes twice has two files.
	s, _ := newSchedule("hourly", "", berlin)
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	if a, b := s.start(first), s.start(first.Add(time.Hour)); b.Sub(a) != time.Hour {
		t.Errorf("the hours begin %v apart", b.Sub(a))
	}
}

func TestScheduleErrors(t *testing.T) {
	for _, c := range [][2]string{
		{"", "03:00"}, {"daily", "3"}, {"daily", "24:00"}, {"daily", "mon 03:00"}, {"hourly", "03:30"}, {"hourly", ":60"},
		{"weekly", "someday 03:00"}, {"monthly", "31 03:00"}, {"daily", "aa:bb"}, {"daily", ""},
	} {
		_, err := newSchedule(c[0], c[1], time.UTC)
		if (err == nil) != (c[1] == "") {
			t.Errorf("%s at %q: %v", c[0], c[1], err)
		}
	}
}

// rotated makes an omfile for a file log in a new directory.
func rotated(t *testing.T, change func(*OMFileParams)) (*omfile, string, *clock, *logBook) {
	t.Helper()
	p := fileParams()
	p.File, p.Names = filepath.Join(t.TempDir(), "log"), "number"
	change(&p)
	o, book := newOMFile(t, p, nil)
	now := tick(o)
	if o.tidier != nil {
		o.tidier.now = now.Now
	}
	return o, p.File, now, book
}

// ls is what is in the directory of a file.
func ls(t *testing.T, file string) string {
	t.Helper()
	all, err := os.ReadDir(filepath.Dir(file))
	must(t, err)
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func wantFiles(t *testing.T, file, want string) {
	t.Helper()
	if got := ls(t, file); got != want {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestRotateBySize(t *testing.T) {
	o, file, _, _ := rotated(t, func(p *OMFileParams) { p.RotateSize, p.KeepCount = 10, 2 })
	write(t, o, "1234", "5678", "9abc", "def0", "g")
	wantFile(t, file+".2", "1234\n5678\n")
	wantFile(t, file+".1", "9abc\ndef0\n")
	wantFile(t, file, "g\n")
	write(t, o, "a line that is too long for a file, alone")
	o.tidier.wait()
	wantFile(t, file+".1", "g\na line that is too long for a file, alone\n")
	wantFile(t, file+".2", "9abc\ndef0\n")
	wantFiles(t, file, "log log.1 log.2")
}

func TestRotateByTime(t *testing.T) {
	o, file, now, _ := rotated(t, func(p *OMFileParams) { p.Interval, p.At, p.Names = "daily", "03:00", "date" })
	o.spec.location, o.spec.rotation.schedule.loc = time.UTC, time.UTC
	now.now = time.Date(2026, 5, 5, 2, 59, 59, 0, time.UTC)
	write(t, o, "one")
	now.advance(time.Second)
	write(t, o, "two")
	wantFile(t, file+"-20260505-030000", "one\n")
	wantFile(t, file, "two\n")
	// No message, but the time comes. An empty file is left alone.
	now.advance(24 * time.Hour)
	o.Tick(t.Context())
	now.advance(24 * time.Hour)
	o.Tick(t.Context())
	wantFiles(t, file, "log log-20260505-030000 log-20260506-030000")
	// The clock is set back: nothing is rotated for that, nor twice on the way.
	write(t, o, "three")
	now.advance(-72 * time.Hour)
	write(t, o, "four")
	wantFile(t, file, "three\nfour\n")
	now.advance(24 * time.Hour)
	write(t, o, "five")
	write(t, o, "six")
	wantFiles(t, file, "log log-20260505-030000 log-20260506-030000 log-20260506-030000-001")
}

// TestRotationIsMadeUpFor: the daemon is down when it is time.
func TestRotationIsMadeUpFor(t *testing.T) {
	for _, c := range []struct {
		last time.Duration // before now
		want string
	}{{time.Hour, "log"}, {25 * time.Hour, "log log.1"}} {
		o, file, now, _ := rotated(t, func(p *OMFileParams) { p.Interval = "daily" })
		o.spec.rotation.schedule.loc = time.UTC
		now.now = time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)
		must(t, os.WriteFile(file, []byte("old\n"), 0o600))
		must(t, os.Chtimes(file, now.now, now.now.Add(-c.last)))
		write(t, o, "new")
		wantFiles(t, file, c.want)
	}
}

func TestRotateDynaFiles(t *testing.T) {
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile, p.RotateSize, p.Names, p.Compress = "name", 4, "number", "gzip"
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{dir, ".log"}})
	write(t, o, "d/a", "b", "d/a", "b", "d/a", "b")
	o.tidier.wait()
	wantFiles(t, dir+"x", "b.log b.log.1 d")
	wantFiles(t, dir+"d/x", "a.log a.log.1 a.log.2.gz a.log.3.gz")
	wantFile(t, dir+"b.log.1", "b\nb\n")
	// Below the directory there may be no links, for rotated files either.
	must(t, os.Mkdir(dir+"other", 0o700))
	must(t, os.WriteFile(dir+"other/a.log", nil, 0o600))
	must(t, os.RemoveAll(dir+"d"))
	must(t, os.Symlink("other", dir+"d"))
	if _, err := o.dyn.place(dir + "d/a.log"); err == nil {
		t.Error("a link is followed")
	}
}

// TestDynaFileNamesAndRotation: no message may name a rotated file.
func TestDynaFileNamesAndRotation(t *testing.T) {
	for suffix, ok := range map[string]bool{
		".log": true, "/messages": true, "": false, ".1": false, ".gz": false, ".log.gz": false, "z": false, "st": false, ".tmp": false, "x": true,
	} {
		d, _ := deps(map[string]message.Template{"name": textTemplate{"/var/log/", suffix}})
		p := fileParams()
		p.DynaFile, p.RotateSize = "name", 10
		if _, err := NewOMFile(OMFileModule{}, p, d); (err == nil) != ok {
			t.Errorf("suffix %q: %v", suffix, err)
		}
	}
	dir := t.TempDir() + "/"
	p := fileParams()
	p.DynaFile, p.RotateSize = "name", 10
	o, _ := newOMFile(t, p, map[string]message.Template{"name": textTemplate{dir, ".log"}})
	if _, err := o.Write(t.Context(), batch("a.log.1\x00")); err == nil {
		t.Error("a name cut short is accepted")
	}
}

func TestCompressedGenerations(t *testing.T) {
	for _, c := range []struct{ how, ext, cat string }{{"gzip", ".gz", "gzip"}, {"zstd", ".zst", "zstd"}} {
		o, file, _, book := rotated(t, func(p *OMFileParams) {
			p.RotateSize, p.Compress, p.KeepCount, p.FileMode = 10, c.how, 3, given(0o640)
		})
		for i := range 6 {
			write(t, o, fmt.Sprintf("%09d", i))
			o.tidier.wait()
		}
		wantFiles(t, file, "log log.1 log.2"+c.ext+" log.3"+c.ext)
		wantFile(t, file+".1", "000000005\n")
		out, err := exec.Command(c.cat, "-dc", file+".2"+c.ext).Output()
		if err != nil || string(out) != "000000004\n" {
			t.Errorf("%s says %q, %v", c.cat, out, err)
		}
		st, err := os.Stat(file + ".2" + c.ext)
		must(t, err)
		if st.Mode() != 0o640 {
			t.Errorf("mode %v", st.Mode())
		}
		if all := book.all(); all != nil {
			t.Errorf("reported %q", all)
		}
	}
}

// TestCompressionIsFinished: what a crash leaves of compressing, at each of its
// steps, is put in order at the next start.
func TestCompressionIsFinished(t *testing.T) {
	at := time.Unix(1e9, 5)
	put := func(t *testing.T, name, text string) {
		t.Helper()
		must(t, os.WriteFile(name, []byte(text), 0o600))
		must(t, os.Chtimes(name, at, at))
	}
	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "second\n")
	must(t, z.Close())
	for _, c := range []struct {
		name  string
		there func(t *testing.T, file string)
	}{
		{"not begun", func(*testing.T, string) {}},
		{"half written", func(t *testing.T, file string) { put(t, file+".2.gz.tmp", zipped.String()[:7]) }},
		{"written, not renamed", func(t *testing.T, file string) { put(t, file+".2.gz.tmp", zipped.String()) }},
		{"renamed, original not removed", func(t *testing.T, file string) { put(t, file+".2.gz", zipped.String()) }},
	} {
		o, file, _, book := rotated(t, func(p *OMFileParams) { p.RotateSize, p.Compress = 1000, "gzip" })
		put(t, file+".1", "first\n")
		put(t, file+".2", "second\n")
		c.there(t, file)
		o.Tick(t.Context())
		o.tidier.wait()
		wantFiles(t, file, "log.1 log.2.gz")
		if out, err := exec.Command("gzip", "-dc", file+".2.gz").Output(); err != nil || string(out) != "second\n" {
			t.Errorf("%s: %q, %v", c.name, out, err)
		}
		if all := book.all(); all != nil {
			t.Errorf("%s: reported %q", c.name, all)
		}
	}
	// A compressed file that is not ours is left alone, and so is the original.
	o, file, _, _ := rotated(t, func(p *OMFileParams) { p.RotateSize, p.Compress = 1000, "gzip" })
	put(t, file+".1", "first\n")
	put(t, file+".2", "second\n")
	must(t, os.WriteFile(file+".2.gz", []byte("somebody's"), 0o600))
	o.Tick(t.Context())
	o.tidier.wait()
	wantFiles(t, file, "log.1 log.2 log.2.gz")
	wantFile(t, file+".2.gz", "somebody's")
}

// TestNothingInUseIsCompressed: another process still writes to it.
func TestNothingInUseIsCompressed(t *testing.T) {
	o, file, _, _ := rotated(t, func(p *OMFileParams) { p.RotateSize, p.Compress = 1000, "gzip" })
	must(t, os.WriteFile(file+".1", nil, 0o600))
	must(t, os.WriteFile(file+".2", nil, 0o600))
	f, err := os.Open(file + ".2")
	must(t, err)
	must(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
	o.tidier.add(file, o.static.where)
	o.tidier.wait()
	wantFiles(t, file, "log.1 log.2")
	must(t, f.Close())
	o.tidier.add(file, o.static.where)
	o.tidier.wait()
	wantFiles(t, file, "log.1 log.2.gz")
}

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*OMFileParams)
		want string
	}{
		{"all", func(*OMFileParams) {}, "log.1 log.2 log.3 log.4"},
		{"count", func(p *OMFileParams) { p.KeepCount = 3 }, "log.1 log.2 log.3"},
		{"age", func(p *OMFileParams) { p.KeepDays = 2 }, "log.1 log.2"},
		{"size", func(p *OMFileParams) { p.KeepSize = 25 }, "log.1 log.2"},
		{"size, the newest stays", func(p *OMFileParams) { p.KeepSize = 1 }, "log.1"},
	} {
		o, file, now, _ := rotated(t, func(p *OMFileParams) { p.RotateSize = 1000; c.set(p) })
		for i := 1; i <= 4; i++ {
			name := fmt.Sprintf("%s.%d", file, i)
			must(t, os.WriteFile(name, []byte("123456789\n"), 0o600))
			at := now.now.Add(-time.Duration(i) * 23 * time.Hour)
			must(t, os.Chtimes(name, at, at))
		}
		o.Tick(t.Context())
		o.tidier.wait()
		if got := ls(t, file); got != c.want {
			t.Errorf("%s: %q stay, want %q", c.name, got, c.want)
		}
	}
}

// TestGap: a crash between two renames leaves a number free. The next rotation
// fills it; nothing is replaced.
func TestGap(t *testing.T) {
	o, file, _, _ := rotated(t, func(p *OMFileParams) { p.RotateSize = 5 })
	for _, n := range []string{"1", "2.gz", "4"} {
		must(t, os.WriteFile(file+"."+n, []byte(n), 0o600))
	}
	write(t, o, "1234")
	wantFiles(t, file, "log log.1 log.2 log.3.gz log.4")
	wantFile(t, file+".2", "1")
	wantFile(t, file+".3.gz", "2.gz")
	wantFile(t, file+".4", "4")
}

// TestNewestByDate: the file rotated last is the newest by its name, whatever the
// clock said, and stays as it is.
func TestNewestByDate(t *testing.T) {
	o, file, now, _ := rotated(t, func(p *OMFileParams) { p.RotateSize, p.Names, p.Compress, p.KeepCount = 5, "date", "gzip", 2 })
	o.spec.location = time.UTC
	now.now = time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)
	must(t, os.WriteFile(file+".1", []byte("of before"), 0o600))
	for _, m := range []string{"1111", "2222", "3333"} {
		write(t, o, m)
		o.tidier.wait()
		now.advance(-time.Hour)
	}
	wantFiles(t, file, "log log-20260505-120000-001.gz log-20260505-120000-002")
	wantFile(t, file+"-20260505-120000-002", "3333\n")
	now.advance(24 * time.Hour)
	write(t, o, "4444")
	wantFile(t, file+"-20260506-090000", "4444\n")
}

// TestTwoActionsRotate: two actions with the same file share its rotation.
func TestTwoActionsRotate(t *testing.T) {
	d, _ := deps(nil)
	d.FileLocks = new(FileLocks)
	p := fileParams()
	p.File, p.RotateSize = filepath.Join(t.TempDir(), "log"), 1000
	var outs []Output
	for range 2 {
		o, err := NewOMFile(OMFileModule{}, p, d)
		must(t, err)
		defer o.Close()
		outs = append(outs, o)
	}
	done := make(chan error, 2)
	const each = 2000
	for k, o := range outs {
		go func() {
			for i := range each {
				if _, err := o.Write(t.Context(), batch(fmt.Sprintf("%d %06d", k, i))); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	must(t, <-done)
	must(t, <-done)
	if got := inAll(t, p.File); len(got) != 2*each {
		t.Errorf("%d lines, want %d", len(got), 2*each)
	} else {
		slices.Sort(got)
		if len(slices.Compact(got)) != 2*each {
			t.Error("lines are repeated")
		}
	}
	st, err := os.Stat(p.File + ".1")
	must(t, err)
	if st.Size() > 1009 {
		t.Errorf("a file of %d bytes", st.Size())
	}
}

// TestOthersFollowARotation: what one action has rotated another one writes no
// more to, not even for a moment.
func TestOthersFollowARotation(t *testing.T) {
	d, _ := deps(nil)
	d.FileLocks = new(FileLocks)
	p := fileParams()
	p.File = filepath.Join(t.TempDir(), "log")
	other, err := NewOMFile(OMFileModule{}, p, d)
	must(t, err)
	defer other.Close()
	p.RotateSize = 10
	o, err := NewOMFile(OMFileModule{}, p, d)
	must(t, err)
	defer o.Close()
	write(t, other, "1")
	write(t, o, "2345678")
	write(t, other, "9")
	wantFile(t, p.File+".1", "1\n2345678\n")
	wantFile(t, p.File, "9\n")
}

// inAll is every line of a file and its rotated ones, the oldest first; those
// that are compressed are left out.
func inAll(t *testing.T, file string) (all []string) {
	t.Helper()
	p, err := staticPlace(file)
	must(t, err)
	defer p.close()
	gens, _, err := p.list()
	must(t, err)
	slices.Reverse(gens)
	for _, g := range append(gens, generation{name: p.base}) {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), g.name))
		must(t, err)
		for line := range strings.Lines(string(b)) {
			if !strings.HasSuffix(line, "\n") {
				t.Errorf("%s ends in half a line %q", g.name, line)
			}
			all = append(all, line)
		}
	}
	return all
}

func TestRotationThatCannotBe(t *testing.T) {
	o, file, now, book := rotated(t, func(p *OMFileParams) { p.RotateSize = 5 })
	write(t, o, "1")
	dir := filepath.Dir(file)
	o.static.where = func() (place, error) { return staticPlace(dir + "/gone/log") }
	write(t, o, "2", "3")
	write(t, o, "4")
	wantFile(t, file, "1\n2\n3\n4\n")
	if n := count(book.all(), "cannot be rotated: no such file or directory; it grows, next try in 1m0s"); n != 1 {
		t.Errorf("reported %q", book.all())
	}
	o.static.where = func() (place, error) { return staticPlace(file) }
	now.advance(rotateAgain)
	write(t, o, "5")
	wantFile(t, file+".1", "1\n2\n3\n4\n5\n")
}

// TestRotateThroughLink: what a symbolic link means is rotated, beside itself.
func TestRotateThroughLink(t *testing.T) {
	o, file, _, _ := rotated(t, func(p *OMFileParams) { p.RotateSize = 5 })
	other := t.TempDir()
	must(t, os.Symlink(other+"/real", file))
	write(t, o, "1234", "5")
	wantFile(t, other+"/real.1", "1234\n")
	wantFile(t, file, "5\n")
}

func TestRotationParameters(t *testing.T) {
	for _, c := range []struct {
		set  func(*OMFileParams)
		want string
	}{
		{func(p *OMFileParams) { p.KeepCount = 3 }, "rotation parameters need rotation.size or rotation.interval"},
		{func(p *OMFileParams) { p.RotateSize, p.SizeLimit, p.SizeCommand = 1, 1, "x" }, "use one of them"},
		{func(p *OMFileParams) { p.RotateSize, p.ZipLevel, p.Compress = 1, 1, "gzip" }, "compressed already"},
		{func(p *OMFileParams) { p.AppendOnly, p.ZipLevel = true, 1 }, "exclude each other"},
		{func(p *OMFileParams) { p.ZipLevel = 10 }, "not between 0 and 9"},
		{func(p *OMFileParams) { p.SigProvider = "ksi" }, "not supported; the file would be unprotected"},
	} {
		p := fileParams()
		p.File = "/tmp/log"
		c.set(&p)
		d, _ := deps(nil)
		if _, err := NewOMFile(OMFileModule{}, p, d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func hasAppendOnly(t *testing.T, name string) bool {
	t.Helper()
	out, err := exec.Command("lsattr", "-d", name).CombinedOutput()
	if err != nil {
		t.Fatalf("lsattr: %v: %s", err, out)
	}
	return strings.Contains(strings.Fields(string(out))[0], "a")
}

func TestAppendOnly(t *testing.T) {
	o, file, _, book := rotated(t, func(p *OMFileParams) { p.RotateSize, p.AppendOnly = 10, true })
	write(t, o, "first")
	if len(book.all()) > 0 {
		// Who runs the tests may lack the capability, or the file system the attribute.
		t.Skipf("no attributes here: %q", book.all())
	}
	t.Cleanup(func() { o.Close(); exec.Command("chattr", "-a", file).Run() })
	if os.WriteFile(file, nil, 0o600) == nil || !hasAppendOnly(t, file) {
		t.Error("the file can be overwritten")
	}
	write(t, o, "second", "third")
	if hasAppendOnly(t, file+".1") || !hasAppendOnly(t, file) {
		t.Errorf("attributes: %s %v, %s %v", "log.1", hasAppendOnly(t, file+".1"), "log", hasAppendOnly(t, file))
	}
	// Half a line is taken back all the same.
	_, err := o.static.file.Write([]byte("half"))
	must(t, err)
	must(t, o.static.truncate(6))
	must(t, o.Close())
	wantFile(t, file, "third\n")
	if !hasAppendOnly(t, file) {
		t.Error("unprotected while the daemon is down")
	}
	if _, err := unix.Getxattr(file, crashMark, nil); err == nil {
		t.Error("still marked as open")
	}
	write(t, o, "4")
	wantFile(t, file, "third\n4\n")
}

func TestZstd(t *testing.T) {
	p := fileParams()
	p.File, p.ZipLevel = filepath.Join(t.TempDir(), "log.zst"), 19
	d, _ := deps(nil)
	for _, texts := range [][]string{{"one", "two"}, {"three"}} {
		o, err := NewOMFile(OMFileModule{Driver: "zstd"}, p, d)
		must(t, err)
		write(t, o, texts...)
		must(t, o.Close())
	}
	out, err := exec.Command("zstd", "-dcq", p.File).Output()
	if err != nil || string(out) != "one\ntwo\nthree\n" {
		t.Errorf("zstd reads %q, %v", out, err)
	}
}

func FuzzGenerationName(f *testing.F) {
	for _, s := range []string{"log.1", "log.12.gz", "log-20260505-030000", "log-20260505-030000-001.zst", "log.0", "log.", "log-", "log.1.tmp", "log-20260505-030000-", "log.gz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var g generation
		if !(place{base: "log"}).parse(name, &g) {
			return
		}
		if !strings.HasPrefix(name, "log.") && !strings.HasPrefix(name, "log-") || strings.ContainsRune(name, '/') {
			t.Errorf("%q is taken for a generation", name)
		}
		if last := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst"); last[len(last)-1] < '0' || last[len(last)-1] > '9' {
			t.Errorf("%q is taken for a generation", name)
		}
	})
}
