package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Every file in scenarios/ is one behaviour, told as a script against the real
// daemon: its name and its first line are the specification. The table below lists
// the commands; each is documented where it is defined.
//
// Scripts write configurations with $WORK in them; ports are 0 and reported
// through listenPortFileName.

// sysrelay is the binary under test, built once.
var sysrelay string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sysrelay-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	sysrelay = filepath.Join(dir, "sysrelay")
	args := []string{"build", "-o", sysrelay}
	if raceEnabled {
		args = append(args, "-race", "-tags", "invariants")
		// The race detector makes every process sleep a second before it ends, in case
		// another thread is about to report something.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	}
	build := exec.Command("go", append(args, "sysrelay/cmd/sysrelay")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build sysrelay:", err)
		return 1
	}
	return m.Run()
}

func TestScenarios(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "scenarios",
		Setup: setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"relay":    relay,
			"rsyslogd": rsyslogd,
			"loggen":   loggen,
			"reap":     reap,
			"run":      run,
			"shutdown": shutdown,
			"exits":    exits,
			"signal":   signal,
			"port":     port,
			"free":     free,
			"send":     send,
			"numbers":  numbers,
			"idle":     idle,
			"hangup":   hangup,
			"garbage":  garbage,
			"hello":    hello,
			"trickle":  trickle,
			"inorder":  inOrder,
			"lines":    lines,
			"has":      has,
			"files":    files,
			"diag":     diag,
			"collect":  collect,
			"stall":    stall,
			"outage":   outage,
			"back":     back,
			"settled":  settled,
			"subst":    subst,
			"bytes":    writeBytes,
			"same":     same,
			"tmpfs":    tmpfs,
			"peak":     peak,
			"balanced": balanced,
			"netns":    netns,
		},
		RequireExplicitExec: true,
		// What exec waits for ends then, too.
		Deadline: time.Now().Add(6 * patience),
	})
}

func setup(e *testscript.Env) error {
	b := &bench{processes: map[string]*process{}, collectors: map[string]*collector{}, dir: e.WorkDir}
	e.Values[benchKey{}] = b
	e.Defer(b.killAll)
	e.Setenv("SYSRELAY", sysrelay)
	e.Setenv("PATH", os.Getenv("PATH"))
	// Scripts write configurations as files of the archive, with $WORK for their
	// directory.
	return filepath.WalkDir(e.WorkDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".conf") && !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "$WORK", e.WorkDir)), 0o644)
	})
}

// TestNoScriptEndsEarly: testscript has a command stop of its own, which ends the
// script; what comes after it is never run, and the script has passed. Ours is shutdown.
func TestNoScriptEndsEarly(t *testing.T) {
	scripts, err := filepath.Glob("scenarios/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		for line := range strings.Lines(script) {
			if line = strings.TrimPrefix(line, "! "); strings.HasPrefix(line, "stop") || strings.HasPrefix(line, "skip") {
				t.Errorf("%s would end early: %s", name, line)
			}
		}
	}
}

// needs fails the test when a peer is missing: a test that is skipped says nothing.
func needs(ts *testscript.TestScript, program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		ts.Fatalf("%s is missing; `bash tests/run` installs what the tests need", program)
	}
	return path
}
