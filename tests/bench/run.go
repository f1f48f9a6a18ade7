package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// result is one run of one workload on one system.
type result struct {
	// rate is in messages that arrived per second, from the first byte sent to the last message
	// at the sink, or with an outage to the last answer.
	rate                  float64
	drain                 float64 // after an outage: messages per second, first to last at the collector
	cpu                   float64 // microseconds of processor time per message that arrived
	memory                float64 // MiB, peak
	sent                  float64 // messages sent per second
	lost, twice, disorder int
}

// measure runs a workload, a ramp as often as it takes.
func measure(w workload, s system, dir, profile string) (result, error) {
	if !w.ramp {
		return run(w, s, dir, profile)
	}
	var best result
	for rate := float64(w.messages); ; rate *= 1.3 {
		w.rate = int(rate)
		w.messages = w.rate // for one second
		r, err := run(w, s, dir, profile)
		// The sender may be what cannot keep up; the reader of the result sees it by the rate.
		if err != nil || r.lost > 0 || r.sent < 0.95*rate {
			return best, err
		}
		best = r
		best.rate = r.sent
	}
}

// run starts the system, sends, waits until the sink has everything or nothing
// more comes, and stops it.
func run(w workload, s system, dir, profile string) (result, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	port, err := freePort()
	if err != nil {
		return result{}, err
	}
	sink, err := newSink(w, filepath.Join(dir, "out.log"))
	if err != nil {
		return result{}, err
	}
	defer sink.close()
	conf := filepath.Join(dir, "bench.conf")
	if err := writeConfig(w, s, conf, dir, port, sink); err != nil {
		return result{}, err
	}
	if profile != "" {
		os.Setenv("SYSRELAY_CPUPROFILE", filepath.Join(profile, w.name+".prof"))
	}
	if w.tls {
		writeIdentities(dir)
	}
	p, err := startProcess(s, conf, dir)
	if err != nil {
		return result{}, err
	}
	defer p.stop()
	if err := p.waitPort(port); err != nil {
		return result{}, err
	}
	senders, err := dialAll(w, port, dir)
	if err != nil {
		return result{}, err
	}
	defer senders.close()
	cpu, began := p.cpu(), time.Now()
	if err := senders.send(); err != nil {
		return result{}, err
	}
	r := result{sent: float64(w.messages) / time.Since(began).Seconds()}
	if w.outage {
		r.rate = float64(w.messages) / time.Since(began).Seconds()
		r.cpu = float64((p.cpu() - cpu).Microseconds()) / float64(w.messages)
		if err := sink.listen(); err != nil {
			return r, err
		}
		first, last := sink.wait(w.messages)
		if took := last.Sub(first); took > 0 {
			r.drain = float64(w.messages) / took.Seconds()
		}
	} else {
		_, last := sink.wait(w.messages)
		r.rate = float64(w.messages) / last.Sub(began).Seconds()
		r.cpu = float64((p.cpu() - cpu).Microseconds()) / float64(w.messages)
	}
	r.memory = p.peak()
	senders.close()
	p.stop()
	r.lost, r.twice, r.disorder, err = sink.verify(w)
	if arrived := w.messages - r.lost; arrived > 0 {
		share := float64(w.messages) / float64(arrived)
		r.cpu, r.rate = r.cpu*share, r.rate/share
	}
	return r, err
}

func writeConfig(w workload, s system, conf, dir string, port int, k *sink) error {
	if s.ending == "" { // the copier: its configuration is what it needs to know
		to := k.file
		if w.toTCP {
			to = fmt.Sprintf("127.0.0.1:%d", k.port())
		}
		return os.WriteFile(conf, fmt.Appendf(nil, "%d %s\n", port, to), 0o644)
	}
	text, err := w.config(s.ending, map[string]any{
		"Port": port, "Out": k.file, "Sink": k.port(), "Dir": dir, "Udp": w.udp, "Octets": w.octets,
		"Facilities": strings.Fields("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp " +
			"local0 local1 local2 local3 local4 local5 local6 local7"),
		"N15": count(15), "N10": count(10), "N4": count(4),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(conf, text, 0o644)
}

func count(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// senders are the open connections with what they will send, made beforehand so
// that the sender costs as little as possible while it is measured.
type senders struct {
	conns  []net.Conn
	blocks [][]block
	idle   []net.Conn
	udp    bool
	rate   int
}

func dialAll(w workload, port int, dir string) (*senders, error) {
	s := &senders{udp: w.udp, rate: w.rate}
	network, addr := "tcp", fmt.Sprintf("127.0.0.1:%d", port)
	if w.udp {
		network = "udp"
	}
	each := w.messages / w.conns
	for c := range w.conns {
		conn, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		if w.tls {
			if conn, err = secure(conn, dir); err != nil {
				return nil, err
			}
		}
		if w.relp {
			if conn, err = openRELP(conn); err != nil {
				return nil, err
			}
		}
		to := each
		if c == w.conns-1 {
			to = w.messages - each*c
		}
		s.conns = append(s.conns, conn)
		s.blocks = append(s.blocks, w.blocks(c, 0, to))
	}
	for range w.idle {
		conn, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		if w.tls {
			if conn, err = secure(conn, dir); err != nil {
				return nil, err
			}
		}
		s.idle = append(s.idle, conn)
	}
	return s, nil
}

func (s *senders) send() error {
	errs := make(chan error, len(s.conns))
	var wg sync.WaitGroup
	for i, c := range s.conns {
		c.SetDeadline(time.Now().Add(2 * time.Minute)) // a relay that hangs fails the run
		if r, ok := c.(*relpConn); ok {
			wg.Go(func() {
				if err := r.send(s.blocks[i]); err != nil {
					errs <- err
				}
			})
			continue
		}
		wg.Go(func() {
			pace := pacer{rate: s.rate, began: time.Now()}
			for _, b := range s.blocks[i] {
				if err := s.write(c, b, &pace); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// pacer keeps a sender to its rate.
type pacer struct {
	rate, sent int
	began      time.Time
}

// wait returns when the next message is due. It does not sleep: a sleep is
// longer than the time between two messages.
func (p *pacer) wait() {
	p.sent++
	for p.rate > 0 && int(time.Since(p.began).Seconds()*float64(p.rate)) < p.sent {
	}
}

func (s *senders) write(c net.Conn, b block, pace *pacer) error {
	if !s.udp {
		_, err := c.Write(b.bytes)
		return err
	}
	from := 0
	for _, to := range b.cuts {
		pace.wait()
		if _, err := c.Write(b.bytes[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (s *senders) close() {
	for _, c := range append(s.conns, s.idle...) {
		c.Close()
	}
	s.conns, s.idle = nil, nil
}
