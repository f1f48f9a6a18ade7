package input

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// IMUXSockModule are the parameters of module(load="imuxsock"). Loading the
// module is enough to read the system's log socket.
type IMUXSockModule struct {
	Use             bool   `conf:"syssock.use" default:"on" doc:"Read the system's log socket." status:"full"`
	Name            string `conf:"syssock.name" default:"/dev/log" doc:"Path of that socket." status:"full"`
	Unlink          bool   `conf:"syssock.unlink" default:"on" doc:"Remove a socket file that is there, and ours at the end." status:"full"`
	IgnoreTimestamp bool   `conf:"syssock.ignoretimestamp" default:"on" doc:"Use the time of reception." status:"full"`
	ParseHostname   bool   `conf:"syssock.parsehostname" doc:"Messages hold a host name." status:"full"`
	FlowControl     bool   `conf:"syssock.flowcontrol" doc:"Hold senders up when a queue is nearly full." status:"full"`
	IgnoreOwn       bool   `conf:"syssock.ignoreownmessages" default:"on" doc:"Accepted; own messages never take this way." status:"full"`
	UseSysTime      bool   `conf:"syssock.usesystimestamp" default:"on" doc:"Accepted; the time of reception is that of the read." status:"full"`
	Special         bool   `conf:"syssock.usespecialparser" default:"on" doc:"Accepted; the parser chain reads local messages, too." status:"full"`
	Annotate        bool   `conf:"syssock.annotate" doc:"Append trusted properties." status:"none"`
	ParseTrusted    bool   `conf:"syssock.parsetrusted" doc:"Make trusted properties variables." status:"none"`
	UsePID          bool   `conf:"syssock.usepidfromsystem" doc:"Take the process number from the kernel." status:"none"`
	RateInterval    int    `conf:"syssock.ratelimit.interval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst       int    `conf:"syssock.ratelimit.burst" default:"200" doc:"Messages let through in an interval, of all processes together." status:"partial"`
	RateSeverity    int    `conf:"syssock.ratelimit.severity" default:"1" doc:"Severity from which messages are limited." status:"none"`
	RateName        string `conf:"syssock.ratelimit.name" doc:"A ratelimit() object instead." status:"none"`
}

// IMUXSockParams are the parameters of input(type="imuxsock").
type IMUXSockParams struct {
	Socket          string `conf:"socket,required" doc:"Path of the socket." status:"full"`
	Unlink          bool   `conf:"unlink" default:"on" doc:"Remove a socket file that is there, and ours at the end." status:"full"`
	CreatePath      bool   `conf:"createpath" doc:"Create the socket's directory." status:"full"`
	Hostname        string `conf:"hostname" doc:"Host name of messages from this socket." status:"full"`
	IgnoreTimestamp bool   `conf:"ignoretimestamp" default:"on" doc:"Use the time of reception." status:"full"`
	ParseHostname   bool   `conf:"parsehostname" doc:"Messages hold a host name." status:"full"`
	FlowControl     bool   `conf:"flowcontrol" doc:"Hold senders up when a queue is nearly full." status:"full"`
	IgnoreOwn       bool   `conf:"ignoreownmessages" default:"on" doc:"Accepted; own messages never take this way." status:"full"`
	UseSysTime      bool   `conf:"usesystimestamp" default:"on" doc:"Accepted; the time of reception is that of the read." status:"full"`
	Special         bool   `conf:"usespecialparser" default:"on" doc:"Accepted; the parser chain reads local messages, too." status:"full"`
	Annotate        bool   `conf:"annotate" doc:"Append trusted properties." status:"none"`
	ParseTrusted    bool   `conf:"parsetrusted" doc:"Make trusted properties variables." status:"none"`
	UsePID          bool   `conf:"usepidfromsystem" doc:"Take the process number from the kernel." status:"none"`
	RateInterval    int    `conf:"ratelimit.interval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst       int    `conf:"ratelimit.burst" default:"200" doc:"Messages let through in an interval, of all processes together." status:"partial"`
	RateSeverity    int    `conf:"ratelimit.severity" default:"1" doc:"Severity from which messages are limited." status:"none"`
	RateName        string `conf:"ratelimit.name" doc:"A ratelimit() object instead." status:"none"`
}

// NewSystemSocket makes the input that loading imuxsock means; nil if it is off.
func NewSystemSocket(m IMUXSockModule, d Deps) (Input, error) {
	if !m.Use {
		return nil, nil
	}
	return newUnixSocket(IMUXSockParams{Socket: m.Name, Unlink: m.Unlink, IgnoreTimestamp: m.IgnoreTimestamp,
		ParseHostname: m.ParseHostname, FlowControl: m.FlowControl, RateInterval: m.RateInterval, RateBurst: m.RateBurst}, d), nil
}

// NewIMUXSock makes one input(type="imuxsock").
func NewIMUXSock(_ IMUXSockModule, p IMUXSockParams, d Deps) (Input, error) {
	if p.Socket == "" {
		return nil, errors.New("imuxsock: the socket has no name")
	}
	return newUnixSocket(p, d), nil
}

// unixSocket reads datagrams of local processes, each one message.
type unixSocket struct {
	p      IMUXSockParams
	deps   Deps
	conn   *net.UnixConn
	given  bool // by the service manager: not ours to remove
	flags  message.Flags
	ledger message.Ledger
	limit  *limiter
}

func newUnixSocket(p IMUXSockParams, d Deps) *unixSocket {
	in := &unixSocket{p: p, deps: d}
	if p.IgnoreTimestamp {
		in.flags |= message.IgnoreTimestamp
	}
	if p.ParseHostname {
		in.flags |= message.ParseHostname
	}
	in.limit = newLimiter("imuxsock", p.RateInterval, p.RateBurst, d, &in.ledger)
	return in
}

// Listen implements Input.
func (in *unixSocket) Listen() error {
	if c := activatedSocket(in.p.Socket); c != nil {
		in.conn, in.given = c, true
		return nil
	}
	if in.p.CreatePath {
		if err := os.MkdirAll(filepath.Dir(in.p.Socket), 0o755); err != nil {
			return fmt.Errorf("imuxsock: %w", err)
		}
	}
	if in.p.Unlink {
		if err := removeSocket(in.p.Socket); err != nil {
			return fmt.Errorf("imuxsock: remove old socket: %w", err)
		}
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: in.p.Socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("imuxsock: cannot create %s: %w", in.p.Socket, err)
	}
	if err := os.Chmod(in.p.Socket, 0o666); err != nil {
		c.Close()
		return fmt.Errorf("imuxsock: mode of %s: %w", in.p.Socket, err)
	}
	in.conn = c
	return nil
}

// removeSocket removes a socket file, and nothing else that may be there.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&(os.ModeSocket|os.ModeSymlink) == 0 {
		return fmt.Errorf("%s is there and no socket", path)
	}
	return os.Remove(path)
}

// activatedSocket returns the socket of that name that the service manager has
// opened for us (sd_listen_fds(3)), or nil.
func activatedSocket(path string) *net.UnixConn {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for fd := 3; fd < 3+min(n, 16); fd++ {
		f := os.NewFile(uintptr(fd), path)
		c, err := net.FilePacketConn(f)
		if err != nil {
			continue
		}
		// systemd names the journal's forwarding socket /run/systemd/journal/syslog.
		if u, ok := c.(*net.UnixConn); ok && (u.LocalAddr().String() == path || n == 1) {
			return u
		}
		c.Close()
	}
	return nil
}

// datagramVector is how many datagrams are taken at once.
const datagramVector = 32

// Run implements Input.
func (in *unixSocket) Run(ctx context.Context, to message.Handler) error {
	defer in.close()
	work, cancel := in.deps.graceful(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { in.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := in.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("imuxsock: %w", err)
	}
	host := in.p.Hostname
	if host == "" {
		host = in.deps.Env.Hostname()
	}
	r := datagramReader{in: in, origin: message.NewOrigin("imuxsock", host, "127.0.0.1", ""),
		vec: newMmsgVector(datagramVector, in.deps.Env.Sanitize.MaxSize)}
	if in.p.FlowControl {
		r.batch.Flow = message.FullDelay
	}
	for raw.Read(r.read) == nil {
		if r.err != nil {
			in.deps.Log(severityError, fmt.Sprintf("imuxsock: error receiving on %s: %v", in.p.Socket, r.err))
			if !pause(ctx, time.Second) {
				break
			}
			continue
		}
		r.handle(work, to)
	}
	raw.Control(func(fd uintptr) {
		for r.read(fd) && r.err == nil && r.n > 0 && work.Err() == nil {
			r.handle(work, to)
		}
	})
	return nil
}

func (in *unixSocket) close() {
	in.limit.close()
	in.conn.Close()
	if !in.given && in.p.Unlink {
		os.Remove(in.p.Socket)
	}
}

// datagramReader is the state of Run.
type datagramReader struct {
	in     *unixSocket
	vec    *mmsgVector
	batch  message.Batch
	origin message.Origin
	n      int
	err    error
}

func (r *datagramReader) read(fd uintptr) bool {
	r.n, r.err = r.vec.receive(fd)
	return r.err != unix.EAGAIN
}

func (r *datagramReader) handle(ctx context.Context, to message.Handler) {
	env := r.in.deps.Env
	now := env.Now().UnixNano()
	for i := range r.n {
		text, truncated := r.vec.datagram(i)
		if len(text) == 0 || !r.in.limit.allowText(now, r.origin, text) {
			continue
		}
		flags := r.in.flags
		if truncated {
			flags |= message.Truncated
		}
		r.batch.Receive(&env.Sanitize, text, r.origin, now, flags)
	}
	handOver(ctx, &r.batch, to, &r.in.ledger)
}

// Name implements Input.
func (in *unixSocket) Name() string { return "imuxsock(" + in.p.Socket + ")" }

// Addrs implements Input.
func (in *unixSocket) Addrs() []string { return []string{in.p.Socket} }

// Ledger implements Input.
func (in *unixSocket) Ledger() *message.Ledger { return &in.ledger }
