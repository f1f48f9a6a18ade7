package tests

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// collector is the plainest collector there is: it appends what it receives over
// TCP to a file. It can go down and come back on the same port.
type collector struct {
	port  string
	file  *os.File
	stall bool // accept, never read

	mu      sync.Mutex
	ln      net.Listener
	conns   map[net.Conn]bool
	readers sync.WaitGroup
}

// newCollector listens on a port that the system gives nobody else while the
// collector is down: one below the range of ephemeral ports.
func newCollector(file string, stall bool) (*collector, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	c := &collector{file: f, stall: stall, conns: map[net.Conn]bool{}}
	for range 100 {
		c.port = strconv.Itoa(10000 + rand.IntN(20000))
		if err = c.up(); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func (c *collector) up() error {
	ln, err := net.Listen("tcp", "127.0.0.1:"+c.port)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.ln = ln
	c.mu.Unlock()
	c.readers.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.serve(conn)
		}
	})
	return nil
}

func (c *collector) serve(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = true
	if c.stall {
		return
	}
	c.readers.Go(func() {
		io.Copy(c.file, conn)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.conns, conn)
		conn.Close()
	})
}

// down stops listening and closes all connections.
func (c *collector) down() {
	c.mu.Lock()
	c.ln.Close()
	for conn := range c.conns {
		conn.Close()
		delete(c.conns, conn)
	}
	c.mu.Unlock()
	c.readers.Wait()
}

// drain waits until the senders have closed their connections.
func (c *collector) drain() {
	c.mu.Lock()
	c.ln.Close()
	c.mu.Unlock()
	c.readers.Wait()
}

// collect VAR FILE starts a collector that appends to FILE what it receives over
// TCP, and sets VAR to its port.
func collect(ts *testscript.TestScript, neg bool, args []string) {
	addCollector(ts, args[0], args[1], false)
}

// stall VAR starts a collector that accepts connections and never reads, and sets
// VAR to its port.
func stall(ts *testscript.TestScript, neg bool, args []string) {
	addCollector(ts, args[0], args[0]+".unread", true)
}

func addCollector(ts *testscript.TestScript, name, file string, stall bool) {
	c, err := newCollector(ts.MkAbs(file), stall)
	ts.Check(err)
	benchOf(ts).collectors[name] = c
	ts.Setenv(name, c.port)
}

// outage VAR takes a collector down: it does not listen, its connections are closed.
func outage(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(withCollector(ts, args[0], func(c *collector) error { c.down(); return nil }))
}

// back VAR brings a collector back after an outage, on its port.
func back(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(withCollector(ts, args[0], (*collector).up))
}

func withCollector(ts *testscript.TestScript, name string, do func(*collector) error) error {
	c := benchOf(ts).collectors[name]
	if c == nil {
		return fmt.Errorf("there is no collector %s", name)
	}
	return do(c)
}

// datagrams appends the datagrams it receives to a file, each followed by a line
// that says so.
type datagrams struct {
	conn *net.UDPConn
	port string
	done chan struct{}
}

const (
	endOfDatagram = "\n(end of datagram)\n"
	lastDatagram  = "last datagram"
)

func newDatagrams(file string) (*datagrams, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	d := &datagrams{conn: conn, done: make(chan struct{}), port: strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)}
	go func() {
		defer close(d.done)
		defer f.Close()
		for b := make([]byte, 64<<10); ; {
			n, err := conn.Read(b)
			if err != nil || string(b[:n]) == lastDatagram {
				return
			}
			io.WriteString(f, string(b[:n])+endOfDatagram)
		}
	}()
	return d, nil
}

// drain waits until everything that has been sent is in the file: datagrams of one
// machine are received in the order in which they were sent.
func (d *datagrams) drain() error {
	defer d.conn.Close()
	c, err := net.Dial("udp", d.conn.LocalAddr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, lastDatagram); err != nil {
		return err
	}
	<-d.done
	return nil
}
