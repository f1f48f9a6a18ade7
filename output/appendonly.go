package output

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// protect sets the file's append-only attribute (chattr +a) if that is asked for.
func (f *logFile) protect() {
	if !f.spec.appendOnly || !f.regular {
		return
	}
	if err := setAppendOnly(f.fd, true); err != nil {
		f.spec.warnOnce.Do(func() {
			why := err.Error()
			switch {
			case errors.Is(err, unix.EPERM):
				why = "the capability CAP_LINUX_IMMUTABLE is missing"
			case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EOPNOTSUPP):
				why = "its file system has no such attribute"
			}
			f.log(severityWarning, fmt.Sprintf("file %s is written without appendOnly, and so may be others of the action: %s", f.name, why))
		})
	}
}

// unprotect takes the attribute away. Who needs that finds out whether it worked.
func (f *logFile) unprotect() {
	if f.spec.appendOnly && f.regular {
		_ = setAppendOnly(f.fd, false)
	}
}

// truncate makes the file shorter.
func (f *logFile) truncate(size int64) error {
	f.unprotect()
	defer f.protect()
	return f.file.Truncate(size)
}

// appendFlag is FS_APPEND_FL of linux/fs.h.
const appendFlag = 0x20

func setAppendOnly(fd int, on bool) error {
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	want := flags &^ appendFlag
	if on {
		want |= appendFlag
	}
	if want == flags {
		return nil
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(want))
}
