package queue

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"sysrelay/message"
)

// disk is what a memStore keeps when it is closed.
type disk struct {
	records []record
	commits int
	latency time.Duration // of a commit
}

type record struct {
	frame  []byte
	commit int // stored together
}

// memStore is a Store in memory, for tests. It overwrites bytes that belong to
// it again.
type memStore struct {
	cfg  StoreConfig
	disk *disk

	mu       sync.Mutex
	room     int // messages it holds at most; 0 is unlimited
	read     int // records read
	lent     []Run
	acked    int // of the first Run lent
	accepted int // calls of Accept
	pending  []*group
	closed   bool
	changed  chan struct{} // closed at every change
	broken   error         // what Prepend and Append return
	noFront  error         // what Prepend returns
}

func (d *disk) open(room int) OpenStore {
	return func(c StoreConfig) (Store, error) {
		return &memStore{cfg: c, disk: d, room: room, changed: make(chan struct{})}, nil
	}
}

func (s *memStore) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// when waits until ready is true, which it calls with the lock held, then calls do.
func (s *memStore) when(ctx context.Context, ready func() bool, do func()) bool {
	for {
		s.mu.Lock()
		if ready() {
			do()
			s.mu.Unlock()
			return true
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// group is messages on their way to disk.
type group struct {
	records  []record
	accepted bool
	done     chan struct{}
}

// gather takes messages for the next commit, which it starts.
func (s *memStore) gather(ctx context.Context, g *group, frames []byte, n int) error {
	free := func() bool { return s.closed || s.room == 0 || s.held(true)+n <= s.room }
	closed := false
	ok := s.when(ctx, free, func() {
		if closed = s.closed; !closed {
			g.records = s.disk.split(frames, n)
			s.pending = append(s.pending, g)
		}
	})
	switch {
	case !ok:
		return ErrNoRoom
	case closed:
		return ErrStoreClosed
	}
	if s.disk.latency == 0 {
		s.commit()
	} else {
		time.AfterFunc(s.disk.latency, s.commit)
	}
	return nil
}

// commit stores the oldest messages that wait for it.
func (s *memStore) commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return // Close did it
	}
	g := s.pending[0]
	s.pending = s.pending[1:]
	s.disk.records = append(s.disk.records, g.records...)
	close(g.done)
	s.change()
}

func (s *memStore) Append(ctx context.Context, frames []byte, n int) error {
	if s.broken != nil {
		return s.broken
	}
	g := &group{done: make(chan struct{})}
	err := s.gather(ctx, g, frames, n)
	if err == nil {
		<-g.done
	}
	return err
}

func (s *memStore) Accept(ctx context.Context, frames []byte, n int) error {
	err := s.gather(ctx, &group{accepted: true, done: make(chan struct{})}, frames, n)
	s.mu.Lock()
	s.accepted++
	s.mu.Unlock()
	return err
}

// split makes records of messages that are stored together.
func (d *disk) split(frames []byte, n int) (all []record) {
	d.commits++
	for range n {
		size := frameSize(frames)
		all = append(all, record{slices.Clone(frames[:size]), d.commits})
		frames = frames[size:]
	}
	return all
}

// held is how many messages there are on disk and accepted, or all on their way
// there, too.
func (s *memStore) held(all bool) int {
	n := len(s.disk.records)
	for _, g := range s.pending {
		if all || g.accepted {
			n += len(g.records)
		}
	}
	return n
}

func (s *memStore) Prepend(_ context.Context, runs []Run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmp.Or(s.broken, s.noFront); err != nil {
		return err
	}
	if s.read > 0 {
		panic("Prepend before messages that are read and not acknowledged")
	}
	var all []record
	for _, r := range runs {
		all = append(all, s.disk.split(r.Frames, r.N)...)
	}
	s.disk.records = append(all, s.disk.records...)
	return nil
}

func (s *memStore) Read(ctx context.Context, most int) (run Run, err error) {
	some := func() bool { return s.closed || s.read < len(s.disk.records) }
	ok := s.when(ctx, some, func() {
		if s.closed {
			err = ErrStoreClosed
			return
		}
		first := s.disk.records[s.read]
		for s.read < len(s.disk.records) && run.N < most && s.disk.records[s.read].commit == first.commit {
			run.Frames = append(run.Frames, s.disk.records[s.read].frame...)
			run.N++
			s.read++
		}
		s.lent = append(s.lent, run)
	})
	if !ok {
		return run, ctx.Err()
	}
	return run, err
}

func (s *memStore) Ack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.read {
		panic("acknowledged what was not read")
	}
	s.disk.records = slices.Delete(s.disk.records, 0, n)
	s.read -= n
	s.acked += n
	for len(s.lent) > 0 && s.acked >= s.lent[0].N {
		s.acked -= s.lent[0].N
		clear(s.lent[0].Frames)
		s.lent = s.lent[1:]
	}
	s.change()
}

func (s *memStore) Evict(_ context.Context, want int64, discard func([]byte) bool) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unread := s.disk.records[s.read:]
	kept := slices.DeleteFunc(slices.Clone(unread), func(r record) bool {
		if want <= 0 || !discard(r.frame) {
			return false
		}
		want -= int64(len(r.frame))
		n++
		return true
	})
	s.disk.records = append(s.disk.records[:s.read:s.read], kept...)
	s.change()
	return n, nil
}

func (s *memStore) Len() StoreLen {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := StoreLen{Messages: s.held(false)}
	for _, r := range s.disk.records {
		l.Bytes += int64(len(r.frame))
	}
	l.DiskBytes = l.Bytes
	return l
}

func (s *memStore) Close() error {
	s.mu.Lock()
	s.closed = true
	s.change()
	waiting := len(s.pending)
	s.mu.Unlock()
	for range waiting {
		s.commit()
	}
	return nil
}

// damage makes the store lose its newest message that was not read.
func (s *memStore) damage() {
	s.mu.Lock()
	last := len(s.disk.records) - 1
	s.disk.records = s.disk.records[:last]
	s.change()
	s.mu.Unlock()
	s.cfg.Lost(message.Damaged, 1)
}
