package queue

import "encoding/binary"

// Messages in memory are frames, one after the other, in chunks. A lane is a
// FIFO of chunks that belongs to one worker; the queue's lock guards it. What a
// worker has on loan stays in its chunk until it is done, so that it is neither
// copied nor moved.
const (
	// chunkSize is large enough for a lease to be worth a system call, and small
	// enough to stay in the cache while a chunk is filled and emptied.
	chunkSize = 128 << 10
	// smallChunk is the first chunk of a lane, which suffices for most.
	smallChunk = 16 << 10
)

// chunk is a piece of memory filled with frames once, from front to back. Its
// buffer never grows.
type chunk struct {
	buf  []byte
	read int // where the first message not on loan begins
	n    int // messages not on loan
	next *chunk
}

func (c *chunk) room() int { return cap(c.buf) - len(c.buf) }

// lane is the messages of one worker.
type lane struct {
	head, tail *chunk
	n          int           // messages not on loan
	count      uint64        // messages there have ever been
	lent       Run           // what the worker has on loan
	rest       Run           // older than all else: what the worker gave back when it ended
	wake       chan struct{} // capacity 1
	want       int           // wake the worker at so many messages; 0 while it is awake
}

// add appends n messages, taking chunks from p.
func (l *lane) add(p *pool, frames []byte, n int) {
	l.n += n
	l.count += uint64(n)
	for n > 0 {
		if l.tail == nil || l.tail.room() < frameSize(frames) {
			l.grow(p, frameSize(frames))
		}
		c, k, size := l.tail, n, len(frames)
		if room := c.room(); size > room {
			k, size = prefix(frames, n, room)
		}
		c.buf = append(c.buf, frames[:size]...)
		c.n += k
		frames, n = frames[size:], n-k
	}
}

// grow appends an empty chunk that has room for least bytes.
func (l *lane) grow(p *pool, least int) {
	size := chunkSize
	if l.tail == nil {
		size = smallChunk
	}
	c := p.take(max(size, least))
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.next = c
	}
	l.tail = c
	l.settle(p)
}

// lend gives out the oldest messages, as many as lie together and at most limit.
// There must be some, and nothing may be on loan.
func (l *lane) lend(limit int) Run {
	c := l.head
	frames, k := c.buf[c.read:], c.n
	if k > limit {
		var size int
		k, size = prefix(frames, limit, len(frames))
		frames = frames[:size:size]
	}
	c.read += len(frames)
	c.n -= k
	l.n -= k
	l.lent = Run{Frames: frames, N: k}
	return l.lent
}

// done ends the loan.
func (l *lane) done(p *pool) {
	scribble(l.lent.Frames)
	l.lent = Run{}
	l.settle(p)
}

// settle gives back chunks that are used up. The last chunk is used again by
// the lane itself.
func (l *lane) settle(p *pool) {
	for c := l.head; c != nil && c.n == 0 && l.lent.N == 0; c = l.head {
		c.buf, c.read = c.buf[:0], 0
		if c == l.tail {
			return
		}
		l.head = c.next
		p.give(c)
	}
}

// runs appends everything the lane holds, oldest first.
func (l *lane) runs(dst []Run) []Run {
	for _, r := range []Run{l.rest, l.lent} {
		if r.N > 0 {
			dst = append(dst, r)
		}
	}
	for c := l.head; c != nil; c = c.next {
		if c.n > 0 {
			dst = append(dst, Run{Frames: c.buf[c.read:], N: c.n})
		}
	}
	return dst
}

// pool keeps empty chunks for the lanes of a queue; the queue's lock guards it.
type pool struct{ free *chunk }

func (p *pool) take(size int) *chunk {
	if c := p.free; c != nil && size <= chunkSize {
		p.free, c.next = c.next, nil
		return c
	}
	return &chunk{buf: make([]byte, 0, size)}
}

// give takes back a chunk. Chunks of unusual size are left to the garbage collector.
func (p *pool) give(c *chunk) {
	c.next = nil
	if cap(c.buf) == chunkSize {
		c.next, p.free = p.free, c
	}
}

// frameSize is the size of the first frame in b, which is known to be one.
func frameSize(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

// prefix returns how many of the first n frames in b fit in limit bytes, and
// their size.
func prefix(b []byte, n, limit int) (k, size int) {
	for k < n {
		next := size + frameSize(b[size:])
		if next > limit {
			break
		}
		k, size = k+1, next
	}
	return k, size
}
