package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// recheck is how often an open file's name is looked up, to notice that the
	// file was moved away, at most.
	recheck = time.Second
	// specialTimeout is how long a pipe or terminal may take.
	specialTimeout = 5 * time.Second
)

// logFile is one file that lines are appended to, open or not. It writes whole
// lines: what a failed write left of a line is taken back, or ended by a line
// feed where that cannot be done. It is used by one goroutine at a time.
type logFile struct {
	name   string // for people
	opener func() (fd int, created bool, err error)
	where  func() (place, error) // of its rotated files
	tidier *tidier               // nil without rotation
	spec   *fileSpec
	locks  *FileLocks
	log    func(severity int, text string)

	file    *os.File // nil while closed
	fd      int
	id      fileID
	lock    *fileLock
	regular bool
	size    int64
	fresh   bool // just opened: how it ends is not known
	crashed bool // its last writer did not close it
	good    int64
	torn    bool // the file ends in half a line
	needs   int  // bytes there was no room for at the last write
	missing bool // the name was gone at the last look
	checked time.Time
	used    time.Time
	zip     *zipper
	period  time.Time // the file belongs to, with rotation.interval
	// retryRotation is when a rotation that failed may be tried again.
	retryRotation time.Time

	held     lines // gathered with flushOnTXEnd=off
	since    time.Time
	reported string // why holding them could not end, at the last flush in the background
}

// write appends the lines with one write and returns how many messages are in
// the file.
func (f *logFile) write(l *lines, now time.Time) (int, error) {
	if len(l.ends) == 0 {
		return 0, nil
	}
	f.used = now
	f.reopenIfMoved(now)
	if err := f.open(now); err != nil {
		return 0, err
	}
	if f.due(now) {
		if err := f.turnOver(now); err != nil {
			return 0, err
		}
	}
	if f.spec.limit > 0 && f.regular {
		return f.writeLimited(l, now)
	}
	return f.append(l, now)
}

// lockCurrent takes the file's lock; if another action has rotated it, that of
// the new one.
func (f *logFile) lockCurrent(now time.Time) error {
	for {
		f.lock.Lock()
		if !f.lock.moved {
			return nil
		}
		f.lock.Unlock()
		if err := f.close(); err != nil {
			f.log(severityError, err.Error()) // its lines are written
		}
		if err := f.open(now); err != nil {
			return err
		}
	}
}

// append is write for an open file.
func (f *logFile) append(l *lines, now time.Time) (int, error) {
	if err := f.lockCurrent(now); err != nil {
		return 0, err
	}
	// A sync that fails closes the file.
	defer f.lock.Unlock()
	if f.fresh {
		if err := f.inspect(); err != nil {
			return 0, err
		}
	}
	if f.torn {
		if _, err := f.file.Write([]byte{'\n'}); err != nil {
			return 0, f.fail("end half a line of", err)
		}
		f.torn = false
		f.size++
	}
	b := l.buf
	if f.zip != nil {
		b = f.zip.member(l.buf)
	}
	if !f.regular {
		// Not all of them know deadlines; those that do not do not block either.
		_ = f.file.SetWriteDeadline(time.Now().Add(specialTimeout))
	}
	n, err := f.file.Write(b)
	f.size += int64(n)
	f.needs = 0
	if err != nil {
		return f.takeBack(l, n, err)
	}
	if f.spec.sync && f.regular {
		if err := unix.Fdatasync(f.fd); err != nil {
			// The kernel may have dropped the pages: what is on the disk is unknown, and
			// asking again would only seem to succeed.
			defer f.close()
			return 0, f.fail("sync", err)
		}
	}
	if f.zip != nil && f.regular {
		f.markGood()
	}
	return len(l.ends), nil
}

// takeBack makes the file end in a whole line after a write that wrote only n
// bytes, and returns how many messages stay.
func (f *logFile) takeBack(l *lines, n int, cause error) (int, error) {
	count, end := l.whole(n)
	if f.zip != nil {
		count, end = 0, 0
	}
	err := f.fail("write to", cause)
	if errors.Is(cause, unix.ENOSPC) {
		f.needs = len(l.buf) - end
	}
	if end == n {
		return count, err
	}
	if f.regular && f.alone() {
		f.size -= int64(n - end)
		if terr := f.truncate(f.size); terr == nil {
			return count, err
		}
		f.size += int64(n - end)
	}
	f.torn = true
	return count, err
}

// alone says whether the file ends where our last write did.
func (f *logFile) alone() bool {
	end, err := f.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return false
	}
	st, err := f.file.Stat()
	if err != nil || st.Size() != end {
		return false
	}
	f.size = end
	return true
}

func (f *logFile) fail(what string, err error) error {
	return fmt.Errorf("cannot %s file %s: %w", what, f.name, rootCause(err))
}

// rootCause removes what repeats the name of the file.
func rootCause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (f *logFile) open(now time.Time) error {
	if f.file != nil {
		return nil
	}
	fd, created, err := f.opener()
	if err != nil {
		return f.fail("open", err)
	}
	f.file, f.fd = os.NewFile(uintptr(fd), f.name), fd
	f.checked, f.missing, f.torn = now, false, false
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return errors.Join(f.fail("open", err), f.close())
	}
	f.id, f.size = fileID{st.Dev, st.Ino}, st.Size
	f.regular = st.Mode&unix.S_IFMT == unix.S_IFREG
	f.lock = f.locks.hold(f.id)
	if created {
		if err := f.own(fd, f.spec.fileOwner, f.spec.fileGroup); err != nil {
			// as rsyslog: it is an error once; the file is there for the next try.
			return errors.Join(f.fail("set the owner of", err), f.close())
		}
	}
	if f.spec.zip > 0 {
		f.zip = newZipper(f.spec.zipDriver, f.spec.zip)
	}
	if created && f.spec.sync {
		f.syncName()
	}
	f.fresh = true
	f.mark()
	f.beginPeriod(now, &st)
	return nil
}

func (f *logFile) own(fd, uid, gid int) error {
	if uid < 0 && gid < 0 {
		return nil
	}
	if err := unix.Fchown(fd, uid, gid); err != nil && f.spec.failOnChown {
		return err
	}
	return nil
}

// reopenIfMoved closes the file if its name means another file now. A name that
// is gone is given a second, so that who moved the file can put a new one there.
func (f *logFile) reopenIfMoved(now time.Time) {
	if f.file == nil || !f.regular || now.Sub(f.checked) < recheck && !now.Before(f.checked) {
		return
	}
	f.checked = now
	var st unix.Stat_t
	switch err := unix.Stat(f.name, &st); {
	case err == nil && fileID{st.Dev, st.Ino} == f.id:
		f.missing = false
	case err == nil || f.missing:
		// Whatever Close says, the lines are written; the new file is what counts.
		_ = f.close()
	case errors.Is(err, unix.ENOENT):
		f.missing = true
	}
}

func (f *logFile) close() error {
	if f.file == nil {
		return nil
	}
	f.unmark()
	err := f.file.Close()
	f.file = nil
	if f.lock != nil {
		f.locks.release(f.lock)
		f.lock = nil
	}
	if err != nil {
		return f.fail("close", err)
	}
	return nil
}

// flush writes what has been gathered; what cannot be written stays.
func (f *logFile) flush(now time.Time) error {
	n, err := f.write(&f.held, now)
	f.held.drop(n)
	f.since = now
	return err
}

// news is err, once: what fails every second is not reported every second.
func (f *logFile) news(err error) error {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == f.reported {
		return nil
	}
	f.reported = text
	return err
}

// gather keeps the lines and writes them once there are size bytes of them. It
// returns how many of the messages of l are its business from now on.
func (f *logFile) gather(l *lines, size int, now time.Time) (int, error) {
	before := len(f.held.ends)
	if before == 0 {
		f.since = now
	}
	f.held.add(l)
	if len(f.held.buf) < size {
		return len(l.ends), nil
	}
	n, err := f.write(&f.held, now)
	f.held.drop(n)
	if err == nil {
		return len(l.ends), nil
	}
	// What was taken on earlier stays; the rest of l is the caller's again.
	f.held.keep(max(before-n, 0))
	return max(n-before, 0), err
}

// room says whether there is room for what there was none for. Trying to write
// would tell, too, but again and again.
func (f *logFile) room() error {
	var st unix.Statfs_t
	if f.file == nil || f.needs == 0 || unix.Fstatfs(f.fd, &st) != nil {
		return nil
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree
	}
	if blocks*uint64(st.Bsize) < uint64(f.needs) {
		return f.fail("write to", unix.ENOSPC)
	}
	return nil
}
