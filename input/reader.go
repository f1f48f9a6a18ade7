package input

import (
	"context"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// reader reads a connection into scratch that it borrows once there is something
// to be read, and keeps what its owner left over for the next time.
type reader struct {
	c    *conn
	pool *scratches
	// use looks at b, which lies in sc.buf: what was left over and what came
	// since. It gives what it leaves to keep.
	use func(ctx context.Context, sc *scratch, b []byte) error
	// after, if not nil, is called after use, when the scratch has been given back.
	after func() error
	raw   syscall.RawConn // nil if reads go through layers, TLS
	rest  []byte          // left over

	sc  *scratch // while a read is looked at
	n   int      // bytes read
	err error
	try func(fd uintptr) bool // tryRead
}

func (r *reader) init(c *conn, pool *scratches, use func(context.Context, *scratch, []byte) error) {
	r.c, r.pool, r.use, r.try = c, pool, use, r.tryRead
	if sc, ok := c.Conn.(syscall.Conn); ok {
		r.raw, _ = sc.SyscallConn()
	}
}

// readAll reads until the connection ends or use fails and returns why: io.EOF,
// an error of the connection, or use's error.
func (r *reader) readAll(ctx context.Context) (err error) {
	if len(r.c.ahead) > 0 {
		err = r.process(ctx, r.c.ahead)
		r.c.ahead = nil
	}
	for err == nil {
		if r.raw != nil {
			err = r.read(ctx)
		} else {
			err = r.readLayered(ctx)
		}
	}
	return err
}

// read waits for bytes, reads once and has them used.
func (r *reader) read(ctx context.Context) error {
	if err := r.raw.Read(r.try); err != nil {
		return err
	}
	if r.sc == nil { // all scratch is at work: wait for some, then try again
		sc := r.pool.get(ctx)
		if sc == nil {
			return ctx.Err()
		}
		r.pool.put(sc)
		return nil
	}
	return r.took(ctx)
}

// tryRead reads once if there is something to be read. It borrows a buffer only
// then: waiting needs none.
func (r *reader) tryRead(fd uintptr) bool {
	if r.sc = r.pool.try(); r.sc == nil {
		return true
	}
	for {
		r.n, r.err = unix.Read(int(fd), r.sc.buf[len(r.rest):])
		if r.err != unix.EINTR {
			break
		}
	}
	if r.err == unix.EAGAIN {
		r.pool.put(r.sc)
		r.sc = nil
		return false
	}
	return true
}

// took has what tryRead read used.
func (r *reader) took(ctx context.Context) error {
	sc := r.sc
	r.sc = nil
	switch {
	case r.err != nil:
		r.pool.put(sc)
		return r.err
	case r.n == 0:
		r.pool.put(sc)
		return io.EOF
	}
	return r.hand(ctx, sc, copy(sc.buf, r.rest)+r.n)
}

// hand has n bytes of sc used.
func (r *reader) hand(ctx context.Context, sc *scratch, n int) error {
	err := r.use(ctx, sc, sc.buf[:n])
	r.pool.put(sc)
	if r.after != nil {
		if aerr := r.after(); err == nil {
			err = aerr
		}
	}
	return err
}

// readLayered reads through the layers of the connection, which need a buffer
// to wait with.
func (r *reader) readLayered(ctx context.Context) error {
	buf := make([]byte, 4<<10)
	for {
		n, err := r.c.Read(buf)
		if perr := r.process(ctx, buf[:n]); perr != nil {
			return perr
		}
		if err != nil {
			return err
		}
	}
}

// process has b used, which follows rest.
func (r *reader) process(ctx context.Context, b []byte) error {
	sc := r.pool.get(ctx)
	if sc == nil {
		return ctx.Err()
	}
	n := copy(sc.buf, r.rest)
	return r.hand(ctx, sc, n+copy(sc.buf[n:], b))
}

// restKept is how much room for left-over bytes a connection keeps when it has none.
const restKept = 1 << 10

// keep remembers what use left over.
func (r *reader) keep(b []byte) {
	if len(b) == 0 && cap(r.rest) > restKept {
		r.rest = nil
		return
	}
	r.rest = append(r.rest[:0], b...)
}

// drainMax bounds what is still read from a connection when the input stops.
const drainMax = 1 << 20

// drain reads what the kernel has received already: its sender believes that it
// has arrived.
func (r *reader) drain(ctx context.Context) {
	if r.raw == nil {
		return
	}
	for total := 0; total < drainMax && ctx.Err() == nil; total += r.n {
		var ready bool
		r.sc = nil
		if err := r.raw.Control(func(fd uintptr) { ready = r.tryRead(fd) }); err != nil || !ready || r.sc == nil {
			return
		}
		if r.took(ctx) != nil {
			return
		}
	}
}
