package output

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// zstdWindow bounds what compressing and reading back a rotated file need.
const zstdWindow = 1 << 20

// compressOne replaces a generation by a compressed one: written under a
// temporary name, synced, renamed, and only then is the original removed. Until
// the last step the original is there; if both are, the compressed one, which has
// the original's time, is whole. What is still being written to is left for the
// next time.
func (t *tidier) compressOne(p place, all []generation, g generation) error {
	for _, other := range all {
		if other.ext != "" && other.key == g.key {
			if other.mtime.Equal(g.mtime) {
				return t.removeByID(p, g.id)
			}
			return nil // not ours: there is no telling what it is
		}
	}
	fd, err := unix.Openat(p.dir, g.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // moved up; the next rotation's job finds it
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", g.name, err)
	}
	in := os.NewFile(uintptr(fd), g.name)
	defer in.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if g.id != (fileID{st.Dev, st.Ino}) || unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	tmp := g.name + compressedExt(t.rotation.compress) + unfinished
	err = t.writeCompressed(p, tmp, in, &st)
	if err == nil {
		err = t.replace(p, tmp, fd, &st)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s cannot be compressed: %w", g.name, err), p.remove(tmp))
	}
	return nil
}

func compressedExt(how string) string {
	if how == "zstd" {
		return ".zst"
	}
	return ".gz"
}

// writeCompressed writes the file tmp: everything about it is as with in, the
// time included.
func (t *tidier) writeCompressed(p place, tmp string, in *os.File, st *unix.Stat_t) (err error) {
	fd, err := unix.Openat(p.dir, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), tmp)
	defer func() { err = errors.Join(err, out.Close()) }()
	if unix.Fchown(fd, int(st.Uid), int(st.Gid)) != nil {
		// Without the right to give files away its owner is who runs the daemon.
		_ = unix.Fchown(fd, -1, int(st.Gid))
	}
	if err := unix.Fchmod(fd, st.Mode&0o7777); err != nil {
		return err
	}
	z, err := newCompressor(t.rotation.compress, out)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(z, readerUntil{t.ctx, in}, make([]byte, 64<<10)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(p.dir, tmp, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.Fsync(fd)
}

func newCompressor(how string, to io.Writer) (io.WriteCloser, error) {
	if how == "zstd" {
		return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	}
	return gzip.NewWriterLevel(to, gzip.DefaultCompression)
}

// readerUntil reads until ctx ends.
type readerUntil struct {
	ctx context.Context
	in  io.Reader
}

func (r readerUntil) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(b)
}

var errChanged = errors.New("it was written to meanwhile")

// replace puts the compressed file in the place of the original, which a
// rotation may have renamed meanwhile.
func (t *tidier) replace(p place, tmp string, fd int, st *unix.Stat_t) error {
	var is unix.Stat_t
	if err := unix.Fstat(fd, &is); err != nil {
		return err
	}
	if is.Size != st.Size || is.Mtim != st.Mtim {
		return errChanged
	}
	id := fileID{st.Dev, st.Ino}
	err := t.withName(p, id, func(g generation) error {
		return p.rename(tmp, g.name+compressedExt(t.rotation.compress))
	})
	if err == nil {
		err = p.sync()
	}
	if err == nil {
		err = t.removeByID(p, id)
	}
	return err
}

func (t *tidier) removeByID(p place, id fileID) error {
	return t.withName(p, id, func(g generation) error { return p.remove(g.name) })
}

// withName does something to a generation under the name it has now, while no
// rotation can change that.
func (t *tidier) withName(p place, id fileID, do func(generation) error) error {
	t.locks.names.Lock()
	defer t.locks.names.Unlock()
	all, _, err := p.list()
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.id == id {
			return do(g)
		}
	}
	return unix.ENOENT
}

// zipper compresses writes. Every write is a gzip member (RFC 1952 §2.2) or
// zstd frame (RFC 8878 §3.1) of its own: a file of them is readable up to its
// last write whatever happens after it.
type zipper struct {
	out bytes.Buffer
	gz  *gzip.Writer
	zst *zstd.Encoder
	dst []byte
}

// newZipper takes a level that has been checked.
func newZipper(driver string, level int) *zipper {
	z := &zipper{}
	// The options are the only thing that can be wrong.
	if driver == "zstd" {
		z.zst, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
		return z
	}
	z.gz, _ = gzip.NewWriterLevel(&z.out, level)
	return z
}

// member returns b as a member or frame, good until the next call.
func (z *zipper) member(b []byte) []byte {
	if z.zst != nil {
		z.dst = z.zst.EncodeAll(b, z.dst[:0])
		return z.dst
	}
	z.out.Reset()
	z.gz.Reset(&z.out)
	// Writing to a bytes.Buffer does not fail.
	_, _ = z.gz.Write(b)
	_ = z.gz.Close()
	return z.out.Bytes()
}
