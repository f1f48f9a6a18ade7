package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// source reads the chunks of one generation file: by its tree, or, once anything
// about the file has turned out to be wrong, by a scan of all of it.
type source struct {
	file  *os.File
	id    uint64
	pages pageFile
	walk  *walker
	found *found // after a scan
	used  int64  // up to the last page in use, when state was read

	// txid is the version of a file that this process writes; nil if it does not.
	txid *atomic.Uint64
	// moving is set if another process may be writing the file.
	moving bool
}

// openSource opens a generation file for reading.
func openSource(path string, id uint64) (*source, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &source{file: f, id: id, pages: pageFile{r: f}}, nil
}

func (s *source) close() { _ = s.file.Close() }

// retries is how often a file that is being written is read again when what was
// read does not fit together. A version stays readable for as long as the commit
// after it takes.
const retries = 50

// next returns the first chunk whose commit is greater than after; io.EOF if
// there is none.
func (s *source) next(after uint64) (place, error) {
	if s.found != nil {
		i, _ := slices.BinarySearchFunc(s.found.chunks, after+1, func(p place, c uint64) int {
			switch {
			case p.commit < c:
				return -1
			case p.commit > c:
				return 1
			}
			return 0
		})
		if i == len(s.found.chunks) {
			return place{}, io.EOF
		}
		return s.found.chunks[i], nil
	}
	for try := 0; ; try++ {
		p, err := s.step(after)
		if err == nil || err == io.EOF {
			return p, err
		}
		s.walk = nil
		if s.txid == nil && !s.moving || try == retries {
			return p, err
		}
	}
}

// step takes the next chunk from the tree.
func (s *source) step(after uint64) (place, error) {
	if s.walk == nil || s.walk.at() != after || s.txid != nil && s.walk.r.txid != s.txid.Load() {
		s.walk = nil
		r, err := s.pages.root()
		if err != nil {
			return place{}, err
		}
		if r.lame && s.txid == nil && !s.moving {
			return place{}, fmt.Errorf("%w: one of the meta pages is not valid", errDamaged)
		}
		w := &walker{p: &s.pages, r: r}
		if err := w.seek(after); err != nil {
			return place{}, err
		}
		s.walk = w
	}
	return s.walk.next(s.id)
}

// load reads a chunk.
func (s *source) load(p place) ([]byte, error) { return p.load(s.file) }

// salvage scans the file; from then on chunks come from what was found.
func (s *source) salvage() error {
	f, err := scan(s.file, s.id)
	if err != nil {
		return err
	}
	s.found, s.walk = &f, nil
	return nil
}

// state reads the state of the queue as of the file's last commit.
func (s *source) state() (st state, err error) {
	// Another process may be writing what this one reads.
	for range 3 {
		if st, err = s.readState(); err == nil {
			break
		}
	}
	return st, err
}

func (s *source) readState() (state, error) {
	r, err := s.pages.root()
	if err != nil {
		return state{}, err
	}
	if r.lame {
		return state{}, fmt.Errorf("%w: one of the meta pages is not valid", errDamaged)
	}
	info, err := s.file.Stat()
	if err != nil {
		return state{}, err
	}
	if s.used = int64(r.pages) * pageSize; s.used > info.Size() {
		return state{}, fmt.Errorf("%w: cut to %d of %d bytes", errDamaged, info.Size(), s.used)
	}
	return s.pages.state(r, s.id)
}

// isDamage tells damage from a disk that does not answer.
func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errRecord) || errors.Is(err, io.EOF)
}
