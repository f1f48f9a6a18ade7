package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// maxDeletes is how many chunks one commit deletes at most.
const maxDeletes = 4096

// commit is what one transaction does.
type commit struct {
	records []record
	acked   uint64 // chunks that end here or before are deleted
	state   state
}

// room is how much of a file the records of c take at most.
func (c *commit) room() int64 {
	n := int64(treeRoom)
	for i := range c.records {
		n += int64(len(c.records[i].bytes))/pageSize*pageSize + 2*pageSize
	}
	return n
}

// What is known about a commit that failed. After any other error it may be on
// disk, or not, or be lost later on.
var (
	// errFull: nothing was written, because there is no space on the disk.
	errFull = errors.New("no space left")
	// errFileFull: nothing was written, because the file may not grow further.
	errFileFull = errors.New("the file is full")
)

// commit writes c. After an error that is none of those above the file must not
// be written to again.
func (w *writer) commit(c *commit) error {
	limit := w.allocated
	if len(c.records) > 0 {
		limit -= reserve
		if need := c.room(); w.used+need > limit && w.free < 2*need {
			return errFileFull
		}
	}
	w.db.MaxSize = int(limit)
	before := w.txid
	err := guard(func() error { return w.transact(c, nil) })
	if err == nil {
		err = w.measure()
	}
	if err == nil {
		return nil
	}
	return w.outcome(err, before)
}

// transact runs the transaction.
func (w *writer) transact(c *commit, prepare func(*bolt.Tx) error) error {
	w.broken = true // until bbolt has given its locks back
	tx, err := w.db.Begin(true)
	if err != nil {
		return err
	}
	// Not db.Update: its clean-up after a panic reads pages again. Rollback does
	// not, and does nothing after Commit.
	defer func() {
		if err := guard(tx.Rollback); err == nil || errors.Is(err, bolterrors.ErrTxClosed) {
			w.broken = false
		}
	}()
	if prepare != nil {
		err = prepare(tx)
	}
	if err == nil {
		err = c.fill(tx)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// fill puts c into the transaction.
func (c *commit) fill(tx *bolt.Tx) error {
	chunks, q := tx.Bucket([]byte(chunksName)), tx.Bucket([]byte(queueName))
	if chunks == nil || q == nil {
		return fmt.Errorf("%w: a bucket is missing", errDamaged)
	}
	// Commits come in ascending order: no page is ever written to again.
	chunks.FillPercent = 1
	for i := range c.records {
		b, err := chunks.CreateBucket(chunkKey(c.records[i].commit))
		if err != nil {
			return err
		}
		if err := b.Put([]byte(chunkName), c.records[i].bytes); err != nil {
			return err
		}
	}
	if err := c.forget(chunks); err != nil {
		return err
	}
	return q.Put([]byte(stateName), c.state.encode())
}

// forget deletes the chunks that are acknowledged.
func (c *commit) forget(chunks *bolt.Bucket) error {
	for range maxDeletes {
		key, _ := chunks.Cursor().First()
		if key == nil {
			return nil
		}
		b := chunks.Bucket(key)
		if b == nil {
			return fmt.Errorf("%w: %x is not a bucket", errDamaged, key)
		}
		h, err := readHeader(b.Get([]byte(chunkName)), c.state.id)
		if err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if h.end() > c.acked {
			return nil
		}
		if err := chunks.DeleteBucket(key); err != nil {
			return err
		}
	}
	return nil
}

// measure reads how much of the file is used.
func (w *writer) measure() error {
	r, err := (&pageFile{r: w.file}).root()
	if err != nil {
		return err
	}
	s := w.db.Stats()
	w.txid, w.used = r.txid, int64(r.pages)*pageSize
	w.free = int64(s.FreePageN+s.PendingPageN) * pageSize
	return nil
}

// outcome says what became of a commit that ended with err. What was certainly
// not committed is told by the meta pages; but after a sync that failed nothing
// that is read from this file is certain any more, because the kernel forgets
// what it could not write.
func (w *writer) outcome(err error, before uint64) error {
	if errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return errFileFull
	}
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "write" {
		r, rerr := (&pageFile{r: w.file}).root()
		if rerr == nil && !r.lame && r.txid == before {
			return roomError(err)
		}
	}
	return plain(err)
}

// roomError marks an error that is about room.
func roomError(err error) error {
	switch err = plain(err); {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &noRoom{errFull, err}
	case errors.Is(err, unix.EFBIG):
		return &noRoom{errFileFull, err}
	}
	return err
}

// noRoom is an error that says why there is no room.
type noRoom struct{ kind, why error }

func (e *noRoom) Error() string   { return e.why.Error() }
func (e *noRoom) Unwrap() []error { return []error{e.kind, e.why} }

// plain is err without the path, which may be that of a file that has had, or
// will have, another name.
func plain(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}

// disappeared says whether somebody has removed the file, and whether that or
// having cut it short forbids to write to it.
func (w *writer) disappeared() (removed bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(w.file.Fd()), &st); err != nil {
		return false, err
	}
	switch {
	case st.Nlink == 0:
		return true, errors.New("somebody has removed it")
	case st.Size < w.allocated:
		return false, fmt.Errorf("somebody has cut it to %d bytes", st.Size)
	}
	return false, nil
}
