package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Names in a generation file: the bucket that holds a bucket for every commit,
// the key of the chunk in each of those; the bucket and keys of the state.
const (
	chunksName = "chunks"
	chunkName  = "c"
	queueName  = "queue"
	stateName  = "state"
	aboutName  = "about"
)

// chunkKey is the key of a commit's bucket: big-endian, so that keys sort in the
// order of commits.
func chunkKey(commit uint64) []byte { return binary.BigEndian.AppendUint64(nil, commit) }

// place is where a chunk is in a file.
type place struct {
	header
	off int64 // of the record, header included
}

// walker visits the chunks of one version of a tree in the order of commits.
type walker struct {
	p     *pageFile
	r     root
	stack []level
	last  []byte
}

type level struct {
	page page
	i    int
}

// seek puts w before the first commit that is greater than after.
func (w *walker) seek(after uint64) error {
	w.stack, w.last = w.stack[:0], chunkKey(after)
	pg, err := w.p.bucket(w.r, chunksName)
	if err != nil {
		return err
	}
	key := chunkKey(after + 1)
	for {
		i, err := pg.search(key)
		if err != nil {
			return err
		}
		w.stack = append(w.stack, level{pg, i})
		if pg.leaf {
			return nil
		}
		if pg, err = w.child(); err != nil {
			return err
		}
	}
}

// child reads the page that the top of the stack points at.
func (w *walker) child() (page, error) {
	top := &w.stack[len(w.stack)-1]
	if top.i >= top.page.count || len(w.stack) >= maxDepth {
		return page{}, fmt.Errorf("%w: branch page at %d leads nowhere", errDamaged, top.page.off)
	}
	e, err := top.page.element(top.i)
	if err != nil {
		return page{}, err
	}
	return w.p.page(w.r, e.child, maxTreePages)
}

// next returns the next commit's chunk; io.EOF after the last.
func (w *walker) next(id uint64) (place, error) {
	e, err := w.element()
	if err != nil {
		return place{}, err
	}
	if len(e.key) != 8 || bytes.Compare(e.key, w.last) <= 0 {
		return place{}, fmt.Errorf("%w: key %x after %x", errDamaged, e.key, w.last)
	}
	w.last = append(w.last[:0], e.key...)
	return w.p.chunk(w.r, e, id)
}

// element returns the next element of the leaves.
func (w *walker) element() (element, error) {
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		if top.i >= top.page.count {
			if w.stack = w.stack[:len(w.stack)-1]; len(w.stack) > 0 {
				w.stack[len(w.stack)-1].i++
			}
			continue
		}
		if top.page.leaf {
			top.i++
			return top.page.element(top.i - 1)
		}
		pg, err := w.child()
		if err != nil {
			return element{}, err
		}
		w.stack = append(w.stack, level{page: pg})
	}
	return element{}, io.EOF
}

// chunk finds the chunk in a commit's bucket and checks its header.
func (p *pageFile) chunk(r root, e element, id uint64) (place, error) {
	pg, err := p.open(r, e, 1)
	if err != nil {
		return place{}, err
	}
	v, err := p.find(pg, []byte(chunkName))
	if err != nil {
		return place{}, err
	}
	h, err := readHeader(v.value, id)
	switch {
	case err != nil:
		return place{}, err
	case h.commit != binary.BigEndian.Uint64(e.key):
		return place{}, fmt.Errorf("%w: commit %d is filed as %x", errDamaged, h.commit, e.key)
	case int64(v.size) != headerSize+int64(h.size):
		return place{}, fmt.Errorf("%w: commit %d has %d bytes, its header says %d", errDamaged, h.commit, v.size, h.size)
	case v.off+int64(v.size) > int64(r.pages)*pageSize:
		return place{}, fmt.Errorf("%w: commit %d does not fit into the file", errDamaged, h.commit)
	}
	return place{header: h, off: v.off}, nil
}

// state reads the state in version r.
func (p *pageFile) state(r root, id uint64) (state, error) {
	pg, err := p.bucket(r, queueName)
	if err != nil {
		return state{}, err
	}
	e, err := p.find(pg, []byte(stateName))
	if err != nil {
		return state{}, err
	}
	return readState(e.value, id)
}

// at is the commit that next was last called for, or seek.
func (w *walker) at() uint64 { return binary.BigEndian.Uint64(w.last) }
