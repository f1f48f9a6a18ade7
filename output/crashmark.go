package output

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

// A process that is killed in the middle of write(2) leaves half a line, or half
// a gzip member, at the end of a file. While a file is open for appending it
// therefore carries an extended attribute and a shared flock(2). Who opens a
// file that has the one and lacks the other knows that its writer did not live
// to close it, and removes the half. Where the attribute cannot be kept, half a
// line is ended by a line feed instead; see logFile.append.
const crashMark = "user.sysrelay.open"

// tailSize is how far back the end of the last whole line is looked for.
const tailSize = 1 << 20

// mark marks the file as open and notes whether it was marked before, and with
// what.
func (f *logFile) mark() {
	f.crashed, f.good = false, 0
	if !f.regular || unix.Flock(f.fd, unix.LOCK_SH|unix.LOCK_NB) != nil {
		return
	}
	f.unprotect() // an append-only file takes no attributes
	defer f.protect()
	var b [20]byte
	if n, err := unix.Fgetxattr(f.fd, crashMark, b[:]); err == nil {
		f.crashed = true
		f.good, _ = strconv.ParseInt(string(b[:n]), 10, 64)
	}
	f.markGood()
}

// markGood writes down how far the file is whole, where that cannot be seen.
func (f *logFile) markGood() {
	// Without the attribute, a crash is not recognised; see above.
	_ = unix.Fsetxattr(f.fd, crashMark, strconv.AppendInt(nil, f.size, 10), 0)
}

// unmark is for a file that is closed in order.
func (f *logFile) unmark() {
	if f.regular && !f.torn && f.exclusive() {
		f.unprotect()
		_ = unix.Fremovexattr(f.fd, crashMark)
		if f.lock == nil || !f.lock.moved {
			f.protect()
		}
	}
}

// exclusive says whether nobody else has the file open for appending.
func (f *logFile) exclusive() bool {
	return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) == nil
}

// inspect looks at the end of a file just opened: what a crash left there is
// removed, half a line of unknown origin is noted as torn.
func (f *logFile) inspect() error {
	f.fresh = false
	if !f.regular {
		return nil
	}
	whole, size, err := f.wholeSize()
	if err != nil || whole == size {
		return nil // what cannot be read is taken to be whole
	}
	if f.crashed && whole >= 0 && f.exclusive() {
		err := f.truncate(whole)
		_ = unix.Flock(f.fd, unix.LOCK_SH|unix.LOCK_NB)
		if err != nil {
			return f.fail("remove half a message from", err)
		}
		f.size = whole
		f.log(severityWarning, fmt.Sprintf("file %s: %d bytes of a message that was being written when the daemon died were removed", f.name, size-whole))
		return nil
	}
	f.torn = f.zip == nil
	return nil
}

// wholeSize is the file's size without half a line or gzip member at its end,
// -1 if that cannot be told, and its size. The file is open for writing only.
func (f *logFile) wholeSize() (whole, size int64, err error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(fd)
	size, err = unix.Seek(fd, 0, io.SeekEnd)
	switch {
	case err != nil || size == 0 || f.zip == nil && !f.spec.addLF:
		return size, size, err
	case f.zip != nil && f.crashed:
		return min(f.good, size), size, nil
	case f.zip != nil:
		return size, size, nil
	}
	last, err := readTail(fd, size, 1)
	if err != nil || last[0] == '\n' {
		return size, size, err
	}
	tail, err := readTail(fd, size, tailSize)
	if err != nil {
		return 0, 0, err
	}
	if i := bytes.LastIndexByte(tail, '\n'); i >= 0 {
		return size - int64(len(tail)) + int64(i) + 1, size, nil
	}
	if int64(len(tail)) == size {
		return 0, size, nil
	}
	return -1, size, nil
}

// readTail reads the last n bytes of a file of that size, or all of it.
func readTail(fd int, size, n int64) ([]byte, error) {
	b := make([]byte, min(n, size))
	for at := 0; at < len(b); {
		k, err := unix.Pread(fd, b[at:], size-int64(len(b)-at))
		if err != nil {
			return nil, err
		}
		if k == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		at += k
	}
	return b, nil
}
