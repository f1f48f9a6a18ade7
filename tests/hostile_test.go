package tests

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// idle PORT COUNT opens connections that stay open and say nothing until the
// scenario ends.
func idle(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	for range number(ts, args[1]) {
		c, err := dial("tcp", args[0])
		ts.Check(err)
		b.held = append(b.held, c)
	}
}

// hangup closes the idle connections.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	for _, c := range b.held {
		c.Close()
	}
	b.held = nil
}

// garbage tcp|udp PORT SEED BYTES sends random bytes; over TCP over several
// connections, over UDP in datagrams of random length. That the peer closes a
// connection is its good right.
func garbage(ts *testscript.TestScript, neg bool, args []string) {
	seed, left := number(ts, args[2]), number(ts, args[3])
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for left > 0 {
		c, err := dial(args[0], args[1])
		ts.Check(err)
		b := make([]byte, 1+random.IntN(min(left, 60000)))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		c.Write(b)
		c.Close()
		left -= len(b)
	}
}

// hello PORT begins a TLS handshake with a port that does not speak TLS; it must
// fail, and not by taking for ever.
func hello(ts *testscript.TestScript, neg bool, args []string) {
	c, err := dial("tcp", args[0])
	ts.Check(err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	err = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		ts.Fatalf("TLS handshake with a plain port: %v", err)
	}
}

// bytes FILE replaces lines as `3*"text\x00"` by the bytes they stand for: a Go
// string, with how often it comes before it. Line ends do not count.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	var out bytes.Buffer
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = strings.TrimSpace(line)
		times := 1
		if before, after, ok := strings.Cut(line, `*"`); ok && !strings.HasPrefix(line, `"`) {
			times, line = number(ts, before), `"`+after
		}
		text, err := strconv.Unquote(line)
		if err != nil {
			ts.Fatalf("%s: %s: %v", args[0], line, err)
		}
		out.WriteString(strings.Repeat(text, times))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o644))
}

// tmpfs DIR SIZE mounts a file system of that size until the scenario ends.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("sysrelay-test", dir, "tmpfs", 0, "size="+args[1]); err != nil {
		ts.Fatalf("mount a tmpfs, which root may: %v", err)
	}
	ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// peak NAME MIB checks that a process has not needed more memory than that, ever.
// The race detector needs memory of its own, for every goroutine and every byte:
// under it the limit is four times as high.
func peak(ts *testscript.TestScript, neg bool, args []string) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", find(ts, args[0]).cmd.Process.Pid))
	ts.Check(err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		ts.Fatalf("no VmHWM of %s:\n%s", args[0], status)
	}
	have, limit := number(ts, string(found[1]))/1024, number(ts, args[1])
	if raceEnabled {
		limit *= 4
	}
	ts.Logf("peak of %s: %d MiB", args[0], have)
	if have > limit {
		ts.Fatalf("%s needed %d MiB, more than %d", args[0], have, limit)
	}
}

// balanced NAME checks the accounts that a stopped sysrelay has left in NAME.stderr
// (flag -d): in each received = delivered + queued + discarded.
func balanced(ts *testscript.TestScript, neg bool, args []string) {
	account := regexp.MustCompile(`(?m)^((?:input|queue|ruleset|action) .*?) +(\d+) +(\d+) +(\d+)  (.*)$`)
	all := account.FindAllStringSubmatch(ts.ReadFile(args[0]+".stderr"), -1)
	if len(all) == 0 {
		ts.Fatalf("no accounts in %s.stderr; was it started with -d?", args[0])
	}
	for _, a := range all {
		received, sum := number(ts, a[2]), number(ts, a[3])+number(ts, a[4])
		for _, reason := range strings.Fields(a[5]) {
			_, n, ok := strings.Cut(reason, "=")
			if !ok {
				n = reason
			}
			sum += number(ts, n)
		}
		if received != sum {
			ts.Fatalf("the account does not add up: %s", a[0])
		}
	}
}
