package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sink is where messages arrive: a file, or a collector that this program is.
type sink struct {
	file  string
	addr  string
	ln    net.Listener
	wg    sync.WaitGroup
	lines atomic.Int64
	mu    sync.Mutex
	got   [][]byte // what the collector received, per connection
}

func newSink(w workload, file string) (*sink, error) {
	k := &sink{file: file}
	if !w.toTCP {
		return k, nil
	}
	k.addr = "127.0.0.1:0"
	if err := k.listen(); err != nil {
		return nil, err
	}
	if w.outage {
		k.ln.Close()
	}
	return k, nil
}

// listen starts the collector; after an outage at the address it had.
func (k *sink) listen() (err error) {
	if k.ln, err = net.Listen("tcp", k.addr); err != nil {
		return err
	}
	k.addr = k.ln.Addr().String()
	go k.accept(k.ln)
	return nil
}

func (k *sink) port() int {
	if k.ln == nil {
		return 0
	}
	return k.ln.Addr().(*net.TCPAddr).Port
}

func (k *sink) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		k.wg.Go(func() { k.receive(c) })
	}
}

func (k *sink) receive(c net.Conn) {
	defer c.Close()
	var all []byte
	for {
		if cap(all)-len(all) < 256<<10 {
			all = append(make([]byte, 0, 2*cap(all)+1<<20), all...)
		}
		n, err := c.Read(all[len(all):cap(all)])
		k.lines.Add(int64(bytes.Count(all[len(all):len(all)+n], []byte{'\n'})))
		all = all[:len(all)+n]
		if err != nil {
			k.mu.Lock()
			k.got = append(k.got, all)
			k.mu.Unlock()
			return
		}
	}
}

func (k *sink) close() {
	if k.ln != nil {
		k.ln.Close()
	}
}

// wait returns the times at which the first and the last message arrived: when
// all have, or when none has for three seconds.
func (k *sink) wait(messages int) (first, last time.Time) {
	last = time.Now()
	var (
		had    int64
		offset int64
	)
	for {
		n := k.lines.Load()
		if k.ln == nil {
			n, offset = countLines(k.file, n, offset)
			k.lines.Store(n)
		}
		now := time.Now()
		if had == 0 && n > 0 {
			first = now
		}
		if n > had {
			had, last = n, now
		}
		if n >= int64(messages) || now.Sub(last) > 3*time.Second {
			return first, last
		}
		time.Sleep(2 * time.Millisecond) // polling a file: there is no event to wait for
	}
}

// countLines goes on counting a file's lines from an offset.
func countLines(file string, n, offset int64) (int64, int64) {
	f, err := os.Open(file)
	if err != nil {
		return n, offset
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for {
		got, err := f.ReadAt(buf, offset)
		n += int64(bytes.Count(buf[:got], []byte{'\n'}))
		offset += int64(got)
		if err != nil || got == 0 {
			return n, offset
		}
	}
}

// verify compares what arrived with what was sent: every message of every
// connection once, in order.
func (k *sink) verify(w workload) (lost, twice, disorder int, err error) {
	var texts [][]byte
	if k.ln != nil {
		k.ln.Close()
		k.wg.Wait()
		texts = k.got
	} else {
		text, err := os.ReadFile(k.file)
		if err != nil {
			return 0, 0, 0, err
		}
		texts = [][]byte{text}
	}
	each := w.messages / w.conns
	seen := make([][]uint8, w.conns)
	last := make([]int, w.conns)
	for c := range seen {
		seen[c] = make([]uint8, each+w.conns)
		last[c] = -1
	}
	arrived := 0
	for _, text := range texts {
		for line := range bytes.Lines(text) {
			c, n, ok := number(line)
			if !ok {
				return 0, 0, 0, fmt.Errorf("a line arrived that was never sent: %.100q", line)
			}
			arrived++
			if seen[c][n]++; seen[c][n] > 1 {
				twice++
				continue
			}
			if n < last[c] {
				disorder++
			}
			last[c] = max(last[c], n)
		}
	}
	return w.messages - (arrived - twice), twice, disorder, nil
}

// number finds "c=CONN n=NUMBER " in a line. Nothing before it holds "c=".
func number(line []byte) (conn, n int, ok bool) {
	_, rest, ok := bytes.Cut(line, []byte("c="))
	if !ok {
		return 0, 0, false
	}
	c, rest, ok := bytes.Cut(rest, []byte(" n="))
	if !ok {
		return 0, 0, false
	}
	digits, _, _ := bytes.Cut(rest, []byte{' '})
	conn, err := strconv.Atoi(string(c))
	n, err2 := strconv.Atoi(string(digits))
	return conn, n, err == nil && err2 == nil
}
