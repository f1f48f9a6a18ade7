package output

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

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

// TestUDPHasNoPool: the first target gets everything, and that is said; all do
// with udp.sendToAll.
func TestUDPHasNoPool(t *testing.T) {
	a, b := udpPeer(t, "127.0.0.1:0"), udpPeer(t, "127.0.0.1:0")
	p := fwdParams(a.LocalAddr())
	_, port, _ := net.SplitHostPort(b.LocalAddr().String())
	p.Target, p.Port = []string{"127.0.0.1", "127.0.0.1"}, append(p.Port, port)
	o, book := newOMFwd(t, p)
	write(t, o, "1", "2", "3")
	equal(t, "first", readDatagrams(t, a, 3), []string{"1", "2", "3"})
	if n := count(book.all(), "UDP has no pools: messages go to "+a.LocalAddr().String()+" alone"); n != 1 {
		t.Errorf("reported %d times, want 1: %q", n, book.all())
	}
	p.UDPSendToAll = true
	o, book = newOMFwd(t, p)
	write(t, o, "4", "5")
	equal(t, "first of all", readDatagrams(t, a, 2), []string{"4", "5"})
	equal(t, "second of all", readDatagrams(t, b, 2), []string{"4", "5"})
	if n := count(book.all(), "UDP has no pools"); n != 0 {
		t.Errorf("reported %d times, want 0", n)
	}
}
