package output

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// OMStdoutModule are the parameters of module(load="omstdout"): none.
type OMStdoutModule struct{}

// OMStdoutParams are the parameters of action(type="omstdout").
type OMStdoutParams struct {
	EnsureLF bool   `conf:"ensurelfending" default:"on" doc:"End every message with a line feed if its template does not." status:"full"`
	Template string `conf:"template" doc:"Template of what is written; default RSYSLOG_FileFormat." status:"full"`
}

// omstdout writes to standard output.
type omstdout struct {
	tpl  message.Template
	lf   bool
	file *os.File
	out  lines
}

// NewOMStdout makes the output of action(type="omstdout").
func NewOMStdout(_ OMStdoutModule, p OMStdoutParams, d Deps) (Output, error) {
	tpl, err := d.template(p.Template, "RSYSLOG_FileFormat")
	if err != nil {
		return nil, err
	}
	// A descriptor of our own: Go ends the process when its standard output is a
	// pipe that nobody reads any more.
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	return &omstdout{tpl: tpl, lf: p.EnsureLF, file: os.NewFile(uintptr(fd), "standard output")}, nil
}

// Write implements Output.
func (o *omstdout) Write(_ context.Context, v message.View) (int, error) {
	o.out.reset()
	for i := range v.Len() {
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		o.out.end(o.lf)
	}
	n, err := o.file.Write(o.out.buf)
	count, _ := o.out.whole(n)
	if err != nil {
		return count, fmt.Errorf("cannot write to standard output: %w", rootCause(err))
	}
	return count, nil
}

// Render shows what would be written, for the error file.
func (o *omstdout) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// TryResume implements Output.
func (o *omstdout) TryResume(context.Context) error { return nil }

// Hup implements Output.
func (o *omstdout) Hup() {}

// Close implements Output.
func (o *omstdout) Close() error { return o.file.Close() }
