package engine

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"sysrelay/message"
)

// memory keeps the daemon within its budget, global(memory.max): messages are
// let in only while there is room for them. A nil memory has no limit.
type memory struct {
	max  uint64
	log  func(severity int, text string)
	full atomic.Bool
	said time.Time
	// used is what is in use, for tests.
	used func() uint64
}

const (
	// memoryLook is how often the memory in use is looked at.
	memoryLook = 20 * time.Millisecond
	// memorySaid is how often it is said that there is none left.
	memorySaid = time.Minute
)

func newMemory(limit int64, log func(severity int, text string)) *memory {
	if limit <= 0 {
		return nil
	}
	return &memory{max: uint64(limit), log: log, used: heldMemory}
}

// heldMemory is what the runtime has of the system. Garbage is a part of it: near
// its limit the runtime collects as often as it takes.
func heldMemory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64()
}

// run looks at the memory until ctx ends.
func (m *memory) run(ctx context.Context) error {
	if m == nil {
		return nil
	}
	// The rest is for stacks, binary and what is under way.
	debug.SetMemoryLimit(int64(m.max / 10 * 9))
	defer debug.SetMemoryLimit(math.MaxInt64)
	t := time.NewTicker(memoryLook)
	defer t.Stop()
	for {
		m.look(time.Now())
		select {
		case <-ctx.Done():
			m.full.Store(false) // what is left is to be saved
			return nil
		case <-t.C:
		}
	}
}

// look decides whether there is room.
func (m *memory) look(now time.Time) {
	used := m.used()
	full := used > m.max/10*8
	if full && now.Sub(m.said) >= memorySaid {
		m.said = now
		m.log(4, fmt.Sprintf("%d MiB of the %d MiB of memory.max are in use: inputs wait, or discard what cannot wait, until queues have been worked off",
			used>>20, m.max>>20))
	}
	m.full.Store(full)
}

// admit lets messages in. Those of inputs that can wait do so until there is
// room; for those that cannot there is none.
func (m *memory) admit(ctx context.Context, v message.View) error {
	if m == nil || !m.full.Load() {
		return nil
	}
	if v.Flow() == message.NoDelay && message.AckOf(ctx) == message.Received {
		return message.ErrMemory
	}
	t := time.NewTicker(memoryLook)
	defer t.Stop()
	for m.full.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}
