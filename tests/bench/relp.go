package main

import (
	"bytes"
	"fmt"
	"net"
	"sync"

	"sysrelay/input/relp"
)

// relpWindow is how many messages a RELP client has on their way at a time:
// librelp's default.
const relpWindow = 128

// relpConn sends the messages of one connection and counts the answers.
type relpConn struct {
	net.Conn
	mu    sync.Mutex
	moved sync.Cond
	acked int
	err   error
}

// openRELP says hello and waits for the answer.
func openRELP(c net.Conn) (*relpConn, error) {
	r := &relpConn{Conn: c}
	r.moved.L = &r.mu
	offers := relp.Offers{Version: "0", Software: "bench", Commands: []string{"syslog"}}
	if _, err := c.Write(relp.AppendFrame(nil, 1, relp.Open, offers.Append(nil))); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, 4096)
	d := relp.Decoder{MaxData: 4096}
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return nil, fmt.Errorf("answer to open: %w", err)
		}
		buf = buf[:len(buf)+n]
		if _, f, ok, err := d.Next(buf); ok || err != nil {
			if status, _, _, perr := relp.ParseResponse(f.Data); status != relp.OK {
				return nil, fmt.Errorf("answer to open: %q: %v", f.Data, perr)
			}
			go r.answers()
			return r, err
		}
	}
}

// answers counts answers by their line feeds: "NR rsp 6 200 OK".
func (r *relpConn) answers() {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if bytes.Contains(buf[:n], []byte(" 500 ")) {
			err = fmt.Errorf("refused: %.100q", buf[:n])
		}
		r.mu.Lock()
		r.acked += bytes.Count(buf[:n], []byte{'\n'})
		r.err = err
		r.mu.Unlock()
		r.moved.Signal()
		if err != nil {
			return
		}
	}
}

// send sends framed messages within the window and returns when all are answered.
func (r *relpConn) send(blocks []block) error {
	sent := 0
	for _, b := range blocks {
		for i, from := 0, 0; i < b.n; {
			k, err := r.room(sent)
			if err != nil {
				return err
			}
			to := min(i+k, b.n)
			if _, err := r.Write(b.bytes[from:b.cuts[to-1]]); err != nil {
				return err
			}
			sent += to - i
			i, from = to, b.cuts[to-1]
		}
	}
	return r.await(sent)
}

// room waits until the window lets at least one message through.
func (r *relpConn) room(sent int) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && sent-r.acked >= relpWindow {
		r.moved.Wait()
	}
	return relpWindow - (sent - r.acked), r.err
}

func (r *relpConn) await(sent int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && r.acked < sent {
		r.moved.Wait()
	}
	return r.err
}
