package input

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

func newIMUDP(t *testing.T, s *sink, set func(m *IMUDPModule, p *IMUDPParams)) Input {
	t.Helper()
	var m IMUDPModule
	var p IMUDPParams
	decode(t, &m)
	decode(t, &p, "port", "0")
	if set != nil {
		set(&m, &p)
	}
	in, err := NewIMUDP(m, p, s.deps())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestIMUDPReceives(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, nil)
	stop := start(t, in, s)
	c := dial(t, "udp", in)
	send(t, c, "<13>one")
	send(t, c, "")
	send(t, c, "<13>two\n")
	s.waitTexts(t, "<13>one", "<13>two")
	stop()
	checkLedger(t, in, 2, 0)
	if s.from(0) != "imudp|127.0.0.1|127.0.0.1" {
		t.Errorf("origin %s", s.from(0))
	}
}

func TestIMUDPOrderPerSender(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, func(m *IMUDPModule, p *IMUDPParams) { m.Threads = 4; p.ReceiveBuffer = 4 << 20 })
	start(t, in, s)
	const senders, each = 8, 200
	for i := range senders {
		c := dial(t, "udp", in)
		for j := range each {
			send(t, c, fmt.Sprintf("%d %d", i, j))
		}
	}
	s.wait(t, "all datagrams", func() bool { return len(s.texts) == senders*each })
	var next [senders]int
	for _, x := range s.texts {
		var i, j int
		fmt.Sscanf(x, "%d %d", &i, &j)
		if j != next[i] {
			t.Fatalf("sender %d: message %d where %d was due", i, j, next[i])
		}
		next[i]++
	}
}

func TestIMUDPPorts(t *testing.T) {
	s := newSink()
	file := filepath.Join(t.TempDir(), "port")
	in := newIMUDP(t, s, func(_ *IMUDPModule, p *IMUDPParams) {
		p.Port, p.PortFile, p.AppendPort, p.Address = []string{"0", "0"}, file, true, "127.0.0.1"
	})
	start(t, in, s)
	if len(in.Addrs()) != 2 {
		t.Fatalf("addresses %v", in.Addrs())
	}
	_, port, _ := net.SplitHostPort(in.Addrs()[0])
	if b, err := os.ReadFile(file); err != nil || string(b) != port {
		t.Errorf("port file %q %v, want %s", b, err, port)
	}
	for i, addr := range in.Addrs() {
		c, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		send(t, c, fmt.Sprint(i))
		s.wait(t, "the datagram", func() bool { return len(s.texts) == i+1 })
		_, port, _ := net.SplitHostPort(addr)
		if want := "imudp" + port + "|127.0.0.1|127.0.0.1"; s.from(i) != want {
			t.Errorf("origin %s, want %s", s.from(i), want)
		}
	}
}

func TestIMUDPv6(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, func(_ *IMUDPModule, p *IMUDPParams) { p.Address = "::1" })
	if err := in.Listen(); err != nil {
		t.Skip("no IPv6 here:", err)
	}
	in.(*udpInput).close()
	in = newIMUDP(t, s, func(_ *IMUDPModule, p *IMUDPParams) { p.Address = "::1" })
	start(t, in, s)
	c, err := net.Dial("udp", in.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "six")
	s.waitTexts(t, "six")
	if s.from(0) != "imudp|::1|::1" {
		t.Errorf("origin %s", s.from(0))
	}
}

func TestIMUDPTooLong(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, nil)
	start(t, in, s)
	c := dial(t, "udp", in)
	exact, long := strings.Repeat("x", 8096), strings.Repeat("y", 60000)
	send(t, c, exact+"\n")
	send(t, c, long)
	s.waitTexts(t, exact, long[:8096])
	if s.flags[1]&message.Truncated == 0 {
		t.Error("the second is not marked as truncated")
	}
}

// What the kernel drops is counted and told: nothing is lost silently.
func TestIMUDPCountsKernelDrops(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, func(_ *IMUDPModule, p *IMUDPParams) { p.ReceiveBuffer = 4096 })
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	before := in.(*udpInput).sockets[0].buffer
	in.(*udpInput).sockets[0].adaptive = true // as it is without rcvbufSize
	ctx, cancel := context.WithCancel(context.Background())
	busy, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		in.Run(ctx, func(ctx context.Context, v message.View) error {
			once.Do(func() { close(busy); <-release })
			return s.handle(ctx, v)
		})
	}()
	c := dial(t, "udp", in)
	const n = 500
	send(t, c, "first")
	<-busy
	for range n {
		send(t, c, strings.Repeat("x", 500))
	}
	close(release)
	s.waitLog(t, "was full; it has now room for")
	cancel()
	<-done
	a := in.Ledger().Read()
	if a.Received != n+1 || a.Discarded[message.SocketFull] == 0 || a.Queued() != 0 {
		t.Errorf("ledger %+v", a)
	}
	if after := in.(*udpInput).sockets[0].buffer; after < 2*before {
		t.Errorf("the buffer had %d bytes and has %d", before, after)
	}
}

// What waits in the kernel when the input is told to stop is delivered.
func TestIMUDPStopDeliversWhatHasArrived(t *testing.T) {
	s := newSink()
	in := newIMUDP(t, s, nil).(*udpInput)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, "udp", in)
	for i := range 200 {
		send(t, c, fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := in.Run(ctx, s.handle); err != nil {
		t.Fatal(err)
	}
	checkLedger(t, in, 200, 0)
}

func TestIMUDPDoesNotAllocatePerDatagram(t *testing.T) {
	in := newIMUDP(t, newSink(), nil).(*udpInput)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	defer in.close()
	so := in.sockets[0]
	to := func(context.Context, message.View) error { return nil }
	conns := []net.Conn{dial(t, "udp", in), dial(t, "udp", in)}
	received, text := 0, []byte("<13>Oct 11 22:14:15 host tag: a message")
	n := testing.AllocsPerRun(20, func() {
		for i := range 40 {
			conns[i%2].Write(text)
		}
		err := so.raw.Control(func(fd uintptr) { so.n, so.err = so.vec.receive(fd) })
		if err != nil || so.err != nil {
			t.Fatal(err, so.err)
		}
		received += so.n
		so.handle(context.Background(), to)
	})
	if received != 21*40 || n > 5 { // Control's closure, not the datagrams
		t.Errorf("%v allocations for 40 datagrams, %d received", n, received)
	}
}

// Made-up senders do not make the cache grow, and none is taken for another.
func TestSenderCache(t *testing.T) {
	in := newIMUDP(t, newSink(), nil).(*udpInput)
	if err := in.Listen(); err != nil {
		t.Fatal(err)
	}
	defer in.close()
	so := in.sockets[0]
	for round := range 2 {
		for i := range 5000 {
			var a unix.RawSockaddrInet6
			a.Family = unix.AF_INET6
			a.Port = uint16(i)
			a.Addr = [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)}
			p := so.sender(context.Background(), &a, int64(round))
			if got, want := string(p.origin.FromHostIP()), addrPort(&a).Addr().String(); got != want {
				t.Fatalf("sender %d is %s, want %s", i, got, want)
			}
			if got, want := string(p.origin.FromHostPort()), fmt.Sprint(addrPort(&a).Port()); got != want {
				t.Fatalf("sender %d has port %s, want %s", i, got, want)
			}
		}
	}
}

func TestIMUDPConfigurationErrors(t *testing.T) {
	for want, set := range map[string]func(m *IMUDPModule, p *IMUDPParams){
		"no port given":      func(_ *IMUDPModule, p *IMUDPParams) { p.Port = nil },
		"larger than 1 GiB":  func(_ *IMUDPModule, p *IMUDPParams) { p.ReceiveBuffer = 2 << 30 },
		`allowed sender "x `: func(m *IMUDPModule, _ *IMUDPParams) { m.AllowedSender = []string{"x y"} },
	} {
		p := IMUDPParams{Port: []string{"0"}}
		var m IMUDPModule
		set(&m, &p)
		if _, err := NewIMUDP(m, p, newSink().deps()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
