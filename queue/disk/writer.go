package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	// reserve is the room in a file that only acknowledgements may use.
	reserve = 256 << 10
	// growStep is by how much a file grows at once.
	growStep = 1 << 20
	// treeRoom is what a commit needs besides its chunks: branches, leaves, the
	// list of free pages.
	treeRoom = 64 << 10
	// lockTimeout is for bbolt's own lock; the directory's lock comes first.
	lockTimeout = time.Second
)

// writer writes one generation file, which it has made.
//
// bbolt's list of free pages is synced, although that is a page more to write:
// without it a commit that fails makes bbolt rebuild the list in a goroutine of
// its own, where the panic that a failing disk causes cannot be caught. The
// list is kept short instead: see maxFree.
type writer struct {
	db        *bolt.DB
	file      *os.File
	name      string
	allocated int64 // size of the file, all of it backed by blocks
	txid      uint64
	used      int64 // bytes up to the last page in use
	free      int64 // bytes of free pages below that
	noReserve bool  // the file system has no fallocate
	broken    bool  // bbolt's locks may be held for ever
}

// creation says how to make a generation file.
type creation struct {
	dir   *directory
	first commit
	limit int64 // size the file is to have at most
	sync  bool  // every commit
}

// create makes a generation file that holds a first commit. It appears under its
// name only when it is complete and on stable storage.
func (c creation) create() (*writer, error) {
	w := &writer{name: fileName(c.first.state.number, c.first.state.id)}
	err := guard(func() error { return w.init(w.tmp(c.dir), c) })
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		err = w.publish(c.dir)
	}
	if err == nil {
		return w, nil
	}
	w.close()
	_ = os.Remove(w.tmp(c.dir))
	return nil, failed(err)
}

// tmp is the path of the file until it is complete.
func (w *writer) tmp(d *directory) string { return d.join(w.name + tmpSuffix) }

// publish gives a complete file its name, and makes sure that it keeps it.
func (w *writer) publish(d *directory) error {
	if err := os.Rename(w.tmp(d), d.join(w.name)); err != nil {
		return err
	}
	err := d.sync()
	if err != nil {
		_ = d.remove(w.name)
	}
	return err
}

func (w *writer) init(tmp string, c creation) error {
	db, err := bolt.Open(tmp, 0o600, &bolt.Options{
		Timeout:         lockTimeout,
		PageSize:        pageSize,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: int(c.limit + maxCommit + treeRoom + growStep + reserve),
		NoSync:          !c.sync,
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			w.file, err = os.OpenFile(name, flag|os.O_EXCL|unix.O_NOFOLLOW, perm)
			return w.file, err
		},
	})
	if err != nil {
		return err
	}
	// Not bbolt but this type decides how far the file grows, and when.
	w.db, db.AllocSize = db, 0
	if err := w.grow(w.used + c.first.room() + reserve); err != nil {
		return err
	}
	if err := w.transact(&c.first, layOut); err != nil {
		return err
	}
	return w.measure()
}

// layOut makes the buckets of a new file.
func layOut(tx *bolt.Tx) error {
	if _, err := tx.CreateBucket([]byte(chunksName)); err != nil {
		return err
	}
	b, err := tx.CreateBucket([]byte(queueName))
	if err != nil {
		return err
	}
	// For people who find the file.
	host, _ := os.Hostname()
	return b.Put([]byte(aboutName),
		fmt.Appendf(nil, "disk queue of sysrelay, format %d, written on %s", formatVersion, host))
}

// newID returns an id for a generation.
func newID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand: never returns an error
	return le.Uint64(b[:])
}

// room is how much must be allocated for c to fit.
func (w *writer) room(c *commit) int64 { return roundUp(w.used + c.room() + reserve) }

func roundUp(n int64) int64 { return (n + growStep - 1) / growStep * growStep }

// grow makes the file n bytes long, backed by blocks.
func (w *writer) grow(n int64) error {
	if n = roundUp(n); n <= w.allocated {
		return nil
	}
	err := unix.EOPNOTSUPP
	if !w.noReserve {
		err = fallocate(w.file, n)
	}
	switch err {
	case 0:
	case unix.EOPNOTSUPP, unix.ENOSYS:
		// No reserve then, and no early warning: the size alone.
		w.noReserve = true
		if err := w.file.Truncate(n); err != nil {
			return err
		}
	default:
		return &os.PathError{Op: "allocate", Path: w.name, Err: err}
	}
	w.allocated = n
	return nil
}

func fallocate(f *os.File, n int64) unix.Errno {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, n)
		if err == nil {
			return 0
		}
		var errno unix.Errno
		if !errors.As(err, &errno) {
			return unix.EIO
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// close releases the file. bbolt's Close waits for its locks, which a panic in
// the middle of bbolt may have left held: then the file alone is closed.
func (w *writer) close() {
	switch {
	case w.db != nil && !w.broken:
		_ = guard(w.db.Close)
	case w.file != nil:
		_ = w.file.Close()
	}
}
