package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMShellModule are the parameters of module(load="omshell"): none.
type OMShellModule struct{}

// OMShellParams are the parameters of ^program;template.
type OMShellParams struct {
	Program  string `conf:"program,required" doc:"Program that is run for every message, with the message as its only parameter; no shell is involved." status:"full"`
	Template string `conf:"template" doc:"Template of that parameter; default RSYSLOG_TraditionalFileFormat." status:"full"`
}

const (
	// shellTimeout is how long the program may take for one message.
	shellTimeout = 30 * time.Second
	// shellReport is how often failures of the program are reported.
	shellReport = time.Minute
)

// omshell runs a program for every message, one after the other.
// as rsyslog: how the program ends is no failure of the action.
type omshell struct {
	program string
	tpl     message.Template
	log     func(severity int, text string)
	now     func() time.Time
	limit   time.Duration
	buf     []byte
	failed  int
	told    time.Time
}

// NewOMShell makes the output of ^program.
func NewOMShell(_ OMShellModule, p OMShellParams, d Deps) (Output, error) {
	tpl, err := d.template(p.Template, "RSYSLOG_TraditionalFileFormat")
	if err != nil {
		return nil, err
	}
	return &omshell{program: p.Program, tpl: tpl, log: d.Log, now: d.Env.Now, limit: shellTimeout}, nil
}

// Write implements Output.
func (o *omshell) Write(ctx context.Context, v message.View) (int, error) {
	for i := range v.Len() {
		o.buf = o.tpl.Append(o.buf[:0], v.At(i))
		if err := o.run(ctx); err != nil {
			return i, err
		}
	}
	return v.Len(), nil
}

func (o *omshell) run(ctx context.Context) error {
	arg := o.buf
	if i := bytes.IndexByte(arg, 0); i >= 0 {
		arg = arg[:i] // as C sees it
	}
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	cmd := exec.CommandContext(limited, o.program, string(arg))
	cmd.Path, cmd.Err = o.program, nil // not searched for
	if err := cmd.Start(); err != nil {
		err = rootCause(err)
		if errors.Is(err, unix.E2BIG) {
			err = fmt.Errorf("%w: %w", ErrUnacceptable, err)
		}
		return fmt.Errorf("cannot run program %s: %w", o.program, err)
	}
	err := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		err = fmt.Errorf("it was killed, because it took longer than %v", o.limit)
	}
	if err != nil {
		o.report(err)
	}
	return nil
}

// report says that the program failed, not for every message.
func (o *omshell) report(err error) {
	o.failed++
	now := o.now()
	if now.Sub(o.told) < shellReport {
		return
	}
	o.log(severityWarning, fmt.Sprintf("program %s failed for %d messages; the last time: %v", o.program, o.failed, err))
	o.failed, o.told = 0, now
}

// Render shows what would be passed, for the error file.
func (o *omshell) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// TryResume implements Output.
func (o *omshell) TryResume(context.Context) error { return nil }

// Hup implements Output.
func (o *omshell) Hup() {}

// Close implements Output.
func (o *omshell) Close() error { return nil }
