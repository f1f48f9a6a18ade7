package output

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tidier removes and compresses rotated files, in the background: one file of
// the whole relay at a time, on a thread of low priority. Its work is found
// again in the directory, so that nothing is lost when it is interrupted.
type tidier struct {
	rotation *rotation
	locks    *FileLocks
	log      func(severity int, text string)
	now      func() time.Time
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	jobs    []tidyJob
	idle    *sync.Cond // signalled when there are no jobs
	running bool
	told    time.Time // when an error was last reported
}

// tidyJob is a file whose generations are to be looked at.
type tidyJob struct {
	name  string
	where func() (place, error)
}

func newTidier(r *rotation, locks *FileLocks, d Deps) *tidier {
	t := &tidier{rotation: r, locks: locks, log: d.Log, now: d.Env.Now}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.idle = sync.NewCond(&t.mu)
	return t
}

// add asks for a file's generations to be looked at, soon.
func (t *tidier) add(name string, where func() (place, error)) {
	if t.rotation.keep == (retention{}) && t.rotation.compress == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.jobs {
		// The first may be at work already, and have read the directory.
		if i > 0 && t.jobs[i].name == name {
			return
		}
	}
	t.jobs = append(t.jobs, tidyJob{name, where})
	if !t.running {
		t.running = true
		go t.run()
	}
}

// run does what there is to do and ends. Its thread is of low priority and ends
// with it.
func (t *tidier) run() {
	runtime.LockOSThread()
	lowPriority()
	for {
		t.mu.Lock()
		if len(t.jobs) == 0 || t.ctx.Err() != nil {
			t.jobs, t.running = nil, false
			t.idle.Broadcast()
			t.mu.Unlock()
			return
		}
		job := t.jobs[0]
		t.mu.Unlock()
		if err := t.tidy(job); err != nil && t.ctx.Err() == nil {
			t.report(job, err)
		}
		t.mu.Lock()
		t.jobs = t.jobs[1:]
		t.mu.Unlock()
	}
}

// wait waits until nothing is left to do.
func (t *tidier) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.running {
		t.idle.Wait()
	}
}

// close stops at once: what is half done is done again later.
func (t *tidier) close() {
	t.cancel()
	t.wait()
}

func (t *tidier) report(job tidyJob, err error) {
	if now := t.now(); now.Sub(t.told) >= rotateAgain {
		t.told = now
		t.log(severityError, fmt.Sprintf("rotated files of %s: %v; next try at the next rotation", job.name, err))
	}
}

// lowPriority is nice 19 and the idle class of ioprio_set(2) for this thread.
// Without them it is as fast as others.
func lowPriority() {
	const whoProcess, classIdle = 1, 3 << 13
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(unix.Gettid()), classIdle)
}

// tidy does one job.
func (t *tidier) tidy(job tidyJob) error {
	if !t.locks.background(t.ctx) {
		return t.ctx.Err()
	}
	defer t.locks.backgroundDone()
	p, err := job.where()
	if err != nil {
		return err
	}
	defer p.close()
	p.dates = t.rotation.dates
	all, tmp, err := p.list()
	if err != nil {
		return err
	}
	for _, name := range tmp {
		err = errors.Join(err, p.remove(name))
	}
	all, e := t.prune(p, all)
	err = errors.Join(err, e)
	if t.rotation.compress == "" {
		return err
	}
	for i, g := range all {
		if i > 0 && g.ext == "" {
			err = errors.Join(err, t.compressOne(p, all, g))
		}
	}
	return err
}

func (p place) remove(name string) error {
	if err := unix.Unlinkat(p.dir, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s cannot be removed: %w", name, err)
	}
	return nil
}

// prune removes generations there are too many of and returns those that stay.
// The names must not change while it does.
func (t *tidier) prune(p place, all []generation) (stay []generation, err error) {
	keep := t.rotation.keep
	if keep == (retention{}) {
		return all, nil
	}
	t.locks.names.Lock()
	defer t.locks.names.Unlock()
	// They may have moved up since they were listed.
	if all, _, err = p.list(); err != nil {
		return nil, err
	}
	oldest := t.now().Add(-keep.age)
	count, bytes := 0, int64(0)
	var last [2]int64
	for i, g := range all {
		if i == 0 || g.key != last { // else the same, compressed
			count++
		}
		last = g.key
		bytes += g.size
		tooMany := keep.count > 0 && count > keep.count
		tooOld := keep.age > 0 && g.mtime.Before(oldest)
		tooLarge := keep.bytes > 0 && bytes > keep.bytes && count > 1
		if !tooMany && !tooOld && !tooLarge {
			stay = append(stay, g)
			continue
		}
		if e := p.remove(g.name); e != nil {
			err = errors.Join(err, e)
			stay = append(stay, g)
		}
	}
	return stay, err
}
