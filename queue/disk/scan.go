package disk

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
)

// scanStep is how much of a file a scan looks at at once.
const scanStep = 1 << 20

// found is what a scan found in a file.
type found struct {
	chunks []place // in the order of commits, none overlapping
	state  state   // the latest; zero if there is none
	acked  uint64
}

// next is the sequence after the last message found.
func (f *found) next() uint64 {
	n := f.state.next
	if len(f.chunks) > 0 {
		n = max(n, f.chunks[len(f.chunks)-1].end())
	}
	return n
}

// scan looks for whole records in all of a file, whatever its structure. It
// does not look inside of a whole record, so that nothing in the text of a
// message is ever taken for one. What cannot be read is passed over.
func scan(file *os.File, id uint64) (found, error) {
	info, err := file.Stat()
	if err != nil {
		return found{}, err
	}
	s := scanner{file: file, id: id, size: info.Size()}
	buf := make([]byte, scanStep)
	for off := int64(0); off < s.size; {
		n, err := file.ReadAt(buf, off)
		if n == 0 && err != nil {
			off += pageSize // an unreadable sector, or the file became shorter
			continue
		}
		off = s.window(buf[:n], off)
	}
	s.settle()
	return s.found, nil
}

// scanner is a scan under way.
type scanner struct {
	file *os.File
	id   uint64
	size int64
	found
}

// window takes all records that begin in b, which is at off in the file, and
// returns where to go on.
func (s *scanner) window(b []byte, off int64) int64 {
	at := int64(0)
	for {
		j := bytes.Index(b[at:], []byte(magicPrefix))
		if j < 0 {
			// A prefix may be cut by the end of b.
			return max(off+at, off+int64(len(b))-int64(len(magicPrefix))+1, off+1)
		}
		at += int64(j)
		if at > 0 && int(at)+stateSize > len(b) {
			return off + at // look again, at all of it
		}
		if n := s.record(b[at:], off+at); n > 0 {
			at += n
		} else {
			at++
		}
		if at >= int64(len(b)) {
			return off + at
		}
	}
}

// record takes the record at the beginning of b and returns its size, 0 if there
// is no whole record of this file.
func (s *scanner) record(b []byte, off int64) int64 {
	if st, err := readState(b, s.id); err == nil {
		if st.commit >= s.state.commit {
			s.state = st
		}
		s.acked = max(s.acked, st.acked)
		return stateSize
	}
	h, err := readHeader(b, s.id)
	if err != nil || int64(h.size) > s.size-off-headerSize {
		return 0
	}
	p := place{header: h, off: off}
	if _, err := p.load(s.file); err != nil {
		return 0
	}
	s.acked = max(s.acked, h.acked)
	s.chunks = append(s.chunks, p)
	return headerSize + int64(h.size)
}

// settle puts the chunks in order and drops what is not part of the queue:
// copies, which bbolt leaves behind when it moves a page, and commits that
// failed, whose sequences a later commit has taken over.
func (s *scanner) settle() {
	slices.SortStableFunc(s.chunks, func(a, b place) int { return cmp.Compare(a.commit, b.commit) })
	kept := s.chunks[:0]
	for _, c := range s.chunks {
		for len(kept) > 0 && kept[len(kept)-1].end() > c.first {
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, c)
	}
	s.chunks = kept
}

// load reads the chunk at p and checks it.
func (p *place) load(r io.ReaderAt) ([]byte, error) {
	b := make([]byte, p.size)
	if _, err := r.ReadAt(b, p.off+headerSize); err != nil {
		return nil, fmt.Errorf("%w: chunk of commit %d: %w", errDamaged, p.commit, err)
	}
	if checksum(b) != p.sum {
		return nil, fmt.Errorf("%w: checksum of the chunk of commit %d", errDamaged, p.commit)
	}
	return b, nil
}
