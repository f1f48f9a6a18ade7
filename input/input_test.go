package input

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sysrelay/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a Handler that remembers, and the log lines of an input.
type sink struct {
	mu    sync.Mutex
	cond  *sync.Cond
	texts []string
	froms []string
	flags []message.Flags
	log   []string
	err   error // returned instead of taking messages
}

func newSink() *sink {
	s := &sink{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *sink) handle(_ context.Context, v message.View) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cond.Broadcast()
	if s.err != nil {
		return s.err
	}
	for i := range v.Len() {
		m := v.At(i)
		s.texts = append(s.texts, string(m.Text))
		s.froms = append(s.froms, fmt.Sprintf("%s|%s|%s", m.Origin.Input(), m.Origin.FromHost(), m.Origin.FromHostIP()))
		s.flags = append(s.flags, m.Flags)
	}
	return nil
}

func (s *sink) logf(_ int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, text)
	s.cond.Broadcast()
}

// wait blocks until ok, which runs under the lock, is true.
func (s *sink) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { s.mu.Lock(); defer s.mu.Unlock(); s.cond.Broadcast() })
	defer timer.Stop()
	start := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ok() {
		if time.Since(start) > 19*time.Second {
			t.Fatalf("waited in vain for %s; have %d messages %.20q…, %d log lines %.100q…", what,
				len(s.texts), s.texts[:min(len(s.texts), 20)], len(s.log), s.log[:min(len(s.log), 10)])
		}
		s.cond.Wait()
	}
}

// from is the origin of the i-th message.
func (s *sink) from(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.froms[i]
}

func (s *sink) waitTexts(t *testing.T, want ...string) {
	t.Helper()
	s.wait(t, fmt.Sprintf("%d messages", len(want)), func() bool { return len(s.texts) >= len(want) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.texts, "|"); got != strings.Join(want, "|") {
		t.Fatalf("got messages %q\nwant %q", s.texts, want)
	}
}

func (s *sink) waitLog(t *testing.T, part string) {
	t.Helper()
	s.wait(t, "log line "+part, func() bool { return s.logged(part) > 0 })
}

// logged counts the lines with part; the lock must be held.
func (s *sink) logged(part string) (n int) {
	for _, l := range s.log {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// count is logged under the lock.
func (s *sink) count(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged(part)
}

// lines are the lines logged.
func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// taken are the messages taken.
func (s *sink) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

func (s *sink) deps() Deps {
	return Deps{
		Env:     message.NewEnv("relay"),
		Log:     s.logf,
		Resolve: func(_ context.Context, ip string) string { return ip },
	}
}

// start listens and runs in; stop ends it and waits.
func start(t *testing.T, in Input, s *sink) (stop func()) {
	t.Helper()
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, s.handle) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("Run does not return")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, network string, in Input) net.Conn {
	t.Helper()
	c, err := net.Dial(network, loopback(in.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// loopback replaces an unspecified address by 127.0.0.1.
func loopback(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func closes(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkLedger fails unless received = delivered + discarded, and these are as wanted.
func checkLedger(t *testing.T, in Input, delivered, lost uint64) {
	t.Helper()
	a := in.Ledger().Read()
	if a.Delivered != delivered || a.Lost() != lost || a.Queued() != 0 {
		t.Errorf("ledger: received %d delivered %d lost %d queued %d; want delivered %d lost %d queued 0",
			a.Received, a.Delivered, a.Lost(), a.Queued(), delivered, lost)
	}
}
