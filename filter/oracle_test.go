package filter

import (
	"bytes"
	"flag"
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

// What rsyslogd does is written down in testdata by
//
//	go test ./filter -run Golden -rsyslogd /usr/sbin/rsyslogd
//
// and checked without it.
var rsyslogd = flag.String("rsyslogd", "", "rewrite the golden files with what this rsyslogd does")

// oracle runs the rules under rsyslogd, sends it the messages, and returns the
// directory its actions wrote to (@DIR@ in the rules).
func oracle(t *testing.T, rules string, messages []string) string {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	config := fmt.Sprintf(`global(workDirectory="%s" net.enableDNS="off")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="%d")
template(name="oracle_done" type="string" string="x")
%s
action(type="omfile" file="%s/done" template="oracle_done")
`, dir, port, strings.ReplaceAll(rules, "@DIR@", dir), dir)
	file := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(*rsyslogd, "-n", "-f", file, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitUDP(t, port)
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, m := range messages {
		if _, err := c.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 { // small steps, so that no datagram is lost
			awaitSize(t, filepath.Join(dir, "done"), i+1, &stderr)
		}
	}
	awaitSize(t, filepath.Join(dir, "done"), len(messages), &stderr)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("rsyslogd: %v", err)
	}
	if stderr.Len() > 0 {
		t.Logf("rsyslogd: %s", stderr.String())
	}
	return dir
}

// oracleCheck returns what rsyslogd says about the rules without running them.
func oracleCheck(t *testing.T, rules string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rsyslog.conf")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(*rsyslogd, "-N1", "-f", file, "-i", "NONE").CombinedOutput()
	return string(out)
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// awaitUDP waits until somebody listens at the port.
func awaitUDP(t *testing.T, port int) {
	t.Helper()
	want := fmt.Sprintf(":%04X ", port)
	await(t, "rsyslogd listens", func() bool {
		b, err := os.ReadFile("/proc/net/udp")
		return err == nil && strings.Contains(string(b), want)
	})
}

func awaitSize(t *testing.T, file string, size int, stderr *bytes.Buffer) {
	t.Helper()
	await(t, fmt.Sprintf("%d messages done; %s", size, stderr), func() bool {
		st, err := os.Stat(file)
		return err == nil && int(st.Size()) >= size
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// section is the lines of a golden file that begin with a word.
func section(lines []string, word string) []string {
	var out []string
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, word+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}
