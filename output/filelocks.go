package output

import (
	"context"
	"sync"
)

// FileLocks lets the actions of one relay that write to the same file take
// turns: taking back half a line must not take another action's line with it.
// The zero value is ready.
type FileLocks struct {
	mu    sync.Mutex
	files map[fileID]*fileLock

	// names is held while rotated files are renamed or removed.
	names sync.Mutex
	// busy holds a token while rotated files are worked on in the background; see
	// tidier.
	busy     chan struct{}
	makeBusy sync.Once
}

// fileID is a file, whatever its names.
type fileID struct{ dev, ino uint64 }

type fileLock struct {
	sync.Mutex
	id    fileID
	users int
	moved bool // the file has been rotated: its name means another one now
}

// hold returns the lock of a file; give it back with release.
func (t *FileLocks) hold(id fileID) *fileLock {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.files[id]
	if l == nil {
		if t.files == nil {
			t.files = make(map[fileID]*fileLock)
		}
		l = &fileLock{id: id}
		t.files[id] = l
	}
	l.users++
	return l
}

// background waits until nobody else works in the background.
func (t *FileLocks) background(ctx context.Context) bool {
	t.makeBusy.Do(func() { t.busy = make(chan struct{}, 1) })
	select {
	case t.busy <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *FileLocks) backgroundDone() { <-t.busy }

func (t *FileLocks) release(l *fileLock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.files, l.id)
	}
}
