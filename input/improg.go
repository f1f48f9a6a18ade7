package input

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"sysrelay/message"
)

// IMProgModule are the parameters of module(load="improg").
type IMProgModule struct{}

// IMProgParams are the parameters of input(type="improg"), which reads what a
// program writes.
type IMProgParams struct {
	Binary           string `conf:"binary,required" doc:"Program and its arguments; quotes keep blanks together. It is started again when it ends." status:"full"`
	Tag              string `conf:"tag,required" doc:"Tag of the messages, with its colon." status:"full"`
	Severity         int    `conf:"severity,type=severity" default:"notice" doc:"Severity of the messages." status:"full"`
	Facility         int    `conf:"facility,type=facility" default:"local0" doc:"Facility of the messages." status:"full"`
	Ruleset          string `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Confirm          bool   `conf:"confirmmessages" default:"on" doc:"Tell the program START, ACK for each line, and STOP, on its standard input. ACK comes when what the line was routed to has it." status:"full"`
	SignalOnClose    bool   `conf:"signalonclose" doc:"Send it SIGTERM when it is to end." status:"full"`
	CloseTimeout     int    `conf:"closetimeout,min=0" default:"200" doc:"Milliseconds it has to end." status:"full"`
	KillUnresponsive bool   `conf:"killunresponsive" default:"on" doc:"Kill it then." status:"full"`
}

// programInput runs a program and makes a message of each line it writes.
type programInput struct {
	p      IMProgParams
	args   []string
	deps   Deps
	faults complaints
	ledger message.Ledger
	origin message.Origin
	to     message.Handler

	ctx, work context.Context // of Run
}

// NewIMProg makes one input(type="improg").
func NewIMProg(_ IMProgModule, p IMProgParams, d Deps) (Input, error) {
	args, err := commandWords(p.Binary)
	if err == nil && len(args) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("improg: binary %q: %w", p.Binary, err)
	}
	in := &programInput{p: p, args: args, deps: d}
	in.faults = complaints{name: in.Name(), log: d.Log, now: d.Env.Now}
	return in, nil
}

// commandWords splits a command line at blanks outside of quotes.
func commandWords(line string) (words []string, err error) {
	var word strings.Builder
	quote, some := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, some = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if some {
				words = append(words, word.String())
				word.Reset()
				some = false
			}
		default:
			word.WriteRune(c)
			some = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if some {
		words = append(words, word.String())
	}
	return words, nil
}

// Listen implements Input.
func (in *programInput) Listen() error { return nil }

// Run implements Input.
func (in *programInput) Run(ctx context.Context, to message.Handler) error {
	defer in.faults.close()
	work, cancel := in.deps.graceful(message.WithAck(ctx, message.Stored))
	defer cancel()
	in.ctx, in.work, in.to = ctx, work, to
	in.origin = message.NewOrigin("improg", in.deps.Env.Hostname(), "127.0.0.1", "")
	for wait := firstRestart; ; wait = min(2*wait, lastRestart) {
		begin := in.deps.Env.Now()
		err := in.run()
		if ctx.Err() != nil {
			return nil
		}
		if in.deps.Env.Now().Sub(begin) > lastRestart {
			wait = firstRestart
		}
		in.faults.add(fmt.Sprintf("improg: program '%s' ended: %v; it is started again in %v", in.args[0], err, wait))
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// run runs the program once.
func (in *programInput) run() error {
	cmd := exec.Command(in.args[0], in.args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr := &tailWriter{}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	over := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-in.ctx.Done():
			in.stop(cmd, stdin, over)
		case <-over:
		}
	}()
	if in.p.Confirm {
		in.tell(stdin, "START")
	}
	in.read(stdout, stdin)
	stdin.Close()
	err = cmd.Wait()
	close(over)
	<-stopped
	if text := stderr.String(); text != "" {
		return fmt.Errorf("%w: it said: %s", ended(err), text)
	}
	return ended(err)
}

// ended is why a program ended.
func ended(err error) error {
	if err == nil {
		return errors.New("by itself, without an error")
	}
	return err
}

// stop ends the program in rsyslog's sequence; over is closed when it has ended.
func (in *programInput) stop(cmd *exec.Cmd, stdin io.WriteCloser, over <-chan struct{}) {
	if in.p.Confirm {
		in.tell(stdin, "STOP")
	}
	if in.p.SignalOnClose {
		cmd.Process.Signal(syscall.SIGTERM)
	}
	stdin.Close()
	select {
	case <-over:
	case <-time.After(time.Duration(in.p.CloseTimeout) * time.Millisecond):
		if in.p.KillUnresponsive {
			in.deps.Log(severityWarning, fmt.Sprintf("improg: program '%s' did not end within %d ms; it is killed", in.args[0], in.p.CloseTimeout))
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with what it has started: its output is to end
		}
	}
}

// tell writes a line to the program. What it does not read is its own affair: the
// end of its output says more.
func (in *programInput) tell(w io.Writer, word string) { _, _ = io.WriteString(w, word+"\n") }

// read makes messages of what the program writes.
func (in *programInput) read(r io.Reader, w io.Writer) {
	buf := bufio.NewReaderSize(r, readSize)
	split := splitter{max: in.deps.Env.Sanitize.MaxSize}
	var b message.Batch
	b.Flow = message.FullDelay
	hand := func() bool {
		n := b.Len()
		ok := in.hand(&b)
		for range n {
			if ok && in.p.Confirm {
				in.tell(w, "ACK")
			}
		}
		return ok
	}
	line := func(text []byte) bool {
		if len(text) > 0 {
			now := in.deps.Env.Now()
			b.AddMessage(message.Local{Origin: in.origin, Host: in.deps.Env.Hostname(), Tag: in.p.Tag, Text: string(text), Bare: true,
				PRI: in.p.Facility<<3 | in.p.Severity, At: now}.Message())
		}
		return b.Len() < batchMessages || hand()
	}
	chunk := make([]byte, 16<<10)
	for {
		n, err := buf.Read(chunk)
		if !split.write(chunk[:n], line) || !hand() || err != nil {
			if err != nil && len(split.rest) > 0 && line(split.rest) { // a line without its end
				hand()
			}
			return
		}
	}
}

// hand gives the batch to the handler until it has taken it.
func (in *programInput) hand(b *message.Batch) bool {
	n, v := b.Len(), b.All()
	for wait := firstPause; n > 0; wait = min(2*wait, lastPause) {
		err := in.to(in.work, v)
		if err == nil {
			break
		}
		v = message.Rest(v, err)
		if !pause(in.ctx, wait) {
			in.ledger.Receive(n)
			in.ledger.Deliver(n - v.Len())
			in.ledger.Discard(message.ShutdownTimeout, v.Len())
			b.Reset()
			return false
		}
	}
	in.ledger.Receive(n)
	in.ledger.Deliver(n)
	b.Reset()
	return true
}

// Name implements Input.
func (in *programInput) Name() string { return "improg(" + in.args[0] + ")" }

// Addrs implements Input.
func (in *programInput) Addrs() []string { return nil }

// Ledger implements Input.
func (in *programInput) Ledger() *message.Ledger { return &in.ledger }
