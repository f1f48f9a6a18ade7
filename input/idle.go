package input

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// idlers are the connections of an input that nothing is to be read from. A
// goroutine for each would cost more than all the rest of them; here they share
// one, which starts a session's goroutine again once bytes have come.
type idlers struct {
	epoll *os.File
	raw   syscall.RawConn
	pool  *scratches
	patience

	mu     sync.Mutex
	asleep map[int32]*session // by file descriptor
	refuse error              // why no session can be put to sleep any more
}

func newIdlers(pool *scratches, p patience) (*idlers, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	i := &idlers{epoll: os.NewFile(uintptr(fd), "epoll"), pool: pool, patience: p, asleep: map[int32]*session{}}
	if i.raw, err = i.epoll.SyscallConn(); err != nil {
		i.epoll.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return i, nil
}

// park puts a session to sleep; the caller's goroutine has nothing to do with it
// any more. It fails with errStopped when the input is to stop, and when the
// kernel cannot watch the session.
func (i *idlers) park(s *session) error {
	op := unix.EPOLL_CTL_MOD
	if s.fd < 0 {
		op = unix.EPOLL_CTL_ADD
		if err := s.raw.Control(func(fd uintptr) { s.fd = int32(fd) }); err != nil {
			return err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		return i.refuse
	}
	i.asleep[s.fd] = s
	// One event only: until it is put to sleep again the session is awake.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: s.fd}
	var err error
	cerr := i.raw.Control(func(epfd uintptr) { err = unix.EpollCtl(int(epfd), op, int(s.fd), &ev) })
	if err = errors.Join(err, cerr); err != nil {
		delete(i.asleep, s.fd)
	}
	return err
}

// errStopped is the end of a session when the input stops.
var errStopped = errors.New("the input stops")

// take removes a session from those asleep.
func (i *idlers) take(fd int32) *session {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.asleep[fd]
	delete(i.asleep, fd)
	return s
}

// run wakes sessions until ctx ends; then it wakes those that are left, for them
// to see that it is time to stop. There is scratch for every session awake.
func (i *idlers) run(ctx, work context.Context) {
	defer i.epoll.Close()
	stop := context.AfterFunc(ctx, func() { i.epoll.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { i.sweep(ctx, work) })
	err := i.watch(work)
	defer wg.Wait()
	if ctx.Err() != nil {
		err = errStopped
	}
	i.mu.Lock()
	i.refuse = err
	left := i.asleep
	i.asleep = nil
	i.mu.Unlock()
	for _, s := range left {
		s.wake(work, i.pool)
	}
}

// sweep ends sessions whose time is over, until ctx ends.
func (i *idlers) sweep(ctx, work context.Context) {
	p := i.patience
	every := p.idle
	if every == 0 || p.frame > 0 && p.frame < every {
		every = p.frame
	}
	if every == 0 {
		return
	}
	t := time.NewTicker(min(max(every/4, 10*time.Millisecond), 30*time.Second))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			for _, s := range i.overdue(now) {
				s.wake(work, i.pool)
			}
		}
	}
}

// overdue removes those whose time is over from the sessions asleep.
func (i *idlers) overdue(now time.Time) (all []*session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for fd, s := range i.asleep {
		if s.over = s.clock.over(now); s.over != nil {
			delete(i.asleep, fd)
			all = append(all, s)
		}
	}
	return all
}

// watch wakes sessions until it can watch them no longer.
func (i *idlers) watch(work context.Context) error {
	var events [64]unix.EpollEvent
	var n int
	var err error
	wait := func(epfd uintptr) bool {
		n, err = unix.EpollWait(int(epfd), events[:], 0)
		return n > 0 || (err != nil && err != unix.EINTR)
	}
	for {
		if rerr := i.raw.Read(wait); rerr != nil || n < 0 {
			return errors.Join(rerr, err)
		}
		for _, ev := range events[:n] {
			if s := i.take(ev.Fd); s != nil {
				s.wake(work, i.pool)
			}
		}
	}
}

// wake starts the session's goroutine again, once there is scratch for it.
func (s *session) wake(ctx context.Context, pool *scratches) {
	s.sc = pool.get(ctx)
	go s.run(ctx)
}
