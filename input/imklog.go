package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// IMKLogModule are the parameters of module(load="imklog"), which reads the
// kernel's log.
type IMKLogModule struct {
	Path          string `conf:"logpath" default:"/proc/kmsg" doc:"Where the kernel's log is read." status:"full"`
	PermitOther   bool   `conf:"permitnonkernelfacility" doc:"Let through messages whose facility is not kern." status:"full"`
	ConsoleLevel  int    `conf:"consoleloglevel" default:"-1" doc:"Set the console's log level." status:"none"`
	ParseTime     bool   `conf:"parsekerneltimestamp" doc:"Take the kernel's time stamp for the message's." status:"none"`
	KeepTime      bool   `conf:"keepkerneltimestamp" doc:"Keep the kernel's time stamp in the message." status:"none"`
	OwnFacility   string `conf:"internalmsgfacility" doc:"Facility of the module's own messages." status:"none"`
	RateInterval  int    `conf:"ratelimitinterval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst     int    `conf:"ratelimitburst" default:"10000" doc:"Messages let through in an interval." status:"full"`
	RateLimitName string `conf:"ratelimit.name" doc:"A ratelimit() object instead." status:"none"`
}

// NewIMKLog makes the input that loading imklog means.
func NewIMKLog(m IMKLogModule, d Deps) (Input, error) {
	in := &kernelLog{m: m, deps: d}
	in.limit = newLimiter("imklog", m.RateInterval, m.RateBurst, d, &in.ledger)
	return in, nil
}

// kernelLog reads the kernel's messages, one a line: "<6>[   12.3] text".
type kernelLog struct {
	m      IMKLogModule
	deps   Deps
	file   *os.File
	limit  *limiter
	ledger message.Ledger
}

// Listen implements Input. Without permission, as in a container, the input is
// left out; the daemon has other work.
func (in *kernelLog) Listen() error {
	f, err := os.OpenFile(in.m.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("imklog: cannot open kernel log: %w", err)
	}
	in.file = f
	return nil
}

// Run implements Input.
func (in *kernelLog) Run(ctx context.Context, to message.Handler) error {
	defer in.limit.close()
	work, cancel := in.deps.graceful(ctx)
	defer cancel()
	lines := make(chan []byte)
	// A read of the kernel's log cannot always be interrupted: closing the file
	// ends it where it can, and the daemon does not wait for it.
	go in.read(ctx, lines)
	stop := context.AfterFunc(ctx, func() { in.file.Close() })
	defer stop()
	origin := message.NewOrigin("imklog", in.deps.Env.Hostname(), "127.0.0.1", "")
	var b message.Batch
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			in.add(&b, line, origin)
			handOver(work, &b, to, &in.ledger)
		}
	}
}

// read sends every line to lines and closes it when there are no more.
func (in *kernelLog) read(ctx context.Context, lines chan<- []byte) {
	defer close(lines)
	var rest []byte
	buf := make([]byte, 8192)
	for {
		n, err := in.file.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			line, after, found := bytes.Cut(rest, []byte{'\n'})
			if !found {
				break
			}
			select {
			case lines <- bytes.Clone(line):
			case <-ctx.Done():
				return
			}
			rest = after
		}
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, os.ErrClosed) {
				in.deps.Log(severityError, fmt.Sprintf("imklog: error reading %s: %v; kernel messages are not read until the next start", in.m.Path, err))
			}
			return
		}
	}
}

// add makes a line of the kernel's a message of facility kern with the tag
// "kernel:". as rsyslog: the kernel's priority counts only if its facility may.
func (in *kernelLog) add(b *message.Batch, line []byte, origin message.Origin) {
	pri, text := kernelPriority(line)
	if len(text) == 0 || pri>>3 != 0 && !in.m.PermitOther {
		return
	}
	now := in.deps.Env.Now()
	if !in.limit.allow(now.UnixNano(), origin) {
		return
	}
	b.AddMessage(message.Local{Origin: origin, Host: in.deps.Env.Hostname(), Tag: "kernel:", Text: string(text),
		PRI: pri, At: now}.Message())
}

// kernelPriority splits "<6>text"; a line without a priority is kern.info.
func kernelPriority(line []byte) (pri int, text []byte) {
	const kernInfo = 6
	end := bytes.IndexByte(line, '>')
	if len(line) < 3 || line[0] != '<' || end < 2 || end > 4 {
		return kernInfo, line
	}
	for _, c := range line[1:end] {
		if c < '0' || c > '9' {
			return kernInfo, line
		}
		pri = 10*pri + int(c-'0')
	}
	if pri > 191 {
		return kernInfo, line
	}
	return pri, line[end+1:]
}

// Name implements Input.
func (in *kernelLog) Name() string { return "imklog" }

// Addrs implements Input.
func (in *kernelLog) Addrs() []string { return []string{in.m.Path} }

// Ledger implements Input.
func (in *kernelLog) Ledger() *message.Ledger { return &in.ledger }
