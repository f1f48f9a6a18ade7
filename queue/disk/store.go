package disk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sysrelay/message"
	"sysrelay/queue"
)

const (
	// defaultFileSize is the size at which the next generation is begun.
	defaultFileSize = 256 << 20
	// minFileSize keeps a file large enough for its reserve and one commit.
	minFileSize = 128 << 10
	// defaultMemory is how much the newest messages may take in memory.
	defaultMemory = 8 << 20
	// maxChunk is the size of a chunk, unless a single message is larger.
	maxChunk = 1 << 20
	// maxCommit is how many bytes one commit takes, unless one Append is larger.
	maxCommit = 4 << 20
	// lockWait is how long to wait for a process that is about to end.
	lockWait = 2 * time.Second
)

// Severities of log lines.
const (
	sevError   = 3
	sevWarning = 4
	sevNotice  = 5
	sevInfo    = 6
)

// Store is a queue.Store in a directory of bbolt files.
//
// Locks are taken in this order: readMu, commitMu, a generation's, mu.
type Store struct {
	cfg queue.StoreConfig
	dir *directory

	commit func(*writer, *commit) error // (*writer).commit, unless a test has it fail

	readMu   sync.Mutex // held while files are read for the reader
	commitMu sync.Mutex // held while files are written

	mu       sync.Mutex
	gens     []*generation // in order; the last one may be active
	active   *generation   // being written; nil until there is something to write
	pos      positions
	messages int // committed and not acknowledged
	backlog  backlog
	window   window
	flight   []flight
	closed   bool
	failing  string // why nothing can be written; empty if it can
	said     string // what of that was last logged, and when
	saidAt   time.Time
	told     bool   // that, and not yet that it is over
	unread   string // the same for a file that cannot be opened

	appended chan struct{} // messages are waiting; for the committer
	acks     chan struct{} // acknowledgements are
	room     chan struct{} // there may be room again
	more     chan struct{} // messages have been committed; for the reader
	done     chan struct{} // closed by Close
	gone     chan struct{} // closed when the committer has ended
}

// positions are the sequences of a queue. Those of messages ascend
//
//	durable <= acked <= fetched <= next
//
// and so do those of commits; no number is ever used again for something else.
type positions struct {
	next    uint64 // of the next message to be committed
	fetched uint64 // of the next message for the reader
	acked   uint64 // of the oldest message wanted
	durable uint64 // acked, as of the last commit
	commit  uint64 // of the last commit tried
	number  uint64 // of the last generation
	front   uint64 // commit of the last file put in front of the others
	resume  uint64 // where the others go on
	bytesIn int64
	bytesGo int64
}

// Open opens the queue in c.Dir and makes the directory if need be. It is a
// queue.OpenStore. Nothing that is in the directory makes it fail: what is
// damaged is salvaged and set aside. It fails if the directory cannot be used at
// all, or is used by another process.
func Open(c queue.StoreConfig) (queue.Store, error) {
	s, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", c.Name, err)
	}
	return s, nil
}

func open(c queue.StoreConfig) (*Store, error) {
	setDefaults(&c)
	d, err := openDirectory(c.Dir, lockWait)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: c, dir: d, commit: (*writer).commit,
		appended: make(chan struct{}, 1), acks: make(chan struct{}, 1), room: make(chan struct{}, 1),
		more: make(chan struct{}, 1), done: make(chan struct{}), gone: make(chan struct{})}
	s.backlog.init(c.MaxDiskSpace)
	if err := s.load(); err != nil {
		_ = d.release()
		return nil, err
	}
	go s.commitLoop()
	return s, nil
}

func setDefaults(c *queue.StoreConfig) {
	if c.MaxFileSize <= 0 {
		c.MaxFileSize = defaultFileSize
	}
	if c.MaxDiskSpace > 0 {
		// Space comes back a file at a time.
		c.MaxFileSize = min(c.MaxFileSize, c.MaxDiskSpace/8)
	}
	c.MaxFileSize = max(c.MaxFileSize, minFileSize)
	if c.MemoryLimit <= 0 {
		c.MemoryLimit = defaultMemory
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = func(int, string) {}
	}
	if c.Lost == nil {
		c.Lost = func(message.Reason, int) {}
	}
}

// logf logs one line about the queue.
func (s *Store) logf(severity int, format string, args ...any) {
	s.cfg.Log(severity, "queue "+s.cfg.Name+": "+fmt.Sprintf(format, args...))
}

// kick wakes who waits on c.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Len says what the store holds.
func (s *Store) Len() queue.StoreLen {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := queue.StoreLen{
		Messages: s.messages + s.backlog.accepted,
		Bytes:    s.pos.bytesIn - s.pos.bytesGo + s.backlog.acceptedBytes,
	}
	for _, g := range s.gens {
		l.DiskBytes += g.bytes
	}
	return l
}

// Close commits what was accepted and acknowledged, ends Read and releases the
// files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return queue.ErrStoreClosed
	}
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	<-s.gone
	var err error
	if n := s.backlog.accepted; n > 0 {
		s.cfg.Lost(message.DiskFull, n)
		err = fmt.Errorf("queue %s: %d messages could not be written and are lost: %s", s.cfg.Name, n, s.failing)
	}
	s.readMu.Lock()
	defer s.readMu.Unlock()
	for _, g := range s.gens {
		s.stop(g, true)
		g.release()
	}
	return errors.Join(err, s.dir.release())
}

// stop ends writing to g, and gives back the room it has not used if nothing is
// wrong with it.
func (s *Store) stop(g *generation, healthy bool) {
	if g.w == nil {
		return
	}
	used := g.w.used
	g.finish()
	trimmed := healthy && trim(s.dir.join(g.name), used) == nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if trimmed {
		g.bytes = used
	}
	if s.active == g {
		s.active = nil
	}
}

// wait waits for c, and for what ends waiting.
func (s *Store) wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return queue.ErrStoreClosed
	}
}
