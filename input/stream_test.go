package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

func strict(_ *IMTCPModule, p *IMTCPParams) { p.Framing = "strict" }

// What is no syslog, or forged, ends the connection with one line; what came
// before it is delivered, nothing behind it is.
func TestIMTCPRefuses(t *testing.T) {
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for _, tt := range []struct {
		name   string
		strict bool
		stream []string
		want   []string
		log    string
	}{
		{"TLS", false, []string{hello}, nil, "TLS handshake on a port without TLS"},
		{"TLS in pieces", false, []string{hello[:1], hello[1:2], hello[2:]}, nil, "TLS handshake on a port without TLS"},
		{"TLS, strict", true, []string{hello}, nil, "TLS handshake on a port without TLS"},
		{"SSH", true, []string{"SSH-2.0-OpenSSH_9.2\r\n"}, nil, "SSH on a syslog port"},
		{"HTTP", true, []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, nil, "HTTP on a syslog port"},
		{"RELP", true, []string{"1 open 85 relp_version=0\n"}, nil, "RELP on a plain syslog port"},
		{"count too short", true, []string{"7 <13>one4 <13>two7 <13>six"}, []string{"<13>one", "<13>"}, `octet count expected, found "t"`},
		{"count too long", true, []string{"9 <13>one7 <13>two\n"}, []string{"<13>one7 "}, `octet count expected, found "<"`},
		{"forged", true, []string{"70 <13>1 - h a - - - first" + strings.Repeat(".", 44) + "\n<10>1 - h su - - - root\n"},
			[]string{"<13>1 - h a - - - first" + strings.Repeat(".", 44)[:44] + "\n<1"}, `octet count expected, found "0"`},
		{"no space", true, []string{"5abcdefgh"}, nil, `octet count expected, found "a"`},
		{"leading zero", true, []string{"7 <13>one007 <13>two"}, []string{"<13>one"}, `octet count expected, found "0"`},
		{"too big", true, []string{"200001 abc"}, nil, "octet count 200001 is larger than maxFrameSize"},
		{"digits", true, []string{strings.Repeat("9", 1000)}, nil, "larger than maxFrameSize"},
		{"LF after a count", true, []string{"7 <13>one\n7 <13>two"}, []string{"<13>one"}, `octet count expected, found "\n"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			in := newIMTCP(t, s, func(m *IMTCPModule, p *IMTCPParams) {
				if tt.strict {
					strict(m, p)
				}
			})
			stop := start(t, in, s)
			c := dial(t, "tcp", in)
			for _, x := range tt.stream {
				send(t, c, x)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the connection was not closed")
			}
			s.waitLog(t, tt.log)
			stop()
			s.waitTexts(t, escaped(tt.want)...)
			if len(s.log) != 1 {
				t.Errorf("log %q", s.log)
			}
			checkLedger(t, in, uint64(len(tt.want)), 1)
		})
	}
}

// escaped is what a line feed in a message becomes.
func escaped(texts []string) (out []string) {
	for _, x := range texts {
		out = append(out, strings.ReplaceAll(strings.TrimSuffix(x, "\n"), "\n", "#012"))
	}
	return out
}

func TestIMTCPStrictKeepsLines(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, strict)
	start(t, in, s)
	c := dial(t, "tcp", in)
	long := strings.Repeat("x", 9000)
	send(t, c, "<13>one\n7 <13>two\n"+long+"\n0 \n<13>end")
	closes(t, c)
	s.waitTexts(t, "<13>one", "7 <13>two", long[:8096], "0 ", "<13>end")
}

func TestIMTCPHandlerRefuses(t *testing.T) {
	s := newSink()
	s.err = errors.New("queue is full")
	in := newIMTCP(t, s, nil)
	stop := start(t, in, s)
	c := dial(t, "tcp", in)
	send(t, c, "a\nb\nc\n")
	closes(t, c)
	awaitLedger(t, in, 3)
	stop()
	checkLedger(t, in, 0, 3)
}

// awaitLedger waits until so many messages have been received.
func awaitLedger(t *testing.T, in Input, received uint64) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("%d received", received), func() bool { return in.Ledger().Read().Received >= received })
}

// waitUntil polls a condition nothing can be waited for with.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 4000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

// A Handler that does not return is back-pressure: the sender cannot go on.
func TestIMTCPBackPressure(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			<-release
			return s.handle(ctx, v)
		})
	}()
	defer func() { cancel(); <-done }()
	c := dial(t, "tcp", in)
	line := []byte(strings.Repeat("x", 999) + "\n")
	sent := 0
	for {
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(bytes.Repeat(line, 100))
		sent += n
		if err != nil {
			break
		}
		if sent > 256<<20 {
			t.Fatal("256 MB were taken while nobody took them")
		}
	}
	close(release)
	c.Close()
	s.wait(t, "everything sent", func() bool { return len(s.texts) >= sent/len(line) })
}

// What the kernel had received when the input was told to stop is delivered, by
// sessions that have just woken up and by busy ones that wait for more.
func TestIMTCPStopDeliversWhatHasArrived(t *testing.T) {
	for _, before := range []int{0, 1 << 20} {
		s := newSink()
		in := newIMTCP(t, s, nil)
		if err := in.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		busy, release := make(chan struct{}), make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			in.Run(ctx, func(ctx context.Context, v message.View) error {
				if string(v.At(v.Len()-1).Text) == "first" {
					close(busy)
					<-release
				}
				return s.handle(ctx, v)
			})
		}()
		c := dial(t, "tcp", in)
		send(t, c, strings.Repeat("x\n", before/2)+"first\n")
		<-busy
		send(t, c, "second\nthird\nrest")
		cancel()
		s.waitInterrupt(t, in)
		close(release)
		<-done
		want := []string{"first", "second", "third", "rest"}
		if got := s.texts[before/2:]; !slices.Equal(got, want) {
			t.Errorf("after %d bytes: %q", before, got)
		}
	}
}

// waitInterrupt waits until the listener is closed, which happens when the
// input has been told to stop.
func (s *sink) waitInterrupt(t *testing.T, in Input) {
	t.Helper()
	waitUntil(t, "the listener to be closed", func() bool {
		c, err := net.Dial("tcp", loopback(in.Addrs()[0]))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func TestIMTCPResetMidFrame(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	start(t, in, s)
	c := dial(t, "tcp", in)
	send(t, c, "one\nhalf")
	s.waitTexts(t, "one")
	c.(*net.TCPConn).SetLinger(0)
	closes(t, c)
	s.waitLog(t, "will be closed due to error: connection reset by peer")
	s.waitTexts(t, "one")
}

func TestIMTCPNotifies(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, func(m *IMTCPModule, p *IMTCPParams) {
		m.NotifyClose = true
		p.NotifyOpen = conf.Opt[bool]{Value: true, Given: true}
	})
	start(t, in, s)
	c := dial(t, "tcp", in)
	s.waitLog(t, "imtcp: connection established with host: 127.0.0.1")
	closes(t, c)
	s.waitLog(t, "Netstream session 1 closed by remote peer 127.0.0.1.")
}

func TestIMPTCPUnixSocket(t *testing.T) {
	s := newSink()
	path := filepath.Join(t.TempDir(), "sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var p IMPTCPParams
	decode(t, &p, "path", path, "fileCreateMode", "0620")
	if in, err := NewIMPTCP(IMPTCPModule{}, p, s.deps()); err != nil || in.Listen() == nil {
		t.Fatalf("listens where there is a file already (%v)", err)
	}
	p.Unlink = true
	in, err := NewIMPTCP(IMPTCPModule{}, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, in, s)
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o620 {
		t.Errorf("socket: %v %v", fi.Mode(), err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "<13>local\n")
	closes(t, c)
	s.waitTexts(t, "<13>local")
	stop()
	if s.from(0) != "imptcp|relay|127.0.0.1" {
		t.Errorf("origin %s", s.from(0))
	}
}

// exhausted is a listener without file descriptors for a while.
type exhausted struct {
	net.Listener
	failures int
	calls    int
	conns    chan net.Conn
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.calls++; e.calls <= e.failures {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	c, ok := <-e.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		e := &exhausted{failures: 20, conns: make(chan net.Conn, 1)}
		l := &streamListener{ln: e}
		l.init("imtcp", s.deps())
		l.module, l.inputName, l.path = "imtcp", "imtcp", "unix"
		served := make(chan struct{})
		l.serve = func(_ context.Context, c *conn) { c.finish(); close(served) }
		a, b := net.Pipe()
		defer b.Close()
		e.conns <- a
		begin := time.Now()
		go l.accept(context.Background(), context.Background())
		<-served
		if took := time.Since(begin); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("20 failures were spread over %v", took)
		}
		close(e.conns)
		l.wg.Wait()
		if n := s.logged("cannot accept connections: accept: accept4: too many open files"); n != 1 || len(s.log) != 1 {
			t.Errorf("log %q", s.log)
		}
	})
}

// Idle connections cost little, also once they have sent something.
func TestIdleConnectionsAreCheap(t *testing.T) {
	const n = 500
	s := newSink()
	in := newIMTCP(t, s, func(m *IMTCPModule, _ *IMTCPParams) { m.MaxSessions = 0 })
	start(t, in, s)
	memory := func() uint64 {
		for range 3 { // what a sync.Pool holds goes with the second
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	warm := dial(t, "tcp", in)
	send(t, warm, "x\n")
	s.waitTexts(t, "x")
	before := memory()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, "tcp", in)
		send(t, conns[i], strings.Repeat("y", 5000))
	}
	waitUntil(t, "all to sleep", func() bool { return asleep(in) == n+1 })
	for _, c := range conns {
		send(t, c, "\n")
	}
	s.wait(t, "all lines", func() bool { return len(s.texts) == n+1 })
	waitUntil(t, "all to sleep", func() bool { return asleep(in) == n+1 })
	s.mu.Lock()
	s.texts, s.froms, s.flags = nil, nil, nil
	s.mu.Unlock()
	// Our own end of each connection is part of it.
	if after := memory(); after > before && (after-before)/n > 3<<10 {
		per := (after - before) / n
		t.Errorf("%d bytes for an idle connection", per)
	}
}

func TestStreamDoesNotAllocatePerMessage(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil).(*streamInput)
	in.to = func(context.Context, message.View) error { return nil }
	c := &conn{host: "h", ip: "192.0.2.1", port: "1"}
	se := &session{in: in, origin: message.NewOrigin("imtcp", "h", "192.0.2.1", "1")}
	se.c = c
	se.framer = *NewFramer(&in.framing, se.fault)
	sc := in.pool.get(context.Background())
	stream := bytes.Repeat([]byte("<13>Oct 11 22:14:15 host tag: a message\n20 <13>octet counted it"), 250)
	n := testing.AllocsPerRun(20, func() {
		b := sc.buf[:copy(sc.buf, stream)]
		if err := se.use(context.Background(), sc, b); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for 500 messages", n)
	}
	if got := in.ledger.Read(); got.Delivered != 21*500 {
		t.Errorf("delivered %d", got.Delivered)
	}
}

func TestIMTCPConfigurationErrors(t *testing.T) {
	for _, tt := range []struct {
		set  func(m *IMTCPModule, p *IMTCPParams)
		want string
	}{
		{func(_ *IMTCPModule, p *IMTCPParams) { p.Framing = "guess" }, `framing "guess" is not rsyslog or strict`},
		{func(m *IMTCPModule, _ *IMTCPParams) { m.MaxFrame = 200000001 }, "maxFrameSize 200000001 is larger than 200000000"},
		{func(m *IMTCPModule, _ *IMTCPParams) { m.Delimiter = 300 }, "addtlFrameDelimiter 300 is not a byte"},
		{func(m *IMTCPModule, _ *IMTCPParams) { m.DisableLF, m.OctetCounted = true, false }, "nothing else ends a message"},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.StartRegex = "(" }, "framing.delimiter.regex"},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.StartRegex, p.Framing = "^<", "strict" }, "exclude each other"},
		{func(m *IMTCPModule, _ *IMTCPParams) { m.AllowedSender = []string{"a b"} }, `allowed sender "a b"`},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.DefaultTZ = "CET" }, `defaultTZ "CET" is not of the form +hh:mm`},
		{func(m *IMTCPModule, _ *IMTCPParams) { m.StreamDriver.Mode = given(1) }, "TLS needs streamDriver.certFile"},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.StreamDriver.Mode = given(1) }, "TLS needs streamDriver.certFile"},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.ProxyProtocol.Mode = "required" }, "proxyProtocol needs proxyProtocol.trusted"},
		{func(_ *IMTCPModule, p *IMTCPParams) { p.ProxyProtocol.Mode = "maybe" }, `proxyProtocol "maybe" is not`},
		{func(_ *IMTCPModule, p *IMTCPParams) {
			p.ProxyProtocol.Mode, p.ProxyProtocol.Trusted = "required", []string{"x"}
		}, "proxyProtocol.trusted"},
	} {
		m, p := imtcpDefaults(t)
		tt.set(&m, &p)
		_, err := NewIMTCP(m, p, newSink().deps())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

func TestIMTCPListenFails(t *testing.T) {
	s := newSink()
	in := newIMTCP(t, s, nil)
	stop := start(t, in, s)
	defer stop()
	_, port, _ := net.SplitHostPort(in.Addrs()[0])
	again := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.Port = port })
	if err := again.Listen(); err == nil || !strings.Contains(err.Error(), "cannot listen on") {
		t.Errorf("listens twice on a port: %v", err)
	}
	bad := newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) { p.PortFile = filepath.Join(t.TempDir(), "no", "port") })
	if err := bad.Listen(); err == nil || !strings.Contains(err.Error(), "listenPortFileName") {
		t.Errorf("port file in no directory: %v", err)
	}
}
