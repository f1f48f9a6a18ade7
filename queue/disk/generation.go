package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// generation is one file of the queue. What is not under its own mutex belongs to
// the store's.
type generation struct {
	number, id uint64
	name       string
	created    uint64 // commit sequence, for good
	commit     uint64 // commit sequence of the state it was opened with
	first, end uint64 // sequences it is responsible for; end moves while it is written
	min        uint64 // sequences before belong to a file put in front of it
	from       uint64 // sequence of the first message wanted of it, when it was opened
	evicted    uint64 // sequences without a message
	holes      uint64 // of those, ahead of the reader
	bytes      int64  // on disk
	used       int64  // up to the last page in use, when it was opened
	w          *writer
	txid       atomic.Uint64 // of w's last commit
	complete   bool          // another one was begun after it
	damaged    bool          // is read from a scan, and kept when it is drained
	removed    bool          // somebody has removed the file
	missing    string        // why what is missing from known to end is missing
	known      uint64

	mu   sync.Mutex
	src  *source
	last uint64 // commit of the chunk read last
}

// source returns the file's source; the caller has g.mu.
func (g *generation) source(d *directory) (*source, error) {
	if g.src != nil {
		return g.src, nil
	}
	src, err := openSource(d.join(g.name), g.id)
	if err != nil {
		return nil, err
	}
	if g.damaged {
		if err := src.salvage(); err != nil {
			src.close()
			return nil, err
		}
	}
	g.src = src
	return src, nil
}

// after notes that a file made by commit front was put in front of the queue, which
// goes on at resume. Its sequences have been in use before, for messages that were
// acknowledged.
func (g *generation) after(front, resume uint64) {
	if g.created < front {
		g.min = resume
	}
}

// evictedFrom counts the messages evicted from chunks that reach beyond a
// sequence.
func (g *generation) evictedFrom(d *directory, from uint64) (n uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	src, err := g.source(d)
	if err != nil {
		return 0
	}
	for p, err := src.next(0); err == nil; p, err = src.next(p.commit) {
		if p.end() > from {
			n += uint64(p.span - p.count)
		}
	}
	return n
}

// adopt makes g the generation that w writes. Its source has a descriptor of its
// own from the start: it works on when somebody removes the file.
func adopt(w *writer, st *state) (*generation, error) {
	fd, err := unix.FcntlInt(w.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name, err)
	}
	g := &generation{number: st.number, id: st.id, name: w.name, created: st.created,
		first: st.first, end: st.next, w: w, bytes: w.allocated}
	f := os.NewFile(uintptr(fd), w.name)
	g.src = &source{file: f, id: g.id, pages: pageFile{r: f}, txid: &g.txid}
	g.txid.Store(w.txid)
	return g, nil
}

// finish ends writing. The source stays: somebody may have removed the file.
func (g *generation) finish() {
	g.w.close()
	g.w = nil
	g.mu.Lock()
	defer g.mu.Unlock()
	g.src.walk, g.src.txid = nil, nil
}

// trim gives back the room behind the last page in use.
func trim(path string, used int64) error {
	info, err := os.Lstat(path)
	if err != nil || info.Size() <= used {
		return err
	}
	return os.Truncate(path, used)
}

// release closes the source.
func (g *generation) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.src != nil {
		g.src.close()
		g.src = nil
	}
}

// diskBytes is the room a file takes.
func diskBytes(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// errUnreadable is the cause of errors about files that are left alone.
var errUnreadable = errors.New("cannot be read by this program")

// openGeneration opens a file that is there already. damage says what was wrong
// with it, if anything; what is whole of it can be read nevertheless.
func openGeneration(d *directory, f file) (g *generation, st state, damage, err error) {
	src, err := openSource(d.join(f.name), f.id)
	if err != nil {
		return nil, state{}, nil, err
	}
	g = &generation{number: f.number, id: f.id, name: f.name, bytes: diskBytes(d.join(f.name)), src: src}
	st, damage = src.state()
	if damage != nil {
		g.damaged = true
		if err := src.salvage(); err != nil {
			src.close()
			return nil, state{}, nil, err
		}
		st = src.found.summary(f)
	} else if err := st.readable(); err != nil {
		src.close()
		return nil, state{}, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	g.created, g.first, g.end, g.evicted = st.created, st.first, st.next, st.evicted
	g.commit, g.complete = st.commit, st.flags&complete != 0
	g.used = src.used
	return g, st, damage, nil
}

// summary makes up a state from what a scan found.
func (f *found) summary(file file) state {
	st := f.state
	st.acked = f.acked
	st.next = f.next()
	st.tail = max(st.tail, st.next)
	if len(f.chunks) > 0 {
		last := f.chunks[len(f.chunks)-1]
		st.commit = max(st.commit, last.commit)
		if st.id == 0 {
			st.first, st.created = f.chunks[0].first, f.chunks[0].commit
		}
		st.evicted = max(st.evicted, f.holes())
		if st.id == 0 || st.next > f.state.next {
			for _, c := range f.chunks {
				if c.first >= f.state.next {
					st.bytesIn += int64(c.size)
				}
			}
		}
	}
	st.id, st.number = file.id, file.number
	return st
}

// want returns the next chunk of g that holds messages from the sequence at on,
// less those before it. A *gapError says that they are not where they should be,
// before end. The caller has g.mu.
func (g *generation) want(src *source, at, end uint64) (held, place, error) {
	for {
		p, err := src.next(g.last)
		switch {
		case err == io.EOF, err == nil && p.first >= end:
			return held{}, p, &gapError{next: end}
		case err != nil:
			return held{}, p, err
		case p.end() <= max(at, g.min):
			g.last = p.commit
			continue
		case p.first > at:
			return held{}, p, &gapError{next: p.first}
		}
		frames, err := src.load(p)
		if err != nil {
			return held{}, p, &gapError{next: p.end(), why: err}
		}
		g.last = p.commit
		return p.held(frames, at), p, nil
	}
}

// gapError says that the messages before a sequence are not where they should be.
type gapError struct {
	next uint64
	why  error
}

func (e *gapError) Error() string {
	if e.why != nil {
		return e.why.Error()
	}
	return "messages are missing from it"
}

// held is the chunk p, less the messages before from.
func (p *place) held(frames []byte, from uint64) held {
	h := held{frames: frames, n: int(p.count), start: p.first, first: p.first, end: p.end()}
	if from <= h.first {
		return h
	}
	skip := int(min(from-h.first, uint64(h.n)))
	size, n := 0, 0
	if skip > 0 {
		size, n = prefix(frames, skip, len(frames))
	}
	h.frames, h.n, h.first = h.frames[size:], h.n-n, h.first+uint64(n)
	return h
}

// holes is how many sequences of the chunks found have no message.
func (f *found) holes() (n uint64) {
	for _, c := range f.chunks {
		n += uint64(c.span - c.count)
	}
	return n
}
