package input

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// datagramReader makes messages of what one recvmmsg(2) returns.
type datagramReader struct {
	in     *unixSocket
	vec    *mmsgVector
	batch  message.Batch
	origin message.Origin
	text   []byte // scratch
	sender process
	n      int
	err    error
	full   bool // the handler did not take the last batch in time
}

// credentials are who sent a datagram and when, as the kernel says.
type credentials struct {
	pid, uid, gid int // pid is 0 if it does not say
	at            int64
}

// process is what is known of a sender. It is looked up once for what one read
// returned: the process may end or become another program at any time.
type process struct {
	credentials
	comm, exe, cmdline string
}

func newDatagramReader(in *unixSocket) *datagramReader {
	host := in.p.Hostname
	if host == "" {
		host = in.deps.Env.Hostname()
	}
	r := &datagramReader{in: in, origin: message.NewOrigin("imuxsock", host, "127.0.0.1", ""),
		vec: newMmsgVector(datagramVector, in.deps.Env.Sanitize.Room())}
	r.vec.wantControl(unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(16))
	if in.p.FlowControl {
		r.batch.Flow = message.FullDelay
	}
	return r
}

func (r *datagramReader) read(fd uintptr) bool {
	r.n, r.err = r.vec.receive(fd)
	return r.err != unix.EAGAIN
}

func (r *datagramReader) handle(ctx context.Context, to message.Handler) {
	r.sender = process{}
	now := r.in.deps.Env.Now().UnixNano()
	for i := range r.n {
		text, truncated := r.vec.datagram(i)
		if len(text) == 0 {
			continue
		}
		c := parseCredentials(r.vec.controlOf(i))
		if c.at == 0 || !r.in.p.UseSysTime {
			c.at = now
		}
		if r.in.p.IgnoreOwn && r.in.deps.OwnThroughRules && c.pid == os.Getpid() {
			continue
		}
		if !r.in.limits.allow(c, text, r.origin) {
			continue
		}
		flags := r.in.flags
		if truncated {
			flags |= message.Truncated
		}
		r.add(text, c, flags)
	}
	r.handOver(ctx, to)
}

// parseCredentials reads the control messages of a datagram.
func parseCredentials(control []byte) (c credentials) {
	msgs, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return c
	}
	for _, m := range msgs {
		switch {
		case m.Header.Level != unix.SOL_SOCKET:
		case m.Header.Type == unix.SCM_CREDENTIALS:
			if u, err := unix.ParseUnixCredentials(&m); err == nil {
				c.pid, c.uid, c.gid = int(u.Pid), int(u.Uid), int(u.Gid)
			}
		case m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16:
			c.at = int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		}
	}
	return c
}

// add makes a message of a datagram. Without the special parser and anything to
// add to it, the ruleset's parsers read it later.
func (r *datagramReader) add(text []byte, c credentials, flags message.Flags) {
	p, env := &r.in.p, r.in.deps.Env
	if !p.Special && !p.Annotate {
		r.batch.Receive(&env.Sanitize, text, r.origin, c.at, flags)
		return
	}
	var cut bool
	r.text, cut = env.Sanitize.Append(r.text[:0], text)
	if cut {
		flags |= message.Truncated
	}
	m := message.Message{Origin: r.origin, Received: c.at, Flags: flags, PRI: message.DefaultPRI}
	if p.Annotate && c.pid > 0 {
		r.annotate(&m, c)
	}
	m.Text = r.text
	if p.Special {
		pid := 0
		if p.UsePID {
			pid = c.pid
		}
		env.ParseLocal(&m, pid)
	}
	r.batch.AddMessage(&m)
}

// annotate adds trusted properties to the text, or to the message's variables.
func (r *datagramReader) annotate(m *message.Message, c credentials) {
	if c.pid != r.sender.pid {
		r.sender = processOf(c)
	}
	s, env := &r.sender, r.in.deps.Env
	if !r.in.p.ParseTrusted {
		r.text, _ = (&message.Sanitizer{EscapeControl: true, EscapeTab: true, EscapePrefix: env.Sanitize.EscapePrefix}).Append(r.text, s.text())
		return
	}
	for _, v := range []struct {
		name  string
		value message.Value
		known bool
	}{
		{"pid", message.IntValue(int64(s.pid)), true}, {"uid", message.IntValue(int64(s.uid)), true}, {"gid", message.IntValue(int64(s.gid)), true},
		{"appname", message.StringValue(s.comm), s.comm != ""}, {"exe", message.StringValue(s.exe), s.exe != ""}, {"cmd", message.StringValue(s.cmdline), s.cmdline != ""},
	} {
		if path, err := env.Path("$!" + v.name); err == nil && v.known {
			m.AddVar(path, v.value)
		}
	}
}

// text is the properties as rsyslog appends them.
func (p *process) text() []byte {
	b := fmt.Appendf(nil, " @[_PID=%d _UID=%d _GID=%d", p.pid, p.uid, p.gid)
	if p.comm != "" {
		b = fmt.Appendf(b, " _COMM=%s", p.comm)
	}
	if p.exe != "" {
		b = fmt.Appendf(b, " _EXE=%s", p.exe)
	}
	if p.cmdline != "" {
		b = fmt.Appendf(b, ` _CMDLINE="%s"`, p.cmdline)
	}
	return append(b, ']')
}

// procMax bounds what is taken from one file in /proc.
const procMax = 2048

// processOf looks a process up. What it does not tell, or not any more, is empty.
func processOf(c credentials) process {
	p := process{credentials: c}
	dir := "/proc/" + strconv.Itoa(c.pid) + "/"
	comm, _, _ := strings.Cut(procFile(dir+"comm"), "\n")
	p.comm = comm
	p.exe, _ = os.Readlink(dir + "exe")
	// as rsyslog: with a blank at the end.
	p.cmdline = strings.ReplaceAll(procFile(dir+"cmdline"), "\x00", " ")
	return p
}

func procFile(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, procMax)
	n, _ := f.Read(b)
	return string(b[:n])
}

// holdTime is how long programs may be held up when a queue becomes full. Their
// datagrams cannot be dropped by the kernel, as those of UDP are: as long as they
// are not read, syslog(3) does not return.
const holdTime = time.Second

// handOver gives the batch to the handler. Without flow control it is not waited
// for longer than holdTime, and not at all as long as nothing is taken.
func (r *datagramReader) handOver(ctx context.Context, to message.Handler) {
	n := r.batch.Len()
	if n == 0 {
		return
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if !r.in.p.FlowControl {
		wait := holdTime
		if r.full {
			wait = time.Millisecond
		}
		limited, cancel = context.WithTimeout(ctx, wait)
	}
	defer cancel()
	l := &r.in.ledger
	l.Receive(n)
	err := to(limited, r.batch.All())
	lost := message.Rest(r.batch.All(), err).Len()
	l.Deliver(n - lost)
	r.full = lost > 0
	if lost > 0 {
		reason := message.QueueFull
		if ctx.Err() != nil {
			reason = message.ShutdownTimeout
		}
		l.Discard(reason, lost)
	}
	r.batch.Reset()
}

// processLimits are the rate limits of the processes that send to one socket. nil
// limits nothing.
type processLimits struct {
	socket string
	policy *RateLimit
	deps   Deps
	ledger *message.Ledger
	rates  map[int]*processRate
	known  atomic.Int64 // how many there are
}

type processRate struct {
	message.Rate
	name string
	last int64
}

// processesMax is how many processes are remembered.
const processesMax = 4096

func newProcessLimits(p IMUXSockParams, d Deps, l *message.Ledger) (*processLimits, error) {
	limits := &processLimits{socket: p.Socket, deps: d, ledger: l, rates: map[int]*processRate{}}
	switch {
	case p.RateName != "" && p.RateInterval != 0:
		return nil, fmt.Errorf("rateLimit.name and rateLimit.interval exclude each other")
	case p.RateName != "":
		if d.RateLimit != nil {
			var ok bool
			if limits.policy, ok = d.RateLimit(p.RateName); ok {
				return limits, nil
			}
		}
		return nil, fmt.Errorf("there is no ratelimit() object %q", p.RateName)
	case p.RateInterval <= 0:
		return nil, nil
	}
	limits.policy = NewRateLimit("", RateValues{Interval: p.RateInterval, Burst: p.RateBurst, Severity: p.RateSeverity})
	return limits, nil
}

// allow decides about one message. as rsyslog: what the kernel does not name a
// sender of is not limited.
func (l *processLimits) allow(c credentials, text []byte, from message.Origin) bool {
	if l == nil || c.pid == 0 {
		return true
	}
	v := l.policy.values.Load()
	if v.interval == 0 || v.severity > 0 && message.SeverityOf(text) < v.severity {
		return true
	}
	now := c.at / int64(time.Second)
	r := l.rates[c.pid]
	if r == nil {
		l.makeRoom(now, v)
		exe, _ := os.Readlink("/proc/" + strconv.Itoa(c.pid) + "/exe")
		r = &processRate{name: fmt.Sprintf("imuxsock[pid: %d, name: %s]", c.pid, exe)}
		l.rates[c.pid] = r
		l.known.Store(int64(len(l.rates)))
	}
	r.last = now
	l.tell(r, r.Next(now, v.interval), v)
	if r.Allow(v.burst) {
		return true
	}
	if r.Missed == 1 {
		l.deps.Log(severityInfo, fmt.Sprintf("%s from <%s>: begin to drop messages due to rate-limiting", r.name, from.FromHost()))
	}
	l.ledger.Receive(1)
	l.ledger.Discard(message.RateLimited, 1)
	return false
}

// makeRoom forgets processes that were silent for an interval, or, if there are
// none, the one that was silent for longest.
func (l *processLimits) makeRoom(now int64, v *rateValues) {
	if len(l.rates) < processesMax {
		return
	}
	oldest, at := 0, now+1
	for pid, r := range l.rates {
		if now-r.last > v.interval {
			l.forget(pid, v)
		} else if r.last < at {
			oldest, at = pid, r.last
		}
	}
	if len(l.rates) >= processesMax {
		l.forget(oldest, v)
	}
}

func (l *processLimits) forget(pid int, v *rateValues) {
	if r := l.rates[pid]; r != nil {
		l.tell(r, r.Missed, v)
		delete(l.rates, pid)
		l.known.Store(int64(len(l.rates)))
	}
}

func (l *processLimits) tell(r *processRate, missed int64, v *rateValues) {
	if missed > 0 {
		l.deps.Log(severityInfo, fmt.Sprintf("%s: %d messages lost due to rate-limiting (%d allowed within %d seconds)", r.name, missed, v.burst, v.interval))
	}
}

// len is how many processes are remembered.
func (l *processLimits) len() int64 {
	if l == nil {
		return 0
	}
	return l.known.Load()
}

// close reports what has not been told of.
func (l *processLimits) close() {
	if l == nil {
		return
	}
	v := l.policy.values.Load()
	for pid := range l.rates {
		l.forget(pid, v)
	}
}
