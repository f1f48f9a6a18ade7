package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestOutage sends a backlog many times larger than the memory the relay may
// use while the collector is down. Memory stays bounded, everything arrives in
// order once the collector is back, and the disk space is given back.
// SYSRELAY_OUTAGE_MIB sets the backlog's size.
func TestOutage(t *testing.T) {
	mib := 96
	if s := os.Getenv("SYSRELAY_OUTAGE_MIB"); s != "" {
		var err error
		if mib, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	const size, memory = 256, 64 << 20
	messages := mib << 20 / size
	dir := t.TempDir()
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink := down.Addr().String()
	down.Close()
	conf := filepath.Join(dir, "r.conf")
	_, sinkPort, _ := net.SplitHostPort(sink)
	text := fmt.Sprintf(`global(net.enableDNS="off" workDirectory="%[1]s")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="%[1]s/port")
main_queue(queue.size="20000" queue.timeoutEnqueue="-1")
action(type="omfwd" target="127.0.0.1" port="%[2]s" protocol="tcp" queue.type="LinkedList" queue.filename="act"
    queue.size="20000" queue.timeoutEnqueue="-1" queue.timeoutShutdown="20000" action.resumeRetryCount="-1" action.resumeInterval="1")
`, dir, sinkPort)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &bench{processes: map[string]*process{}, dir: dir}
	defer b.killAll()
	p := startRelay(t, b, dir, conf)
	port := readPort(t, p, dir)
	peak := watchMemory(p.cmd.Process.Pid, p.done)
	began := time.Now()
	if err := sendPadded(port, messages, size); err != nil {
		t.Fatal(err)
	}
	sent := time.Since(began)
	full := diskUse(dir)
	began = time.Now()
	arrived, err := collectInOrder(sink, messages)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.output())
	}
	drained := time.Since(began)
	if !until(func() bool { return diskUse(dir) < 8<<20 }) {
		t.Errorf("%d MiB are still on disk after the backlog has been delivered, %d MiB before", diskUse(dir)>>20, full>>20)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if p.err != nil {
		t.Errorf("it did not stop cleanly: %v\n%s", p.err, b.output())
	}
	if got := peak.Load(); got > memory && !raceEnabled {
		t.Errorf("%d MiB of memory were used, %d are allowed", got>>20, memory>>20)
	}
	if full < int64(messages)*size/2 {
		t.Errorf("only %d MiB were on disk: the backlog was not there", full>>20)
	}
	t.Logf("%d messages, %d MiB: taken in %v, %d MiB on disk, drained in %v (%d arrived), %d MiB of memory at most",
		messages, mib, sent.Round(time.Millisecond), full>>20, drained.Round(time.Millisecond), arrived, peak.Load()>>20)
}

// watchMemory follows the memory a process has of its own: mapped files are the
// page cache's.
func watchMemory(pid int, done <-chan struct{}) *atomic.Int64 {
	peak := new(atomic.Int64)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, _ := strings.Cut(string(text), "RssAnon:")
			if fields := strings.Fields(rest); len(fields) > 0 {
				kib, _ := strconv.ParseInt(fields[0], 10, 64)
				peak.Store(max(peak.Load(), kib<<10))
			}
		}
	}()
	return peak
}

func diskUse(dir string) (n int64) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil {
			n += st.Blocks * 512
		}
		return nil
	})
	return n
}

// sendPadded sends numbered messages of the given size over one connection and
// returns when the relay has read them all.
func sendPadded(port string, messages, size int) error {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer c.Close()
	w := bufio.NewWriterSize(c, 256<<10)
	pad := bytes.Repeat([]byte{'.'}, size)
	for n := range messages {
		head := fmt.Appendf(nil, "<13>Nov 21 10:20:30 host app: c=0 n=%d ", n)
		w.Write(head)
		w.Write(pad[:size-1-len(head)])
		w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		return err
	}
	// The relay closes its side once it has read ours to the end.
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("the relay did not read to the end: %v", err)
	}
	return nil
}

// collectInOrder takes the collector's part until all numbers have arrived. A
// number may come again after a reconnection, but none may be missing.
func collectInOrder(addr string, messages int) (arrived int, err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	next := 0
	for next < messages {
		ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		c, err := ln.Accept()
		if err != nil {
			return arrived, fmt.Errorf("number %d of %d was due: %w", next, messages, err)
		}
		lines := bufio.NewScanner(c)
		for next < messages {
			c.SetReadDeadline(time.Now().Add(patience))
			if !lines.Scan() {
				break
			}
			_, n, ok := numbered(lines.Text())
			if !ok {
				continue
			}
			if n > next {
				c.Close()
				return arrived, fmt.Errorf("number %d where %d was due", n, next)
			}
			arrived++
			next = max(next, n+1)
		}
		c.Close()
	}
	return arrived, nil
}
