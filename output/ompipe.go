package output

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMPipeModule are the parameters of module(load="builtin:ompipe").
type OMPipeModule struct {
	Template string `conf:"template" doc:"Default template of ompipe actions." status:"full"`
}

// OMPipeParams are the parameters of action(type="ompipe").
type OMPipeParams struct {
	Pipe            string `conf:"pipe,required" doc:"Named pipe to write to; it must be there." status:"full"`
	Template        string `conf:"template" doc:"Template of what is written; default RSYSLOG_FileFormat." status:"full"`
	TryResumeReopen bool   `conf:"tryresumereopen" doc:"Open the pipe anew when the action is resumed." status:"full"`
}

// pipeAtomic is how many bytes a pipe takes as a whole or not at all; see PIPE_BUF
// in pipe(7).
const pipeAtomic = 4096

// ompipe writes to a named pipe and never waits for its reader: a pipe that is
// full suspends the action.
type ompipe struct {
	name   string
	tpl    message.Template
	reopen bool

	mu   sync.Mutex
	fd   int // -1: closed
	out  lines
	half []byte // a message of which the pipe did not take all at once
	rest []byte // what it has not got of it
}

// NewOMPipe makes the output of action(type="ompipe"). It opens nothing.
func NewOMPipe(m OMPipeModule, p OMPipeParams, d Deps) (Output, error) {
	tpl, err := d.template(p.Template, m.Template, "RSYSLOG_FileFormat")
	if err != nil {
		return nil, err
	}
	return &ompipe{name: p.Pipe, tpl: tpl, reopen: p.TryResumeReopen, fd: -1}, nil
}

// Write implements Output.
func (o *ompipe) Write(_ context.Context, v message.View) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.open()
	if err == nil {
		err = o.finish()
	}
	if err != nil {
		return 0, err
	}
	o.out.reset()
	written := 0
	for i := range v.Len() {
		at := len(o.out.buf)
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		if len(o.half) > 0 && string(o.out.buf[at:]) == string(o.half) {
			// The pipe has all of it meanwhile.
			o.half, o.out.buf = o.half[:0], o.out.buf[:at]
		}
		o.out.end(false)
		if len(o.out.buf) < pipeAtomic && i+1 < v.Len() {
			continue
		}
		n, err := o.writeParts()
		written += n
		if err != nil {
			return written, err
		}
		o.out.reset()
	}
	return written, nil
}

// writeParts writes the messages at hand in parts the pipe takes as a whole or
// not at all, and returns how many it took.
func (o *ompipe) writeParts() (count int, err error) {
	for from := 0; count < len(o.out.ends); {
		upto, end := count+1, o.out.ends[count]
		for upto < len(o.out.ends) && o.out.ends[upto]-from <= pipeAtomic {
			end = o.out.ends[upto]
			upto++
		}
		n, err := o.write(o.out.buf[from:end])
		if err != nil {
			if n > 0 {
				// It is one that is larger. The rest of it must come next, and it counts when all
				// is written.
				o.half = append(o.half[:0], o.out.buf[from:end]...)
				o.rest = append(o.rest[:0], o.half[n:]...)
			}
			return count, err
		}
		count, from = upto, end
	}
	return count, nil
}

// finish writes what is left of a message.
func (o *ompipe) finish() error {
	for len(o.rest) > 0 {
		n, err := o.write(o.rest)
		o.rest = o.rest[:copy(o.rest, o.rest[n:])]
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes b or says how much of it and why not all.
func (o *ompipe) write(b []byte) (n int, err error) {
	for n < len(b) {
		k, err := unix.Write(o.fd, b[n:])
		n += max(k, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return n, fmt.Errorf("pipe %s is full: nobody reads it", o.name)
		case err != nil:
			o.close()
			return n, fmt.Errorf("cannot write to pipe %s: %w", o.name, err)
		}
	}
	return n, nil
}

// open opens the pipe.
// as rsyslog: for reading, too, so that it can be opened before its reader comes.
func (o *ompipe) open() error {
	if o.fd >= 0 {
		return nil
	}
	fd, err := openFile(o.name, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open pipe %s: %w", o.name, err)
	}
	o.fd = fd
	return nil
}

func (o *ompipe) close() {
	if o.fd >= 0 {
		// Nothing is buffered on our side.
		_ = unix.Close(o.fd)
		o.fd = -1
	}
	if len(o.rest) > 0 {
		// What was begun is given up, and written again as a whole.
		o.half, o.rest = o.half[:0], o.rest[:0]
	}
}

// TryResume implements Output: it writes what is left of the last message.
func (o *ompipe) TryResume(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reopen {
		o.close()
	}
	if err := o.open(); err != nil {
		return err
	}
	return o.finish()
}

// Render shows what would be written, for the error file.
func (o *ompipe) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Hup implements Output.
func (o *ompipe) Hup() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) == 0 {
		o.close()
	}
}

// Close implements Output.
func (o *ompipe) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
	return nil
}
