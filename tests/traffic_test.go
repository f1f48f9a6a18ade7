package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// send tcp|udp PORT FILE [half|reset|closes] sends the file's bytes; over UDP each
// line is a datagram. Over TCP it then closes the connection or, with the last
// word: closes its own direction and waits until the peer closes the other (half),
// resets the connection (reset), or wants the peer to close it (closes).
func send(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: send tcp|udp PORT FILE [half|reset|closes]")
	}
	text := []byte(ts.ReadFile(args[2]))
	c, err := dial(args[0], args[1])
	ts.Check(err)
	defer c.Close()
	if args[0] == "tcp" {
		_, err = c.Write(text)
		if len(args) > 3 {
			ts.Check(part(c.(*net.TCPConn), args[3]))
			return
		}
		ts.Check(err)
		return
	}
	for line := range bytes.Lines(text) {
		_, err := c.Write(bytes.TrimSuffix(line, []byte{'\n'}))
		ts.Check(err)
	}
}

// part ends a connection in one of the ways of send.
func part(c *net.TCPConn, how string) error {
	switch how {
	case "reset":
		return c.SetLinger(0) // closing sends a reset then
	case "half":
		if err := c.CloseWrite(); err != nil {
			return err
		}
	case "closes":
	default:
		return fmt.Errorf("a connection does not end by %q", how)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the peer does not close the connection")
	}
	return nil
}

// numbers tcp|octets|udp PORT CONNS COUNT [FROM] sends COUNT numbered messages over
// each of CONNS connections.
func numbers(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: numbers tcp|octets|udp PORT CONNS COUNT [FROM]")
	}
	conns, count, from := number(ts, args[2]), number(ts, args[3]), 0
	if len(args) > 4 {
		from = number(ts, args[4])
	}
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for c := range conns {
		wg.Go(func() { errs <- sendNumbers(args[0], args[1], c, from, from+count) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		ts.Check(err)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// trickle PORT FROM FILE TEXT sends numbered messages over one connection until the
// file holds the text: for what happens only when there is traffic. SENT is then the next number, ALL a thousand more.
func trickle(ts *testscript.TestScript, neg bool, args []string) {
	n, file := number(ts, args[1]), ts.MkAbs(args[2])
	c, err := dial("tcp", args[0])
	ts.Check(err)
	defer c.Close()
	wait(ts, fmt.Sprintf("%q in %s", args[3], args[2]), func() bool {
		_, err := fmt.Fprintf(c, "<13>Nov 21 10:20:30 host0 app[0]: c=0 n=%d and some more text\n", n)
		ts.Check(err)
		n++
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), args[3])
	})
	ts.Setenv("SENT", strconv.Itoa(n))
	ts.Setenv("ALL", strconv.Itoa(n+1000))
}

func sendNumbers(kind, port string, conn, from, to int) error {
	network := "tcp"
	if kind == "udp" {
		network = "udp"
	}
	c, err := dial(network, port)
	if err != nil {
		return err
	}
	defer c.Close()
	var w io.Writer = c
	var b *bufio.Writer
	if kind != "udp" {
		b = bufio.NewWriterSize(c, 64<<10)
		w = b
	}
	for n := from; n < to; n++ {
		m := fmt.Sprintf("<%d>Nov 21 10:20:30 host%d app[%d]: c=%d n=%d and some more text", n%192, conn, conn, conn, n)
		switch kind {
		case "octets":
			m = fmt.Sprintf("%d %s", len(m), m)
		case "tcp":
			m += "\n"
		}
		if _, err := io.WriteString(w, m); err != nil {
			return err
		}
	}
	if b == nil {
		return nil
	}
	return finish(c, b)
}

// finish ends a connection from our side and waits until the relay has read all
// of it and ends its own, so that what is sent next over another connection comes
// after it. A relay that is killed or held up meanwhile is the scenario's affair.
func finish(c net.Conn, b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return err
	}
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	c.Read(make([]byte, 1))
	return nil
}

// inorder FILE CONNS COUNT checks that every numbered message is there once, in
// order per connection. With "twice" as last word messages may be repeated.
func inOrder(ts *testscript.TestScript, neg bool, args []string) {
	conns, count := number(ts, args[1]), number(ts, args[2])
	twice := len(args) > 3 && args[3] == "twice"
	next := make([]int, conns)
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		c, n, ok := numbered(line)
		if !ok {
			continue
		}
		switch {
		case n == next[c]:
			next[c]++
		case n < next[c] && twice:
		default:
			ts.Fatalf("connection %d: number %d where %d was due", c, n, next[c])
		}
	}
	for c, n := range next {
		if n != count {
			ts.Fatalf("connection %d: %d messages of %d arrived", c, n, count)
		}
	}
}

// dial connects; a peer that has written its port file may not listen yet.
func dial(network, port string) (net.Conn, error) {
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial(network, "127.0.0.1:"+port)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(deadline) {
			return c, err
		}
		time.Sleep(5 * time.Millisecond) // between two tries
	}
}

// numbered reads the numbers that numbers (" c=0 n=1") and loggen ("seq: 1, thread:
// 0") give their messages.
func numbered(line string) (conn, n int, ok bool) {
	if _, rest, ok := strings.Cut(line, "seq: "); ok {
		_, err := fmt.Sscanf(rest, "%d, thread: %d", &n, &conn)
		return conn, n, err == nil
	}
	_, rest, ok := strings.Cut(line, " c=")
	if !ok {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(rest, "%d n=%d", &conn, &n)
	return conn, n, err == nil
}

// lines FILE COUNT waits until the file has that many lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	file, want := ts.MkAbs(args[0]), number(ts, args[1])
	have := 0
	wait(ts, fmt.Sprintf("%d lines in %s", want, args[0]), func() bool {
		text, _ := os.ReadFile(file)
		have = bytes.Count(text, []byte{'\n'})
		return have >= want
	})
	if have > want {
		ts.Fatalf("%s has %d lines, want %d", args[0], have, want)
	}
}

// has FILE TEXT waits until the file holds the text; "! has" says it does not now.
func has(ts *testscript.TestScript, neg bool, args []string) {
	file := ts.MkAbs(args[0])
	found := func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), args[1])
	}
	if neg {
		if found() {
			ts.Fatalf("%s holds %q", args[0], args[1])
		}
		return
	}
	wait(ts, fmt.Sprintf("%q in %s", args[1], args[0]), found)
}

// diag PORT REQUEST… sends a request to imdiag and prints the answer.
func diag(ts *testscript.TestScript, neg bool, args []string) {
	c, err := net.Dial("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	defer c.Close()
	fmt.Fprintf(c, "%s\n", strings.Join(args[1:], " "))
	answer, err := bufio.NewReader(c).ReadString('\n')
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), answer)
}

// settled FILE waits until the file has not grown in twenty looks.
func settled(ts *testscript.TestScript, neg bool, args []string) {
	file, size, looks := ts.MkAbs(args[0]), int64(-1), 0
	wait(ts, args[0]+" to settle", func() bool {
		if i, err := os.Stat(file); err == nil && i.Size() == size {
			looks++
		} else if err == nil {
			size, looks = i.Size(), 0
		}
		return looks >= 20
	})
}

// subst FILE VAR… replaces $VAR by its value, for ports that are known late.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, name := range args[1:] {
		text = strings.ReplaceAll(text, "$"+name, ts.Getenv(name))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}
