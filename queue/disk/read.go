package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
	"sysrelay/queue"
)

// window holds the newest chunks in memory, for as long as the reader keeps up.
type window struct {
	held  []held
	bytes int64
	cur   held // handed out in part
}

// held is a chunk in memory, or the rest of one.
type held struct {
	frames     []byte
	n          int
	start      uint64 // of the chunk
	first, end uint64
	gen        *generation // it was read from; nil if it was never read
}

// holes is how many sequences at its end have no message.
func (h *held) holes() uint64 { return h.end - h.first - uint64(h.n) }

// add keeps a committed chunk if it is the one that the reader needs after those
// it has already.
func (w *window) add(r *record, fetched uint64, limit int64) {
	at := fetched
	if len(w.held) > 0 {
		at = w.held[len(w.held)-1].end
	}
	if at != r.first || w.bytes+int64(r.size) > limit {
		return
	}
	w.held = append(w.held, held{frames: r.chunk(), n: int(r.count), start: r.first, first: r.first, end: r.end()})
	w.bytes += int64(r.size)
}

// take returns the oldest chunk.
func (w *window) take() (held, bool) {
	if len(w.held) == 0 {
		return held{}, false
	}
	h := w.held[0]
	w.held[0] = held{}
	w.held = w.held[1:]
	w.bytes -= int64(len(h.frames))
	return h, true
}

// flight is what the reader has and has not acknowledged. One without messages
// stands for sequences that are lost.
type flight struct {
	n        int
	seq, end uint64
	bytes    int64
}

// reopenDelay is the time between attempts to open a file that is there and
// cannot be opened.
const reopenDelay = time.Second

// Read returns the oldest messages not read yet.
func (s *Store) Read(ctx context.Context, max int) (queue.Run, error) {
	for {
		run, ok, err := s.next(max)
		if ok {
			return run, nil
		}
		more := (<-chan struct{})(s.more)
		if err != nil && err != queue.ErrStoreClosed {
			s.reportRead(err)
			t := time.AfterFunc(reopenDelay, func() { kick(s.more) })
			defer t.Stop()
		} else if err != nil {
			return run, err
		}
		if err := s.wait(ctx, more); err != nil {
			return queue.Run{}, err
		}
	}
}

// next returns the next messages if there are any.
func (s *Store) next(max int) (queue.Run, bool, error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return queue.Run{}, false, queue.ErrStoreClosed
		}
		if run, ok := s.hand(max); ok {
			s.mu.Unlock()
			return run, true, nil
		}
		behind := s.pos.fetched < s.pos.next
		s.mu.Unlock()
		if !behind {
			return queue.Run{}, false, nil
		}
		if err := s.fetch(); err != nil {
			return queue.Run{}, false, err
		}
	}
}

// reportRead logs why a file cannot be opened, once per reason.
func (s *Store) reportRead(err error) {
	s.mu.Lock()
	known := s.unread == err.Error()
	s.unread = err.Error()
	s.mu.Unlock()
	if !known {
		s.logf(sevError, "%v; delivery waits, and it is tried again every %v", err, reopenDelay)
	}
}

// hand returns messages that are in memory; the caller has s.mu.
func (s *Store) hand(max int) (queue.Run, bool) {
	w := &s.window
	if w.cur.n == 0 {
		h, ok := w.take()
		if !ok {
			return queue.Run{}, false
		}
		w.cur, s.pos.fetched = h, h.end
	}
	c := &w.cur
	size, n := len(c.frames), c.n
	if n > max {
		size, n = prefix(c.frames, max, len(c.frames))
	}
	if n == c.n {
		s.pass(c)
	}
	run := queue.Run{Frames: c.frames[:size:size], N: n}
	f := flight{n: n, seq: c.first, end: c.first + uint64(n), bytes: int64(size)}
	c.frames, c.n, c.first = c.frames[size:], c.n-n, f.end
	if c.n == 0 {
		f.end = c.end
		w.cur = held{}
	}
	s.flight = append(s.flight, f)
	return run, true
}

// pass accounts for the holes of a chunk that is handed out to its end.
func (s *Store) pass(h *held) {
	if h.gen == nil {
		return
	}
	known := min(h.gen.holes, h.holes())
	h.gen.holes -= known
	s.messages -= int(h.holes() - known) // the state that had counted them is lost
}

// Ack acknowledges the n oldest messages that are read and not acknowledged.
func (s *Store) Ack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages -= n
	for len(s.flight) > 0 && (n > 0 || s.flight[0].n == 0) {
		f := &s.flight[0]
		k := min(n, f.n)
		f.n, f.seq, n = f.n-k, f.seq+uint64(k), n-k
		s.pos.acked = f.seq
		if f.n == 0 {
			s.pos.acked = f.end
			s.pos.bytesGo += f.bytes
			s.flight = s.flight[1:]
		}
	}
	if s.pos.acked == s.pos.next {
		s.pos.bytesGo = s.pos.bytesIn // whatever was lost, too
	}
	if n > 0 {
		panic(fmt.Sprintf("disk: %d messages acknowledged that were not read", n))
	}
	kick(s.acks)
}

// fetch reads the next chunk from the files into memory, or finds out that
// messages are lost. An error means that it is to be tried again.
func (s *Store) fetch() error {
	g, end, ok := s.locate()
	if !ok {
		s.lose(nil, end, "the file that held them is missing")
		return nil
	}
	g.mu.Lock()
	src, err := g.source(s.dir)
	if err != nil {
		g.mu.Unlock()
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
			s.lose(g, end, "somebody has removed "+g.name)
			return nil
		}
		return err
	}
	h, _, err := g.want(src, s.pos.fetched, end)
	salvaged := src.found != nil
	g.mu.Unlock()
	if err == nil {
		s.mu.Lock()
		h.gen = g
		if h.n == 0 { // all of it was evicted
			s.flight = append(s.flight, flight{seq: h.first, end: h.end})
			s.pass(&h)
		} else {
			s.window.cur = h
		}
		s.pos.fetched = h.end
		s.mu.Unlock()
		s.Ack(0)
		return nil
	}
	return s.trouble(g, end, salvaged, err)
}

// locate returns the generation that holds the next message, and the sequence
// before which it is to be found there. If no generation does, the sequence is
// where the next one begins.
func (s *Store) locate() (*generation, uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.gens {
		if g.end > s.pos.fetched {
			return g, g.end, true
		}
	}
	return nil, s.pos.next, false
}

// trouble deals with a file that cannot be read as it should be. The first time
// all of it is searched for whole chunks; after that, what is not there is lost.
func (s *Store) trouble(g *generation, end uint64, salvaged bool, err error) error {
	gap, isGap := err.(*gapError)
	switch {
	case isGap && gap.next == end && s.pos.fetched >= g.known && g.missing != "":
		s.lose(g, end, g.missing)
		return nil
	case salvaged && isGap:
		s.lose(g, gap.next, "they are not among what is whole of "+g.name)
		return nil
	case salvaged:
		s.lose(g, end, fmt.Sprintf("%s: %v", g.name, err))
		return nil
	}
	// Nothing may be written to a file while it is searched.
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.active == g {
		s.distrust(g, err)
	}
	return s.salvage(g, err)
}

// salvage searches g for whole chunks.
func (s *Store) salvage(g *generation, why error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	src, err := g.source(s.dir)
	if err == nil && src.found == nil {
		err = src.salvage()
	}
	if err != nil {
		return fmt.Errorf("%s is damaged (%v) and cannot be searched for what is whole: %w", g.name, why, err)
	}
	g.damaged = true
	s.logf(sevError, "%s is damaged (%v); it has been searched and is read from the %d whole chunks found; what is missing is counted as it is reached",
		g.name, why, len(src.found.chunks))
	return nil
}

// lose gives up the messages before next, which g should hold.
func (s *Store) lose(g *generation, next uint64, why string) {
	s.mu.Lock()
	n := next - s.pos.fetched
	s.flight = append(s.flight, flight{seq: s.pos.fetched, end: next})
	s.pos.fetched = next
	if g != nil {
		// Some of these were evicted, if what is left has too few holes.
		evicted := min(n, g.holes)
		g.holes -= evicted
		n -= evicted
	}
	s.messages -= int(n)
	s.mu.Unlock()
	if n > 0 {
		s.cfg.Lost(message.Damaged, int(n))
		s.logf(sevError, "%d messages are lost: %s", n, why)
	}
	s.Ack(0)
}
