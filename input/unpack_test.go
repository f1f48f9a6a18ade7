package input

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sysrelay/conf"
)

// streamPacker compresses what a test sends.
type streamPacker interface {
	io.Writer
	Flush() error
	Close() error
}

func newPacker(t testing.TB, driver string, w io.Writer) streamPacker {
	if driver == "zstd" {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	return zlib.NewWriter(w)
}

func compressionOf(driver string) StreamCompression {
	number := func(n int) conf.Opt[int] { return conf.Opt[int]{Value: n, Given: true} }
	return StreamCompression{Compression: conf.Opt[string]{Value: "stream:always", Given: true},
		CompressionDriver: conf.Opt[string]{Value: driver, Given: true}, ExpansionRatio: number(1024),
		DecompressedBytes: number(64 << 20), ZstdWindow: number(64 << 20)}
}

func newUnpacking(t *testing.T, s *sink, c StreamCompression, set func(*IMTCPParams)) Input {
	return newIMTCP(t, s, func(_ *IMTCPModule, p *IMTCPParams) {
		p.StreamCompression = c
		if set != nil {
			set(p)
		}
	})
}

// What is flushed is received at once; a stream may end and another follow; a
// sender that leaves without an end loses nothing it had flushed.
func TestCompressedStream(t *testing.T) {
	for _, driver := range []string{"zlib", "zstd"} {
		s := newSink()
		in := newUnpacking(t, s, compressionOf(driver), nil)
		stop := start(t, in, s)
		c := dial(t, "tcp", in)
		z := newPacker(t, driver, c)
		fmt.Fprint(z, "<13>one\n<13>two\n")
		z.Flush()
		s.waitTexts(t, "<13>one", "<13>two")
		fmt.Fprint(z, "<13>three\n")
		z.Close()
		s.waitTexts(t, "<13>one", "<13>two", "<13>three")
		z = newPacker(t, driver, c)
		fmt.Fprint(z, "<13>four\n<13>no line feed")
		z.Flush()
		s.waitTexts(t, "<13>one", "<13>two", "<13>three", "<13>four")
		closes(t, c)
		s.waitTexts(t, "<13>one", "<13>two", "<13>three", "<13>four", "<13>no line feed")
		stop()
		checkLedger(t, in, 5, 0)
	}
}

// When the input stops, what the kernel has received is decompressed and delivered.
func TestCompressedStreamStops(t *testing.T) {
	s := newSink()
	in := newUnpacking(t, s, compressionOf("zlib"), nil)
	stop := start(t, in, s)
	c := dial(t, "tcp", in)
	z := newPacker(t, "zlib", c)
	fmt.Fprint(z, "<13>one\n")
	z.Flush()
	s.waitTexts(t, "<13>one")
	fmt.Fprint(z, "<13>two\n")
	z.Flush()
	stop()
	s.waitTexts(t, "<13>one", "<13>two")
}

// A few bytes cannot become very many, and what is no compressed stream is
// refused. Others go on.
func TestCompressedStreamLimits(t *testing.T) {
	bomb := func(driver string) []byte {
		var b bytes.Buffer
		z := newPacker(t, driver, &b)
		z.Write(bytes.Repeat([]byte{'x'}, 64<<20))
		z.Close()
		return b.Bytes()
	}
	for _, c := range []struct {
		name, driver, want string
		set                func(*StreamCompression)
		send               []byte
	}{
		{"text", "zlib", "this is no zlib stream", nil, []byte("<13>Nov 24 10:00:00 h t: plain text\n")},
		{"text", "zstd", "this is no zstd stream", nil, []byte("<13>Nov 24 10:00:00 h t: plain text\n")},
		{"ratio", "zlib", "more than 500 times", func(c *StreamCompression) { c.ExpansionRatio.Value = 500 }, bomb("zlib")},
		{"ratio", "zstd", "more than 1024 times", nil, bomb("zstd")},
		{"one read", "zlib", "one read has become more than 100000 bytes", func(c *StreamCompression) { c.ExpansionRatio.Value, c.DecompressedBytes.Value = 0, 100_000 }, bomb("zlib")},
		{"window", "zstd", "more than compression.maxTotalZstdWindowBytes leaves", func(c *StreamCompression) { c.ZstdWindow.Value = 32 << 10 }, bomb("zstd")},
		// RFC 8878 §3.1.1.1.2: window descriptor 0xff asks for 3.75 TiB.
		{"huge window", "zstd", "more than compression.maxTotalZstdWindowBytes leaves", func(c *StreamCompression) { c.ZstdWindow.Value = 0 },
			[]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"skippable", "zstd", "skippable frame", nil, []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"broken", "zlib", "compressed stream", nil, append([]byte{0x78, 0x9c}, bytes.Repeat([]byte{0xff}, 100)...)},
		// RFC 1950 §2.2: FDICT; a dictionary is nothing we have.
		{"dictionary", "zlib", "this is no zlib stream", nil, []byte{0x78, 0xbb, 1, 2, 3, 4, 5, 6}},
	} {
		t.Run(c.name+" "+c.driver, func(t *testing.T) {
			s := newSink()
			comp := compressionOf(c.driver)
			if c.set != nil {
				c.set(&comp)
			}
			in := newUnpacking(t, s, comp, func(p *IMTCPParams) { p.DiscardTruncated = conf.Opt[bool]{Value: true, Given: true} })
			stop := start(t, in, s)
			conn := dial(t, "tcp", in)
			conn.Write(c.send) // the peer may hang up meanwhile
			s.waitLog(t, c.want)
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Error("the connection is still open")
			}
			stop()
			if p := in.(*streamInput).unpack; p.windows.Load() != 0 {
				t.Errorf("%d bytes of windows are still reserved", p.windows.Load())
			}
		})
	}
}

// The windows of all connections of an input together are limited.
func TestZstdWindowsAreShared(t *testing.T) {
	s := newSink()
	comp := compressionOf("zstd")
	comp.ZstdWindow.Value = 160 << 10
	in := newUnpacking(t, s, comp, nil)
	stop := start(t, in, s)
	var conns []net.Conn
	for i := range 2 {
		c := dial(t, "tcp", in)
		z := newPacker(t, "zstd", c)
		fmt.Fprintf(z, "<13>%d\n", i)
		z.Flush()
		s.wait(t, "message", func() bool { return len(s.texts) == i+1 })
		conns = append(conns, c)
	}
	c := dial(t, "tcp", in)
	z := newPacker(t, "zstd", c)
	fmt.Fprint(z, "<13>refused\n")
	z.Flush()
	s.waitLog(t, "maxTotalZstdWindowBytes")
	closes(t, conns[0])
	p := in.(*streamInput).unpack
	for p.windows.Load() > 64<<10 { // until the first one's window has been given back
		runtime.Gosched()
	}
	z = newPacker(t, "zstd", dial(t, "tcp", in))
	fmt.Fprint(z, "<13>taken\n")
	z.Flush()
	s.wait(t, "third message", func() bool { return len(s.texts) == 3 })
	stop()
}

// FuzzCompressedStream: whatever comes, reading ends, and no more than the
// limits allow comes out.
func FuzzCompressedStream(f *testing.F) {
	for _, driver := range []string{"zlib", "zstd"} {
		var b bytes.Buffer
		z := newPacker(f, driver, &b)
		fmt.Fprint(z, strings.Repeat("<13>Nov 24 10:00:00 h t: message\n", 20))
		z.Flush()
		fmt.Fprint(z, "12 <13>t: count\n")
		z.Close()
		f.Add(b.Bytes(), driver == "zstd")
		f.Add(append(b.Bytes(), b.Bytes()...), driver == "zstd")
		f.Add(b.Bytes()[:b.Len()/2], driver == "zstd")
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, data []byte, isZstd bool) {
		comp := compressionOf(map[bool]string{true: "zstd", false: "zlib"}[isZstd])
		comp.ZstdWindow.Value = 1 << 20
		c := &conn{Conn: bytesConn{from: bytes.NewReader(data)}, stopping: t.Context()}
		policy := comp.policy()
		u := policy.unpack(c)
		buf, total := make([]byte, 4096), 0
		for {
			n, err := u.Read(buf)
			total += n
			if err != nil {
				break
			}
		}
		if total > 1024*len(data) {
			t.Errorf("%d bytes out of %d", total, len(data))
		}
		u.Close()
		if w := policy.windows.Load(); w != 0 {
			t.Errorf("%d bytes of windows are still reserved", w)
		}
	})
}

// bytesConn is a connection that has sent some bytes and closed.
type bytesConn struct {
	net.Conn
	from *bytes.Reader
}

func (c bytesConn) Read(b []byte) (int, error) { return c.from.Read(b) }
func (c bytesConn) Close() error               { return nil }
