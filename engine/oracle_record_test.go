package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOracleRecord runs the rsyslogd that SYSRELAY_RSYSLOGD names and writes down
// what it makes of the messages in testdata/oracle.
func TestOracleRecord(t *testing.T) {
	rsyslogd := os.Getenv("SYSRELAY_RSYSLOGD")
	if rsyslogd == "" {
		t.Skip("SYSRELAY_RSYSLOGD does not name an rsyslogd")
	}
	for _, path := range oracleFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var b strings.Builder
			for _, g := range readOracle(t, path) {
				recordGroup(t, rsyslogd, g)
				b.WriteString(g.String())
			}
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func recordGroup(t *testing.T, rsyslogd string, g *oracleGroup) {
	g.at = time.Now().UTC().Truncate(24 * time.Hour)
	r := startOracle(t, rsyslogd, g)
	defer r.stop()
	for _, c := range g.cases {
		r.send(c.in)
		r.send("<13>" + oracleSentinel)
		c.out = ""
		for {
			line, ok := r.read(5 * time.Second)
			if !ok {
				t.Fatalf("no answer to %.200q", c.in)
			}
			if strings.Contains(string(line), oracleSentinel) {
				break
			}
			c.out = oracleLine(line)
		}
	}
}

// oracle is a running rsyslogd.
type oracle struct {
	t        *testing.T
	cmd      *exec.Cmd
	out      net.Conn
	back     *os.File
	received *bufio.Reader
}

func startOracle(t *testing.T, rsyslogd string, g *oracleGroup) *oracle {
	t.Helper()
	dir := t.TempDir()
	g.writeFiles(t, dir)
	fifo, confFile := filepath.Join(dir, "fifo"), filepath.Join(dir, "conf")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	// Sentinels, which say that all before them is there, pass the rules by.
	g.rules = append(append([]string{fmt.Sprintf(`if not ($rawmsg contains %q) then {`, oracleSentinel)}, g.rules...), "}")
	defer func() { g.rules = g.rules[1 : len(g.rules)-1] }()
	text := fmt.Sprintf("global(net.enableDNS=\"off\" workDirectory=%q)\nmodule(load=\"imudp\")\n", dir) +
		g.text(dir, fmt.Sprintf(`action(type="omfile" file=%q template="all")`, fifo)) +
		fmt.Sprintf("input(type=\"imudp\" address=\"127.0.0.1\" port=\"%d\" ruleset=\"oracle\")\n", port) +
		fmt.Sprintf("action(type=\"omfile\" file=%q)\n", filepath.Join(dir, "own"))
	if err := os.WriteFile(confFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &oracle{t: t, back: back, received: bufio.NewReader(back)}
	r.cmd = exec.Command(rsyslogd, "-n", "-f", confFile, "-i", filepath.Join(dir, "pid"))
	r.cmd.Env = append(os.Environ(), "TZ="+oracleZone, "LC_ALL=C")
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	if r.out, err = net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		r.send("<13>" + oracleSentinel)
		if _, ok := r.read(100 * time.Millisecond); ok {
			for ok {
				_, ok = r.read(200 * time.Millisecond)
			}
			return r
		}
	}
	t.Fatal("rsyslogd does not answer")
	return nil
}

func (r *oracle) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	_ = r.out.Close()
	_ = r.back.Close()
}

// send sends a message. That nobody listens yet is no matter: the sentinel is sent
// again until it comes back.
func (r *oracle) send(text string) { _, _ = r.out.Write([]byte(text)) }

// read returns what is printed next, if it comes in time.
func (r *oracle) read(wait time.Duration) ([]byte, bool) {
	_ = r.back.SetReadDeadline(time.Now().Add(wait))
	var text []byte
	for !bytes.HasSuffix(text, []byte(oracleEnd)) {
		c, err := r.received.ReadByte()
		if err != nil {
			return nil, false
		}
		text = append(text, c)
	}
	return text, true
}
