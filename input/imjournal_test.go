package input

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// binaryField is a field as the format writes values that are no text.
func binaryField(name, value string) string {
	return name + "\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(value)))) + value + "\n"
}

func TestJournalExport(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ in, want, err string }{
		{"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=7\n__SEQNUM=9\nMESSAGE=a=b\n_PID=1\n\n", "s=1;i=2 7 MESSAGE=a=b _PID=1", "EOF"},
		{"A=1\n\n\n\nB=\n\n", "A=1|B=", "EOF"},
		{binaryField("MESSAGE", "two\nlines") + "B=2\n\n", "MESSAGE=two\nlines B=2", "EOF"},
		{binaryField("M", "") + "\n", "M=", "EOF"},
		{"A=" + long + "\nB=2\n\n", "A=" + long[:98] + " B=2", "EOF"},
		{binaryField("A", long) + "B=2\n\n", "A=" + long[:100] + " B=2", "EOF"},
		{"A=1\nB=2", "", "EOF"},
		{"A=1\n\nB=2\n", "A=1", "EOF"},
		{"M\n\x01", "", "unexpected EOF"},
		{"M\n\xff\xff\xff\xff\xff\xff\xff\xff", "", "not the journal export format"},
		{"M\n\x01\x00\x00\x00\x00\x00\x00\x00ab\n\n", "", "not the journal export format"},
	} {
		x := exportReader{r: bufio.NewReaderSize(strings.NewReader(c.in), 16), limit: 100}
		var got []string
		var err error
		for {
			var e *journalEntry
			if e, err = x.next(); err != nil {
				break
			}
			var parts []string
			if e.cursor != "" {
				parts = append(parts, e.cursor, fmt.Sprint(e.realtime))
			}
			for _, f := range e.fields {
				parts = append(parts, f.name+"="+f.value)
			}
			got = append(got, strings.Join(parts, " "))
		}
		if s := strings.Join(got, "|"); s != c.want || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q:\n got %q, %v\nwant %q, %s", c.in, s, err, c.want, c.err)
		}
	}
}

func FuzzJournalExport(f *testing.F) {
	f.Add([]byte("__CURSOR=s=1;i=2\nMESSAGE=a\n\n" + binaryField("M", "x\ny") + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		x := exportReader{r: bufio.NewReaderSize(strings.NewReader(string(in)), 16), limit: 50}
		for n := 0; ; n++ {
			e, err := x.next()
			if err != nil {
				return
			}
			if n > len(in) {
				t.Fatal("there is no end")
			}
			for _, f := range e.fields {
				if len(f.value) > 50 {
					t.Errorf("a value of %d bytes", len(f.value))
				}
			}
		}
	})
}

// fakeJournal puts a journalctl into the path that writes what a file holds, notes
// its arguments, and then ends or waits.
func fakeJournal(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := "#!/bin/sh\necho \"$*\" >>" + dir + "/args\n" + strings.ReplaceAll(script, "$DIR", dir)
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func journal(t *testing.T, s *sink, m IMJournalModule, dir string) *journalInput {
	t.Helper()
	m.Severity, m.Facility, m.Tag, m.UsePID, m.FileMode, m.PersistInterval, m.IgnoreNonValid = 5, 1, "journal", "both", 0o644, 10, true
	m.StateFile = filepath.Join(dir, "state")
	in, err := newJournal(m, "", s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// The place is kept over restarts of journalctl and of the input.
func TestJournalIsFollowed(t *testing.T) {
	dir := fakeJournal(t, `case "$*" in
*after-cursor=s=1\;i=2*) printf '__CURSOR=s=1;i=3\nMESSAGE=three\n_COMM=c\n\n'; exec sleep 1000;;
*) printf '__CURSOR=s=1;i=1\nMESSAGE=one\nSYSLOG_IDENTIFIER=app\nSYSLOG_PID=7\n\n__CURSOR=s=1;i=2\nMESSAGE=two\n\n'; echo gone >&2; exit 1;;
esac
`)
	s := newSink()
	in := journal(t, s, IMJournalModule{}, dir)
	stop := start(t, in, s)
	s.waitTexts(t, "relayapp[7]:one", "relayjournal:two", "relayc:three")
	s.waitLog(t, "journalctl ended: gone; tried again in 1s")
	stop()
	if state, _ := os.ReadFile(filepath.Join(dir, "state")); string(state) != "s=1;i=3" {
		t.Errorf("state %q", state)
	}
	checkLedger(t, in, 3, 0)
}

func TestJournalArguments(t *testing.T) {
	for _, c := range []struct {
		m      IMJournalModule
		cursor string
		want   string
	}{
		{IMJournalModule{}, "", "--no-tail --merge"},
		{IMJournalModule{IgnorePrevious: true}, "", "--lines=0 --merge"},
		{IMJournalModule{IgnorePrevious: true, Remote: true, Namespace: "ns"}, "s=1;i=2", "--after-cursor=s=1;i=2 --no-tail --merge --namespace=ns"},
	} {
		in := journalInput{m: c.m, cursor: c.cursor}
		if id := machineID(); id != "" && !c.m.Remote {
			c.want += " _MACHINE_ID=" + id
		}
		if got := strings.Join(in.args()[3:], " "); got != c.want {
			t.Errorf("%+v: %s", c.m, got)
		}
	}
}

func TestJournalWithoutJournalctl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := newSink()
	in := journal(t, s, IMJournalModule{}, t.TempDir())
	stop := start(t, in, s)
	s.waitLog(t, "there is no program journalctl in the path")
	stop()
}

// A cursor that the journal does not know makes the reading begin anew.
func TestJournalForgetsBadCursor(t *testing.T) {
	dir := fakeJournal(t, `case "$*" in
*after-cursor*) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1;;
*) printf '__CURSOR=s=9;i=1\nMESSAGE=one\n\n'; exec sleep 1000;;
esac
`)
	if err := os.WriteFile(filepath.Join(dir, "state"), []byte("s=zzz;i=1"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSink()
	in := journal(t, s, IMJournalModule{}, dir)
	start(t, in, s)
	s.waitTexts(t, "relayjournal:one")
}

func TestJournalStateFile(t *testing.T) {
	for _, c := range []struct {
		text   string
		ignore bool
		ok     bool
		cursor string
	}{
		{"s=1;i=2;b=3", true, true, "s=1;i=2;b=3"}, {"s=1;i=2;b=3\n", false, true, "s=1;i=2;b=3"},
		{"junk", true, true, ""}, {"junk", false, false, ""}, {"", true, true, ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		in := journal(t, newSink(), IMJournalModule{}, dir)
		in.m.IgnoreNonValid = c.ignore
		if err := in.Listen(); err == nil != c.ok || in.cursor != c.cursor {
			t.Errorf("%q: %v, cursor %q", c.text, err, in.cursor)
		}
	}
}
