package disk

import (
	"fmt"
	"os"
)

// bulk makes a generation file of many commits, which appears in the directory
// all at once or not at all.
type bulk struct {
	dir     *directory
	w       *writer
	state   state
	records []record
	size    int64
}

// newBulk begins a file that has the state st when it is complete.
func newBulk(d *directory, st state, limit int64) (*bulk, error) {
	b := &bulk{dir: d, state: st, w: &writer{name: fileName(st.number, st.id)}}
	// Synced once, at the end: until then nobody relies on it.
	c := creation{dir: d, first: commit{state: st}, limit: limit}
	if err := guard(func() error { return b.w.init(b.w.tmp(d), c) }); err != nil {
		b.drop()
		return nil, failed(err)
	}
	return b, nil
}

// add adds a record, whose header is complete except for the id.
func (b *bulk) add(r record) error {
	r.id = b.state.id
	r.put(r.bytes)
	b.records = append(b.records, r)
	if b.size += int64(r.size); b.size < maxCommit {
		return nil
	}
	return b.flush()
}

// flush commits what has been added.
func (b *bulk) flush() error {
	c := &commit{records: b.records, state: b.state}
	err := b.w.grow(b.w.room(c))
	if err == nil {
		err = b.w.commit(c)
	}
	b.records, b.size = nil, 0
	if err != nil {
		return failed(err)
	}
	return nil
}

// publish puts the complete file in its place.
func (b *bulk) publish() error {
	if err := b.flush(); err != nil {
		return err
	}
	err := b.w.file.Sync()
	if err == nil {
		used := b.w.used
		b.w.close()
		err = trim(b.w.tmp(b.dir), used)
	}
	if err == nil {
		err = b.w.publish(b.dir)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// failed says what could not be done.
func failed(err error) error {
	return fmt.Errorf("a new file cannot be made: %w", roomError(err))
}

// drop gives the file up.
func (b *bulk) drop() {
	b.w.close()
	_ = os.Remove(b.w.tmp(b.dir))
}
