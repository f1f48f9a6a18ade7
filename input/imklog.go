package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// IMKLogModule are the parameters of module(load="imklog"), which reads the
// kernel's log.
type IMKLogModule struct {
	Path         string `conf:"logpath" default:"/proc/kmsg" doc:"Where the kernel's log is read." status:"full"`
	PermitOther  bool   `conf:"permitnonkernelfacility" doc:"Let through messages whose facility is not kern." status:"full"`
	ConsoleLevel int    `conf:"consoleloglevel,max=8" default:"-1" doc:"Severity below which the kernel shows messages on the console, from 1 to 8; -1 leaves it as it is." status:"full"`
	ParseTime    bool   `conf:"parsekerneltimestamp" doc:"Take the kernel's time stamp for the message's, and out of it." status:"full"`
	KeepTime     bool   `conf:"keepkerneltimestamp" doc:"Keep it in the message nevertheless." status:"full"`
	OwnFacility  string `conf:"internalmsgfacility" doc:"Own messages have facility syslog." status:"none"`
	RateInterval int    `conf:"ratelimitinterval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst    int    `conf:"ratelimitburst" default:"10000" doc:"Messages let through in an interval." status:"full"`
	RateName     string `conf:"ratelimit.name" doc:"Name of a ratelimit() object, instead of the above." status:"full"`
}

// IMKMsgModule are the parameters of module(load="imkmsg"), which reads the
// kernel's log with its structured part.
type IMKMsgModule struct {
	Path string `conf:"logpath" default:"/dev/kmsg" doc:"Where it is read (sysrelay's own)." status:"full"`
}

// NewIMKLog makes the input that loading imklog means.
func NewIMKLog(m IMKLogModule, d Deps) (Input, error) {
	in := &kernelLog{name: "imklog", m: m, deps: d}
	var err error
	rate := RateParams{RateInterval: m.RateInterval, RateBurst: m.RateBurst, RateName: m.RateName}
	if in.limit, err = rate.limiter("imklog", d, &in.ledger); err != nil {
		return nil, fmt.Errorf("imklog: %w", err)
	}
	return in, nil
}

// NewIMKMsg makes the input that loading imkmsg means.
func NewIMKMsg(m IMKMsgModule, d Deps) (Input, error) {
	in := &kernelLog{name: "imkmsg", m: IMKLogModule{Path: m.Path, ConsoleLevel: -1}, records: true, deps: d}
	var err error
	in.tree, err = d.Env.Path("$!")
	return in, err
}

// kernelLog reads the kernel's messages: one a line, "<6>[   12.3] text", or one a
// read, "6,7,12300000,-;text" and lines " KEY=value" (the kernel's
// Documentation/ABI/testing/dev-kmsg).
type kernelLog struct {
	name    string
	m       IMKLogModule
	records bool
	deps    Deps
	file    *os.File
	limit   *limiter
	ledger  message.Ledger
	tree    message.Path
}

// Listen implements Input. Without permission, as in a container, the input is
// left out; the daemon has other work.
func (in *kernelLog) Listen() error {
	f, err := os.OpenFile(in.m.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("%s: cannot open kernel log: %w", in.name, err)
	}
	in.file = f
	if in.m.ConsoleLevel > 0 {
		// syslog(2): SYSLOG_ACTION_CONSOLE_LEVEL takes the level as the buffer's length.
		if _, err := unix.Klogctl(unix.SYSLOG_ACTION_CONSOLE_LEVEL, make([]byte, in.m.ConsoleLevel)); err != nil {
			in.deps.Log(severityWarning, fmt.Sprintf("%s: cannot set the console's log level: %v; it stays as it is", in.name, err))
		}
	}
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
	origin := message.NewOrigin(in.name, in.deps.Env.Hostname(), "127.0.0.1", "")
	var b message.Batch
	b.Flow = message.LightDelay // as rsyslog
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if in.records {
				in.addRecord(&b, line, origin)
			} else {
				in.add(&b, line, origin)
			}
			handOver(work, &b, to, &in.ledger)
		}
	}
}

// read sends every line, or every record, to lines and closes it when there are
// no more.
func (in *kernelLog) read(ctx context.Context, lines chan<- []byte) {
	defer close(lines)
	send := func(line []byte) bool {
		select {
		case lines <- bytes.Clone(line):
			return true
		case <-ctx.Done():
			return false
		}
	}
	split := splitter{max: in.deps.Env.Sanitize.MaxSize}
	buf := make([]byte, 16<<10)
	for {
		n, err := in.file.Read(buf)
		ok := true
		if in.records && n > 0 {
			ok = send(buf[:n])
		} else {
			ok = split.write(buf[:n], send)
		}
		switch {
		case !ok || ctx.Err() != nil:
			return
		case errors.Is(err, unix.EPIPE):
			in.deps.Log(severityWarning, in.name+": some messages in circular buffer got overwritten") // as rsyslog
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			in.deps.Log(severityError, fmt.Sprintf("%s: error reading %s: %v; kernel messages are not read until the next start", in.name, in.m.Path, err))
			return
		}
	}
}

// splitter cuts a stream into lines; what is longer than max is cut there, too.
type splitter struct {
	max  int
	rest []byte
}

// write calls line for each line; false from it ends that.
func (s *splitter) write(b []byte, line func([]byte) bool) bool {
	for len(b) > 0 {
		part, after, found := bytes.Cut(b, []byte{'\n'})
		if room := max(s.max-len(s.rest), 0); len(part) > room {
			part, after, found = b[:room], b[room:], true
		}
		s.rest, b = append(s.rest, part...), after
		if !found {
			break
		}
		if !line(s.rest) {
			return false
		}
		s.rest = s.rest[:0]
	}
	return true
}

// add makes a line of the kernel's a message of facility kern with the tag
// "kernel:". as rsyslog: the kernel's priority counts only if its facility may.
func (in *kernelLog) add(b *message.Batch, line []byte, origin message.Origin) {
	pri, text := kernelPriority(line)
	if len(line) == 0 || pri>>3 != 0 && !in.m.PermitOther {
		return
	}
	at := in.deps.Env.Now()
	if !in.limit.allow(at.UnixNano(), origin) {
		return
	}
	if in.m.ParseTime {
		if since, rest, ok := kernelTime(text); ok {
			at = in.since(since)
			if !in.m.KeepTime {
				text = rest
			}
		}
	}
	b.AddMessage(in.message(origin, pri, text, at))
}

func (in *kernelLog) message(origin message.Origin, pri int, text []byte, at time.Time) *message.Message {
	return message.Local{Origin: origin, Host: in.deps.Env.Hostname(), Tag: "kernel:", Text: string(text), Bare: true,
		PRI: pri, At: at}.Message()
}

// since is the time that long after the system's start.
func (in *kernelLog) since(start time.Duration) time.Time {
	env := in.deps.Env
	return env.Now().Add(start - env.Uptime())
}

// kernelTime reads "[   12.345678]", seconds since the system's start.
func kernelTime(text []byte) (since time.Duration, rest []byte, ok bool) {
	end := bytes.IndexByte(text, ']')
	if end < 0 || text[0] != '[' {
		return 0, nil, false
	}
	number := bytes.TrimLeft(text[1:end], " ")
	seconds, fraction, found := bytes.Cut(number, []byte{'.'})
	s, err := strconv.ParseInt(string(seconds), 10, 33)
	f, ferr := strconv.ParseUint("0"+string(fraction), 10, 62)
	if !found || err != nil || ferr != nil || s < 0 || len(fraction) == 0 || len(fraction) > 9 {
		return 0, nil, false
	}
	since = time.Duration(f)
	for range 9 - len(fraction) {
		since *= 10
	}
	return time.Duration(s)*time.Second + since, text[end+1:], true
}

// addRecord makes a message of a record of /dev/kmsg. as rsyslog: $!sequnum, $!msg
// and the dictionary's keys are variables.
func (in *kernelLog) addRecord(b *message.Batch, record []byte, origin message.Origin) {
	head, body, ok := bytes.Cut(record, []byte{';'})
	parts := bytes.Split(head, []byte{','})
	if !ok || len(parts) < 3 {
		return
	}
	pri, err := strconv.Atoi(string(parts[0]))
	sequence, serr := strconv.ParseInt(string(parts[1]), 10, 64)
	usec, terr := strconv.ParseInt(string(parts[2]), 10, 53)
	if err != nil || serr != nil || terr != nil || pri < 0 || pri > 191 {
		return
	}
	text, dictionary, _ := bytes.Cut(body, []byte{'\n'})
	m := in.message(origin, pri, text, in.since(time.Duration(usec)*time.Microsecond))
	vars := message.NewObject()
	vars.SetMember("sequnum", message.IntValue(sequence), true)
	vars.SetMember("msg", message.StringValue(string(text)), true)
	for line := range bytes.Lines(dictionary) {
		key, value, found := bytes.Cut(bytes.Trim(line, " \n"), []byte{'='})
		if found {
			vars.SetMember(string(key), message.StringValue(string(value)), true)
		}
	}
	m.AddVar(in.tree, vars)
	b.AddMessage(m)
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
func (in *kernelLog) Name() string { return in.name }

// Addrs implements Input.
func (in *kernelLog) Addrs() []string { return []string{in.m.Path} }

// Ledger implements Input.
func (in *kernelLog) Ledger() *message.Ledger { return &in.ledger }
