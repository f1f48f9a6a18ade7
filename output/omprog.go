package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
)

// OMProgModule are the parameters of module(load="omprog"): none.
type OMProgModule struct{}

// OMProgParams are the parameters of action(type="omprog").
type OMProgParams struct {
	Binary           string         `conf:"binary,required" doc:"Program to run, with its parameters: separated by blanks, other than those between double quotes, which are themselves passed on." status:"full"`
	Confirm          bool           `conf:"confirmmessages" doc:"Wait for the program's OK: when it has started, and for every message." status:"full"`
	ConfirmTimeout   int            `conf:"confirmtimeout,min=1" default:"10000" doc:"Milliseconds to wait for it; then the program is started anew." status:"full"`
	ReportFailures   bool           `conf:"reportfailures" doc:"Report every message the program does not confirm, with what it said." status:"full"`
	Transactions     bool           `conf:"usetransactions" doc:"Put every batch between two marks. With confirmMessages the program answers messages with DEFER_COMMIT and the marks with OK." status:"full"`
	BeginMark        string         `conf:"begintransactionmark" default:"BEGIN TRANSACTION" doc:"Line in front of a batch." status:"full"`
	CommitMark       string         `conf:"committransactionmark" default:"COMMIT TRANSACTION" doc:"Line after a batch." status:"full"`
	Single           bool           `conf:"forcesingleinstance" doc:"Accepted; there is always one instance of the program." status:"full"`
	HupSignal        string         `conf:"hup.signal,enum=HUP|USR1|USR2|INT|TERM" doc:"Signal for the program when the daemon is HUPed." status:"full"`
	Template         string         `conf:"template" doc:"Template of what the program reads; default RSYSLOG_FileFormat." status:"full"`
	SignalOnClose    bool           `conf:"signalonclose" doc:"Send SIGTERM to the program before its input is closed." status:"full"`
	CloseTimeout     int            `conf:"closetimeout,min=0" default:"5000" doc:"Milliseconds to wait for the program to end once its input is closed." status:"full"`
	KillUnresponsive conf.Opt[bool] `conf:"killunresponsive" doc:"Kill it then; default is signalOnClose. Otherwise it is left behind." status:"full"`
	Output           string         `conf:"output" doc:"File to which the program's output is appended, with confirmMessages its error output alone." status:"full"`
	FileMode         int            `conf:"filecreatemode,type=mode" default:"0600" doc:"Mode of that file." status:"full"`
}

// omprog writes to the standard input of a program. It runs one instance, starts
// it with the first message and anew when it has ended.
type omprog struct {
	p    OMProgParams
	args []string
	tpl  message.Template
	log  func(severity int, text string)
	now  func() time.Time
	out  lines

	mu     sync.Mutex // Hup may come at any time
	child  *child     // nil while it does not run
	output *captured

	quick int       // times in a row it ended soon after it was started
	again time.Time // not to be started before
}

const (
	// quickEnd is how long a program has to run to be started anew at once.
	quickEnd = 2 * time.Second
	// longestBreak is how long a program that always ends soon is left alone at most.
	longestBreak = time.Minute
)

// NewOMProg makes the output of action(type="omprog"). It starts nothing.
func NewOMProg(_ OMProgModule, p OMProgParams, d Deps) (Output, error) {
	tpl, err := d.template(p.Template, "RSYSLOG_FileFormat")
	if err != nil {
		return nil, err
	}
	args := splitCommand(p.Binary)
	if args[0] == "" {
		return nil, errors.New("binary names no program")
	}
	if !p.KillUnresponsive.Given {
		p.KillUnresponsive.Value = p.SignalOnClose
	}
	o := &omprog{p: p, args: args, tpl: tpl, log: d.Log, now: d.Env.Now}
	if p.Output != "" {
		o.output = &captured{name: p.Output, mode: os.FileMode(p.FileMode), log: d.Log}
	}
	return o, nil
}

// splitCommand splits a command line.
// as rsyslog: at every blank, so that two of them make an empty parameter; quotes
// keep blanks together and stay where they are.
func splitCommand(line string) []string {
	program, rest, more := strings.Cut(line, " ")
	args := []string{program}
	if !more {
		return args
	}
	from, quoted := 0, false
	for i := range len(rest) {
		switch {
		case rest[i] == ' ' && !quoted:
			args = append(args, rest[from:i])
			from = i + 1
		case rest[i] == '"':
			quoted = !quoted
		}
	}
	if from < len(rest) {
		args = append(args, rest[from:])
	}
	return args
}

// Write implements Output.
func (o *omprog) Write(ctx context.Context, v message.View) (int, error) {
	c, err := o.ready(ctx)
	if err != nil {
		return 0, err
	}
	var n int
	if o.p.Confirm {
		n, err = o.converse(ctx, c, v)
	} else {
		n, err = o.feed(ctx, c, v)
	}
	if err == nil {
		return n, nil
	}
	if no := (*notConfirmed)(nil); !errors.As(err, &no) {
		// What it has read of a message, and what it is going to say, is not known.
		o.stop(c)
	}
	return n, fmt.Errorf("program %s: %w", o.args[0], err)
}

// feed writes all messages to a program that does not answer. Those that are
// whole in the pipe are delivered; a transaction is delivered as a whole.
func (o *omprog) feed(ctx context.Context, c *child, v message.View) (int, error) {
	o.out.reset()
	if o.p.Transactions {
		o.out.buf = append(append(o.out.buf, o.p.BeginMark...), '\n')
	}
	for i := range v.Len() {
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		o.out.end(true) // as rsyslog: with a line feed if the template has none
	}
	if o.p.Transactions {
		o.out.buf = append(append(o.out.buf, o.p.CommitMark...), '\n')
	}
	n, err := c.write(ctx, o.out.buf, 0)
	if err == nil {
		return v.Len(), nil
	}
	if o.p.Transactions {
		return 0, err
	}
	count, _ := o.out.whole(n)
	return count, err
}

// notConfirmed is the program's answer to a message it could not process.
type notConfirmed struct{ answer string }

func (r *notConfirmed) Error() string { return fmt.Sprintf("it answered %q instead of OK", r.answer) }

// converse writes message by message and waits for each answer. Messages count
// when they are committed: by OK, by PREVIOUS_COMMITTED, which leaves out the one
// it answers, or by the end of the transaction.
func (o *omprog) converse(ctx context.Context, c *child, v message.View) (committed int, err error) {
	if o.p.Transactions {
		if err := o.mark(ctx, c, o.p.BeginMark); err != nil {
			return 0, err
		}
	}
	for i := range v.Len() {
		o.out.reset()
		o.out.buf = o.tpl.Append(o.out.buf, v.At(i))
		o.out.end(true)
		answer, err := o.ask(ctx, c, o.out.buf)
		if err != nil {
			return committed, err
		}
		switch answer {
		case "OK":
			committed = i + 1
		case "DEFER_COMMIT":
		case "PREVIOUS_COMMITTED":
			committed = i
		default:
			return committed, o.refused(answer)
		}
	}
	if o.p.Transactions {
		if err := o.mark(ctx, c, o.p.CommitMark); err != nil {
			return committed, err
		}
	}
	return v.Len(), nil
}

func (o *omprog) refused(answer string) error {
	if o.p.ReportFailures {
		o.log(severityWarning, fmt.Sprintf("program %s answered %q: the message is sent again later", o.args[0], answer))
	}
	return &notConfirmed{answer}
}

// mark sends a transaction mark.
func (o *omprog) mark(ctx context.Context, c *child, text string) error {
	answer, err := o.ask(ctx, c, append([]byte(text), '\n'))
	if err == nil && answer != "OK" {
		err = o.refused(answer)
	}
	return err
}

// ask writes something and waits for the answer.
func (o *omprog) ask(ctx context.Context, c *child, text []byte) (string, error) {
	if _, err := c.write(ctx, text, o.timeout()); err != nil {
		return "", err
	}
	return c.answer(ctx, o.timeout())
}

func (o *omprog) timeout() time.Duration { return time.Duration(o.p.ConfirmTimeout) * time.Millisecond }

// ready returns the running program, starting it if need be.
func (o *omprog) ready(ctx context.Context) (*child, error) {
	if c := o.child; c != nil {
		if !c.ended() {
			return c, nil
		}
		o.log(severityWarning, fmt.Sprintf("program %s (process %d) has ended: %v; it is started anew", o.args[0], c.cmd.Process.Pid, c.state()))
		o.stop(c)
	}
	if wait := o.again.Sub(o.now()); wait > 0 {
		return nil, fmt.Errorf("program %s ended soon after it was started, %d times in a row; it is started again in %v",
			o.args[0], o.quick, wait.Round(time.Millisecond))
	}
	c, err := startChild(o.args, o.p.Confirm, o.output)
	if err != nil {
		o.pause()
		return nil, fmt.Errorf("cannot start program %s: %w", o.args[0], err)
	}
	c.started = o.now()
	o.set(c)
	if o.p.Confirm {
		answer, err := c.answer(ctx, o.timeout())
		if err == nil && answer != "OK" {
			err = o.refused(answer)
		}
		if err != nil {
			o.stop(c)
			return nil, fmt.Errorf("program %s has started but is not ready: %w", o.args[0], err)
		}
	}
	return c, nil
}

func (o *omprog) set(c *child) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.child = c
}

// stop ends the program. One that did not run for long is not started again at
// once.
func (o *omprog) stop(c *child) {
	o.set(nil)
	how := ending{signal: o.p.SignalOnClose, wait: time.Duration(o.p.CloseTimeout) * time.Millisecond, kill: o.p.KillUnresponsive.Value}
	if !c.end(how) {
		o.log(severityWarning, fmt.Sprintf("program %s (process %d) has not ended within closeTimeout (%v); it is left behind",
			o.args[0], c.cmd.Process.Pid, how.wait))
	}
	if o.now().Sub(c.started) < quickEnd {
		o.pause()
	} else {
		o.quick = 0
	}
}

// pause leaves the program alone for a while, longer every time.
func (o *omprog) pause() {
	o.quick++
	o.again = o.now().Add(min(time.Second<<min(o.quick-1, 10), longestBreak))
}

// TryResume implements Output: it starts the program.
func (o *omprog) TryResume(ctx context.Context) error {
	_, err := o.ready(ctx)
	return err
}

// Hup opens the output file anew and sends hup.signal.
func (o *omprog) Hup() {
	if o.output != nil {
		o.output.reopen()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.p.HupSignal != "" && o.child != nil {
		// It may have ended meanwhile.
		_ = o.child.cmd.Process.Signal(unix.SignalNum("SIG" + o.p.HupSignal))
	}
}

// Render shows what would be written, for the error file.
func (o *omprog) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// Close ends the program.
func (o *omprog) Close() error {
	if o.child != nil {
		o.stop(o.child)
	}
	if o.output != nil {
		o.output.close()
	}
	return nil
}
