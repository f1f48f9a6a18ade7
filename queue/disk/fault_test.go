package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/message"
	"sysrelay/queue"
)

// The fault tests run a scenario in a process of its own, under strace, which
// makes system calls fail.

// faultDir and faultKind are the variables that make the test binary run the
// scenario.
const (
	faultDir  = "SYSRELAY_FAULT_DIR"
	faultKind = "SYSRELAY_FAULT_KIND"
)

// faultTotal is how many messages the scenario appends; it acknowledges all but
// the last faultLeft.
const faultTotal, faultLeft = 12000, 1000

// TestFaultScenario is the scenario, when this process is the one under strace:
// every Append succeeds, and every message is delivered once, whatever fails once
// or for a time.
func TestFaultScenario(t *testing.T) {
	dir := os.Getenv(faultDir)
	if dir == "" {
		t.Skip("runs under strace only, see TestFaults")
	}
	r := newRig(t, func(c *queue.StoreConfig) {
		c.Dir, c.MaxFileSize, c.MemoryLimit = dir, minFileSize, 64<<10
		c.Log = func(sev int, line string) { fmt.Printf("log: <%d>%s\n", sev, line) }
		c.Lost = func(_ message.Reason, n int) { t.Errorf("%d messages lost", n) }
	})
	if os.Getenv(faultKind) == "forever" {
		faultForever(t, r)
		return
	}
	next, got := 0, 0
	for next < faultTotal {
		for range 4 {
			r.append(next, 100)
			next += 100
		}
		if next%3 == 0 {
			r.expect(got, 900)
			got += 900
		}
	}
	r.expect(got, next-faultLeft-got)
	r.close()
}

// faultForever is the scenario for faults that do not go away: senders are
// refused when they give up waiting, and Close is not held up.
func faultForever(t *testing.T, r *rig) {
	for next := 0; ; next += 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := r.Append(ctx, frames(next, 100), 100)
		cancel()
		if err == nil && next < 10000 {
			continue
		}
		if !errors.Is(err, queue.ErrNoRoom) {
			t.Fatalf("Append returned %v, want %v", err, queue.ErrNoRoom)
		}
		if next > 0 {
			r.expect(0, next)
		}
		fmt.Println("refused:", err)
		break
	}
	r.close()
}

// faults are what goes wrong: a system call and its error.
var faults = []struct {
	call, errno string
	most        int // calls of it in the scenario, about
}{
	{"fdatasync", "EIO", 120},
	{"fdatasync", "ENOSPC", 120},
	{"pwrite64", "EIO", 300},
	{"pwrite64", "ENOSPC", 300},
	{"fallocate", "ENOSPC", 10},
	{"fallocate", "EIO", 10},
	{"fallocate", "EOPNOTSUPP", 10},
	{"fallocate", "EFBIG", 10},
	{"fsync", "EIO", 20},
	{"renameat,renameat2,rename", "EIO", 10},
	{"unlinkat,unlink", "EIO", 10},
	{"ftruncate", "EIO", 5},
	{"truncate", "EIO", 8},
}

func TestFaults(t *testing.T) {
	needStrace(t)
	for _, f := range faults {
		step := 1 + f.most/12
		if testing.Short() {
			step = 1 + f.most/2
		}
		for n := 1; n <= f.most; n += step {
			for _, many := range []int{1, 4} {
				when := fmt.Sprintf("%d..%d", n, n+many-1)
				t.Run(f.call+"/"+f.errno+"/"+when, func(t *testing.T) {
					dir := filepath.Join(t.TempDir(), "q")
					out := inject(t, dir, "", fmt.Sprintf("%s:error=%s:when=%s", f.call, f.errno, when))
					afterFaults(t, dir, out)
				})
			}
		}
	}
}

// inject runs the scenario with a fault. The fault concerns the queue's files
// only.
func inject(t *testing.T, dir, kind, fault string) string {
	t.Helper()
	call, _, _ := strings.Cut(fault, ":")
	cmd := exec.Command("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace="+call, "-e", "inject="+fault, "-o", dir+".strace",
		os.Args[0], "-test.run=^TestFaultScenario$", "-test.count=1")
	cmd.Env = append(os.Environ(), faultDir+"="+dir, faultKind+"="+kind)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "PTRACE") {
		without(t, fmt.Sprintf("strace may not be used here: %s", out))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// afterFaults checks that what the scenario left is all there.
func afterFaults(t *testing.T, dir, out string) {
	t.Helper()
	r := newRig(t, func(c *queue.StoreConfig) { c.Dir = dir })
	got := r.read(r.Len().Messages, 1000)
	r.Ack(len(got))
	want := sequence(faultTotal-faultLeft, faultLeft)
	if len(got) != faultLeft || got[0] != want[0] {
		t.Errorf("%d messages from %d on are left, want %d from %d on\n%s", len(got), got[0], faultLeft, want[0], out)
	}
	r.empty()
	if r.lost != 0 {
		t.Errorf("%d messages are lost\n%s\n%s", r.lost, out, strings.Join(r.log, "\n"))
	}
}

func TestFaultsThatStay(t *testing.T) {
	needStrace(t)
	for _, fault := range []string{
		"fdatasync:error=EIO:when=9+", "fdatasync:error=ENOSPC:when=9+", "pwrite64:error=EIO:when=20+",
		"pwrite64:error=EROFS:when=20+", "fallocate:error=ENOSPC:when=3+", "fsync:error=EIO:when=3+",
	} {
		t.Run(fault, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "q")
			out := inject(t, dir, "forever", fault)
			if n := strings.Count(out, "refused: no room in the disk queue: "); n != 1 {
				t.Errorf("no reason was given:\n%s", out)
			}
			if n := strings.Count(out, "senders are held up"); n > 4 {
				t.Errorf("%d log lines about one cause:\n%s", n, out)
			}
		})
	}
}

// needStrace: where everything is to be tested, a test that cannot run has failed.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		without(t, "strace is not installed; `bash tests/run` installs it")
	}
}

func without(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
