package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxAnswer is how long a program's answer may be.
const maxAnswer = 4096

// child is a running program.
type child struct {
	cmd     *exec.Cmd
	in      *os.File
	out     *os.File // nil if it does not answer
	answers *bufio.Reader
	started time.Time
	done    chan struct{} // closed when it has ended
	drained chan struct{} // closed when its output has been copied; nil if it is not
	capture *os.File      // what it is copied from
}

// startChild starts a program. With answers its standard output is read.
func startChild(args []string, answers bool, to *captured) (_ *child, err error) {
	c := &child{cmd: &exec.Cmd{Path: args[0], Args: args}, done: make(chan struct{})}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			c.closeFiles()
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	in, ours := pipe()
	c.in, theirs = ours, append(theirs, in)
	c.cmd.Stdin = in
	if to != nil {
		r, w := pipe()
		c.capture, theirs = r, append(theirs, w)
		c.cmd.Stdout, c.cmd.Stderr = w, w
	}
	if answers {
		r, w := pipe()
		c.out, theirs = r, append(theirs, w)
		c.cmd.Stdout = w
		c.answers = bufio.NewReaderSize(r, maxAnswer)
	}
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, rootCause(err)
	}
	if to != nil {
		c.drained = make(chan struct{})
		go func() { defer close(c.drained); to.copy(c.capture) }()
	}
	go func() {
		_ = c.cmd.Wait() // see state
		close(c.done)
	}()
	return c, nil
}

func (c *child) closeFiles() {
	for _, f := range []*os.File{c.in, c.out, c.capture} {
		if f != nil {
			f.Close()
		}
	}
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// state says how a program that has ended ended.
func (c *child) state() string { return c.cmd.ProcessState.String() }

var (
	errNotReading = errors.New("it does not read its input")
	errSilent     = errors.New("it does not answer within confirmTimeout; it is started anew")
	errHasEnded   = errors.New("it has ended or closed its end of the pipe")
)

// within bounds what is done with a file: by ctx, and by d unless it is 0.
func within(ctx context.Context, d time.Duration, set func(time.Time) error) (stop func() bool) {
	deadline := time.Time{}
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = set(deadline) // pipes have deadlines
	return context.AfterFunc(ctx, func() { _ = set(time.Unix(1, 0)) })
}

// write writes to the program; one that is slow holds up who writes.
func (c *child) write(ctx context.Context, b []byte, d time.Duration) (int, error) {
	defer within(ctx, d, c.in.SetWriteDeadline)()
	n, err := c.in.Write(b)
	switch {
	case err == nil:
		return n, nil
	case ctx.Err() != nil:
		return n, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errNotReading
	case errors.Is(err, unix.EPIPE):
		return n, errHasEnded
	}
	return n, rootCause(err)
}

// answer reads a line.
func (c *child) answer(ctx context.Context, d time.Duration) (string, error) {
	defer within(ctx, d, c.out.SetReadDeadline)()
	line, err := c.answers.ReadSlice('\n')
	switch {
	case err == nil:
		return strings.TrimSuffix(string(line), "\n"), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", errSilent
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("its answer %.40q… has more than %d bytes", line, maxAnswer)
	case errors.Is(err, io.EOF):
		return "", errHasEnded
	}
	return "", rootCause(err)
}

// killWait is how long a program that was killed may take to be gone.
const killWait = time.Second

// ending is how a program is ended.
type ending struct {
	signal bool // SIGTERM first
	wait   time.Duration
	kill   bool // SIGKILL last
}

// end ends the program and says whether it has ended.
func (c *child) end(how ending) bool {
	if how.signal && !c.ended() {
		_ = c.cmd.Process.Signal(unix.SIGTERM) // it may have ended meanwhile
	}
	c.in.Close()
	t := time.NewTimer(how.wait)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
		if how.kill {
			_ = c.cmd.Process.Kill()
			select {
			case <-c.done:
			case <-time.After(killWait): // it waits for a device
			}
		}
	}
	if c.drained != nil && c.ended() {
		// Its own children may hold its output open: they have no claim to be waited for.
		select {
		case <-c.drained:
		case <-time.After(100 * time.Millisecond):
		}
	}
	c.closeFiles()
	return c.ended()
}

// captured is the file a program's output goes to.
type captured struct {
	name string
	mode os.FileMode
	log  func(severity int, text string)

	mu     sync.Mutex
	file   *os.File
	failed bool // reported
}

// copy copies whatever comes until there is no more.
func (f *captured) copy(from *os.File) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			f.write(b[:n])
		}
		if err != nil {
			return
		}
	}
}

// write appends to the file. What cannot be written is dropped: the program must
// not be held up by what it says.
func (f *captured) write(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.file == nil {
		f.file, err = os.OpenFile(f.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.mode)
	}
	if err == nil {
		_, err = f.file.Write(b)
	}
	if err != nil && !f.failed {
		f.log(severityError, fmt.Sprintf("the output of a program cannot be written to %s: %v; it is dropped", f.name, rootCause(err)))
	}
	f.failed = err != nil
}

func (f *captured) reopen() { f.close() }

func (f *captured) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.Close() // everything is written
		f.file = nil
	}
}
