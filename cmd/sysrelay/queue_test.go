package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/message"
	"sysrelay/queue"
	"sysrelay/queue/disk"
)

// spool makes a spool directory with one queue of 20 messages.
func spool(t *testing.T) (dir, q string) {
	t.Helper()
	dir = t.TempDir()
	q = filepath.Join(dir, "act")
	s := openStore(t, q)
	for n := range 20 {
		var b message.Batch
		b.Add(fmt.Appendf(nil, "<13>number %d", n), message.NewOrigin("imtest", "host", "192.0.2.1", "9"), 1e18, 0)
		if err := s.Append(t.Context(), b.All().AppendFrames(nil), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, q
}

func openStore(t *testing.T, dir string) queue.Store {
	t.Helper()
	s, err := disk.Open(queue.StoreConfig{Name: "test", Dir: dir, Sync: true, Log: func(_ int, text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// queueOf calls `sysrelay queue` and wants success.
func queueOf(t *testing.T, args ...string) string {
	t.Helper()
	code, out, err := call(append([]string{"sysrelay", "queue"}, args...)...)
	if code != 0 {
		t.Fatalf("queue %v: exit code %d: %s", args, code, err)
	}
	return out
}

func TestQueueLooks(t *testing.T) {
	dir, q := spool(t)
	if err := os.Mkdir(filepath.Join(dir, "no queue"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out := queueOf(t, "ls", dir); !strings.Contains(out, q) || strings.Contains(out, "no queue") {
		t.Errorf("ls:\n%s", out)
	}
	var r disk.Report
	if err := json.Unmarshal([]byte(queueOf(t, "stat", "-json", q)), &r); err != nil || r.Messages != 20 || len(r.Problems) != 0 {
		t.Errorf("stat: %+v, %v", r, err)
	}
	if out := queueOf(t, "peek", "-n", "3", q); out != "<13>number 0\n<13>number 1\n<13>number 2\n" {
		t.Errorf("peek:\n%s", out)
	}
	if out := queueOf(t, "export", q); strings.Count(out, "\n") != 20 || !strings.HasSuffix(out, "number 19\n") {
		t.Errorf("export:\n%s", out)
	}
	var m exported
	first, _, _ := strings.Cut(queueOf(t, "export", "-json", q), "\n")
	if err := json.Unmarshal([]byte(first), &m); err != nil || m.Raw != "<13>number 0" || m.FromHostIP != "192.0.2.1" {
		t.Errorf("export -json: %s, %v", first, err)
	}
	queueOf(t, "verify", q)
}

// Looking is possible while the relay has the queue open; changing is not.
func TestQueueInUse(t *testing.T) {
	_, q := spool(t)
	s := openStore(t, q)
	defer s.Close()
	if out := queueOf(t, "export", q); strings.Count(out, "\n") != 20 {
		t.Errorf("export of a queue in use:\n%s", out)
	}
	if out := queueOf(t, "stat", q); !strings.Contains(out, fmt.Sprint(os.Getpid())) {
		t.Errorf("stat does not say who uses the queue:\n%s", out)
	}
	if code, _, err := call("sysrelay", "queue", "drop", "-all", q); code == 0 || err == "" {
		t.Errorf("drop from a queue in use: exit code %d, %q", code, err)
	}
}

func TestQueueChanges(t *testing.T) {
	dir, q := spool(t)
	if code, _, err := call("sysrelay", "queue", "drop", q); code == 0 || !strings.Contains(err, "nothing was dropped") {
		t.Errorf("drop without a number: exit code %d, %q", code, err)
	}
	if out := queueOf(t, "drop", "-n", "5", q); !strings.Contains(out, "5 messages dropped, 15 left") {
		t.Errorf("drop: %s", out)
	}
	to := filepath.Join(dir, "other")
	if out := queueOf(t, "move", q, to); !strings.Contains(out, "15 messages moved, 0 left") {
		t.Errorf("move: %s", out)
	}
	if out := queueOf(t, "peek", "-n", "1", to); out != "<13>number 5\n" {
		t.Errorf("after moving: %s", out)
	}
	if code, _, err := call("sysrelay", "queue", "drop", "-all", filepath.Join(dir, "nothing")); code == 0 || !strings.Contains(err, "no such file") {
		t.Errorf("drop from nowhere: exit code %d, %q", code, err)
	}
}

// A damaged file is explained, and set aside by -repair; the rest is kept.
func TestQueueDamaged(t *testing.T) {
	_, q := spool(t)
	files, _ := filepath.Glob(filepath.Join(q, queueFiles))
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "number 7")
	text[at] ^= 0xff
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := call("sysrelay", "queue", "verify", q)
	if code == 0 || !strings.Contains(out, "problem:") || !strings.Contains(stderr, "1 messages lost") {
		t.Errorf("verify: exit code %d\n%s%s", code, out, stderr)
	}
	queueOf(t, "verify", "-repair", q)
	if out := queueOf(t, "export", q); strings.Count(out, "\n") != 19 {
		t.Errorf("after repair:\n%s", out)
	}
}

func TestQueueUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense", "x"}, {"stat"}, {"move", "a"}, {"peek", "-x", "a"}} {
		if code, _, err := call(append([]string{"sysrelay", "queue"}, args...)...); code != 1 || !strings.Contains(err, "usage: sysrelay queue") {
			t.Errorf("queue %v: exit code %d, %q", args, code, err)
		}
	}
}
