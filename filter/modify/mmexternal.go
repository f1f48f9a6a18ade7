package modify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"sysrelay/message"
)

// MMExternalParams are mmexternal's parameters.
type MMExternalParams struct {
	Binary          string `conf:"binary,required" doc:"Program, with arguments behind blanks. It is given a line per message and answers each with a line: a JSON object of what is to change." status:"full"`
	Input           string `conf:"interface.input,enum=msg|rawmsg|fulljson" default:"msg" doc:"What the line is: MSG, the raw message, or the whole message as JSON." status:"full"`
	Output          string `conf:"output" doc:"File to which the program's answers are appended." status:"full"`
	ResponseTimeout int    `conf:"responsetimeout,min=1" default:"10000" doc:"Milliseconds to wait for an answer; then the program is killed and started anew." status:"full"`
	Single          bool   `conf:"forcesingleinstance" doc:"Run the program once; otherwise there may be as many as there are workers." status:"full"`
}

// external is mmexternal. Every message has a program to itself while it is
// changed; programs that are not needed wait for the next one.
type external struct {
	params  MMExternalParams
	env     *message.Env
	log     func(severity int, text string)
	args    []string
	timeout time.Duration
	json    message.Property
	turn    chan struct{} // forceSingleInstance: holds one token
	output  *os.File      // may be nil

	mu     sync.Mutex
	idle   []*program
	closed bool
	wait   time.Duration // before the next start, after failures
	again  time.Time     // not before
	bad    bool          // a failure has been reported and nothing has worked since
}

// Pauses before a program that failed is started again.
const (
	firstRestart = time.Second
	lastRestart  = time.Minute
)

// NewMMExternal returns what has messages changed by a program. The program is
// started when the first message comes.
func NewMMExternal(_ NoModule, p MMExternalParams, d Deps) (Modifier, error) {
	args, err := splitCommand(p.Binary)
	if err != nil {
		return nil, fmt.Errorf("binary: %w", err)
	}
	e := &external{params: p, env: d.Env, log: d.Log, args: args, timeout: time.Duration(p.ResponseTimeout) * time.Millisecond}
	if e.json, err = d.Env.Property("jsonmesg"); err != nil {
		return nil, err
	}
	if p.Single {
		e.turn = make(chan struct{}, 1)
	}
	return e, nil
}

// splitCommand splits a command line at blanks, except in quotes.
func splitCommand(s string) (args []string, err error) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if q := s[0]; q == '"' || q == '\'' {
			end := strings.IndexByte(s[1:], q)
			if end < 0 {
				return nil, fmt.Errorf("%s has no closing quote", s)
			}
			args, s = append(args, s[1:1+end]), s[end+2:]
			continue
		}
		end := strings.IndexByte(s, ' ')
		if end < 0 {
			end = len(s)
		}
		args, s = append(args, s[:end]), s[end:]
	}
	if len(args) == 0 {
		return nil, errors.New("there is no program")
	}
	return args, nil
}

// Modify asks a program. A program that does not answer is killed, and another one
// is asked once.
func (e *external) Modify(ctx context.Context, m *message.Message) error {
	if e.turn != nil {
		select {
		case e.turn <- struct{}{}:
			defer func() { <-e.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	line := e.line(m)
	for try := 0; ; try++ {
		p, fresh, err := e.take()
		if err != nil {
			return e.failed(err)
		}
		reply, err := p.ask(ctx, line, e.timeout)
		if err == nil {
			e.give(p)
			e.apply(m, reply)
			return nil
		}
		p.kill()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fresh || try > 0 {
			e.delay()
			return e.failed(err)
		}
		// It had been idle and may have ended long ago.
	}
}

// line is what a program is given. A line feed would end it.
func (e *external) line(m *message.Message) []byte {
	var line []byte
	switch e.params.Input {
	case "rawmsg":
		line = append(line, m.Raw.Of(m.Text)...)
	case "fulljson":
		line = append(line, e.json.Value(m, nil)...)
	default:
		line = append(line, m.Msg.Of(m.Text)...)
	}
	line = bytes.ReplaceAll(line, []byte{'\n'}, []byte("#012"))
	return append(line, '\n')
}

// take returns a program that is idle, or starts one.
func (e *external) take() (p *program, fresh bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.idle); n > 0 {
		p, e.idle = e.idle[n-1], e.idle[:n-1]
		return p, false, nil
	}
	if e.closed {
		return nil, false, os.ErrClosed
	}
	if e.env.Now().Before(e.again) {
		return nil, false, errors.New("it is started again later")
	}
	p, err = startProgram(e.args)
	if err != nil {
		e.delayLocked()
	}
	return p, true, err
}

func (e *external) give(p *program) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wait, e.bad = 0, false
	if e.closed {
		p.kill()
		return
	}
	e.idle = append(e.idle, p)
}

func (e *external) delay() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delayLocked()
}

func (e *external) delayLocked() {
	e.wait = min(max(2*e.wait, firstRestart), lastRestart)
	e.again = e.env.Now().Add(e.wait)
}

// failed reports the first of several failures.
func (e *external) failed(err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.bad {
		e.bad = true
		e.log(severityError, fmt.Sprintf("mmexternal: program %s: %v; messages go on unchanged until it works again", e.args[0], err))
	}
	return fmt.Errorf("program %s: %w", e.args[0], err)
}

// apply changes m as the answer says.
func (e *external) apply(m *message.Message, reply []byte) {
	e.keep(reply)
	v, _, err := e.env.ParseJSON(reply)
	if err != nil || v.Kind() != message.KindObject {
		e.log(severityError, fmt.Sprintf("mmexternal: program %s: its answer %.200q is no JSON object; the message goes on unchanged", e.args[0], reply))
		return
	}
	for i := range v.Len() {
		name, value := v.At(i)
		if !setProperty(e.env, m, name, value) {
			e.log(severityWarning, fmt.Sprintf("mmexternal: program %s: %q cannot be set", e.args[0], name))
		}
	}
}

// keep appends an answer to the file that the parameter output names.
func (e *external) keep(reply []byte) {
	if e.params.Output == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.output == nil {
		e.output, err = os.OpenFile(e.params.Output, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	}
	if err == nil {
		_, err = e.output.Write(append(reply[:len(reply):len(reply)], '\n'))
	}
	if err != nil {
		e.log(severityWarning, fmt.Sprintf("mmexternal: %v; what program %s answers is no longer kept", err, e.args[0]))
		e.params.Output = ""
	}
}

// Hup makes the file be opened anew.
func (e *external) Hup() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.output != nil {
		_ = e.output.Close() // everything is written
		e.output = nil
	}
}

// Close ends the programs.
func (e *external) Close() error {
	e.Hup()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, p := range e.idle {
		p.end()
	}
	e.idle = nil
	return nil
}
