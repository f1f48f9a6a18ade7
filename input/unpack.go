package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"sysrelay/conf"
)

// StreamCompression are the parameters of compressed streams. Their limits keep
// a few bytes from becoming very many.
type StreamCompression struct {
	Compression       conf.Opt[string] `conf:"compression.mode,enum=none|single|stream:always" doc:"stream:always: the whole stream is compressed, as omfwd's compression.mode=stream:always sends it. Single compressed messages are always recognised." status:"full"`
	CompressionDriver conf.Opt[string] `conf:"compression.driver,enum=zlib|zstd" default:"zlib" doc:"zlib or zstd." status:"full"`
	ExpansionRatio    conf.Opt[int]    `conf:"compression.maxexpansionratio,min=0" default:"1024" doc:"A stream that expands more often than this is closed; 0 is no limit." status:"full"`
	DecompressedBytes conf.Opt[int]    `conf:"compression.maxdecompressedbytesperreceive,min=0" default:"67108864" doc:"A stream is closed when more bytes than this come out of what one read returned; 0 is no limit." status:"full"`
	ZstdWindow        conf.Opt[int]    `conf:"compression.maxtotalzstdwindowbytes,min=0" default:"67108864" doc:"Memory for zstd's windows of all connections of the input; who comes when it is used up is closed. 0 is no limit." status:"full"`
}

// Over is c with what it does not say taken from module's.
func (c StreamCompression) Over(module StreamCompression) StreamCompression {
	return StreamCompression{c.Compression.Or(module.Compression), c.CompressionDriver.Or(module.CompressionDriver),
		c.ExpansionRatio.Or(module.ExpansionRatio), c.DecompressedBytes.Or(module.DecompressedBytes), c.ZstdWindow.Or(module.ZstdWindow)}
}

// unpackPolicy says how the streams of a listener are decompressed.
type unpackPolicy struct {
	zstd                bool
	ratio, burst, total int64
	windows             atomic.Int64 // bytes of zstd windows in use
}

// policy is nil if streams are not compressed.
func (c StreamCompression) policy() *unpackPolicy {
	if c.Compression.Value != "stream:always" {
		return nil
	}
	return &unpackPolicy{zstd: strings.EqualFold(c.CompressionDriver.Value, "zstd"), ratio: int64(c.ExpansionRatio.Value),
		burst: int64(c.DecompressedBytes.Value), total: int64(c.ZstdWindow.Value)}
}

// unpacked is a connection whose stream is decompressed as it is read.
type unpacked struct {
	net.Conn
	policy *unpackPolicy
	from   packedReader
	in     *bufio.Reader
	z      decompressor
	window int64 // bytes reserved for zstd
	out    int64 // bytes decompressed
	burst  int64 // of which since something was read
	seen   int64 // from.n at that time
}

// decompressor reads one compressed stream.
type decompressor interface {
	io.Reader
	close()
}

// unpack puts decompression around what is read from c.
func (p *unpackPolicy) unpack(c *conn) net.Conn {
	u := &unpacked{Conn: c.Conn, policy: p, from: packedReader{c: c, conn: c.Conn, ahead: c.ahead}}
	c.ahead = nil
	u.in = bufio.NewReaderSize(&u.from, 4<<10)
	return u
}

// Read implements net.Conn.
func (u *unpacked) Read(b []byte) (n int, err error) {
	for n == 0 && err == nil {
		if u.z == nil {
			if err = u.open(); err != nil {
				return 0, err
			}
		}
		n, err = u.z.Read(b)
		switch {
		case errors.Is(err, io.EOF):
			// The stream has an end; another one may follow.
			u.z.close()
			u.z, err = nil, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = io.EOF // the sender left without saying so in the stream; what it had flushed is here
		case err != nil && !isTimeout(err):
			err = fmt.Errorf("compressed stream: %w", err)
		}
		if lerr := u.limit(int64(n)); lerr != nil {
			return 0, lerr
		}
	}
	return n, err
}

// limit keeps account of what came out of how much.
func (u *unpacked) limit(n int64) error {
	if u.from.n != u.seen {
		u.seen, u.burst = u.from.n, 0
	}
	u.out += n
	u.burst += n
	switch p := u.policy; {
	case p.ratio > 0 && u.out > p.ratio*u.from.n:
		return fmt.Errorf("compressed stream: %d bytes have become %d, more than %d times as many", u.from.n, u.out, p.ratio)
	case p.burst > 0 && u.burst > p.burst:
		return fmt.Errorf("compressed stream: one read has become more than %d bytes", p.burst)
	}
	return nil
}

// open begins to read a stream, once its first bytes have come.
func (u *unpacked) open() error {
	if _, err := u.in.Peek(1); err != nil {
		return err
	}
	if u.policy.zstd {
		return u.openZstd()
	}
	z, err := zlib.NewReader(u.in)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("this is no zlib stream, which compression.mode asks for: %w", err)
	}
	u.z = zlibReader{z}
	return nil
}

type zlibReader struct{ io.ReadCloser }

func (z zlibReader) close() { z.Close() }

// leastZstdWindow is the smallest limit a decoder takes, mostZstdWindow what no
// sender needs more than (zstd(1) without --ultra or --long).
const (
	leastZstdWindow = 1 << 10
	mostZstdWindow  = 128 << 20
)

// openZstd reserves the window that the stream's first frame asks for. Later
// frames cannot have a larger one.
func (u *unpacked) openZstd() error {
	h, err := u.zstdHeader()
	if err != nil {
		return err
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	window = max(window, leastZstdWindow)
	p := u.policy
	if window > mostZstdWindow || p.total > 0 && (window > uint64(p.total) || p.windows.Add(int64(window)-u.window) > p.total) {
		if window <= uint64(p.total) {
			p.windows.Add(u.window - int64(window))
		}
		return fmt.Errorf("compressed stream: a zstd window of %d bytes is more than compression.maxTotalZstdWindowBytes leaves", window)
	}
	u.window = int64(window)
	z, err := zstd.NewReader(u.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return fmt.Errorf("compressed stream: %w", err)
	}
	u.z = zstdReader{z}
	return nil
}

type zstdReader struct{ *zstd.Decoder }

func (z zstdReader) close() { z.Decoder.Close() }

// zstdHeader looks at the header of the frame that comes next.
func (u *unpacked) zstdHeader() (h zstd.Header, err error) {
	for n := 1; ; n++ {
		b, err := u.in.Peek(n)
		if err != nil {
			return h, err
		}
		if len(b) < 5 { // no header is shorter
			continue
		}
		switch err := h.Decode(b); {
		case err == nil && h.Skippable:
			return h, errors.New("compressed stream: it begins with a skippable frame")
		case err == nil:
			return h, nil
		case !errors.Is(err, io.ErrUnexpectedEOF):
			return h, fmt.Errorf("this is no zstd stream, which compression.driver asks for: %w", err)
		case n > zstd.HeaderMaxSize:
			return h, fmt.Errorf("compressed stream: %w", err)
		}
	}
}

// Close implements net.Conn.
func (u *unpacked) Close() error {
	if u.policy.total > 0 {
		u.policy.windows.Add(-u.window)
		u.window = 0
	}
	if z, ok := u.z.(zstdReader); ok {
		z.close()
	}
	return u.Conn.Close()
}

// packedReader reads the compressed bytes. Decompressors do not go on after an
// error, so it is here that a session which is told to stop still gets what the
// kernel has received.
type packedReader struct {
	c     *conn
	conn  net.Conn
	ahead []byte // read before, with the PROXY header
	n     int64
	last  bool // stopping; what is there is read
}

// stopRead is how long a stream that is to stop waits for what is on its way.
const stopRead = 20 * time.Millisecond

// Read implements io.Reader.
func (r *packedReader) Read(b []byte) (n int, err error) {
	if len(r.ahead) > 0 {
		n = copy(b, r.ahead)
		r.ahead = r.ahead[n:]
		r.n += int64(n)
		return n, nil
	}
	n, err = r.conn.Read(b)
	if n == 0 && isTimeout(err) && r.c.stopping.Err() != nil && !r.last {
		r.last = true
		r.conn.SetReadDeadline(time.Now().Add(stopRead))
		n, err = r.conn.Read(b)
	}
	r.n += int64(n)
	return n, err
}
