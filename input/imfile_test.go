package input

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// fileParams are the defaults.
func fileParams(t testing.TB, file string, extra ...string) IMFileParams {
	t.Helper()
	text := `input(type="imfile" file="` + file + `" tag="t:" ` + strings.Join(extra, " ") + ")\n"
	cfg, err := conf.Parse("test.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var p IMFileParams
	if err := cfg.Decode(cfg.Stmts[0].(*conf.Object), &struct {
		Type string `conf:"type"`
	}{}, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// assemble returns the messages that the text makes, written in pieces of the given size.
func assemble(t testing.TB, p IMFileParams, limit, piece int, text string) (got []string, complaints int) {
	rules, err := newLineRules(p, limit)
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	a := assembler{lineRules: rules, tooLong: func([]byte) { complaints++ }}
	a.emit = func(at, next int64, b []byte) {
		if at < 0 || next <= at || next > int64(len(text)) || next < last {
			t.Errorf("message %q from %d, next %d, after %d", b, at, next, last)
		}
		last = next
		got = append(got, fmt.Sprintf("%d:%s", at, b))
	}
	for at := 0; at < len(text); at += piece {
		a.write(int64(at), []byte(text[at:min(at+piece, len(text))]))
		if n := len(a.line) + len(a.text); n > 2*limit {
			t.Fatalf("%d bytes are kept under a limit of %d", n, limit)
		}
	}
	return got, complaints
}

func TestLinesToMessages(t *testing.T) {
	for _, c := range []struct {
		params string
		text   string
		want   string // offset:text, separated by |
		told   int
	}{
		{``, "one\ntwo\n\nthree\r\nrest", "0:one|4:two|9:three\r", 0},
		{``, "\n\n\n", "", 0},
		{``, "0123456789\n", "0:0123456789", 0},
		{``, "0123456789abcdefghijXYZ\nnext\n", "0:0123456789|10:abcdefghij|20:XYZ|24:next", 1},
		{`discardTruncatedMsg="on"`, "0123456789abcdefghijXYZ\nnext\n", "0:0123456789|24:next", 1},
		{`trimLineOverBytes="4"`, "0123456789abcdef\n0123\n01234\n", "0:0123|17:0123|22:0123", 0},
		{`readMode="1"`, "p1\np2\n\n\np3\n", "0:p1#012p2", 0},
		{`readMode="1" escapeLF="off"`, "p1\np2\n\n", "0:p1\np2", 0},
		{`readMode="1"`, "aaaaa\nbbbbb\nc\n\n", "0:aaaaa|6:bbbbb#012c", 1},
		{`readMode="2"`, "x\n y\nz\nw", "0:x#012 y|5:z", 0},
		{`readMode="2"`, "x\n\ty\n\n\nw\nv", "0:x#012\ty|7:w", 0},
		{`readMode="2" trimLineOverBytes="4"`, "x\n y\n z\nw\nv", "0:x#01|8:w", 0},
		{`startmsg.regex="^S"`, "junk\nS1\n\nx\nS2\nS3", "0:junk|5:S1\\n\\nx", 0},
		{`startmsg.regex="^S" escapeLF.replacement=""`, "S1\nx\nS2\n", "0:S1x", 0},
		{`startmsg.regex="^S" escapeLF.replacement="[LF]"`, "S1\nx\nS2\n", "0:S1[LF]x", 0},
		{`startmsg.regex="^S"`, "S123456\n234567\nab\nS\n", "0:S123456|8:234567\\nab", 1},
		{`startmsg.regex="^S" discardTruncatedMsg="on"`, "S123456\n234567\nab\nS\n", "0:S123456\\n2", 1},
		{`endmsg.regex="E$"`, "a\nbE\nc\nE\nf\n", "0:a\\nbE|5:c\\nE", 0},
	} {
		for _, piece := range []int{1, 3, 1000} {
			got, told := assemble(t, fileParams(t, "/f", c.params), 10, piece, c.text)
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("%s, %q in pieces of %d:\n got %q\nwant %q", c.params, c.text, piece, s, c.want)
			}
			if told != c.told {
				t.Errorf("%s, %q: %d complaints, want %d", c.params, c.text, told, c.told)
			}
		}
	}
}

// However a file is read, its messages are the same, and memory is bounded.
func FuzzLinesToMessages(f *testing.F) {
	f.Add("S1\n x\n\nS2\nE\n", uint8(0), uint8(1))
	f.Add("0123456789012345678901234567890123456789\n", uint8(3), uint8(7))
	params := []string{``, `discardTruncatedMsg="on"`, `trimLineOverBytes="3"`, `readMode="1"`, `readMode="2"`, `readMode="2" trimLineOverBytes="5"`,
		`startmsg.regex="^S"`, `endmsg.regex="E$"`, `startmsg.regex="S" discardTruncatedMsg="on"`}
	f.Fuzz(func(t *testing.T, text string, mode, piece uint8) {
		p := fileParams(t, "/f", params[int(mode)%len(params)])
		whole, _ := assemble(t, p, 16, max(len(text), 1), text)
		parts, _ := assemble(t, p, 16, int(piece)+1, text)
		if a, b := strings.Join(whole, "|"), strings.Join(parts, "|"); a != b {
			t.Errorf("at once: %q\nin pieces of %d: %q", a, int(piece)+1, b)
		}
	})
}

func TestLineRulesThatExclude(t *testing.T) {
	for _, params := range []string{`readMode="1" startmsg.regex="^S"`, `startmsg.regex="a" endmsg.regex="b"`, `startmsg.regex="("`, `endmsg.regex="["`} {
		if _, err := newLineRules(fileParams(t, "/f", params), 100); err == nil {
			t.Errorf("%s: no error", params)
		}
	}
}

// The hash in the names of state files is rsyslogd's: recorded from rsyslogd 8.2302.
func TestStateFileName(t *testing.T) {
	d := stateDir{}
	head := []byte(strings.Repeat("one\n", headMax/4))
	for _, c := range []struct {
		head []byte
		want string
	}{{head, "imfile-state:9978193:f1af567138e8f036"}, {head[:511], "imfile-state:9978193"}, {nil, "imfile-state:9978193"}} {
		if got := d.name(9978193, c.head); got != c.want {
			t.Errorf("%d bytes: %s, want %s", len(c.head), got, c.want)
		}
	}
}

// State files as rsyslogd 8.2302 has written them.
func TestStateOfRsyslogd(t *testing.T) {
	dir := t.TempDir()
	d := stateDir{path: dir}
	for _, c := range []struct {
		text    string
		offset  int64
		pending string
	}{
		{`{ "filename": "\/l\/a.log", "prev_was_nl": 0, "curr_offs": 30, "strt_offs": 20, "prev_line_segment": "no newline" }`, 20, ""},
		{`{ "filename": "\/l\/m.log", "prev_was_nl": 0, "curr_offs": 916, "strt_offs": 916, "prev_msg_segment": "S3" }`, 916, "S3"},
		{`{ "filename": "\/l\/e.log", "prev_was_nl": 0, "curr_offs": 16, "strt_offs": 14, "prev_msg_segment": "f" }`, 14, ""},
		{`{ "filename": "\/l\/x.log", "prev_was_nl": 0, "curr_offs": 6, "strt_offs": 6 }`, 6, ""},
		{`{ "filename": "\/l\/old.log", "curr_offs": 7 }`, 7, ""},
	} {
		if err := os.WriteFile(filepath.Join(dir, "imfile-state:7"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := d.load(7, nil)
		if err != nil || s.offset() != c.offset || s.pending() != c.pending {
			t.Errorf("%s: %+v, %v", c.text, s, err)
		}
	}
	for _, text := range []string{"", "{", `{"curr_offs": -1}`, `[]`, "\x00\x00"} {
		if err := os.WriteFile(filepath.Join(dir, "imfile-state:7"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, _, err := d.load(7, nil); err == nil {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/var/log/*.log", "/var/log/a.log", true},
		{"/var/log/*.log", "/var/log/.a.log", false},
		{"/var/log/.*.log", "/var/log/.a.log", true},
		{"/var/log/*.log", "/var/log/b/a.log", false},
		{"/var/*/a.log", "/var/x/a.log", true},
		{"/var/log/[!a]", "/var/log/b", true},
		{"/var/log/[!a]", "/var/log/a", false},
		{"/var/log/?", "/var/log/ab", false},
	} {
		if got := matchPath(c.pattern, c.path); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.path, got)
		}
	}
}

// tail is an input on a directory of its own, and the means to play with it.
type tail struct {
	*sink
	dir   string
	state string
}

func newTail(t *testing.T) *tail {
	dir := t.TempDir()
	tl := &tail{sink: newSink(), dir: dir, state: filepath.Join(dir, "state")}
	if err := os.Mkdir(tl.state, 0o755); err != nil {
		t.Fatal(err)
	}
	return tl
}

func (tl *tail) path(name string) string { return filepath.Join(tl.dir, name) }

func (tl *tail) append(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(tl.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (tl *tail) start(t *testing.T, m IMFileModule, file string, extra ...string) (stop func(), in *fileInput) {
	t.Helper()
	d := tl.deps()
	d.WorkDirectory = tl.state
	if m.FallbackInterval == 0 {
		m.FallbackInterval = 3600
	}
	i, err := NewIMFile(m, fileParams(t, tl.path(file), extra...), d)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, i, tl.sink), i.(*fileInput)
}

// wantTexts waits for these messages, their tag left out.
func (tl *tail) wantTexts(t *testing.T, want ...string) {
	t.Helper()
	for i := range want {
		want[i] = "relayt:" + want[i]
	}
	tl.waitTexts(t, want...)
}

func TestFileIsTailed(t *testing.T) {
	for _, mode := range []IMFileModule{{Mode: "inotify"}, {Mode: "polling"}, {Mode: "inotify", MaxWatches: 1}} {
		t.Run(fmt.Sprint(mode.Mode, mode.MaxWatches), func(t *testing.T) {
			tl := newTail(t)
			stop, in := tl.start(t, mode, "a.log")
			tl.append(t, "a.log", "one\n")
			tl.wantTexts(t, "one")
			tl.append(t, "a.log", "two\nthr")
			tl.wantTexts(t, "one", "two")
			tl.append(t, "a.log", "ee\n")
			tl.wantTexts(t, "one", "two", "three")
			stop()
			checkLedger(t, in, 3, 0)
			tl.append(t, "a.log", "four\n")
			tl.start(t, mode, "a.log")
			tl.wantTexts(t, "one", "two", "three", "four")
		})
	}
}

func TestFilesInDirectoriesThatAppear(t *testing.T) {
	tl := newTail(t)
	tl.start(t, IMFileModule{}, "d*/*.log")
	if err := os.MkdirAll(tl.path("d1"), 0o755); err != nil {
		t.Fatal(err)
	}
	tl.append(t, "d1/a.log", "one\n")
	tl.wantTexts(t, "one")
	if err := os.MkdirAll(tl.path("d2"), 0o755); err != nil {
		t.Fatal(err)
	}
	tl.append(t, "d2/a.txt", "not wanted\n")
	tl.append(t, "d2/b.log", "two\n")
	tl.wantTexts(t, "one", "two")
}

func TestRenamedFileIsReadToItsEnd(t *testing.T) {
	tl := newTail(t)
	stop, _ := tl.start(t, IMFileModule{}, "a.log")
	tl.append(t, "a.log", "one\n")
	tl.wantTexts(t, "one")
	rename(t, tl, "a.log", "a.log.1")
	tl.append(t, "a.log.1", "two\n")
	tl.wantTexts(t, "one", "two")
	tl.append(t, "a.log", "three\n")
	tl.wantTexts(t, "one", "two", "three")
	stop()
	// While nobody looks, the same again.
	tl.append(t, "a.log", "four\n")
	rename(t, tl, "a.log", "a.log.2")
	tl.append(t, "a.log", "five\n")
	tl.start(t, IMFileModule{}, "a.log")
	tl.wantTexts(t, "one", "two", "three", "four", "five")
}

// eventually waits for what nothing reports.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func rename(t *testing.T, tl *tail, from, to string) {
	t.Helper()
	if err := os.Rename(tl.path(from), tl.path(to)); err != nil {
		t.Fatal(err)
	}
}

// Truncation shows in the size, or, when as much has been written since, in what
// the file begins with.
func TestTruncatedFile(t *testing.T) {
	tl := newTail(t)
	stop, _ := tl.start(t, IMFileModule{}, "a.log")
	tl.append(t, "a.log", "one\ntwo\n")
	tl.wantTexts(t, "one", "two")
	if err := os.WriteFile(tl.path("a.log"), []byte("three\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tl.wantTexts(t, "one", "two", "three")
	stop()
	if err := os.WriteFile(tl.path("a.log"), []byte("four\nfive\nsix\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tl.start(t, IMFileModule{}, "a.log")
	tl.wantTexts(t, "one", "two", "three", "four", "five", "six")
}

func TestFreshStartTail(t *testing.T) {
	tl := newTail(t)
	tl.append(t, "a.log", "old\n")
	stop, _ := tl.start(t, IMFileModule{}, "*.log", `freshStartTail="on"`)
	eventually(t, "the state of a.log", func() bool { states, _ := os.ReadDir(tl.state); return len(states) == 1 })
	tl.append(t, "b.log", "new file\n")
	tl.wantTexts(t, "new file")
	tl.append(t, "a.log", "new\n")
	tl.wantTexts(t, "new file", "new")
	stop()
	tl.append(t, "a.log", "while away\n")
	tl.start(t, IMFileModule{}, "*.log", `freshStartTail="on"`)
	tl.wantTexts(t, "new file", "new", "while away")
}

// What the handler has not taken is neither lost nor recorded as read.
func TestFileRefused(t *testing.T) {
	tl := newTail(t)
	tl.err = fmt.Errorf("not now")
	tl.append(t, "a.log", "one\ntwo\n")
	stop, in := tl.start(t, IMFileModule{}, "a.log")
	eventually(t, "the state", func() bool { states, _ := os.ReadDir(tl.state); return len(states) == 1 })
	stop()
	checkLedger(t, in, 0, 0)
	tl.err = nil
	tl.start(t, IMFileModule{}, "a.log")
	tl.wantTexts(t, "one", "two")
}

func TestFileStateIsRemovedWithTheFile(t *testing.T) {
	tl := newTail(t)
	tl.append(t, "a.log", "one\n")
	stop, _ := tl.start(t, IMFileModule{}, "a.log", `persistStateInterval="1"`)
	tl.wantTexts(t, "one")
	eventually(t, "the state", func() bool { states, _ := os.ReadDir(tl.state); return len(states) == 1 })
	if err := os.Remove(tl.path("a.log")); err != nil {
		t.Fatal(err)
	}
	stop()
	if states, _ := os.ReadDir(tl.state); len(states) != 0 {
		t.Errorf("states after the file was removed: %v", states)
	}
}

func TestFileReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTail(t)
		tl.append(t, "a.log", "S1\nx\n")
		stop, _ := tl.start(t, IMFileModule{Mode: "polling", PollingInterval: 1}, "a.log", `startmsg.regex="^S"`, `readTimeout="5"`)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := tl.taken(); len(got) != 0 {
			t.Errorf("after 4 seconds: %q", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := tl.taken(); !slices.Equal(got, []string{`relayt:S1\nx`}) {
			t.Errorf("after 6 seconds: %q", got)
		}
		stop()
	})
}

func TestFileLimitsPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTail(t)
		tl.append(t, "a.log", "1\n22\n333\n4\n")
		stop, in := tl.start(t, IMFileModule{Mode: "polling", PollingInterval: 1}, "a.log", `maxLinesPerMinute="3"`, `maxBytesPerMinute="5"`)
		time.Sleep(2 * time.Second)
		tl.append(t, "a.log", "5\n")
		time.Sleep(time.Minute)
		tl.append(t, "a.log", "6\n")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := strings.Join(tl.taken(), " "); got != "relayt:1 relayt:22 relayt:4 relayt:6" {
			t.Errorf("got %s", got)
		}
		stop()
		checkLedger(t, in, 4, 2)
		if tl.count("begin to drop") != 1 {
			t.Errorf("log: %q", tl.log)
		}
	})
}

func TestIgnoreOlderThan(t *testing.T) {
	tl := newTail(t)
	tl.append(t, "a.log", "old\n")
	tl.append(t, "b.log", "young\n")
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(tl.path("a.log"), then, then); err != nil {
		t.Fatal(err)
	}
	tl.start(t, IMFileModule{}, "*.log", `ignoreOlderThan="600"`)
	tl.wantTexts(t, "young")
	tl.append(t, "a.log", "again\n")
	tl.wantTexts(t, "young", "old", "again")
}

// A renamed file is let go of ten minutes after its last line, its state with it;
// what it ends with is a message.
func TestRenamedFileIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTail(t)
		tl.append(t, "a.log", "one\nunfinished")
		stop, _ := tl.start(t, IMFileModule{Mode: "polling", PollingInterval: 1}, "a.log")
		time.Sleep(2 * time.Second)
		rename(t, tl, "a.log", "b")
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if len(tl.taken()) != 1 {
			t.Errorf("the renamed file was let go of too soon: %q", tl.taken())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := strings.Join(tl.taken(), " "); got != "relayt:one relayt:unfinished" {
			t.Errorf("got %s", got)
		}
		if states, _ := os.ReadDir(tl.state); len(states) != 0 {
			t.Errorf("states: %v", states)
		}
		stop()
	})
}

func TestFileNeedParse(t *testing.T) {
	tl := newTail(t)
	tl.append(t, "a.log", "<34>Nov 21 10:20:30 app[3]: a\tb\n")
	tl.start(t, IMFileModule{}, "a.log", `needParse="on"`, `addMetadata="off"`)
	tl.waitTexts(t, "<34>Nov 21 10:20:30 app[3]: a#011b")
	if tl.flags[0]&message.Parsed != 0 {
		t.Error("the line counts as parsed")
	}
}
