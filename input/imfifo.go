package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// IMFIFOModule are the parameters of module(load="imfifo").
type IMFIFOModule struct{}

// IMFIFOParams are the parameters of input(type="imfifo"), which reads lines from
// a named pipe.
type IMFIFOParams struct {
	File     string `conf:"file,required" alias:"path" doc:"The named pipe. It is made if it is missing; path is sysrelay's own name for the parameter." status:"full"`
	Tag      string `conf:"tag" default:"imfifo:" doc:"Tag of the messages, with its colon." status:"full"`
	Severity int    `conf:"severity,type=severity" default:"notice" doc:"Severity of the messages." status:"full"`
	Facility int    `conf:"facility,type=facility" default:"local0" doc:"Facility of the messages." status:"full"`
	Ruleset  string `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Mode     int    `conf:"filecreatemode,type=mode" default:"0600" doc:"Mode of a pipe that is made, whatever the umask; 0622 lets everybody write (sysrelay's own)." status:"full"`
}

// pipeInput makes a message of each line written to a named pipe.
type pipeInput struct {
	p      IMFIFOParams
	deps   Deps
	faults complaints
	ledger message.Ledger
	origin message.Origin
	pipe   *os.File
	split  splitter
	batch  message.Batch
	failed string        // why the pipe could not be opened, as far as that has been said
	look   time.Duration // how often to look whether the pipe is still that of the name
}

// pipeLook is how often.
const pipeLook = 5 * time.Second

// NewIMFIFO makes one input(type="imfifo").
func NewIMFIFO(_ IMFIFOModule, p IMFIFOParams, d Deps) (Input, error) {
	in := &pipeInput{p: p, deps: d, look: pipeLook, split: splitter{max: d.Env.Sanitize.MaxSize}}
	in.faults = complaints{name: in.Name(), log: d.Log, now: d.Env.Now}
	in.batch.Flow = message.FullDelay
	return in, nil
}

// Listen implements Input. A pipe that cannot be opened is tried again by Run.
func (in *pipeInput) Listen() error {
	in.tryOpen()
	return nil
}

// tryOpen opens the pipe, or says why that failed unless it has said so.
func (in *pipeInput) tryOpen() bool {
	err := in.open()
	switch {
	case err == nil:
		in.failed = ""
	case err.Error() != in.failed:
		in.failed = err.Error()
		in.faults.add(fmt.Sprintf("imfifo: %v; it is tried again every %v", err, in.look))
	}
	return err == nil
}

// open makes the pipe if need be and opens it: for writing, too, so that there
// always is a writer and the end of the last other one is not the end.
func (in *pipeInput) open() error {
	mode := fs.FileMode(in.p.Mode).Perm()
	err := unix.Mkfifo(in.p.File, uint32(mode))
	switch {
	case err == nil:
		if err := os.Chmod(in.p.File, mode); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("cannot make the named pipe %s: %w", in.p.File, err)
	}
	f, err := os.OpenFile(in.p.File, os.O_RDWR|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.OpenFile(in.p.File, os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return err
	}
	if fi, err := f.Stat(); err != nil || fi.Mode().Type() != fs.ModeNamedPipe {
		f.Close()
		return fmt.Errorf("%s is not a named pipe", in.p.File)
	}
	in.pipe = f
	return nil
}

// Run implements Input.
func (in *pipeInput) Run(ctx context.Context, to message.Handler) error {
	defer in.faults.close()
	work, cancel := in.deps.graceful(ctx)
	defer cancel()
	in.origin = message.NewOrigin("imfifo", in.deps.Env.Hostname(), "127.0.0.1", "")
	hand := func() { handOver(work, &in.batch, to, &in.ledger) }
	for {
		switch {
		case in.pipe != nil || in.tryOpen():
			in.read(ctx, hand)
			in.pipe.Close()
			in.pipe = nil
		default:
			pause(ctx, in.look)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// read reads until ctx ends, or until there is reason to open the pipe anew.
func (in *pipeInput) read(ctx context.Context, hand func()) {
	pipe := in.pipe
	defer context.AfterFunc(ctx, func() { pipe.SetReadDeadline(time.Unix(1, 0)) })()
	defer func() {
		in.drain(hand)
		in.line(in.split.rest) // a line without its end
		in.split.rest = nil
		hand()
	}()
	buf := make([]byte, readSize)
	for wait := firstPause; ctx.Err() == nil; {
		if in.pipe.SetReadDeadline(time.Now().Add(in.look)); ctx.Err() != nil {
			return
		}
		n, err := in.pipe.Read(buf)
		in.take(buf[:n], hand)
		switch {
		case err == nil:
			wait = firstPause
		case isTimeout(err):
			if in.stale() {
				return
			}
		case errors.Is(err, io.EOF): // open for reading only, and nobody has it open for writing
			if !pause(ctx, wait) || in.stale() {
				return
			}
			wait = min(2*wait, time.Second)
		default:
			in.faults.add(fmt.Sprintf("imfifo: %s: %v; it is opened again", in.p.File, err))
			pause(ctx, time.Second)
			return
		}
	}
}

// stale tells whether the name has another file by now, or none.
func (in *pipeInput) stale() bool {
	named, err := os.Stat(in.p.File)
	ours, oerr := in.pipe.Stat()
	if err == nil && oerr == nil && os.SameFile(named, ours) {
		return false
	}
	in.faults.add(fmt.Sprintf("imfifo: %s was removed or replaced; it is opened again", in.p.File))
	return true
}

// drain reads what is left in the pipe: its writers believe that it has arrived.
func (in *pipeInput) drain(hand func()) {
	raw, err := in.pipe.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, readSize)
	for range drainMax / readSize {
		n := 0
		if raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), buf) }); n <= 0 {
			return
		}
		in.take(buf[:n], hand)
	}
}

// take makes messages of the lines in b and hands them over.
func (in *pipeInput) take(b []byte, hand func()) {
	in.split.write(b, func(text []byte) bool {
		in.line(text)
		if in.batch.Len() >= batchMessages || in.batch.Size() >= batchBytes {
			hand()
		}
		return true
	})
	hand()
}

// line adds a message; an empty line is none.
func (in *pipeInput) line(text []byte) {
	if len(text) == 0 {
		return
	}
	in.batch.AddMessage(message.Local{Origin: in.origin, Host: in.deps.Env.Hostname(), Tag: in.p.Tag, Text: string(text), Bare: true,
		PRI: in.p.Facility<<3 | in.p.Severity, At: in.deps.Env.Now()}.Message())
}

// Name implements Input.
func (in *pipeInput) Name() string { return "imfifo(" + in.p.File + ")" }

// Addrs implements Input.
func (in *pipeInput) Addrs() []string { return nil }

// Ledger implements Input.
func (in *pipeInput) Ledger() *message.Ledger { return &in.ledger }
