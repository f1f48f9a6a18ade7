package output

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// fwdParams are omfwd's defaults for a TCP target, with the template "text".
func fwdParams(addr net.Addr) OMFwdParams {
	host, port, _ := net.SplitHostPort(addr.String())
	return OMFwdParams{Target: []string{host}, Port: []string{port}, Protocol: addr.Network(), Template: "text",
		Framing: "traditional", FrameDelimiter: '\n', CheckConnection: true, ResendUnacked: true, PoolResume: 30}
}

func newOMFwd(t testing.TB, p OMFwdParams) (Output, *logBook) {
	t.Helper()
	d, book := deps(nil)
	o, err := NewOMFwd(OMFwdModule{}, p, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, book
}

// TestWireForm: what rsyslogd 8.2302 sends for a rendered message.
func TestWireForm(t *testing.T) {
	long := strings.Repeat("m", 9000)
	for _, c := range []struct {
		name   string
		change func(*OMFwdParams)
		texts  []string
		want   string
	}{
		{"traditional", nil, []string{"one", "", "two\n", "zebra", "a\nb"}, "one\n\ntwo\n5 zebraa\nb\n"},
		{"other delimiter", func(p *OMFwdParams) { p.FrameDelimiter = ';' },
			[]string{"one", "with;", "", "line\n", "zebra"}, "one;with;;line\n;5 zebra"},
		{"octet counted", func(p *OMFwdParams) { p.Framing = "octet-counted" },
			[]string{"one", "", "two\n", "zebra", strings.Repeat("x", 120), "end"}, "3 one0 4 two\n5 zebra120 " + strings.Repeat("x", 120) + "3 end"},
		{"cut at maxMessageSize", nil, []string{long}, long[:8096] + "\n"},
		{"octet counted, cut", func(p *OMFwdParams) { p.Framing = "octet-counted" }, []string{long}, "8096 " + long[:8096]},
		{"too short to compress", func(p *OMFwdParams) { p.ZipLevel = 9 }, []string{strings.Repeat("a", 60)}, strings.Repeat("a", 60) + "\n"},
		{"compression that does not pay", func(p *OMFwdParams) { p.ZipLevel = 9 }, []string{mixed(61)}, mixed(61) + "\n"},
		{"compression switched off", func(p *OMFwdParams) { p.ZipLevel, p.CompressionMode = 9, "none" }, []string{long[:100]}, long[:100] + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWire(t, c.change)
			var l lines
			v := batch(c.texts...)
			for i := range v.Len() {
				w.append(&l, v.At(i))
			}
			if string(l.buf) != c.want {
				t.Errorf("sends %.200q\n want %.200q", l.buf, c.want)
			}
			if len(l.ends) != len(c.texts) || l.start() != len(l.buf) {
				t.Errorf("ends %v of %d bytes", l.ends, len(l.buf))
			}
		})
	}
}

// mixed is text that does not compress.
func mixed(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(byte(33 + i*37%90))
	}
	return b.String()
}

func newWire(t *testing.T, change func(*OMFwdParams)) *wire {
	p := fwdParams(&net.TCPAddr{})
	if change != nil {
		change(&p)
	}
	o, _ := newOMFwd(t, p)
	return &o.(*tcpForward).wire
}

// TestCompressedMessage: z, a zlib stream, and octet counting whatever the
// framing.
func TestCompressedMessage(t *testing.T) {
	w := newWire(t, func(p *OMFwdParams) { p.CompressionMode = "single" })
	text := strings.Repeat("compress me ", 20)
	var l lines
	w.append(&l, batch(text).At(0))
	count, rest, ok := bytes.Cut(l.buf, []byte(" z"))
	if n, err := strconv.Atoi(string(count)); !ok || err != nil || n != len(rest)+1 {
		t.Fatalf("no octet count of %d in front of %q", len(rest)+1, l.buf)
	}
	r, err := zlib.NewReader(bytes.NewReader(rest))
	must(t, err)
	if got, err := io.ReadAll(r); string(got) != text || err != nil {
		t.Errorf("inflates to %q, %v", got, err)
	}
}

// collector is a TCP peer that keeps what it reads.
type collector struct {
	t  *testing.T
	ln net.Listener

	mu    sync.Mutex
	conns []net.Conn
	data  [][]byte // per connection
	grown chan struct{}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln
}

func newCollector(t *testing.T, ln net.Listener) *collector {
	c := &collector{t: t, ln: ln, grown: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			i := len(c.conns)
			c.conns, c.data = append(c.conns, conn), append(c.data, nil)
			c.mu.Unlock()
			wg.Go(func() { c.read(i, conn) })
		}
	})
	t.Cleanup(func() { c.stop(); wg.Wait() })
	return c
}

func (c *collector) read(i int, conn net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := conn.Read(b)
		c.mu.Lock()
		c.data[i] = append(c.data[i], b[:n]...)
		c.mu.Unlock()
		select {
		case c.grown <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// stop closes everything, as the end of the peer's process would.
func (c *collector) stop() {
	c.ln.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

func (c *collector) received() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.data {
		all = append(all, string(d))
	}
	return all
}

// wait waits until what was received, connection after connection, satisfies ok.
func (c *collector) wait(what string, ok func(all []string) bool) {
	c.t.Helper()
	timeout := time.After(20 * time.Second)
	for !ok(c.received()) {
		select {
		case <-c.grown:
		case <-timeout:
			c.t.Fatalf("waiting for %s: received %.300q", what, c.received())
		}
	}
}

func (c *collector) want(connections ...string) {
	c.t.Helper()
	c.wait(fmt.Sprintf("%.300q", connections), func(all []string) bool { return slices.Equal(all, connections) })
}

func TestTCPForward(t *testing.T) {
	ln := listen(t)
	c := newCollector(t, ln)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	write(t, o, "one", "two")
	write(t, o, "three")
	c.want("one\ntwo\nthree\n")
}

func TestNobodyListens(t *testing.T) {
	ln := listen(t)
	ln.Close()
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	n, err := o.Write(t.Context(), batch("m"))
	if want := "cannot connect to " + ln.Addr().String() + ": connection refused"; n != 0 || err == nil || err.Error() != want {
		t.Errorf("Write = %d, %v; want %q", n, err, want)
	}
	if o.TryResume(t.Context()) == nil {
		t.Error("TryResume says yes")
	}
}

// TestPeerClosesWhileIdle: the message after it is not the first to be lost.
func TestPeerClosesWhileIdle(t *testing.T) {
	ln := listen(t)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	a, _ := newAction(t, o, nil)
	conn := accept(t, ln, func() { must(t, handle(a, "one")) })
	wantRead(t, conn, "one\n")
	conn.Close()
	waitForFIN(t, o.(*tcpForward).targets[0].stream)
	conn = accept(t, ln, func() { must(t, handle(a, "two")) })
	wantRead(t, conn, "two\n")
	wantAccounts(t, a, 2, 2, nil)
}

// accept returns the connection that do makes.
func accept(t *testing.T, ln net.Listener, do func()) net.Conn {
	t.Helper()
	do()
	conn, err := ln.Accept()
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func wantRead(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); string(got) != want {
		t.Errorf("read %q, %v; want %q", got[:n], err, want)
	}
}

// waitForFIN waits until the peer's end has come, without taking it.
func waitForFIN(t *testing.T, s *stream) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		var n int
		var err error
		must(t, s.raw.Control(func(fd uintptr) {
			n, _, err = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		}))
		if n == 0 && err == nil || err != nil && !errors.Is(err, unix.EAGAIN) {
			return
		}
	}
	t.Fatal("the peer's FIN did not come")
}

// TestUnacknowledgedIsSentAgain: the peer's host stops answering while messages
// are on their way. None of those its kernel did not acknowledge is lost.
func TestUnacknowledgedIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name         string
		resend, last bool
	}{{"by default", true, false}, {"switched off", false, false}, {"the last one, too", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			ln := listen(t)
			p := fwdParams(ln.Addr())
			p.ResendUnacked, p.ResendLast = c.resend, c.last
			o, book := newOMFwd(t, p)
			conn := accept(t, ln, func() { write(t, o, "first") })
			wantRead(t, conn, "first\n")
			must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
			// The peer reads no more: its kernel soon acknowledges no more either.
			line := strings.Repeat("x", 999)
			sent := 0
			s := o.(*tcpForward).targets[0].stream
			for s.outq < 200_000 {
				write(t, o, fmt.Sprintf("%06d%s", sent, line))
				sent++
			}
			must(t, s.raw.Control(s.ask))
			acked := (int(s.sent) - s.outq - len("first\n")) / 1006
			must(t, conn.(*net.TCPConn).SetLinger(0))
			conn.Close()
			waitForFIN(t, s)
			if _, err := o.Write(t.Context(), batch("end")); err == nil {
				t.Fatal("writing to a dead connection succeeded")
			}
			conn = accept(t, ln, func() { write(t, o, "end") })
			got, err := readUntil(conn, "end\n")
			must(t, err)
			var want []string
			for i := acked; i < sent && c.resend; i++ {
				want = append(want, fmt.Sprintf("%06d%s\n", i, line))
			}
			want = append(want, "end\n")
			if got := slices.Collect(strings.Lines(got)); !slices.Equal(got, want) {
				t.Errorf("sent %d, acknowledged %d; again came %d, from %.6q on", sent, acked, len(got)-1, got[0])
			}
			if c.resend && count(book.all(), "were sent again to") != 1 {
				t.Errorf("not reported: %q", book.all())
			}
		})
	}
}

func readUntil(conn net.Conn, end string) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	var all []byte
	b := make([]byte, 64<<10)
	for !bytes.HasSuffix(all, []byte(end)) {
		n, err := conn.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			return string(all), err
		}
	}
	return string(all), nil
}

// TestResendLast: rsyslog's resendLastMsgOnReconnect.
func TestResendLast(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.ResendLast = true
	o, _ := newOMFwd(t, p)
	a, _ := newAction(t, o, nil)
	conn := accept(t, ln, func() { must(t, handle(a, "one", "two")) })
	wantRead(t, conn, "one\ntwo\n")
	conn.Close()
	waitForFIN(t, o.(*tcpForward).targets[0].stream)
	conn = accept(t, ln, func() { must(t, handle(a, "three")) })
	wantRead(t, conn, "two\nthree\n")
}

// TestCollectorThatStalls: writing is given up in the middle of a message. What
// the collector's kernel had acknowledged comes on the old connection, the rest
// on the next, and nothing is missing or comes twice on the same.
func TestCollectorThatStalls(t *testing.T) {
	ln := listen(t)
	o, _ := newOMFwd(t, fwdParams(ln.Addr()))
	f := o.(*tcpForward)
	conn := accept(t, ln, func() { write(t, o, "begin") })
	must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	ctx, cancel := context.WithCancel(t.Context())
	f.targets[0].stream.stalled = cancel
	var all []string
	for i := range 2000 {
		all = append(all, fmt.Sprintf("%04d%s", i, strings.Repeat("x", 8000)))
	}
	v := batch(all...)
	n, err := o.Write(ctx, v)
	if n == v.Len() || !errors.Is(err, context.Canceled) {
		t.Fatalf("Write = %d of %d, %v; want an interruption", n, v.Len(), err)
	}
	if f.targets[0].stream != nil {
		t.Error("a connection with half a message sent is kept")
	}
	old, _ := readUntil(conn, "never")
	next := newCollector(t, ln)
	if k, err := o.Write(t.Context(), v.Slice(n, v.Len())); err != nil || n+k != v.Len() {
		t.Fatalf("Write = %d after %d, %v", k, n, err)
	}
	next.wait("the last message", func(all []string) bool {
		return len(all) == 1 && strings.Contains(all[0], "1999x") && strings.HasSuffix(all[0], "\n")
	})
	got := strings.Split(strings.TrimPrefix(old, "begin\n"), "\n")
	got = got[:len(got)-1] // half a message, or nothing
	again := strings.Split(strings.TrimSuffix(next.received()[0], "\n"), "\n")
	from := slices.Index(all, again[0])
	if from < 0 || from > len(got) {
		t.Fatalf("the old connection had %d messages, the next begins with %.10q", len(got), again[0])
	}
	if !slices.Equal(append(got[:from:from], again...), all) {
		t.Error("the two connections together do not have all messages in order")
	}
}

func TestRebind(t *testing.T) {
	ln := listen(t)
	c := newCollector(t, ln)
	p := fwdParams(ln.Addr())
	p.RebindTCP = 2
	o, _ := newOMFwd(t, p)
	write(t, o, "1", "2", "3", "4", "5")
	c.want("1\n2\n", "3\n4\n", "5\n")
}

// TestPool: messages go to the targets in turn; what one that fails did not get,
// the others get; it comes back.
func TestPool(t *testing.T) {
	ln1, ln2 := listen(t), listen(t)
	c1 := newCollector(t, ln1)
	p := fwdParams(ln1.Addr())
	_, port, _ := net.SplitHostPort(ln2.Addr().String())
	p.Target, p.Port = []string{"127.0.0.1", "127.0.0.1"}, append(p.Port, port)
	o, book := newOMFwd(t, p)
	f := o.(*tcpForward)
	now := &clock{time.Now()}
	f.now = now.Now
	must(t, o.TryResume(t.Context()))
	for f.pool.pending > 0 {
		f.dialed(t.Context(), <-f.pool.results)
	}
	c2, err := ln2.Accept()
	must(t, err)
	write(t, o, "1", "2", "3", "4")
	c1.want("2\n4\n")
	wantRead(t, c2, "1\n3\n")

	ln2.Close()
	c2.Close()
	waitForFIN(t, f.targets[1].stream)
	write(t, o, "5", "6", "7", "8")
	c1.want("2\n4\n6\n8\n5\n7\n")
	if n := count(book.all(), "is left out of its pool"); n != 1 {
		t.Errorf("reported %d times, want 1: %q", n, book.all())
	}

	ln2, err = net.Listen("tcp", ln2.Addr().String())
	must(t, err)
	defer ln2.Close()
	now.advance(30 * time.Second)
	write(t, o, "9") // begins to dial
	f.dialed(t.Context(), <-f.pool.results)
	c2, err = ln2.Accept()
	must(t, err)
	defer c2.Close()
	write(t, o, "10", "11")
	wantRead(t, c2, "10\n")
	if n := count(book.all(), "is back in its pool"); n != 1 {
		t.Errorf("reported %d times, want 1: %q", n, book.all())
	}
}

func TestPoolIsDown(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Target = []string{"127.0.0.1", "127.0.0.1"}
	ln.Close()
	o, _ := newOMFwd(t, p)
	v := batch("1", "2")
	n, err := o.Write(t.Context(), v)
	if u := (*message.Undelivered)(nil); n != 0 || !errors.As(err, &u) || u.Rest.Len() != 2 {
		t.Errorf("Write = %d, %v; want both undelivered", n, err)
	}
	if !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v does not say why", err)
	}
}

// TestPoolGoesDown: what none of the targets took is handed back in order.
func TestPoolGoesDown(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Target = []string{"127.0.0.1", "127.0.0.1"}
	o, _ := newOMFwd(t, p)
	f := o.(*tcpForward)
	must(t, o.TryResume(t.Context()))
	for f.pool.pending > 0 {
		f.dialed(t.Context(), <-f.pool.results)
	}
	for range f.targets {
		conn, err := ln.Accept()
		must(t, err)
		conn.Close()
	}
	ln.Close()
	for _, t1 := range f.targets {
		waitForFIN(t, t1.stream)
	}
	_, err := o.Write(t.Context(), batch("1", "2", "3", "4", "5"))
	u := (*message.Undelivered)(nil)
	if !errors.As(err, &u) {
		t.Fatalf("error %v, want Undelivered", err)
	}
	equal(t, "handed back", texts(u.Rest), []string{"1", "2", "3", "4", "5"})
}

func udpPeer(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	must(t, err)
	t.Cleanup(func() { pc.Close() })
	must(t, pc.SetReadDeadline(time.Now().Add(20*time.Second)))
	must(t, pc.(*net.UDPConn).SetReadBuffer(1<<20))
	return pc.(*net.UDPConn)
}

func readDatagrams(t *testing.T, c *net.UDPConn, n int) (got []string) {
	t.Helper()
	b := make([]byte, 1<<16)
	for range n {
		k, err := c.Read(b)
		must(t, err)
		got = append(got, string(b[:k]))
	}
	return got
}

func TestUDPForward(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		c := udpPeer(t, addr)
		o, _ := newOMFwd(t, fwdParams(c.LocalAddr()))
		var texts []string
		for i := range 3*vectorSize + 7 {
			texts = append(texts, strings.Repeat(strconv.Itoa(i), i%3))
		}
		write(t, o, texts...)
		equal(t, addr, readDatagrams(t, c, len(texts)), texts)
	}
}

func TestUDPCut(t *testing.T) {
	c := udpPeer(t, "127.0.0.1:0")
	o, book := newOMFwd(t, fwdParams(c.LocalAddr()))
	u := o.(*udpForward)
	u.limit = 1 << 20
	text := strings.Repeat("u", 70000)
	write(t, o, text, "next")
	equal(t, "datagrams", readDatagrams(t, c, 2), []string{text[:maxDatagram], "next"})
	if n := count(book.all(), "were cut to the 65507 bytes"); n != 1 {
		t.Errorf("reported %d times, want 1", n)
	}
}

// TestUDPNobodyListens: as with rsyslog, that is nobody's business.
func TestUDPNobodyListens(t *testing.T) {
	c := udpPeer(t, "127.0.0.1:0")
	c.Close()
	o, _ := newOMFwd(t, fwdParams(c.LocalAddr()))
	for range 3 {
		write(t, o, "1", "2")
	}
}

func TestUDPSendDelayAndRebind(t *testing.T) {
	c := udpPeer(t, "127.0.0.1:0")
	p := fwdParams(c.LocalAddr())
	p.UDPSendDelay, p.RebindUDP, p.UDPSendToAll = 1, 2, true
	o, _ := newOMFwd(t, p)
	from := map[string]bool{}
	write(t, o, "1", "2", "3", "4")
	b := make([]byte, 10)
	for range 4 {
		_, addr, err := c.ReadFrom(b)
		must(t, err)
		from[addr.String()] = true
	}
	if len(from) != 2 {
		t.Errorf("sent from %d sockets, want 2", len(from))
	}
}

func TestLocalAddress(t *testing.T) {
	ln := listen(t)
	p := fwdParams(ln.Addr())
	p.Address, p.Device, p.KeepAlive, p.UserTimeout = "127.0.0.9", "lo", true, 5000
	o, _ := newOMFwd(t, p)
	conn := accept(t, ln, func() { write(t, o, "m") })
	if got := conn.RemoteAddr().(*net.TCPAddr).IP.String(); got != p.Address {
		t.Errorf("sent from %s, want %s", got, p.Address)
	}
	must(t, onSocket(o.(*tcpForward).targets[0].stream.conn, func(fd int) error {
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if on != 1 {
			t.Error("no keep-alive")
		}
		return err
	}))
}

func TestParamsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(*OMFwdParams){
		"needs a target":        func(p *OMFwdParams) { p.Target = nil },
		"3 ports for 1 targets": func(p *OMFwdParams) { p.Port = []string{"1", "2", "3"} },
		"asks for TLS":          func(p *OMFwdParams) { p.DriverMode = given(1) },
		"stream:always":         func(p *OMFwdParams) { p.CompressionMode = "stream:always" },
		"networkNamespace":      func(p *OMFwdParams) { p.NetworkNamespace = "x" },
		"there is no template":  func(p *OMFwdParams) { p.Template = "nix" },
	} {
		p := fwdParams(&net.TCPAddr{})
		change(&p)
		d, _ := deps(nil)
		if _, err := NewOMFwd(OMFwdModule{}, p, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestForwardingDoesNotAllocatePerMessage(t *testing.T) {
	tcp := listen(t)
	go func() {
		for b := make([]byte, 1<<16); ; {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			for err == nil {
				_, err = c.Read(b)
			}
			c.Close()
		}
	}()
	udp := udpPeer(t, "127.0.0.1:0")
	for _, addr := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		for _, framing := range []string{"traditional", "octet-counted"} {
			p := fwdParams(addr)
			p.Framing = framing
			o, _ := newOMFwd(t, p)
			v := batch(slices.Repeat([]string{"some message", "another one that is longer"}, 50)...)
			v.At(0)
			got := testing.AllocsPerRun(50, func() {
				if _, err := o.Write(context.Background(), v); err != nil {
					t.Fatal(err)
				}
			})
			o.Close()
			// Over TCP, a chunk that waits for its acknowledgement is three.
			if got > 4 {
				t.Errorf("%s, %s: %v allocations per batch of %d", addr.Network(), framing, got, v.Len())
			}
		}
	}
}
