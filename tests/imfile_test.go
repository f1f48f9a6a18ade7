package tests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rotations are logrotate's ways to rotate, and what it tells the writer.
var rotations = map[string]string{
	"create":        "create",
	"nocreate":      "nocreate",
	"copytruncate":  "copytruncate",
	"delaycompress": "create\ncompress\ndelaycompress",
	"compress":      "create\ncompress",
	"dateext":       "create\ndateext\ndateformat -%Y%m%d-%n\nextension .log",
	"olddir":        "create\nolddir old",
	"copy-mv":       "nocopytruncate\nnocreate\nstart 0",
}

const tailConfig = `global(net.enableDNS="off" workDirectory="$DIR/state" processInternalMessages="on")
module(load="imfile")
input(type="imfile" file="$DIR/app.log" tag="app:" reopenOnTruncate="on")
if $syslogfacility-text == "syslog" then stop
template(name="msg" type="string" string="%msg%\n")
action(type="omfile" file="$DIR/out" template="msg")
`

// rotated is one file that is written, rotated by the real logrotate, and tailed.
type rotated struct {
	*testing.T
	bench *bench
	dir   string
	conf  string
	file  *os.File  // the writer's
	born  time.Time // when it was made
	n     int       // lines written

	how       string
	rotations int
}

func newRotated(t *testing.T, how string) *rotated {
	if _, err := exec.LookPath("logrotate"); err != nil {
		t.Fatal("logrotate is missing; `bash tests/run` installs what the tests need")
	}
	r := &rotated{T: t, dir: t.TempDir(), how: how}
	r.bench = &bench{processes: map[string]*process{}, dir: r.dir}
	t.Cleanup(r.bench.killAll)
	r.conf = filepath.Join(r.dir, "r.conf")
	if err := os.WriteFile(r.conf, []byte(strings.ReplaceAll(tailConfig, "$DIR", r.dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"state", "old"} {
		if err := os.Mkdir(filepath.Join(r.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.reopen()
	t.Cleanup(func() { r.file.Close() })
	return r
}

// reopen is what a program does that logrotate's postrotate signals.
func (r *rotated) reopen() {
	if r.file != nil {
		r.file.Close()
	}
	f, err := os.OpenFile(filepath.Join(r.dir, "app.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		r.Fatal(err)
	}
	r.file = f
	info, err := f.Stat()
	if err != nil {
		r.Fatal(err)
	}
	r.born = info.ModTime()
}

func (r *rotated) write(lines int) {
	for range lines {
		r.n++
		if _, err := fmt.Fprintf(r.file, "line %06d of the application\n", r.n); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rotated) rotate() {
	r.rotations++
	// The date is the same for all of a test's rotations.
	text := fmt.Sprintf("%s/app.log {\nsu root root\nrotate 20\n%s\n}\n", r.dir, strings.ReplaceAll(r.how, "%n", strconv.Itoa(r.rotations)))
	if err := os.WriteFile(filepath.Join(r.dir, "logrotate.conf"), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	out, err := exec.Command("logrotate", "-f", "-s", filepath.Join(r.dir, "logrotate.state"), filepath.Join(r.dir, "logrotate.conf")).CombinedOutput()
	if err != nil {
		r.Fatalf("logrotate: %v\n%s", err, out)
	}
}

func (r *rotated) start() *process {
	p, err := r.bench.start("r", sysrelay, "-n", "-C", "-i", "NONE", "-f", r.conf)
	if err != nil {
		r.Fatal(err)
	}
	return p
}

func (r *rotated) out() []byte {
	out, _ := os.ReadFile(filepath.Join(r.dir, "out"))
	return out
}

// waitLines waits until the last line written has arrived.
func (r *rotated) waitLines() {
	last := fmt.Appendf(nil, "line %06d of the application\n", r.n)
	for deadline := time.Now().Add(patience); !bytes.HasSuffix(r.out(), last); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("line %d does not arrive; %d lines are there\n%s", r.n, bytes.Count(r.out(), []byte("\n")), r.bench.output())
		}
	}
}

// known tells whether sysrelay has seen the file that is written now. One that was
// made and renamed while nobody looked cannot be told from an old one.
func (r *rotated) known() bool {
	info, err := r.file.Stat()
	if err != nil {
		r.Fatal(err)
	}
	found, _ := filepath.Glob(fmt.Sprintf("%s/state/imfile-state:%d*", r.dir, info.Sys().(*syscall.Stat_t).Ino))
	return slices.ContainsFunc(found, func(name string) bool {
		state, err := os.Stat(name)
		// A state that was being written at a kill is none.
		return err == nil && !strings.HasSuffix(name, ".tmp") && !state.ModTime().Before(r.born) // else it is of a file that had this inode before
	})
}

func (r *rotated) waitKnown() {
	if !until(r.known) {
		r.Fatalf("the file is not found\n%s", r.bench.output())
	}
}

// TestLogrotate: whichever way logrotate rotates, every line arrives once and in
// order, also of what is written and rotated while sysrelay does not run.
func TestLogrotate(t *testing.T) {
	for name, how := range rotations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotated(t, how)
			r.write(100)
			p := r.start()
			for range 4 {
				r.waitKnown()
				r.write(100)
				if name == "copytruncate" {
					r.waitLines() // logrotate itself loses what is written meanwhile
				}
				r.rotate()
				if name != "copytruncate" {
					r.write(10) // the program has not been told yet
					r.reopen()
				}
				r.write(10)
				r.waitLines()
			}
			r.stop(p)
			r.write(50)
			if name != "copytruncate" && !strings.Contains(how, "compress") && name != "olddir" {
				r.rotate()
				r.reopen()
			}
			r.write(50)
			p = r.start()
			r.waitLines()
			r.stop(p)
			var want bytes.Buffer
			for i := range r.n {
				fmt.Fprintf(&want, "line %06d of the application\n", i+1)
			}
			if got := r.out(); !bytes.Equal(got, want.Bytes()) {
				t.Errorf("not every line once and in order: %d lines of %d\n%s", bytes.Count(got, []byte("\n")), r.n, r.bench.output())

			}
		})
	}
}

func (r *rotated) stop(p *process) {
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		r.Fatalf("sysrelay ended with %v\n%s", p.err, p.stderr.String())
	}
}

// TestTailKilled kills sysrelay at random moments while lines are written and
// files rotated: every line arrives, and what arrives twice was read within the
// last moments before a kill.
func TestTailKilled(t *testing.T) {
	r := newRotated(t, "create")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 8 {
		p := r.start()
		time.AfterFunc(time.Duration(random.IntN(300))*time.Millisecond, func() { p.cmd.Process.Kill() })
		for running := true; running; {
			r.write(20)
			if random.IntN(20) == 0 && r.known() {
				r.rotate()
				r.reopen()
			}
			select {
			case <-p.done:
				running = false
			case <-time.After(time.Millisecond):
			}
		}
	}
	p := r.start()
	r.waitKnown()
	r.write(1)
	r.waitLines()
	r.stop(p)
	seen := make([]int, r.n+1)
	for line := range strings.Lines(string(r.out())) {
		var n int
		if _, err := fmt.Sscanf(line, "line %d of the application", &n); err != nil || n > r.n {
			t.Fatalf("line %q: %v", line, err)
		}
		seen[n]++
	}
	var lost, twice int
	for _, n := range seen[1:] {
		switch {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	t.Logf("%d lines, %d of them more than once", r.n, twice)
	if lost > 0 {
		t.Errorf("%d of %d lines are lost\n%s", lost, r.n, r.bench.output())
	}
}
