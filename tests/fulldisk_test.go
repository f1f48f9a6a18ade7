package tests

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk: the disk that holds both a queue of type Disk and the file it is
// worked off to gets full under RELP load. Senders are held up, nothing that was
// acknowledged is lost or written twice, no line is torn, and when there is space
// again it all goes on by itself.
func TestFullDisk(t *testing.T) {
	for name, actions := range map[string]string{
		"action-queue": `action(type="omfile" file="$FULL/out.log" template="RSYSLOG_TraditionalFileFormat" queue.type="Disk" queue.filename="act"
    action.resumeRetryCount="-1" action.resumeInterval="1")`,
		"main-queue": `main_queue(queue.type="Disk" queue.filename="main")
action(type="omfile" file="$FULL/out.log" template="RSYSLOG_TraditionalFileFormat" action.resumeRetryCount="-1" action.resumeInterval="1")`,
		"no-queue": `action(type="omfile" file="$FULL/out.log" template="RSYSLOG_TraditionalFileFormat" action.resumeRetryCount="-1" action.resumeInterval="1")`,
	} {
		t.Run(name, func(t *testing.T) { fullDisk(t, actions) })
	}
}

func fullDisk(t *testing.T, actions string) {
	dir := t.TempDir()
	full := dir + "/full"
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("sysrelay-test", full, "tmpfs", 0, "size=48m"); err != nil {
		t.Fatalf("mount a tmpfs, which root may: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(full, syscall.MNT_DETACH) })
	b := &bench{processes: map[string]*process{}, dir: dir}
	defer b.killAll()
	conf := filepath.Join(dir, "r.conf")
	text := strings.NewReplacer("$DIR", dir, "$FULL", full).Replace(`global(net.enableDNS="off" workDirectory="$FULL")
module(load="imrelp")
input(type="imrelp" address="127.0.0.1" port="0" listenPortFileName="$DIR/port")
` + actions)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startRelay(t, b, dir, conf)
	port := readPort(t, p, dir)
	s := &relpSender{acked: map[int]bool{}}
	stop, senders := make(chan struct{}), sync.WaitGroup{}
	senders.Go(func() { s.run(port, stop) })
	more := func(what string) {
		t.Helper()
		from := s.count()
		if !until(func() bool { return s.count() >= from+500 }) {
			t.Fatalf("%s: nothing is acknowledged\n%s", what, p.stderr.String())
		}
	}
	more("at first")
	for range 2 {
		fill(t, full+"/ballast")
		if !until(func() bool { return quiet(s) }) {
			t.Fatalf("a full disk holds up nobody\n%s", p.stderr.String())
		}
		if err := os.Remove(full + "/ballast"); err != nil {
			t.Fatal(err)
		}
		more("with space again")
	}
	close(stop)
	senders.Wait()
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		t.Fatalf("it did not stop cleanly: %v\n%s", p.err, p.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "no space left") {
		t.Errorf("not a word about the full disk: %s", p.stderr.String())
	}
	// What a queue still has is written by the next start.
	p = startRelay(t, b, dir, conf)
	readPort(t, p, dir)
	if !until(func() bool { return allThere(full+"/out.log", s) }) {
		t.Fatalf("acknowledged messages are not there\n%s", p.stderr.String())
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	got, err := os.ReadFile(full + "/out.log")
	if err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, "file", got, s)
	t.Logf("%d acknowledged of %d sent", len(s.acked), s.next)
}

// fill takes all the space there is.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 64<<10)
	for len(b) > 0 {
		if n, err := f.Write(b); err != nil && n == 0 {
			b = b[:len(b)/2]
		}
	}
}

// quiet says whether nothing has been acknowledged for a while.
func quiet(s *relpSender) bool {
	before := s.count()
	return !within(300*time.Millisecond, func() bool { return s.count() != before })
}

func allThere(file string, s *relpSender) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	seen := map[int]bool{}
	for line := range strings.Lines(string(text)) {
		if n, ok := wholeLine(line); ok {
			seen[n] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.acked {
		if !seen[n] {
			return false
		}
	}
	return true
}
