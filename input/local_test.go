package input

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/message"
)

func TestUnixSocket(t *testing.T) {
	s := newSink()
	path := filepath.Join(t.TempDir(), "made", "log")
	in, err := NewIMUXSock(IMUXSockModule{}, IMUXSockParams{Socket: path, Unlink: true, CreatePath: true, IgnoreTimestamp: true}, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, in, s)
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"<13>Nov 21 10:20:30 app[7]: one", "<14>two\n", "three\x00"} {
		send(t, c, text)
	}
	s.waitTexts(t, "<13>Nov 21 10:20:30 app[7]: one", "<14>two", "three")
	if got := s.from(0); got != "imuxsock|relay|127.0.0.1" {
		t.Errorf("origin %s", got)
	}
	if f := s.flags[0]; f&message.IgnoreTimestamp == 0 || f&message.ParseHostname != 0 {
		t.Errorf("flags %b: local messages hold no host name, and their time is that of reception", f)
	}
	stop()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	checkLedger(t, in, 3, 0)
}

// A socket left by a dead daemon is replaced; anything else is not.
func TestUnixSocketInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	old, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	old.Close() // leaves the file: only stream listeners remove theirs
	s := newSink()
	in, err := newUnixSocket(IMUXSockParams{Socket: path, Unlink: true}, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	start(t, in, s)()
	if err := os.WriteFile(path, []byte("a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := in.Listen(); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("Listen over a file: %v", err)
	}
}

func TestSystemSocketOff(t *testing.T) {
	if in, err := NewSystemSocket(IMUXSockModule{Use: false}, newSink().deps()); in != nil || err != nil {
		t.Errorf("got %v, %v for syssock.use=off", in, err)
	}
}

func TestKernelPriority(t *testing.T) {
	for _, c := range []struct {
		in   string
		pri  int
		text string
	}{
		{"<6>[    1.5] text", 6, "[    1.5] text"},
		{"<30>daemon", 30, "daemon"},
		{"<191>x", 191, "x"},
		{"<192>x", 6, "<192>x"},
		{"<1234>x", 6, "<1234>x"},
		{"<>x", 6, "<>x"},
		{"<a>x", 6, "<a>x"},
		{"<6", 6, "<6"},
		{"no priority", 6, "no priority"},
		{"", 6, ""},
	} {
		if pri, text := kernelPriority([]byte(c.in)); pri != c.pri || string(text) != c.text {
			t.Errorf("%q: got %d, %q; want %d, %q", c.in, pri, text, c.pri, c.text)
		}
	}
}

func TestKernelLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg")
	if err := os.WriteFile(path, []byte("<6>one\n<30>not the kernel's\n<4>two\n<5>unfinished"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		other bool
		want  []string
	}{
		{false, []string{"relaykernel:one", "relaykernel:two"}},
		{true, []string{"relaykernel:one", "relaykernel:not the kernel's", "relaykernel:two"}},
	} {
		s := newSink()
		in, err := NewIMKLog(IMKLogModule{Path: path, PermitOther: c.other}, s.deps())
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, in, s)
		s.waitTexts(t, c.want...)
		stop()
	}
}

func TestKernelTime(t *testing.T) {
	for _, c := range []struct {
		in    string
		since time.Duration
		rest  string
		ok    bool
	}{
		{"[   12.345678] plain", 12345678 * time.Microsecond, " plain", true},
		{"[    9.000001]nospace", 9000001 * time.Microsecond, "nospace", true},
		{"[   1.5] x", 1500 * time.Millisecond, " x", true},
		{"[12] odd", 0, "", false}, {"[a.b] x", 0, "", false}, {"[1.] x", 0, "", false}, {"no stamp", 0, "", false},
		{"", 0, "", false}, {"]", 0, "", false}, {"[-1.5] x", 0, "", false}, {"[99999999999999999999.5] x", 0, "", false},
	} {
		since, rest, ok := kernelTime([]byte(c.in))
		if since != c.since || string(rest) != c.rest || ok != c.ok {
			t.Errorf("%q: %v, %q, %v", c.in, since, rest, ok)
		}
	}
}

// What rsyslogd 8.2302 makes of the same lines, timestamps apart.
func TestKernelTimestamps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg")
	if err := os.WriteFile(path, []byte("<6>[   12.345678] a\n<4>no stamp\n<6>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keep bool
		want []string
	}{{false, []string{"relaykernel: a", "relaykernel:no stamp", "relaykernel:"}}, {true, []string{"relaykernel:[   12.345678] a", "relaykernel:no stamp", "relaykernel:"}}} {
		s := newSink()
		in, err := NewIMKLog(IMKLogModule{Path: path, ParseTime: true, KeepTime: c.keep, ConsoleLevel: -1}, s.deps())
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, in, s)
		s.waitTexts(t, c.want...)
		stop()
	}
}

// Lines without end are cut, so that memory is bounded.
func TestKernelLineWithoutEnd(t *testing.T) {
	s := splitter{max: 10}
	var got []string
	for range 3 {
		s.write([]byte("0123456789abc"), func(b []byte) bool { got = append(got, string(b)); return true })
	}
	s.write([]byte("\nx\n"), func(b []byte) bool { got = append(got, string(b)); return true })
	if text := strings.Join(got, "|"); text != "0123456789|abc0123456|789abc0123|456789abc|x" {
		t.Errorf("got %s", text)
	}
}

func TestKernelRecords(t *testing.T) {
	s := newSink()
	in, err := NewIMKMsg(IMKMsgModule{}, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	k := in.(*kernelLog)
	k.deps.Env.Now = func() time.Time { return time.Unix(1000, 0) }
	k.deps.Env.Uptime = func() time.Duration { return 100 * time.Second }
	all, err := k.deps.Env.Property("$!all-json")
	if err != nil {
		t.Fatal(err)
	}
	var b message.Batch
	for _, record := range []string{"6,193,2500000,-;acpi: text\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP\n", "30,194,1,c;other\n", "junk", "6;x", "999,1,1,-;x", "6,x,1;y", ""} {
		k.addRecord(&b, []byte(record), message.NewOrigin("imkmsg", "relay", "127.0.0.1", ""))
	}
	if b.Len() != 2 {
		t.Fatalf("%d messages", b.Len())
	}
	m := b.All().At(0)
	if got := string(m.Msg.Of(m.Text)) + string(all.Value(m, nil)); got != `acpi: text{ "sequnum": 193, "msg": "acpi: text", "SUBSYSTEM": "acpi", "DEVICE": "+acpi:PNP" }` || m.PRI != 6 ||
		m.Received != time.Unix(902, 5e8).UnixNano() {
		t.Errorf("%s, PRI %d, received %d", got, m.PRI, m.Received)
	}
}

func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		d := s.deps()
		d.Program = "rsyslogd"
		in, err := NewIMMark(IMMarkModule{Interval: 1200, Text: "-- MARK --", UseFlag: true}, d)
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, in, s)
		time.Sleep(1201 * time.Second)
		synctest.Wait()
		stop()
		if len(s.texts) != 1 || s.texts[0] != "relayrsyslogd: -- MARK --" || s.flags[0]&message.Mark == 0 {
			t.Errorf("after 1201 seconds: %q, flags %b", s.texts, s.flags)
		}
	})
}
