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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
)

// unpackAll decompresses what there is of a stream.
func unpackAll(t *testing.T, driver string, b []byte) string {
	t.Helper()
	var r io.Reader
	if driver == "zstd" {
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
		must(t, err)
		defer z.Close()
		r = z
	} else {
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return ""
		}
		r = z
	}
	text, _ := io.ReadAll(r) // the stream may not have ended yet
	return string(text)
}

func packedParams(addr net.Addr, driver string) OMFwdParams {
	p := fwdParams(addr)
	p.CompressionMode, p.Compression, p.StreamFlush = "stream:always", driver, true
	return p
}

// What is written can be read at once, and the stream has an end.
func TestStreamCompression(t *testing.T) {
	for _, driver := range []string{"zlib", "zstd"} {
		ln := listen(t)
		c := newCollector(t, ln)
		o, _ := newOMFwd(t, packedParams(ln.Addr(), driver))
		write(t, o, "one", "two")
		c.wait("its messages", func(all []string) bool { return len(all) > 0 && unpackAll(t, driver, []byte(all[0])) == "one\ntwo\n" })
		long := strings.Repeat("as long as it takes ", 100)
		for range 50 {
			write(t, o, long)
		}
		must(t, o.Close())
		c.wait("its messages", func(all []string) bool {
			return len(all) > 0 && len(unpackAll(t, driver, []byte(all[0]))) == 8+50*(len(long)+1)
		})
		if n := len(c.data[0]); n > 10_000 {
			t.Errorf("%s: %d bytes sent for 100,000", driver, n)
		}
	}
}

// Without flushOnTXEnd messages are gathered, for a time.
func TestStreamCompressionGathers(t *testing.T) {
	ln := listen(t)
	c := newCollector(t, ln)
	p := packedParams(ln.Addr(), "zlib")
	p.StreamFlush = false
	o, _ := newOMFwd(t, p)
	write(t, o, "one")
	f := o.(*tcpForward)
	s := f.targets[0].stream
	if f.TickEvery() != packFor || s.pack.gathered == 0 || s.unacked[0].end != notFlushed {
		t.Errorf("every %v, %d bytes gathered", f.TickEvery(), s.pack.gathered)
	}
	f.Tick(context.Background())
	c.wait("its messages", func(all []string) bool { return len(all) > 0 && unpackAll(t, "zlib", []byte(all[0])) == "one\n" })
	big := strings.Repeat("x", 8000)
	for range 10 {
		write(t, o, big)
	}
	if s.pack.gathered >= packAtMost {
		t.Errorf("%d bytes gathered", s.pack.gathered)
	}
}

// After a connection was lost, what it did not acknowledge is compressed anew for the next.
func TestStreamCompressionResends(t *testing.T) {
	for _, flush := range []bool{true, false} {
		ln := listen(t)
		p := packedParams(ln.Addr(), "zlib")
		p.StreamFlush = flush
		o, _ := newOMFwd(t, p)
		conn := accept(t, ln, func() { write(t, o, "first") })
		s := o.(*tcpForward).targets[0].stream
		must(t, s.flush(t.Context()))
		waitAcked(t, s)
		must(t, conn.(*net.TCPConn).SetReadBuffer(4096))
		// Text that compresses badly, until the peer's kernel takes no more.
		noise := func(i int) string {
			var b strings.Builder
			for k := range 200 {
				fmt.Fprintf(&b, "%x", uint32(i*7919+k)*2654435761)
			}
			return b.String()
		}
		sent := []string{}
		for i := 0; s.outq < 200_000; i++ {
			sent = append(sent, noise(i))
			write(t, o, sent[i])
		}
		must(t, conn.(*net.TCPConn).SetLinger(0))
		conn.Close()
		var n int
		next := accept(t, ln, func() {
			for err := error(nil); err == nil; {
				_, err = o.Write(t.Context(), batch("lost"))
			}
			n, _ = o.Write(t.Context(), batch("last"))
		})
		must(t, o.Close())
		got, err := io.ReadAll(next)
		must(t, err)
		lines := strings.Split(strings.TrimSuffix(unpackAll(t, "zlib", got), "\n"), "\n")
		i := slices.Index(sent, lines[0])
		if n != 1 || i < 0 || i == 0 && flush || !slices.Equal(lines[:len(sent)-i], sent[i:]) || lines[len(lines)-1] != "last" {
			t.Errorf("flush %v: %d lines arrive again, the first is number %d of %d", flush, len(lines), i, len(sent))
		}
	}
}

func waitAcked(t *testing.T, s *stream) {
	t.Helper()
	for range 2000 {
		if must(t, s.raw.Control(s.ask)); s.outq == 0 {
			return
		}
		time.Sleep(time.Millisecond) // between two looks
	}
	t.Fatal("never acknowledged")
}

// Targets come from DNS, by priority and weight, and change with it.
func TestTargetSRV(t *testing.T) {
	a, b, c := listen(t), listen(t), listen(t)
	ca, cb, cc := newCollector(t, a), newCollector(t, b), newCollector(t, c)
	record := func(ln net.Listener, priority, weight int) *net.SRV {
		return &net.SRV{Target: "127.0.0.1.", Port: uint16(ln.Addr().(*net.TCPAddr).Port), Priority: uint16(priority), Weight: uint16(weight)}
	}
	records, failure := []*net.SRV{record(a, 1, 30), record(b, 1, 10), record(c, 2, 1)}, error(nil)
	d, book := deps(nil)
	now := time.Now()
	d.Env.Now = func() time.Time { return now }
	asked := ""
	d.LookupSRV = func(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
		asked = service + "." + proto + "." + name
		return "", records, failure
	}
	p := fwdParams(noAddr{})
	p.Target, p.Port, p.TargetSRV, p.Template = nil, nil, "example.net", "text"
	o, err := NewOMFwd(OMFwdModule{}, p, d)
	must(t, err)
	t.Cleanup(func() { o.Close() })
	f := o.(*tcpForward)
	online := func(n int) {
		t.Helper()
		for f.pool.pending > 0 || len(f.pool.online) < n {
			must(t, f.findOnline(t.Context()))
		}
	}
	must(t, o.TryResume(t.Context()))
	online(2)
	for range 10 {
		write(t, o, "1", "2", "3", "4")
	}
	if asked != "syslog.tcp.example.net" {
		t.Errorf("asked for %s", asked)
	}
	ca.wait("its messages", func(all []string) bool { return len(all) > 0 && bytes.Count([]byte(all[0]), []byte{'\n'}) == 30 })
	cb.wait("its messages", func(all []string) bool { return len(all) > 0 && bytes.Count([]byte(all[0]), []byte{'\n'}) == 10 })
	// DNS fails for a while: nothing changes. Then it names the third alone.
	failure, now = errors.New("timeout"), now.Add(2*resolveAgain)
	write(t, o, "5")
	failure, records, now = nil, records[2:], now.Add(2*srvRetry)
	write(t, o, "6")
	cc.want("6\n")
	if len(f.targets) != 1 || !strings.Contains(strings.Join(book.all(), "\n"), "the targets stay as they were") {
		t.Errorf("%d targets, messages %q", len(f.targets), book.all())
	}
	records, now = []*net.SRV{{Target: "."}}, now.Add(2*resolveAgain)
	write(t, o, "7")
	cc.want("6\n7\n")
}

// pool.mode=failover: one target after the other, and back again.
func TestPoolFailover(t *testing.T) {
	a, b := listen(t), listen(t)
	addr := a.Addr().String()
	ca, cb := newCollector(t, a), newCollector(t, b)
	p := fwdParams(a.Addr())
	_, portA, _ := net.SplitHostPort(addr)
	_, portB, _ := net.SplitHostPort(b.Addr().String())
	p.Target, p.Port, p.PoolMode, p.PoolResume = []string{"127.0.0.1", "127.0.0.1"}, []string{portA, portB}, "failover", 0
	o, _ := newOMFwd(t, p)
	write(t, o, "1", "2")
	ca.want("1\n2\n")
	if o.(*tcpForward).targets[1].stream != nil {
		t.Error("the second target is connected without need")
	}
	ca.stop()
	waitForFIN(t, o.(*tcpForward).targets[0].stream)
	write(t, o, "3", "4")
	cb.want("3\n4\n")
	again, err := net.Listen("tcp", addr)
	must(t, err)
	defer again.Close()
	back := newCollector(t, again)
	for o.(*tcpForward).targets[0].stream == nil {
		write(t, o, "5")
	}
	write(t, o, "6")
	back.wait("its messages", func(all []string) bool { return len(all) > 0 && bytes.HasSuffix([]byte(all[0]), []byte("6\n")) })
}

// conErrSkip and maxErrorMessages keep failures from filling the log.
func TestErrorQuota(t *testing.T) {
	for _, c := range []struct {
		quota errorQuota
		want  int
	}{{errorQuota{}, 12}, {errorQuota{skip: 5}, 2}, {errorQuota{most: 3}, 3}} {
		synctest.Test(t, func(t *testing.T) {
			o := &quotaOutput{quota: c.quota}
			a, book := newAction(t, o, func(p *ActionOptions) { p.Params.ReportSuspension = given(false) })
			for range 12 {
				o.down()
				must(t, handle(a, "lost"))
				o.up()
				time.Sleep(time.Hour)
				must(t, handle(a, "delivered"))
			}
			if n := len(book.all()); n != c.want {
				t.Errorf("%+v: %d messages, want %d", c.quota, n, c.want)
			}
		})
	}
}

type quotaOutput struct {
	fakeOutput
	quota errorQuota
}

func (o *quotaOutput) errorQuota() errorQuota { return o.quota }
