package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
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

	"github.com/rogpeppe/go-internal/txtar"
)

// TestDifferential runs whole configurations under sysrelay and under rsyslogd, sends
// both the same bytes, and compares the files they leave byte for byte.
//
// The archives in differential/ hold many cases each. Their parts are
//
//	head            configuration in front of every case
//	case NAME       the configuration of a case
//	table NAME      a configuration with @@ in it, a line "rows:", and lines
//	                "NAME: text", each of them a case with the text in place of @@
//	input [NAME]    the messages of a case or of all, one a line
//	bytes [NAME]    the same, as Go strings without quotes, sent with octet counts
//	lines NAME      how many lines $OUT has at the end, for actions behind queues
//	complaint NAME  what rsyslogd says about the configuration, which else has to be
//	                without fault
//	file NAME       a file that configurations name $FILES/NAME
//	differs NAME    why the outcome is not that of rsyslogd, which then must be
//	                another one; the reason stands in engine/differences, too
//	want NAME/FILE  what we write instead
//
// In configurations $DIR is the directory of the files compared, $OUT $DIR/out. A case
// that has an input of its own has it write its port to $WORK/port, and $END at the
// start of the rules.
func TestDifferential(t *testing.T) {
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Fatal("rsyslogd is missing; `bash tests/run` installs what the tests need")
	}
	files, err := filepath.Glob("differential/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		cases, err := readDifferential(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.compare(t)
				})
			}
		})
	}
}

// diffCase is one configuration with what is sent to it.
type diffCase struct {
	name, conf string
	input      []byte
	lines      int // of $OUT at the end, 0 if direct actions are all there are
	complaint  string
	files      map[string]string
	reason     string            // why we differ
	want       map[string]string // what we write then
}

// diffEnd is the last message. Where all actions are direct, the messages before it are
// done when it has been written.
const diffEnd = "<13>Jan  1 00:00:00 host differential-end: x\n"

// diffHead is in front of every configuration. The queue is direct so that all of a
// case is one thread's work, in order.
const diffHead = `global(workDirectory="$WORK" net.enableDNS="off" localHostname="relay")
main_queue(queue.type="Direct")
module(load="imtcp")
template(name="differential_end" type="string" string="x\n")
`

// diffInput is behind it, unless the case has the input itself.
const diffInput = `input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="$WORK/port" name="in")
$END
`

// diffDone stands for $END.
const diffDone = `if $rawmsg contains "differential-end" then {
	action(type="omfile" file="$WORK/done" template="differential_end")
	stop
}`

func (c *diffCase) compare(t *testing.T) {
	var ours, theirs map[string]string
	var said string
	var failed [2]error
	var both sync.WaitGroup
	both.Go(func() { ours, _, failed[0] = c.run(t, sysrelay, "-C") })
	both.Go(func() { theirs, said, failed[1] = c.run(t, "rsyslogd") })
	both.Wait()
	if failed[0] != nil {
		t.Fatalf("sysrelay: %v", failed[0])
	}
	if c.reason != "" {
		if failed[1] == nil && maps.Equal(ours, theirs) {
			t.Errorf("rsyslogd does the same; yet it is to differ: %s", c.reason)
		}
		c.check(t, ours, c.want, "is wanted")
		return
	}
	switch {
	case failed[1] != nil:
		t.Fatalf("rsyslogd: %v", failed[1])
	case c.complaint == "" && said != "", !strings.Contains(said, c.complaint):
		t.Errorf("rsyslogd says %q", said)
	case len(theirs) == 0:
		t.Error("rsyslogd has written nothing, so that nothing is compared")
	}
	c.check(t, ours, theirs, "rsyslogd wrote")
}

// check compares the files that were written with those wanted.
func (c *diffCase) check(t *testing.T, got, want map[string]string, whose string) {
	var faults strings.Builder
	for name, w := range want {
		if g, ok := got[name]; !ok {
			fmt.Fprintf(&faults, "%s is not written; %s\n%s", name, whose, visible(w))
		} else if g != w {
			g, w = differing(g, w)
			fmt.Fprintf(&faults, "%s is\n%s%s\n%s", name, visible(g), whose, visible(w))
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			fmt.Fprintf(&faults, "%s is written, and was not to be:\n%s", name, visible(g))
		}
	}
	if faults.Len() > 0 {
		t.Errorf("\n%s\n%s", c.conf, faults.String())
	}
}

// differing leaves the lines that differ, if there are as many on both sides.
func differing(a, b string) (string, string) {
	as, bs := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	if len(as) != len(bs) {
		return a, b
	}
	var x, y strings.Builder
	for i := range as {
		if as[i] != bs[i] {
			x.WriteString(as[i])
			y.WriteString(bs[i])
		}
	}
	return x.String(), y.String()
}

// visible quotes every line, so that blanks and control characters show.
func visible(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("\t" + strconv.Quote(line) + "\n")
	}
	return b.String()
}

// run has one of the daemons do the case, and returns the files it left and what it
// said on standard error.
func (c *diffCase) run(t *testing.T, daemon string, flags ...string) (map[string]string, string, error) {
	work := t.TempDir()
	dir, file, files := work+"/files", work+"/conf", work+"/given"
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Mkdir(files, 0o755)); err != nil {
		return nil, "", err
	}
	for name, text := range c.files {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o644); err != nil {
			return nil, "", err
		}
	}
	text := diffHead
	if !strings.Contains(c.conf, "$WORK/port") {
		text += diffInput
	}
	text = strings.ReplaceAll(text+c.conf, "$END", diffDone)
	text = strings.NewReplacer("$WORK", work, "$OUT", dir+"/out", "$DIR", dir, "$FILES", files).Replace(text)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, "", err
	}
	p, err := startDiff(work, daemon, append(flags, "-n", "-i", work+"/pid", "-f", file)...)
	if err != nil {
		return nil, "", err
	}
	err = c.feed(p, work)
	if err == nil {
		p.cmd.Process.Signal(syscall.SIGTERM)
		err = p.end()
	}
	p.cmd.Process.Kill()
	<-p.done
	if err != nil {
		return nil, "", fmt.Errorf("%w\n%s", err, p.stderr.String())
	}
	left, err := filesBelow(dir)
	return left, p.stderr.String(), err
}

// startDiff starts a daemon in a time zone that is not UTC and has no summer time.
func startDiff(dir, daemon string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(daemon, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "TZ=Asia/Kolkata", "DIFFERENTIAL=from the environment")
	p.cmd.Stdout, p.cmd.Stderr = &p.stderr, &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// feed sends the input and returns when it has been worked on.
func (c *diffCase) feed(p *process, work string) error {
	var port []byte
	if err := p.await(func() bool {
		port, _ = os.ReadFile(work + "/port")
		return len(bytes.TrimSpace(port)) > 0
	}); err != nil {
		return fmt.Errorf("listens nowhere: %w", err)
	}
	var conn net.Conn
	if err := p.await(func() (ok bool) { // rsyslogd writes the port before it listens
		c, err := net.Dial("tcp", "127.0.0.1:"+string(bytes.TrimSpace(port)))
		conn = c
		return err == nil
	}); err != nil {
		return fmt.Errorf("accepts no connection: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(slices.Clip(c.input), diffEnd...)); err != nil {
		return err
	}
	if err := p.await(func() bool {
		st, err := os.Stat(work + "/done")
		return err == nil && st.Size() > 0
	}); err != nil {
		return fmt.Errorf("the last message is not written: %w", err)
	}
	return p.await(func() bool {
		out, _ := os.ReadFile(work + "/files/out")
		return bytes.Count(out, []byte("\n")) >= c.lines
	})
}

// diffPatience is only ever waited out by a failure.
const diffPatience = 20 * time.Second

// await waits for a condition while the daemon lives.
func (p *process) await(met func() bool) error {
	for deadline := time.Now().Add(diffPatience); !met(); {
		select {
		case <-p.done:
			return fmt.Errorf("it has ended: %v", p.err)
		case <-time.After(time.Millisecond): // between two looks
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain", diffPatience)
		}
	}
	return nil
}

// end waits for the end of a daemon that was told to.
func (p *process) end() error {
	select {
	case <-p.done:
	case <-time.After(diffPatience):
		return errors.New("it does not end")
	}
	if p.err == nil && strings.Contains(p.stderr.String(), "DATA RACE") {
		return errors.New("data race")
	}
	return p.err
}

// filesBelow are the files below a directory and what they hold.
func filesBelow(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = string(text)
		return err
	})
	return files, err
}

// readDifferential reads the cases of one archive.
func readDifferential(file string) ([]*diffCase, error) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	r := diffReader{inputs: map[string][]byte{}, files: map[string]string{}, byName: map[string]*diffCase{}}
	for _, f := range a.Files {
		kind, name, _ := strings.Cut(f.Name, " ")
		if err := r.part(kind, name, string(f.Data)); err != nil {
			return nil, fmt.Errorf("%s: part %s: %w", file, f.Name, err)
		}
	}
	for _, c := range r.cases {
		if c.input = r.inputs[c.name]; c.input == nil {
			c.input = r.inputs[r.tables[c]]
		}
		if c.input == nil {
			c.input = r.inputs[""]
		}
		c.conf, c.files = r.head+c.conf, r.files
		if c.input == nil {
			return nil, fmt.Errorf("%s: case %s has no input", file, c.name)
		}
	}
	return r.cases, nil
}

// diffReader is what has been read of an archive.
type diffReader struct {
	head   string
	cases  []*diffCase
	byName map[string]*diffCase
	tables map[*diffCase]string
	inputs map[string][]byte
	files  map[string]string
}

func (r *diffReader) part(kind, name, text string) error {
	switch kind {
	case "head":
		r.head = text
	case "case":
		return r.add(name, text)
	case "table":
		return r.table(name, text)
	case "input":
		r.inputs[name] = []byte(text)
	case "bytes":
		return r.bytes(name, text)
	case "file":
		r.files[name] = text
	default:
		return r.detail(kind, name, text)
	}
	return nil
}

func (r *diffReader) add(name, conf string) error {
	if r.byName[name] != nil {
		return errors.New("exists already")
	}
	c := &diffCase{name: name, conf: conf, want: map[string]string{}}
	r.cases = append(r.cases, c)
	r.byName[name] = c
	return nil
}

func (r *diffReader) table(name, text string) error {
	pattern, rows, ok := strings.Cut(text, "rows:\n")
	if !ok {
		return errors.New("a table needs a line rows:")
	}
	if r.tables == nil {
		r.tables = map[*diffCase]string{}
	}
	for row := range strings.Lines(rows) {
		if row = strings.TrimSuffix(row, "\n"); row == "" {
			continue
		}
		title, value, ok := strings.Cut(row, ": ")
		if !ok {
			return fmt.Errorf("row %q has no name", row)
		}
		if err := r.add(name+" "+title, strings.ReplaceAll(pattern, "@@", value)); err != nil {
			return fmt.Errorf("row %q: %w", row, err)
		}
		r.tables[r.cases[len(r.cases)-1]] = name
	}
	return nil
}

func (r *diffReader) bytes(name, text string) error {
	var frames []byte
	for line := range strings.Lines(text) {
		frame, err := strconv.Unquote(`"` + strings.TrimSuffix(line, "\n") + `"`)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		frames = fmt.Appendf(frames, "%d %s", len(frame), frame)
	}
	r.inputs[name] = frames
	return nil
}

// detail is a part that says more about a case.
func (r *diffReader) detail(kind, name, text string) (err error) {
	of, file, _ := strings.Cut(name, "/")
	c := r.byName[of]
	if c == nil {
		return errors.New("there is no such case before it")
	}
	switch kind {
	case "lines":
		c.lines, err = strconv.Atoi(strings.TrimSpace(text))
	case "complaint":
		c.complaint = strings.TrimSpace(text)
	case "differs":
		c.reason = strings.TrimSpace(text)
	case "want":
		c.want[file] = text
	default:
		err = errors.New("is not known")
	}
	return err
}
