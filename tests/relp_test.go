package tests

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"sysrelay/input/relp"
)

// relpSender is a RELP client that knows which numbers have been acknowledged.
// It sends nothing twice: what a broken connection leaves unacknowledged is
// neither promised nor forbidden to arrive.
type relpSender struct {
	mu    sync.Mutex
	next  int
	acked map[int]bool
}

// window is librelp's.
const window = 128

// run sends numbers over one connection until it breaks or stop is closed. The
// answer to every number is noted as it comes in.
func (s *relpSender) run(port string, stop <-chan struct{}) error {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer c.Close()
	room := make(chan struct{}, window)
	numbers := &sync.Map{} // transaction number → message number
	done := make(chan error, 1)
	if _, err := c.Write(relp.AppendFrame(nil, 1, relp.Open, relp.Offers{Version: "0", Software: "test", Commands: []string{"syslog"}}.Append(nil))); err != nil {
		return err
	}
	go func() { done <- s.answers(c, numbers, room) }()
	txnr := uint32(2)
	for {
		select {
		case room <- struct{}{}:
		case err := <-done:
			return err
		case <-stop:
			return nil
		}
		n := s.take()
		numbers.Store(txnr, n)
		m := fmt.Sprintf("<13>Nov 21 10:20:30 host app: c=0 n=%d some text to make it as long as messages are", n)
		if _, err := c.Write(relp.AppendFrame(nil, txnr, relp.Syslog, []byte(m))); err != nil {
			return err
		}
		txnr = relp.NextTxnr(txnr)
	}
}

func (s *relpSender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

func (s *relpSender) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return s.next - 1
}

func (s *relpSender) answers(c net.Conn, numbers *sync.Map, room <-chan struct{}) error {
	return frames(c, 1<<16, func(f relp.Frame) error {
		if string(f.Command) != relp.Response {
			return fmt.Errorf("a server sent %q", f.Command)
		}
		status, text, _, err := relp.ParseResponse(f.Data)
		if err != nil || status != relp.OK {
			return fmt.Errorf("answer %d %s: %v", status, text, err)
		}
		n, ok := numbers.LoadAndDelete(f.Txnr)
		if !ok {
			return nil // of "open"
		}
		s.mu.Lock()
		s.acked[n.(int)] = true
		s.mu.Unlock()
		<-room
		return nil
	})
}

// frames reads RELP frames until the connection ends.
func frames(c net.Conn, max int, each func(relp.Frame) error) error {
	d := relp.Decoder{MaxData: max}
	buf := make([]byte, 0, 256<<10)
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		buf = buf[:len(buf)+n]
		for {
			n, f, ok, err := d.Next(buf)
			if err != nil {
				return err
			}
			if ok {
				if err := each(f); err != nil {
					return err
				}
			}
			buf = append(buf[:0], buf[n:]...)
			if !ok {
				break
			}
		}
	}
}

// relpCollector is a RELP server that counts what arrives. It can be taken down
// and brought up again on the same port.
type relpCollector struct {
	port string

	mu      sync.Mutex
	ln      net.Listener
	conns   map[net.Conn]bool
	arrived map[int]int // number → how often
	total   int
	order   []int
}

func newRELPCollector() (*relpCollector, error) {
	k := &relpCollector{port: "0", conns: map[net.Conn]bool{}, arrived: map[int]int{}}
	if err := k.up(); err != nil {
		return nil, err
	}
	k.port = strconv.Itoa(k.ln.Addr().(*net.TCPAddr).Port)
	return k, nil
}

func (k *relpCollector) up() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+k.port)
	if err != nil {
		return err
	}
	k.ln = ln
	go k.accept(ln)
	return nil
}

func (k *relpCollector) down() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ln == nil {
		return
	}
	k.ln.Close()
	k.ln = nil
	for c := range k.conns {
		c.Close()
	}
	clear(k.conns)
}

func (k *relpCollector) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		k.mu.Lock()
		k.conns[c] = true
		k.mu.Unlock()
		go k.serve(c)
	}
}

func (k *relpCollector) serve(c net.Conn) {
	defer c.Close()
	frames(c, 1<<20, func(f relp.Frame) error {
		var answer []byte
		switch string(f.Command) {
		case relp.Open:
			answer = relp.AppendResponse(nil, f.Txnr, relp.OK, "OK",
				relp.Offers{Version: "0", Software: "test", Commands: []string{"syslog"}}.Append(nil))
		case relp.Syslog:
			if !k.note(f.Data) {
				return errors.New("down")
			}
			answer = relp.AppendOK(nil, f.Txnr)
		case relp.Close:
			answer = relp.AppendOK(nil, f.Txnr)
		}
		_, err := c.Write(answer)
		return err
	})
}

// note keeps what arrived; false when the collector is down and keeps nothing.
func (k *relpCollector) note(text []byte) bool {
	_, n, ok := numbered(string(bytes.TrimSuffix(text, []byte{'\n'})))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ln == nil {
		return false
	}
	if ok {
		k.total++
		k.arrived[n]++
		if k.arrived[n] == 1 {
			k.order = append(k.order, n)
		}
	}
	return true
}

// missing counts the acknowledged numbers that have not arrived.
func (k *relpCollector) missing(acked map[int]bool) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for a := range acked {
		if k.arrived[a] == 0 {
			n++
		}
	}
	return n
}

// complete waits until everything acknowledged has arrived, for as long as
// messages keep arriving. It looks for what is missing only when none come, so as
// not to hold up the collector.
func (k *relpCollector) complete(acked map[int]bool) bool {
	arrivals, since := -1, time.Now()
	for time.Since(since) < patience {
		if n := k.arrivals(); n != arrivals {
			arrivals, since = n, time.Now()
		} else if k.missing(acked) == 0 {
			return true
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
	return false
}

func (k *relpCollector) arrivals() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.total
}

func (k *relpCollector) repeated() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, times := range k.arrived {
		n += times - 1
	}
	return n
}

// until waits for a condition.
func until(met func() bool) bool { return within(patience, met) }

func within(d time.Duration, met func() bool) bool {
	for deadline := time.Now().Add(d); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
