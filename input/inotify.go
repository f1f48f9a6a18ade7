package input

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher is an inotify(7) instance. It only tells where to look: what has
// happened is found out by looking. A nil watcher has nothing to tell.
type watcher struct {
	file *os.File
	fd   int
	max  int
	wake chan struct{} // has a token when there is something to take
	done chan struct{}

	mu     sync.Mutex
	dirs   map[int32]string // directories, with the part of the pattern that names in them match
	byPath map[string]int32
	files  int
	dirty  map[int32]bool // files that were written to
	rescan bool           // names have changed
}

// newWatcher makes a watcher with at most limit watches; 0 is no limit.
func newWatcher(limit int) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "inotify"), fd: fd, max: limit, wake: make(chan struct{}, 1), done: make(chan struct{}),
		dirs: map[int32]string{}, byPath: map[string]int32{}, dirty: map[int32]bool{}}
	go w.run()
	return w, nil
}

func (w *watcher) close() {
	if w != nil {
		w.file.Close()
		<-w.done
	}
}

func (w *watcher) woken() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.wake
}

// take returns the watches of files that were written to, and whether names have
// changed.
func (w *watcher) take() (dirty map[int32]bool, rescan bool) {
	if w == nil {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	dirty, rescan = w.dirty, w.rescan
	w.dirty, w.rescan = map[int32]bool{}, false
	return dirty, rescan
}

func (w *watcher) run() {
	defer close(w.done)
	buf := make([]byte, 16<<10)
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return // closed
		}
		if w.note(buf[:n]) {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	}
}

// inotifyHeader is the size of struct inotify_event without the name.
const inotifyHeader = unix.SizeofInotifyEvent

// note takes events; it returns false if they mean nothing.
func (w *watcher) note(b []byte) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(b) >= inotifyHeader {
		wd := int32(binary.NativeEndian.Uint32(b))
		mask := binary.NativeEndian.Uint32(b[4:])
		size := inotifyHeader + int(binary.NativeEndian.Uint32(b[12:]))
		name := strings.TrimRight(string(b[inotifyHeader:size]), "\x00")
		b = b[size:]
		if w.event(wd, mask, name) {
			news = true
		}
	}
	return news
}

func (w *watcher) event(wd int32, mask uint32, name string) (news bool) {
	part, isDir := w.dirs[wd]
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0:
		w.rescan = true
		w.dirty[allFiles] = true
	case mask&unix.IN_IGNORED != 0:
		if isDir {
			w.forget(wd)
			w.rescan = true
		}
	case isDir:
		if name != "" && !matchPart(part, name) {
			return false
		}
		w.rescan = true
	default:
		w.dirty[wd] = true
		w.rescan = w.rescan || mask&^unix.IN_MODIFY != 0
	}
	return true
}

// allFiles stands for every watch, when events were lost.
const allFiles = -2

func (w *watcher) forget(wd int32) {
	delete(w.dirs, wd)
	for path, have := range w.byPath {
		if have == wd {
			delete(w.byPath, path)
		}
	}
}

// addFile watches an open file, whatever it is called. The watch is -1 if there
// cannot be one.
func (w *watcher) addFile(f *os.File) (int32, error) {
	if w == nil {
		return -1, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.room(); err != nil {
		return -1, err
	}
	wd, err := unix.InotifyAddWatch(w.fd, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF)
	if err != nil {
		return -1, err
	}
	w.files++
	return int32(wd), nil
}

func (w *watcher) removeFile(wd int32) {
	if w == nil || wd < 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files--
	delete(w.dirty, wd)
	unix.InotifyRmWatch(w.fd, uint32(wd))
}

func (w *watcher) room() error {
	if w.max > 0 && w.files+len(w.dirs) >= w.max {
		return fmt.Errorf("maxInotifyWatches is %d", w.max)
	}
	return nil
}

// setDirs watches these directories and no others. added tells whether there are
// new ones, in which names may have appeared before they were watched.
func (w *watcher) setDirs(dirs map[string]string, written bool) (added bool, err error) {
	if w == nil {
		return false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, wd := range w.byPath {
		if _, ok := dirs[path]; !ok {
			w.forget(wd)
			unix.InotifyRmWatch(w.fd, uint32(wd))
		}
	}
	mask := uint32(unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR)
	if written {
		mask |= unix.IN_MODIFY
	}
	for path, part := range dirs {
		if _, ok := w.byPath[path]; ok {
			continue
		}
		if err = w.room(); err != nil {
			return added, err
		}
		wd, werr := unix.InotifyAddWatch(w.fd, path, mask)
		if werr != nil {
			if werr != unix.ENOENT && werr != unix.ENOTDIR {
				err = fmt.Errorf("%s: %w", path, werr)
			}
			continue
		}
		w.byPath[path], w.dirs[int32(wd)], added = int32(wd), part, true
	}
	return added, err
}

// watchDirs watches the directories in which names may appear.
func (in *fileInput) watchDirs(dirs map[string]string) (again bool) {
	again, err := in.watch.setDirs(dirs, in.p.IgnoreOlder > 0)
	if err != nil {
		in.unwatchable("directories", err)
	}
	return again
}

func (in *fileInput) watchFile(f *tailedFile) {
	if in.watch == nil {
		return
	}
	var err error
	if f.wd, err = in.watch.addFile(f.file); err != nil {
		f.unwatched = true
		in.unwatchable(f.path, err)
	}
}

func (in *fileInput) unwatchFile(f *tailedFile) { in.watch.removeFile(f.wd) }

// unwatchable says once why something is not watched.
func (in *fileInput) unwatchable(what string, err error) {
	if in.failed["inotify"] == "" {
		in.failed["inotify"] = err.Error()
		in.faults.add(fmt.Sprintf("imfile: %s: inotify cannot watch %s: %v; they are looked at every second, new names every %d seconds",
			in.p.File, what, err, in.m.FallbackInterval))
	}
}
