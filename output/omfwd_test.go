package output

import (
	"bytes"
	"compress/zlib"
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
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
		{"traditional", nil, []string{"one", "", "two\n", "zebra", "a\nb"}, "one\n\ntwo\n5 zebraa b\n"},
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

func TestParamsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(*OMFwdParams){
		"needs a target":              func(p *OMFwdParams) { p.Target = nil },
		"3 ports for 1 targets":       func(p *OMFwdParams) { p.Port = []string{"1", "2", "3"} },
		"without streamDriver.caFile": func(p *OMFwdParams) { p.StreamDriver.Mode = given(1) },
		"there is no template":        func(p *OMFwdParams) { p.Template = "nix" },
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
