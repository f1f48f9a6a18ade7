package output

import (
	"bytes"
	"context"
	"io"
	"math"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// packer compresses a stream (compression.mode stream:always).
type packer interface {
	io.Writer
	// Flush writes what is needed for everything so far to be read.
	Flush() error
	// Close ends the compressed stream.
	Close() error
}

// packing says how streams are compressed.
type packing struct {
	zstd  bool
	level int  // 0 is the library's default
	flush bool // at the end of every transaction
}

// packWindow is how far back zstd looks; the peer needs as much memory.
const packWindow = 512 << 10

func (p packing) packer(w io.Writer) (packer, error) {
	if p.zstd {
		level := zstd.SpeedDefault
		if p.level > 0 {
			level = zstd.EncoderLevelFromZstd(p.level)
		}
		return zstd.NewWriter(w, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(packWindow), zstd.WithLowerEncoderMem(true))
	}
	if p.level > 0 {
		return zlib.NewWriterLevel(w, p.level)
	}
	return zlib.NewWriter(w), nil
}

const (
	// packAtMost is how many bytes are gathered until they are flushed all the
	// same: messages count as delivered, and only what is flushed can arrive.
	packAtMost = 64 << 10
	// packFor is how long they are.
	packFor = time.Second
	// notFlushed is the end of a chunk of which a part is still in the packer.
	notFlushed = math.MaxInt64
)

// packed is the compressed side of a stream.
type packed struct {
	packing
	packer
	out      bytes.Buffer
	gathered int // bytes since the last flush
}

// writePacked writes a chunk through the packer. A connection that fails in the
// middle of it has taken nothing of it: half of a compressed chunk cannot be
// gone on from.
func (s *stream) writePacked(ctx context.Context, c *chunk, start int) (int, error) {
	p := s.pack
	// Writing to a bytes.Buffer does not fail.
	_, _ = p.Write(c.buf[start:])
	p.gathered += len(c.buf) - start
	c.end = notFlushed
	s.unacked = append(s.unacked, c)
	if err := s.writeOut(ctx, p.flush || p.gathered >= packAtMost); err != nil {
		s.unacked = s.unacked[:len(s.unacked)-1]
		return c.from, err
	}
	return len(c.ends), nil
}

// writeOut writes what has come out of the packer, after a flush all of it.
func (s *stream) writeOut(ctx context.Context, flush bool) error {
	if !flush {
		return s.writeSome(ctx)
	}
	_ = s.pack.Flush()
	return s.writeAll(ctx)
}

// writeSome writes what has come out of the packer by itself.
func (s *stream) writeSome(ctx context.Context) error {
	n, err := s.writeBytes(ctx, s.pack.out.Bytes())
	s.count(n)
	s.pack.out.Reset()
	return err
}

// writeAll writes what a flush has brought out: all that was gathered.
func (s *stream) writeAll(ctx context.Context) error {
	s.pack.gathered = 0
	if err := s.writeSome(ctx); err != nil {
		return err
	}
	for _, c := range s.unacked {
		if c.end == notFlushed {
			c.end = s.sent
		}
	}
	return nil
}

// flush sends what has been gathered.
func (s *stream) flush(ctx context.Context) error {
	if s.pack == nil || s.pack.gathered == 0 {
		return nil
	}
	return s.writeOut(ctx, true)
}

// finish ends the compressed stream. Nothing can be written after it.
func (s *stream) finish(ctx context.Context) error {
	if s.pack == nil {
		return nil
	}
	_ = s.pack.Close()
	err := s.writeAll(ctx)
	s.pack = nil
	return err
}

// TickEvery implements ticker.
func (o *tcpForward) TickEvery() time.Duration {
	if o.opts.pack == nil || o.opts.pack.flush {
		return 0
	}
	return packFor
}

// Tick implements ticker: with flushOnTXEnd=off messages wait no longer than this
// for others to be compressed with.
func (o *tcpForward) Tick(ctx context.Context) {
	for _, t := range o.targets {
		if t.stream == nil {
			continue
		}
		if err := t.stream.flush(ctx); err != nil {
			o.lose(t, err)
			continue
		}
		t.stream.release(o.recycle)
	}
}
