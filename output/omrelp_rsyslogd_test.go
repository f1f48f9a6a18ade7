package output

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rsyslogd runs a real rsyslogd with imrelp in front of a file, without a queue:
// what it acknowledges has been written.
type rsyslogd struct {
	t    *testing.T
	port string
	dir  string
	cmd  *exec.Cmd
	err  bytes.Buffer
}

func startRsyslogd(t *testing.T) *rsyslogd {
	t.Helper()
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Skip("rsyslogd is not installed")
	}
	ln := listen(t)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	r := &rsyslogd{t: t, port: port, dir: t.TempDir()}
	conf := fmt.Sprintf(`global(workDirectory=%q)
main_queue(queue.type="Direct")
module(load="imrelp")
input(type="imrelp" address="127.0.0.1" port=%q)
template(name="msg" type="string" string="%%msg:2:$%%\n")
action(type="omfile" file=%q template="msg")
`, r.dir, port, r.file())
	must(t, os.WriteFile(r.dir+"/conf", []byte(conf), 0o600))
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *rsyslogd) file() string { return filepath.Join(r.dir, "out") }

func (r *rsyslogd) start() {
	os.Remove(r.dir + "/pid")
	r.cmd = exec.Command("rsyslogd", "-n", "-f", r.dir+"/conf", "-i", r.dir+"/pid")
	r.cmd.Stderr = &r.err
	must(r.t, r.cmd.Start())
}

func (r *rsyslogd) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

// TestRELPToRsyslogd: a real server that is killed again and again while it
// receives. Everything arrives, in order but for what is repeated.
func TestRELPToRsyslogd(t *testing.T) {
	r := startRsyslogd(t)
	p := relpParams(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	p.Port = r.port
	o, _ := newOMRELP(t, p)
	a, _ := newAction(t, o, func(p *ActionOptions) {
		p.Params.ResumeRetryCount, p.Params.ResumeInterval = tries(-1), 0
	})
	const batches, each, kills = 200, 50, 4
	sent := 0
	for i := range batches {
		if i > 0 && i%(batches/(kills+1)) == 0 {
			go func() { r.cmd.Process.Kill() }() // while the next batch is under way
		}
		var texts []string
		for range each {
			texts = append(texts, fmt.Sprintf("<13>Oct  1 12:00:00 host tag: %06d", sent))
			sent++
		}
		done := make(chan error, 1)
		go func() { done <- handle(a, texts...) }()
		if i > 0 && i%(batches/(kills+1)) == 0 {
			r.cmd.Wait()
			r.start()
		}
		must(t, <-done)
	}
	must(t, a.Close())
	b, err := os.ReadFile(r.file())
	must(t, err)
	next, again := 0, 0
	for line := range strings.Lines(string(b)) {
		var n int
		if _, err := fmt.Sscanf(line, "%06d\n", &n); err != nil || n > next {
			t.Fatalf("line %q, want number %d or an earlier one", line, next)
		}
		if n < next {
			again++
			continue
		}
		next++
	}
	if next != sent {
		t.Errorf("%d of %d messages arrived", next, sent)
	}
	if again > kills*(128+each) {
		t.Errorf("%d messages arrived again", again)
	}
}
