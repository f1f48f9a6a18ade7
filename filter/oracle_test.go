package filter

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// sentinel is sent after the messages: when it has been written, they are done.
const sentinel = "<13>Jan  1 00:00:00 host oracle-sentinel: x"

// oracle runs the rules under rsyslogd, sends it the messages, and returns the
// directory its actions wrote to (@DIR@ in the rules).
func oracle(t *testing.T, rules string, messages []string) string {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	config := fmt.Sprintf(`global(workDirectory="%s" net.enableDNS="off")
main_queue(queue.type="Direct")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="%d")
template(name="oracle_done" type="string" string="x")
if $programname == "oracle-sentinel" then {
  action(type="omfile" file="%s/done" template="oracle_done")
  stop
}
%s`, dir, port, dir, strings.ReplaceAll(rules, "@DIR@", dir))
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
	send(t, port, messages, filepath.Join(dir, "done"))
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

// send sends the messages in small steps, so that no datagram is lost, and
// returns when rsyslogd has worked on all of them.
func send(t *testing.T, port int, messages []string, done string) {
	t.Helper()
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	steps := 0
	for chunk := range slices.Chunk(messages, 50) {
		for _, m := range append(slices.Clone(chunk), sentinel) {
			if _, err := c.Write([]byte(m)); err != nil {
				t.Fatal(err)
			}
		}
		steps++
		await(t, "rsyslogd works on the messages", func() bool {
			st, err := os.Stat(done)
			return err == nil && int(st.Size()) >= steps
		})
	}
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
