package message

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
	paths, err := filepath.Glob("testdata/oracle/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			o := readOracle(t, path)
			r := startRecorder(t, rsyslogd, o)
			var b strings.Builder
			for _, line := range o.head {
				fmt.Fprintln(&b, line)
			}
			for _, c := range o.cases {
				r.record(c)
				b.WriteString(c.String())
			}
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// recorder sends to a running rsyslogd and gets back what its template prints.
type recorder struct {
	t        *testing.T
	out      net.Conn
	back     *os.File
	received *bufio.Reader
}

const (
	oracleField    = "~|~"
	oracleEnd      = "~!~"
	oracleSentinel = "<13>oracle-sentinel"
)

func startRecorder(t *testing.T, rsyslogd string, o *oracleFile) *recorder {
	t.Helper()
	port := freeUDPPort(t)
	dir := t.TempDir()
	conf, fifo := filepath.Join(dir, "conf"), filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = back.Close() })
	text := oracleConf(o, dir, port, fifo)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rsyslogd, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	cmd.Env = append(os.Environ(), "TZ="+oracleZone, "LC_ALL=C")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	out, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	r := &recorder{t: t, out: out, back: back, received: bufio.NewReader(back)}
	for range 100 {
		_, _ = out.Write([]byte(oracleSentinel))
		if r.read(100*time.Millisecond) != nil {
			for r.read(200*time.Millisecond) != nil {
			}
			return r
		}
	}
	t.Fatal("rsyslogd does not answer")
	return nil
}

func freeUDPPort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func oracleConf(o *oracleFile, dir string, in int, back string) string {
	var fields []string
	for _, name := range oracleProperties {
		if strings.HasPrefix(name, "time") {
			name += ":::date-rfc3339"
		}
		fields = append(fields, "%"+name+"%")
	}
	parser, parsers := o.params("parser"), ""
	b := &strings.Builder{}
	fmt.Fprintf(b, "global(net.enableDNS=\"off\" workDirectory=%q %s)\n", dir, strings.Join(o.params("global"), " "))
	fmt.Fprintln(b, `module(load="imudp")`)
	if len(parser) > 0 {
		fmt.Fprintf(b, "parser(name=\"oracle\" type=\"pmrfc3164\" %s)\n", strings.Join(parser, " "))
		parsers = `parser=["rsyslog.rfc5424","oracle"]`
	}
	fmt.Fprintf(b, "template(name=\"all\" type=\"string\" string=\"%s%s\")\n", strings.Join(fields, oracleField), oracleEnd)
	fmt.Fprintf(b, "ruleset(name=\"oracle\" %s) {\n", parsers)
	fmt.Fprintf(b, "action(type=\"omfile\" file=%q template=\"all\")\n}\n", back)
	fmt.Fprintf(b, "input(type=\"imudp\" address=\"127.0.0.1\" port=\"%d\" ruleset=\"oracle\" %s)\n",
		in, strings.Join(o.params("input"), " "))
	fmt.Fprintf(b, "action(type=\"omfile\" file=%q)\n", filepath.Join(dir, "own"))
	return b.String()
}

// read returns the properties of the next message, nil if there is none in time.
func (r *recorder) read(wait time.Duration) map[string]string {
	_ = r.back.SetReadDeadline(time.Now().Add(wait))
	var text []byte
	for !bytes.HasSuffix(text, []byte(oracleEnd)) {
		c, err := r.received.ReadByte()
		if err != nil {
			return nil
		}
		text = append(text, c)
	}
	values := strings.Split(strings.TrimSuffix(string(text), oracleEnd), oracleField)
	if len(values) != len(oracleProperties) {
		r.t.Fatalf("got %d: %.300q … %q", len(values), text, text[max(0, len(text)-300):])
	}
	m := map[string]string{}
	for i, name := range oracleProperties {
		m[name] = values[i]
	}
	return m
}

func (r *recorder) record(c *oracleCase) {
	r.t.Helper()
	for _, text := range []string{c.in, oracleSentinel} {
		if _, err := r.out.Write([]byte(text)); err != nil {
			r.t.Fatal(err)
		}
	}
	c.dropped, c.want = true, map[string]string{}
	for {
		m := r.read(5 * time.Second)
		switch {
		case m == nil:
			r.t.Fatalf("no answer to %.100q", c.in)
		case m["rawmsg"] == oracleSentinel:
			return
		}
		c.dropped, c.want = false, m
	}
}
