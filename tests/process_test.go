package tests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a condition may take before a test fails. It is long,
// because it is only ever waited out by a failure.
const patience = 60 * time.Second

type benchKey struct{}

// bench is what one scenario has running.
type bench struct {
	dir        string
	processes  map[string]*process
	collectors map[string]*collector // by the variable that holds their port
	held       []net.Conn            // idle connections, open until the end
}

func benchOf(ts *testscript.TestScript) *bench { return ts.Value(benchKey{}).(*bench) }

// process is a daemon under test or a peer.
type process struct {
	cmd    *exec.Cmd
	stderr lockedBuffer
	done   chan struct{}
	err    error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (b *bench) start(name, binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Dir = b.dir
	p.cmd.Stderr = &p.stderr
	p.cmd.Stdout = &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	b.processes[name] = p
	return p, nil
}

func (b *bench) killAll() {
	for name, p := range b.processes {
		p.cmd.Process.Kill()
		<-p.done
		if strings.Contains(p.stderr.String(), "DATA RACE") || strings.Contains(p.stderr.String(), "panic:") {
			os.WriteFile(filepath.Join(b.dir, name+".stderr"), []byte(p.stderr.String()), 0o644)
		}
	}
	for _, c := range b.collectors {
		c.down()
		c.file.Close()
	}
	for _, c := range b.held {
		c.Close()
	}
}

// wait waits for a condition; it looks every few milliseconds.
func wait(ts *testscript.TestScript, what string, met func() bool) {
	deadline := time.Now().Add(patience)
	for !met() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %v in vain for %s\n%s", patience, what, benchOf(ts).output())
		}
		time.Sleep(5 * time.Millisecond) // between two looks, not for time to pass
	}
}

// allAlive fails the test when a daemon has ended that nobody told to end.
func (b *bench) allAlive(ts *testscript.TestScript) {
	for name, p := range b.processes {
		select {
		case <-p.done:
			ts.Fatalf("%s has ended: %v\n%s", name, p.err, p.stderr.String())
		default:
		}
	}
}

func (b *bench) output() string {
	var out strings.Builder
	for name, p := range b.processes {
		fmt.Fprintf(&out, "--- %s\n%s", name, p.stderr.String())
	}
	return out.String()
}

// relay NAME CONF [FLAG…] starts sysrelay in the foreground; a NAME beginning with
// rsyslogd makes it behave as rsyslogd.
func relay(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: relay NAME CONF [FLAG…]")
	}
	flags := append([]string{"-n", "-C", "-i", "NONE", "-f", ts.MkAbs(args[1])}, args[2:]...)
	_, err := benchOf(ts).start(args[0], sysrelay, flags...)
	ts.Check(err)
}

// run NAME PROGRAM ARG… starts any program as a daemon, for sysrelay under a limit
// or another name.
func run(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: run NAME PROGRAM ARG…")
	}
	_, err := benchOf(ts).start(args[0], needs(ts, args[1]), args[2:]...)
	ts.Check(err)
}

// reap PIDFILE kills the daemon in a pid file when the scenario ends, should it
// still be there.
func reap(ts *testscript.TestScript, neg bool, args []string) {
	file := ts.MkAbs(args[0])
	pid := number(ts, strings.TrimSpace(ts.ReadFile(file)))
	ts.Defer(func() {
		if _, err := os.Stat(file); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// exits NAME CODE waits until a process ends by itself, with that code. Its
// standard error is then in NAME.stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	p := find(ts, args[0])
	ended(ts, args[0], p)
	if code := p.cmd.ProcessState.ExitCode(); code != number(ts, args[1]) {
		ts.Fatalf("%s ended with %d, not %s\n%s", args[0], code, args[1], p.stderr.String())
	}
}

// rsyslogd NAME CONF starts the real rsyslogd.
func rsyslogd(ts *testscript.TestScript, neg bool, args []string) {
	binary := needs(ts, "rsyslogd")
	_, err := benchOf(ts).start(args[0], binary, "-n", "-C", "-i", ts.MkAbs(args[0]+".pid"), "-f", ts.MkAbs(args[1]))
	ts.Check(err)
}

// loggen ARG… runs syslog-ng's generator of messages to its end.
func loggen(ts *testscript.TestScript, neg bool, args []string) {
	binary, err := exec.LookPath("loggen")
	if err != nil {
		binary, err = filepath.Abs(".peers/usr/bin/loggen")
		ts.Check(err)
	}
	prefix := filepath.Dir(filepath.Dir(needs(ts, binary)))
	// Where tests/run has unpacked it, it does not find its libraries by itself.
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+prefix+"/lib/syslog-ng", "SYSLOGNG_PREFIX="+prefix)
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("loggen: %v\n%s", err, out)
	}
}

// shutdown NAME ends a process with SIGTERM; it must exit 0, or not with "! shutdown".
// The standard error of the process is then in NAME.stderr.
func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	p := find(ts, args[0])
	p.cmd.Process.Signal(syscall.SIGTERM)
	ended(ts, args[0], p)
	if p.err != nil != neg {
		ts.Fatalf("%s ended with: %v\n%s", args[0], p.err, p.stderr.String())
	}
}

func ended(ts *testscript.TestScript, name string, p *process) {
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGABRT) // Go says then where every goroutine is
		<-p.done
		ts.Fatalf("%s did not end\n%s", name, p.stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".stderr"), []byte(p.stderr.String()), 0o644))
	if strings.Contains(p.stderr.String(), "DATA RACE") {
		ts.Fatalf("%s: data race\n%s", name, p.stderr.String())
	}
	delete(benchOf(ts).processes, name)
}

// signal NAME SIGNAL sends HUP, TERM, KILL, STOP or CONT; after KILL the process is gone.
func signal(ts *testscript.TestScript, neg bool, args []string) {
	p := find(ts, args[0])
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "INT": syscall.SIGINT}
	s, ok := signals[args[1]]
	if !ok {
		ts.Fatalf("no signal %s", args[1])
	}
	ts.Check(p.cmd.Process.Signal(s))
	if s == syscall.SIGKILL {
		ended(ts, args[0], p)
	}
}

func find(ts *testscript.TestScript, name string) *process {
	p := benchOf(ts).processes[name]
	if p == nil {
		ts.Fatalf("nothing called %s runs", name)
	}
	return p
}

// free VAR sets VAR to a port that nobody uses, for a peer that cannot choose one
// itself: one below those the system gives away.
func free(ts *testscript.TestScript, neg bool, args []string) {
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(20000))
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		ln.Close()
		conn, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		conn.Close()
		ts.Setenv(args[0], port)
		return
	}
	ts.Fatalf("no free port")
}

// port VAR FILE waits for a port file and sets VAR to the port.
func port(ts *testscript.TestScript, neg bool, args []string) {
	file := ts.MkAbs(args[1])
	wait(ts, "port file "+args[1], func() bool {
		benchOf(ts).allAlive(ts)
		text, err := os.ReadFile(file)
		return err == nil && len(bytes.TrimSpace(text)) > 0
	})
	text, err := os.ReadFile(file)
	ts.Check(err)
	ts.Setenv(args[0], string(bytes.TrimSpace(text)))
}
