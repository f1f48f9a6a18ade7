package output

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// due says whether the time has come to rotate.
func (f *logFile) due(now time.Time) bool {
	r := f.spec.rotation
	if r == nil || r.schedule == nil || !f.regular {
		return false
	}
	if now.Before(f.retryRotation) {
		return false
	}
	start := r.schedule.start(now)
	if start.After(f.period) && f.length() > 0 {
		return true
	}
	// The clock may have been set back; then the period is the one it says now.
	f.period = start
	return false
}

// syncName has the name of a new file on the disk.
func (f *logFile) syncName() {
	p, err := f.where()
	if err == nil {
		err = p.sync()
		p.close()
	}
	if err != nil {
		f.log(severityError, f.fail("sync the directory of", err).Error())
	}
}

// length is the file's size, whoever wrote to it.
func (f *logFile) length() int64 {
	var st unix.Stat_t
	if f.regular && unix.Fstat(f.fd, &st) == nil {
		f.size = st.Size
	}
	return f.size
}

// beginPeriod notes, for a file just opened, in which period it was last written
// to: the turn of a period that passed since then, perhaps while the daemon was
// down, is made up for.
func (f *logFile) beginPeriod(now time.Time, st *unix.Stat_t) {
	r := f.spec.rotation
	if r == nil || r.schedule == nil {
		return
	}
	f.period = r.schedule.start(now)
	if last := time.Unix(st.Mtim.Unix()); st.Size > 0 && last.Before(f.period) {
		f.period = r.schedule.start(last)
	}
}

// turnOver renames the file and begins a new one. If it cannot be renamed it
// grows, and is tried again later.
func (f *logFile) turnOver(now time.Time) error {
	err := f.moveAway(now)
	if err != nil {
		f.retryRotation = now.Add(rotateAgain)
		f.log(severityError, fmt.Sprintf("file %s cannot be rotated: %v; it grows, next try in %v", f.name, err, rotateAgain))
		return nil
	}
	f.retryRotation = time.Time{}
	if err := f.close(); err != nil {
		f.log(severityError, err.Error()) // its lines are written
	}
	return f.open(now)
}

// moveAway renames the file.
func (f *logFile) moveAway(now time.Time) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.lock.moved {
		return nil // by another action
	}
	if f.fresh {
		if err := f.inspect(); err != nil {
			return err
		}
	}
	p, err := f.where()
	if err != nil {
		return err
	}
	defer p.close()
	p.dates = f.spec.rotation.dates
	var st unix.Stat_t
	err = unix.Fstatat(p.dir, p.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && f.id != (fileID{st.Dev, st.Ino}) {
		return nil // somebody else has moved it
	}
	if err != nil {
		return err
	}
	if err := f.rename(p, now); err != nil {
		return err
	}
	f.lock.moved = true
	if f.spec.sync {
		if err := p.sync(); err != nil {
			f.log(severityError, f.fail("sync the directory of", err).Error())
		}
	}
	f.tidier.add(f.name, f.where)
	return nil
}

func (f *logFile) rename(p place, now time.Time) error {
	f.locks.names.Lock()
	defer f.locks.names.Unlock()
	to, err := p.makeWay(now.In(f.spec.location))
	if err != nil {
		return err
	}
	f.unprotect()
	if err := p.rename(p.base, to); err != nil {
		f.protect()
		return err
	}
	return nil
}

// staticPlace is where the rotated files of a file the configuration names are.
// A symbolic link stays; what it means is rotated.
func staticPlace(name string) (place, error) {
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, unix.ENOENT) {
		real, err = name, nil
	}
	if err != nil {
		return place{}, rootCause(err)
	}
	fd, err := openFile(filepath.Dir(real), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return place{dir: fd, base: filepath.Base(real)}, err
}

// place is where the rotated files of a file named by messages are.
func (d *dynaFiles) place(name string) (place, error) {
	if d.base == "" {
		return staticPlace(name)
	}
	rel, err := below(d.base, name)
	if err != nil {
		return place{}, err
	}
	base, err := d.spec.openBase(d.base)
	if err != nil {
		return place{}, err
	}
	defer unix.Close(base)
	fd, err := resolve(base, filepath.Dir(rel), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return place{dir: fd, base: filepath.Base(rel)}, err
}
