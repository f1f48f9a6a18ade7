package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is one relay to measure.
type system struct {
	name   string
	binary string
	ending string // of its configuration's name below conf/
	args   func(s system, conf, dir string) []string
}

func findSystems(names []string, sysrelay string) ([]system, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	known := map[string]system{
		"sysrelay": {name: "sysrelay", binary: sysrelay, ending: "conf", args: func(_ system, conf, dir string) []string {
			return []string{"-n", "-C", "-i", "NONE", "-f", conf}
		}},
		"rsyslogd": {name: "rsyslogd", binary: "rsyslogd", ending: "conf", args: func(_ system, conf, dir string) []string {
			return []string{"-n", "-C", "-i", filepath.Join(dir, "pid"), "-f", conf}
		}},
		"syslog-ng": {name: "syslog-ng", binary: "syslog-ng", ending: "syslog-ng", args: syslogNGArgs},
		"copier": {name: "copier", binary: self, args: func(_ system, conf, dir string) []string {
			return []string{copierWord, conf}
		}},
	}
	var found []system
	for _, n := range names {
		s, ok := known[n]
		if !ok {
			return nil, fmt.Errorf("there is no system %q", n)
		}
		path, err := exec.LookPath(s.binary)
		if err != nil {
			return nil, fmt.Errorf("%s is not on this machine; `bash tests/run` installs it: %w", n, err)
		}
		s.binary = path
		found = append(found, s)
	}
	return found, nil
}

// syslogNGArgs: the package is unpacked, not installed, so it has to be told
// where its modules are.
func syslogNGArgs(s system, conf, dir string) []string {
	args := []string{"-F", "--no-caps", "-f", conf, "-R", filepath.Join(dir, "persist"),
		"-c", filepath.Join(dir, "ctl"), "-p", filepath.Join(dir, "pid"), "--worker-threads=2"}
	root := filepath.Dir(filepath.Dir(filepath.Dir(s.binary)))
	if mods, _ := filepath.Glob(root + "/usr/lib/syslog-ng/[0-9]*"); len(mods) > 0 {
		args = append(args, "--module-path", strings.TrimSuffix(mods[0], "/"))
	}
	return args
}

// process is a running system.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{}
}

func startProcess(s system, conf, dir string) (*process, error) {
	p := &process{cmd: exec.Command(s.binary, s.args(s, conf, dir)...), done: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	p.cmd.Dir = dir
	root := filepath.Dir(filepath.Dir(filepath.Dir(s.binary)))
	if libs, _ := filepath.Glob(root + "/usr/lib/syslog-ng"); s.name == "syslog-ng" && len(libs) > 0 {
		p.cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libs[0]+":"+root+"/usr/lib/x86_64-linux-gnu")
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// waitPort waits until the process listens on a TCP port of this machine.
func (p *process) waitPort(port int) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended before it listened: %s", p.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not listen: %s", p.stderr.String())
		}
	}
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// cpu is the processor time used so far, user and system.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold blanks; the fields begin after it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	sys, _ := strconv.ParseInt(fields[12], 10, 64)
	const ticks = 100 // sysconf(_SC_CLK_TCK) on Linux
	return time.Duration(user+sys) * time.Second / ticks
}

// peak is the most memory that was resident, in MiB.
func (p *process) peak() float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}

func raiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		l.Cur = l.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
