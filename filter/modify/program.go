package modify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// program is a running program that answers lines with lines.
type program struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	reader *bufio.Reader
	ended  chan struct{}
}

// maxReply is how long an answer may be.
const maxReply = 1 << 20

func startProgram(args []string) (*program, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		childIn.Close()
		in.Close()
		return nil, err
	}
	p := &program{cmd: exec.Command(args[0], args[1:]...), in: in, out: out,
		reader: bufio.NewReaderSize(out, 4096), ended: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout = childIn, childOut
	// A group of its own: what the program itself starts is killed with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.cmd.Start()
	childIn.Close()
	childOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows when it is asked
		close(p.ended)
	}()
	return p, nil
}

// ask sends a line and returns the one that comes back, without its end.
func (p *program) ask(ctx context.Context, line []byte, timeout time.Duration) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	if err := errors.Join(p.in.SetDeadline(deadline), p.out.SetDeadline(deadline)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		now := time.Now()
		_ = p.in.SetDeadline(now) // fails only if it is closed
		_ = p.out.SetDeadline(now)
	})
	defer stop()
	reply, err := p.exchange(line)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("no answer within %v; it is killed", timeout)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
		return nil, errors.New("it has ended")
	}
	return reply, err
}

func (p *program) exchange(line []byte) (reply []byte, err error) {
	if _, err := p.in.Write(line); err != nil {
		return nil, err
	}
	for {
		part, err := p.reader.ReadSlice('\n')
		reply = append(reply, part...)
		switch {
		case err == nil:
			return reply[:len(reply)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(reply) > maxReply:
			return nil, fmt.Errorf("its answer is longer than %d bytes", maxReply)
		}
	}
}

// kill ends the program at once.
func (p *program) kill() {
	select {
	case <-p.ended: // its number may be another's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may end just now
	}
	_ = p.in.Close()
	_ = p.out.Close()
	<-p.ended
}

// endTime is how long a program may take to end by itself.
const endTime = 2 * time.Second

// end closes the program's input, which tells it to end, and kills it if it does
// not.
func (p *program) end() {
	_ = p.in.Close()
	select {
	case <-p.ended:
	case <-time.After(endTime):
	}
	p.kill()
}
