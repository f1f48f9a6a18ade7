package output

import (
	"bytes"
	"compress/gzip"
)

// zipper compresses writes. Every write is a gzip member of its own (RFC 1952
// §2.2): a file of members is a gzip file, readable up to its last write
// whatever happens after it.
type zipper struct {
	out bytes.Buffer
	gz  *gzip.Writer
}

// newZipper takes a level between 1 and 9.
func newZipper(level int) *zipper {
	z := &zipper{}
	// The level is the only thing that can be wrong, and it has been checked.
	z.gz, _ = gzip.NewWriterLevel(&z.out, level)
	return z
}

// member returns b as a gzip member, good until the next call.
func (z *zipper) member(b []byte) []byte {
	z.out.Reset()
	z.gz.Reset(&z.out)
	// Writing to a bytes.Buffer does not fail.
	_, _ = z.gz.Write(b)
	_ = z.gz.Close()
	return z.out.Bytes()
}
