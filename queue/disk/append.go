package disk

import (
	"context"
	"fmt"

	"sysrelay/message"
	"sysrelay/queue"
)

// backlog is what waits to be committed, in order.
type backlog struct {
	limit         int // bytes one commit takes, unless one request is larger
	waiting       []*request
	accepted      int   // messages nobody waits for
	acceptedBytes int64 // of their frames
	taken         int   // of accepted, part of the commit under way
	takenBytes    int64
	full          bool // nothing can be written at the moment
	changed       chan struct{}
}

// request is one Append, or the messages of one or more Accepts.
type request struct {
	frames []byte
	n      int
	ctx    context.Context // nil if nobody waits
	taken  bool            // part of a commit under way
	done   chan error
}

// init sets the limit so that a commit finds room in a small maxDiskSpace.
func (b *backlog) init(maxDiskSpace int64) {
	b.changed = make(chan struct{})
	if b.limit = maxCommit; maxDiskSpace > 0 {
		b.limit = int(min(maxCommit, max(maxDiskSpace/8, 1)))
	}
}

// announce wakes all who wait for the backlog to change.
func (b *backlog) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Append stores n messages and returns when they are on stable storage.
func (s *Store) Append(ctx context.Context, frames []byte, n int) error {
	if n == 0 {
		return nil
	}
	r := &request{frames: frames, n: n, ctx: ctx, done: make(chan error, 1)}
	nowOrNever := ctx.Err() != nil
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return queue.ErrStoreClosed
	}
	s.backlog.waiting = append(s.backlog.waiting, r)
	s.mu.Unlock()
	kick(s.appended)
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if s.withdraw(r, nowOrNever) {
		return s.noRoom()
	}
	return <-r.done
}

// withdraw takes r back, unless it is part of a commit under way. What is to be
// stored now or never waits for the next commit all the same, if there may be room:
// the committer sees that its ctx has ended.
func (s *Store) withdraw(r *request, nowOrNever bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.taken || nowOrNever && !s.backlog.full {
		return false
	}
	for i, w := range s.backlog.waiting {
		if w == r {
			s.backlog.waiting = append(s.backlog.waiting[:i], s.backlog.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// noRoom is the error of those who could not wait any longer.
func (s *Store) noRoom() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing == "" {
		return queue.ErrNoRoom
	}
	return fmt.Errorf("%w: %s", queue.ErrNoRoom, s.failing)
}

// Accept copies n messages, which become part of the next commit.
func (s *Store) Accept(ctx context.Context, frames []byte, n int) error {
	if n == 0 {
		return nil
	}
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return queue.ErrStoreClosed
		}
		b := &s.backlog
		if !b.full && (b.acceptedBytes == 0 || b.acceptedBytes+int64(len(frames)) <= int64(b.limit)) {
			b.accept(frames, n)
			s.mu.Unlock()
			kick(s.appended)
			return nil
		}
		changed := b.changed
		s.mu.Unlock()
		switch err := s.wait(ctx, changed); err {
		case nil:
		case queue.ErrStoreClosed:
			return err
		default:
			return s.noRoom()
		}
	}
}

// accept copies frames to the end of the backlog.
func (b *backlog) accept(frames []byte, n int) {
	b.accepted += n
	b.acceptedBytes += int64(len(frames))
	if i := len(b.waiting) - 1; i >= 0 {
		if r := b.waiting[i]; r.ctx == nil && !r.taken && len(r.frames)+len(frames) <= min(maxChunk, b.limit) {
			r.frames = append(r.frames, frames...)
			r.n += n
			return
		}
	}
	b.waiting = append(b.waiting, &request{frames: append([]byte(nil), frames...), n: n})
}

// take returns the requests of the next commit.
func (b *backlog) take() []*request {
	size := 0
	for i, r := range b.waiting {
		if size += len(r.frames); i > 0 && size > b.limit {
			return b.cut(i)
		}
		r.taken = true
		if r.ctx == nil {
			b.taken += r.n
			b.takenBytes += int64(len(r.frames))
		}
	}
	return b.cut(len(b.waiting))
}

func (b *backlog) cut(n int) []*request {
	group := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	return group
}

// put puts a group back that could not be written, and refuses those who do not
// wait.
func (s *Store) put(group []*request) {
	s.mu.Lock()
	b := &s.backlog
	b.full = true
	b.taken, b.takenBytes = 0, 0
	all := append(group, b.waiting...)
	b.waiting = nil
	var refused []*request
	for _, r := range all {
		r.taken = false
		if r.ctx != nil && r.ctx.Err() != nil {
			refused = append(refused, r)
		} else {
			b.waiting = append(b.waiting, r)
		}
	}
	s.mu.Unlock()
	for _, r := range refused {
		r.done <- s.noRoom()
	}
}

// committed accounts for what was taken.
func (b *backlog) committed() {
	b.accepted -= b.taken
	b.acceptedBytes -= b.takenBytes
	b.taken, b.takenBytes = 0, 0
}

// chunks lays the messages of a group out in records of at most maxChunk bytes,
// unless a single message is larger.
func chunks(group []*request) []record {
	var list []record
	var cur []*request
	size, n := 0, 0
	flush := func() {
		if n > 0 {
			list = append(list, newRecord(cur, size, n))
			cur, size, n = nil, 0, 0
		}
	}
	for _, r := range group {
		if size+len(r.frames) > maxChunk {
			flush()
		}
		if len(r.frames) > maxChunk {
			list = append(list, split(r)...)
			continue
		}
		cur, size, n = append(cur, r), size+len(r.frames), n+r.n
	}
	flush()
	return list
}

// split lays one large request out in several records.
func split(r *request) []record {
	var list []record
	frames, left := r.frames, r.n
	for left > 0 {
		size, n := prefix(frames, left, maxChunk)
		part := &request{frames: frames[:size], n: n}
		list = append(list, newRecord([]*request{part}, size, n))
		frames, left = frames[size:], left-n
	}
	return list
}

// prefix returns the size of the first messages in frames, at most max of them and
// at most limit bytes, but at least one message.
func prefix(frames []byte, max, limit int) (size, n int) {
	for n < max {
		f, err := message.FrameSize(frames[size:])
		if err != nil {
			return len(frames), max // not frames: keep them together
		}
		if n > 0 && size+f > limit {
			break
		}
		size, n = size+f, n+1
	}
	return size, n
}
