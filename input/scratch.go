package input

import (
	"context"
	"sync"

	"sysrelay/message"
)

// scratch is what a goroutine needs while it works on what one read returned.
type scratch struct {
	buf   []byte
	batch message.Batch
}

// scratches lends scratch to the connections of one input. Idle connections
// have none, and there are never more than a fixed number at work, so memory is
// bounded however many connections there are. A connection that gets none waits
// without reading: back-pressure.
type scratches struct {
	size  int
	slots chan struct{}
	idle  sync.Pool
}

const (
	readSize      = 64 << 10
	scratchesMax  = 64
	batchMessages = 1024
	batchBytes    = 128 << 10
)

// newScratches returns scratches with buffers for a full read behind keep bytes
// that were left over from the one before.
func newScratches(keep int) *scratches {
	return &scratches{size: keep + readSize, slots: make(chan struct{}, scratchesMax)}
}

// try returns nil if all are lent.
func (p *scratches) try() *scratch {
	select {
	case p.slots <- struct{}{}:
		return p.take()
	default:
		return nil
	}
}

// get waits for one until ctx ends; then it returns nil.
func (p *scratches) get(ctx context.Context) *scratch {
	select {
	case p.slots <- struct{}{}:
		return p.take()
	case <-ctx.Done():
		return nil
	}
}

func (p *scratches) take() *scratch {
	if s, ok := p.idle.Get().(*scratch); ok {
		return s
	}
	return &scratch{buf: make([]byte, p.size)}
}

func (p *scratches) put(s *scratch) {
	s.batch.Reset()
	p.idle.Put(s)
	<-p.slots
}
