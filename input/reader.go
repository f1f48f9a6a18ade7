package input

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// reader reads a connection into scratch that it borrows once there is something
// to be read, and keeps what its owner left over for the next time.
type reader struct {
	c     *conn
	pool  *scratches
	owner readerOwner
	raw   syscall.RawConn // nil if reads go through layers: decompression
	layer *conf.TLSConn   // TLS above it; nil if there is none
	rest  []byte          // left over
	parks bool            // may return errIdle instead of waiting
	clock clock

	fd    int32     // once known to idlers
	reads int       // since the session woke up
	until time.Time // deadline of reads while hot
	sc    *scratch  // while a read is looked at
	n     int       // bytes read
	err   error
	try   func(fd uintptr) bool // tryRead
}

// readerOwner is the session a reader is part of.
type readerOwner interface {
	// use looks at b, which lies in sc.buf: what was left over and what came
	// since. It gives what it leaves to keep.
	use(ctx context.Context, sc *scratch, b []byte) error
	// after is called after use, when the scratch has been given back.
	after() error
}

func (r *reader) init(c *conn, pool *scratches, owner readerOwner) {
	r.c, r.pool, r.owner, r.try, r.fd = c, pool, owner, r.tryRead, -1
	r.clock = clock{patience: c.listener.patience, heard: time.Now()}
	if sc, ok := c.Conn.(syscall.Conn); ok {
		r.raw, _ = sc.SyscallConn()
	}
	r.layer, _ = c.Conn.(*conf.TLSConn)
}

// errIdle is returned by readAll when there is nothing to be read at present.
var errIdle = errors.New("nothing to be read")

// readAll reads until the connection ends or use fails and returns why: io.EOF,
// an error of the connection, or use's error; and errIdle if it parks.
func (r *reader) readAll(ctx context.Context) (err error) {
	if len(r.c.ahead) > 0 {
		err = r.process(ctx, r.c.ahead)
		r.c.ahead = nil
	}
	for err == nil {
		switch {
		case r.raw == nil:
			err = r.readLayered(ctx)
		case r.parks && r.reads < hotReads:
			err = r.readNow(ctx)
		default:
			err = r.readWait(ctx)
		}
		r.reads++
	}
	return err
}

// A session that parks waits for more bytes itself as long as it is hot: after
// hotReads successful reads, until none has come for hotWait.
const (
	hotReads = 8
	hotWait  = time.Second
)

// readNow reads once if there is something to be read.
func (r *reader) readNow(ctx context.Context) error {
	ready := false
	if err := r.raw.Control(func(fd uintptr) { ready = r.tryRead(fd) }); err != nil {
		return err
	}
	if !ready {
		return errIdle
	}
	return r.took(ctx)
}

// readWait waits for bytes and reads once.
func (r *reader) readWait(ctx context.Context) error {
	if !r.parks {
		r.limitWait()
	} else {
		if r.reads == hotReads {
			r.c.watch()
		}
		if now := time.Now(); r.until.Sub(now) < hotWait/2 {
			r.until = now.Add(hotWait)
			r.c.deadline(r.until)
		}
	}
	err := r.raw.Read(r.try)
	if err == nil {
		return r.took(ctx)
	}
	if r.parks && isTimeout(err) && r.c.stopping.Err() == nil {
		r.cool()
		return errIdle
	}
	return r.tooLate(err)
}

// limitWait lets a wait end when the connection's time is over.
func (r *reader) limitWait() {
	if t := r.clock.due(); !t.IsZero() {
		r.c.deadline(t)
	}
}

// tooLate is err, or that the connection's time is over if that is why.
func (r *reader) tooLate(err error) error {
	if isTimeout(err) && r.c.stopping.Err() == nil {
		if over := r.clock.over(time.Now()); over != nil {
			return over
		}
	}
	return err
}

// cool ends being hot.
func (r *reader) cool() {
	r.c.unwatch()
	r.c.deadline(time.Time{})
	r.until = time.Time{}
}

// tryRead reads once if there is something to be read. It borrows a buffer only
// then: waiting needs none.
func (r *reader) tryRead(fd uintptr) bool {
	if r.sc == nil { // none was lent by who woke the session
		if r.sc = r.pool.try(); r.sc == nil {
			return true
		}
	}
	for {
		if b := r.sc.buf[len(r.rest):]; r.layer != nil {
			r.n, r.err = r.layer.ReadNow(fd, b)
		} else {
			r.n, r.err = unix.Read(int(fd), b)
		}
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
	case sc == nil: // all scratch is at work: wait for some, then try again
		if r.sc = r.pool.get(ctx); r.sc == nil {
			return ctx.Err()
		}
		return nil
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
	err := r.owner.use(ctx, sc, sc.buf[:n])
	r.pool.put(sc)
	if aerr := r.owner.after(); err == nil {
		err = aerr
	}
	return err
}

// readLayered reads through the layers of the connection, which need a buffer
// to wait with.
func (r *reader) readLayered(ctx context.Context) error {
	buf := make([]byte, 4<<10)
	for {
		r.limitWait()
		n, err := r.c.Read(buf)
		if perr := r.process(ctx, buf[:n]); perr != nil {
			return perr
		}
		if err != nil {
			return r.tooLate(err)
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
		if r.readNow(ctx) != nil {
			return
		}
	}
}
