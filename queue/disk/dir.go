package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names of files in a queue's directory.
const (
	lockName   = "lock"
	namePrefix = "gen-"
	nameSuffix = ".db"
	tmpSuffix  = ".tmp"
	badInfix   = ".bad-"
)

// firstGeneration and firstSequence are where numbers begin. There is room below
// both for what is put in front of a queue.
const (
	firstGeneration = 1 << 32
	firstSequence   = 1 << 40
)

// fileName is the name of a generation file. The id is part of it, so that a
// file's own records can be told from others even when its pages are broken.
func fileName(number, id uint64) string {
	return fmt.Sprintf("%s%016x-%016x%s", namePrefix, number, id, nameSuffix)
}

// parseName is the inverse of fileName.
func parseName(name string) (number, id uint64, ok bool) {
	mid, ok1 := strings.CutPrefix(name, namePrefix)
	mid, ok2 := strings.CutSuffix(mid, nameSuffix)
	if !ok1 || !ok2 || len(mid) != 33 || mid[16] != '-' {
		return 0, 0, false
	}
	number, err1 := strconv.ParseUint(mid[:16], 16, 64)
	id, err2 := strconv.ParseUint(mid[17:], 16, 64)
	return number, id, err1 == nil && err2 == nil && fileName(number, id) == name
}

// directory is a queue's directory.
type directory struct {
	path string
	lock *os.File
}

// openDirectory makes the directory if it is not there and locks it.
func openDirectory(path string, wait time.Duration) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("queue directory: %w", err)
	}
	if err := private(path); err != nil {
		return nil, err
	}
	d := &directory{path: path}
	return d, d.acquire(wait)
}

// private makes sure that nobody else can put files into the directory.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("queue directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("queue directory %s is not a directory", path)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("queue directory %s is open to others (mode %v) and that cannot be changed: %w",
			path, info.Mode().Perm(), err)
	}
	return nil
}

// lockPoll is how often a lock that another process has is tried again.
const lockPoll = 50 * time.Millisecond

// acquire takes the lock, and waits for it a little: the process that has it may
// be about to end.
func (d *directory) acquire(wait time.Duration) error {
	f, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("queue directory: %w", err)
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			owner := d.owner()
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return fmt.Errorf("queue directory %s is in use by %s; it is left alone", d.path, owner)
			}
			return fmt.Errorf("queue directory %s: lock: %w", d.path, err)
		}
	}
	d.lock = f
	// Who has the lock is for people only: it does not matter if this fails.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return nil
}

// owner says who has the lock.
func (d *directory) owner() string {
	b, err := os.ReadFile(filepath.Join(d.path, lockName))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return "process " + pid
	}
	return "another process"
}

// release gives the lock back.
func (d *directory) release() error { return d.lock.Close() }

// join returns the path of a file in the directory.
func (d *directory) join(name string) string { return filepath.Join(d.path, name) }

// file is a generation file as the directory lists it.
type file struct {
	name       string
	number, id uint64
}

// list returns the generation files in their order, and the names of files that
// are none of ours.
func (d *directory) list() (files []file, foreign []string, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("queue directory: %w", err)
	}
	for _, e := range entries {
		number, id, ok := parseName(e.Name())
		switch {
		case ok && e.Type().IsRegular():
			files = append(files, file{e.Name(), number, id})
		case e.Name() == lockName, strings.Contains(e.Name(), badInfix):
		case strings.HasPrefix(e.Name(), namePrefix) && strings.HasSuffix(e.Name(), tmpSuffix):
		default:
			foreign = append(foreign, e.Name())
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, foreign, nil
}

// clean removes files that were being made when the process died; nothing in
// them was acknowledged.
func (d *directory) clean() error {
	entries, err := os.ReadDir(d.path)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), namePrefix) && strings.HasSuffix(e.Name(), tmpSuffix) {
			err = errors.Join(err, d.remove(e.Name()))
		}
	}
	return err
}

// remove removes a file of the queue.
func (d *directory) remove(name string) error { return os.Remove(d.join(name)) }

// sync makes names durable: files created, renamed and removed.
func (d *directory) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// setAside renames a damaged file, which is kept for people to look at, and
// returns its new name.
func (d *directory) setAside(name string, now time.Time) (string, error) {
	bad := name + badInfix + now.UTC().Format("20060102T150405Z")
	for i := 2; ; i++ {
		if _, err := os.Lstat(d.join(bad)); errors.Is(err, fs.ErrNotExist) {
			return bad, os.Rename(d.join(name), d.join(bad))
		}
		bad = fmt.Sprintf("%s%s%s-%d", name, badInfix, now.UTC().Format("20060102T150405Z"), i)
	}
}
