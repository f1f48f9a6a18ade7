package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakEnv is how long TestSoak runs, "1m" say; without it a few seconds.
const soakEnv = "SYSRELAY_SOAK"

// TestSoak: 2,000 connections at a time open, send, and end in order, by a reset or
// in the middle of a frame, for as long as the test runs. The memory of the
// first half is enough for the second, and descriptors are given back.
func TestSoak(t *testing.T) {
	long := 4 * time.Second
	if d, err := time.ParseDuration(os.Getenv(soakEnv)); err == nil {
		long = d
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`global(net.enableDNS="off" internalmsg.severity="2")
module(load="imtcp" maxSessions="3000")
module(load="imrelp")
module(load="imptcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="%[1]s/tcp.port")
input(type="imptcp" address="127.0.0.1" port="0" compression.mode="stream:always" listenPortFileName="%[1]s/ptcp.port")
input(type="imrelp" address="127.0.0.1" port="0" listenPortFileName="%[1]s/relp.port")
action(type="omfile" file="%[1]s/out.log")
`, dir)
	if err := os.WriteFile(filepath.Join(dir, "r.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := exec.Command(sysrelay, "-n", "-C", "-i", "NONE", "-f", filepath.Join(dir, "r.conf"))
	var stderr strings.Builder
	p.Stderr = &stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { p.Process.Kill(); p.Wait() }()
	var ports []string
	for _, name := range []string{"tcp", "ptcp", "relp"} {
		ports = append(ports, soakPort(t, filepath.Join(dir, name+".port")))
	}
	before := soakDescriptors(t, p.Process.Pid)
	run := func(d time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(d)))
				for ctx.Err() == nil {
					soakConnection(ctx, ports[r.IntN(len(ports))], r)
				}
			})
		}
		wg.Wait()
	}
	run(long / 2)
	half := soakMemory(t, p.Process.Pid, "VmHWM")
	run(long / 2)
	if end := soakMemory(t, p.Process.Pid, "VmHWM"); end > half*5/4+8<<10 {
		t.Errorf("peak memory was %d KiB after one half and is %d KiB after the other", half, end)
	} else {
		t.Logf("peak memory %d KiB, then %d KiB", half, end)
	}
	for range 1000 {
		if soakDescriptors(t, p.Process.Pid) <= before+2 { // the output's file, and one more
			return
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
	t.Errorf("%d descriptors before, %d after; %s", before, soakDescriptors(t, p.Process.Pid), stderr.String())
}

// soakConnection is one connection's life.
func soakConnection(ctx context.Context, port string, r *rand.Rand) {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	for range r.IntN(4) {
		text := []byte("<13>Nov 24 10:00:00 host soak: a message\n")
		switch r.IntN(4) {
		case 0:
			text = []byte("41 <13>Nov 24 10:00:00 host soak: a message")
		case 1:
			text = []byte("1 open 60 relp_version=0\ncommands=syslog")
		case 2:
			text = make([]byte, r.IntN(20000))
			for i := range text {
				text[i] = byte(r.Uint32())
			}
		}
		if _, err := c.Write(text[:r.IntN(len(text)+1)]); err != nil {
			return
		}
	}
	if r.IntN(2) == 0 {
		c.(*net.TCPConn).SetLinger(0)
	}
}

func soakPort(t *testing.T, file string) string {
	t.Helper()
	for range 2000 {
		if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
			return string(b)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
	t.Fatalf("%s does not come", file)
	return ""
}

func soakMemory(t *testing.T, pid int, what string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("the daemon has ended: %v", err)
	}
	m := regexp.MustCompile(what + `:\s+(\d+) kB`).FindSubmatch(b)
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func soakDescriptors(t *testing.T, pid int) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatalf("the daemon has ended: %v", err)
	}
	return len(all)
}
