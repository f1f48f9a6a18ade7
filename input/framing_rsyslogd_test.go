package input

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const framingGolden = "testdata/framing-rsyslogd.golden"

var updateGolden = flag.Bool("rsyslogd", false, "ask the rsyslogd installed here and rewrite the golden files")

// observed is what came of a framingCase.
type observed struct{ messages, log []string }

// TestFramingAsRsyslogd sends every framingCase to our inputs.
func TestFramingAsRsyslogd(t *testing.T) {
	if *updateGolden {
		askRsyslogd(t)
	}
	golden := readGolden(t)
	for _, c := range framingCases() {
		t.Run(c.name, func(t *testing.T) {
			theirs, ok := golden[c.name]
			if !ok {
				t.Fatal("not in the golden file; run the test with -rsyslogd")
			}
			ours := observe(t, c)
			switch {
			case c.differs == "" && !slices.Equal(ours.messages, theirs.messages):
				t.Errorf("messages %q\nrsyslogd %q", ours.messages, theirs.messages)
			case c.differs != "" && !slices.Equal(ours.messages, c.want):
				t.Errorf("messages %q\nwant     %q", ours.messages, c.want)
			case c.differs != "" && slices.Equal(theirs.messages, c.want):
				t.Errorf("rsyslogd does the same; remove %q", c.differs)
			}
			if c.differs == "" && c.log == "" && !sameLog(ours.log, theirs.log) {
				t.Errorf("log      %q\nrsyslogd %q", ours.log, theirs.log)
			}
		})
	}
}

// sameLog compares lines; rsyslogd's own messages are cut to 128 bytes, too.
func sameLog(ours, theirs []string) bool {
	return slices.EqualFunc(ours, theirs, func(a, b string) bool { return strings.HasPrefix(a, b) })
}

// observe sends the case to our input.
func observe(t *testing.T, c framingCase) observed {
	s := newSink()
	d := s.deps()
	d.Env.Sanitize.MaxSize = 128
	d.Resolve = func(context.Context, string) string { return "localhost" }
	in, err := c.o.input(t, c.name, d)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, in, s)
	conn := dial(t, "tcp", in)
	for _, chunk := range c.chunks {
		send(t, conn, chunk)
	}
	// Our closing answers that everything has been read.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	conn.Read(make([]byte, 1))
	stop()
	var o observed
	o.messages = append(o.messages, s.texts...)
	for _, l := range s.log {
		o.log = append(o.log, normalLog(l))
	}
	return o
}

var (
	sessionNumber = regexp.MustCompile(`session (0x[0-9a-f]+|\d+)`)
	versionNote   = regexp.MustCompile(` *(\[v8.*)?$`)
)

// normalLog removes what differs from run to run. rsyslogd's imtcp prints the
// name where it says (ip).
func normalLog(l string) string {
	l = versionNote.ReplaceAllString(l, "")
	l = sessionNumber.ReplaceAllString(l, "session N")
	return strings.ReplaceAll(l, "(ip) 127.0.0.1", "(ip) localhost")
}

func readGolden(t *testing.T) map[string]observed {
	t.Helper()
	f, err := os.Open(framingGolden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]observed{}
	name := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		kind, rest, _ := strings.Cut(sc.Text(), " ")
		text, _ := strconv.Unquote(rest)
		o := all[name]
		switch kind {
		case "case":
			name = rest
			o = all[name]
		case "message":
			o.messages = append(o.messages, text)
		case "log":
			o.log = append(o.log, text)
		}
		all[name] = o
	}
	return all
}

// askRsyslogd runs the cases through rsyslogd and writes the golden file.
func askRsyslogd(t *testing.T) {
	dir := t.TempDir()
	cases := framingCases()
	stop := startRsyslogd(t, dir, rsyslogdConf(dir, cases))
	defer stop()
	var b strings.Builder
	b.WriteString("# Written by go test -run TestFramingAsRsyslogd -rsyslogd: what rsyslogd 8.2302 makes of the cases.\n")
	out := filepath.Join(dir, "out")
	seen := len(settled(t, out, 0))
	for _, c := range cases {
		port := readSoon(t, filepath.Join(dir, c.name+".port"))
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		for i, chunk := range c.chunks {
			if i > 0 {
				time.Sleep(20 * time.Millisecond) // rsyslogd has to read the chunks one by one
			}
			send(t, conn, chunk)
		}
		conn.Close()
		lines := settled(t, out, seen+1)
		fmt.Fprintf(&b, "case %s\n", c.name)
		for _, l := range lines[seen:] {
			from, text, _ := strings.Cut(l, "|")
			switch {
			case from == c.name:
				fmt.Fprintf(&b, "message %q\n", text)
			case !strings.Contains(text, "closed by remote peer") && !strings.Contains(text, "closed with iRet"):
				fmt.Fprintf(&b, "log %q\n", normalLog(text))
			}
		}
		seen = len(lines)
	}
	if err := os.WriteFile(framingGolden, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rsyslogdConf(dir string, cases []framingCase) string {
	var b strings.Builder
	fmt.Fprintf(&b, `global(processInternalMessages="on" workDirectory="%s" maxMessageSize="128" parser.supportCompressionExtension="off")
module(load="imtcp" notifyOnConnectionClose="on")
module(load="imptcp")
template(name="t" type="string" string="%%inputname%%|%%rawmsg%%\n")
main_queue(queue.size="100000" queue.workerThreads="1")
`, dir)
	for _, c := range cases {
		module, notify := "imtcp", ""
		if c.o.imptcp {
			module, notify = "imptcp", `notifyOnConnectionClose="on"`
		}
		fmt.Fprintf(&b, "input(type=%q port=\"0\" listenPortFileName=\"%s/%s.port\" name=%q %s %s)\n",
			module, dir, c.name, c.name, notify, c.o.params())
	}
	fmt.Fprintf(&b, "action(type=\"omfile\" file=\"%s/out\" template=\"t\")\n", dir)
	return b.String()
}

// startRsyslogd runs the real rsyslogd.
func startRsyslogd(t *testing.T, dir, config string) (stop func()) {
	t.Helper()
	file := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rsyslogd", "-n", "-f", file, "-i", filepath.Join(dir, "pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// readSoon returns the content of a file once it has one.
func readSoon(t *testing.T, name string) string {
	t.Helper()
	for range 500 {
		if b, err := os.ReadFile(name); err == nil && len(b) > 0 {
			return string(b)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not appear", name)
	return ""
}

// settled returns the lines of a file once it has more than least and no more come.
func settled(t *testing.T, name string, least int) []string {
	t.Helper()
	var last string
	for range 200 {
		time.Sleep(60 * time.Millisecond)
		b, _ := os.ReadFile(name)
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		if now := string(b); now == last && now != "" && len(lines) >= least {
			return lines
		}
		last = string(b)
	}
	t.Fatalf("%s does not settle", name)
	return nil
}
