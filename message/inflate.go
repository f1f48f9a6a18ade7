package message

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/adler32"
	"io"
)

// inflater decompresses messages of one batch. It is kept with the batch for
// its buffers. It reads zlib streams itself because compress/zlib allocates for
// each.
type inflater struct {
	src bytes.Reader
	z   io.ReadCloser
	out []byte
}

// isCompressed says whether raw is 'z' and the header of a zlib stream without
// dictionary (RFC 1950 §2.2), so that text that happens to begin with a z is
// not taken for one.
func isCompressed(raw []byte) bool {
	return len(raw) > 2 && raw[0] == 'z' && raw[1]&0x0f == 8 && raw[2]&0x20 == 0 &&
		(int(raw[1])<<8|int(raw[2]))%31 == 0
}

// inflate returns what raw, less its 'z', decompresses to; it is good until the
// next call. as rsyslog: if that is longer than limit, or damaged, raw itself is
// the message.
func (b *Batch) inflate(raw []byte, limit int) []byte {
	if limit <= 0 {
		limit = 64 << 10
	}
	if b.zip == nil {
		b.zip = &inflater{z: flate.NewReader(bytes.NewReader(nil))}
	}
	z := b.zip
	if len(z.out) <= limit {
		z.out = make([]byte, limit+1)
	}
	z.src.Reset(raw[3:])
	if err := z.z.(flate.Resetter).Reset(&z.src, nil); err != nil {
		return raw
	}
	text, err := z.read(limit)
	if err != nil {
		return raw
	}
	sum := raw[len(raw)-z.src.Len():]
	if len(sum) < 4 || binary.BigEndian.Uint32(sum) != adler32.Checksum(text) {
		return raw
	}
	return text
}

// read returns the whole stream if it has no more than limit bytes.
func (z *inflater) read(limit int) ([]byte, error) {
	for n := 0; n <= limit; {
		k, err := z.z.Read(z.out[n : limit+1])
		n += k
		switch {
		case err == io.EOF && n <= limit:
			return z.out[:n], nil
		case err != nil:
			return nil, err
		}
	}
	return nil, io.ErrShortBuffer
}
