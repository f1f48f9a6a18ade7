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
	Name            string `conf:"syssock.name" doc:"Path of that socket; default is /dev/log, or under systemd the socket to which the journal forwards." status:"full"`
	Unlink          bool   `conf:"syssock.unlink" default:"on" doc:"Remove a socket file that is there, and ours at the end." status:"full"`
	IgnoreTimestamp bool   `conf:"syssock.ignoretimestamp" default:"on" doc:"Use the time of reception." status:"full"`
	UseSysTime      bool   `conf:"syssock.usesystimestamp" default:"on" doc:"Use the time at which the kernel took the message, whatever ignoreTimestamp says, unless useSpecialParser is off." status:"full"`
	Special         bool   `conf:"syssock.usespecialparser" default:"on" doc:"Read messages as syslog(3) writes them; off: with the parsers of the ruleset." status:"full"`
	ParseHostname   bool   `conf:"syssock.parsehostname" doc:"Messages hold a host name, for parsers that look for one." status:"full"`
	FlowControl     bool   `conf:"syssock.flowcontrol" doc:"Hold senders up when a queue is nearly full." status:"full"`
	IgnoreOwn       bool   `conf:"syssock.ignoreownmessages" default:"on" doc:"Drop messages of this process, if its own messages go through the rules." status:"full"`
	UsePID          bool   `conf:"syssock.usepidfromsystem" doc:"Put the process number that the kernel gives into the tag." status:"full"`
	Annotate        bool   `conf:"syssock.annotate" doc:"Append trusted properties, which the kernel and /proc give: _PID, _UID, _GID, _COMM, _EXE, _CMDLINE." status:"full"`
	ParseTrusted    bool   `conf:"syssock.parsetrusted" doc:"With annotate, set $!pid, $!uid, $!gid, $!appname, $!exe and $!cmd instead." status:"full"`
	RateInterval    int    `conf:"syssock.ratelimit.interval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst       int    `conf:"syssock.ratelimit.burst" default:"200" doc:"Messages of one process let through in an interval." status:"full"`
	RateSeverity    int    `conf:"syssock.ratelimit.severity,type=severity" default:"1" doc:"Only messages of this severity and less severe ones are limited." status:"full"`
	RateName        string `conf:"syssock.ratelimit.name" doc:"Name of a ratelimit() object with a process's limit, instead of the above." status:"full"`
}

// IMUXSockParams are the parameters of input(type="imuxsock").
type IMUXSockParams struct {
	Socket          string `conf:"socket,required" doc:"Path of the socket." status:"full"`
	CreatePath      bool   `conf:"createpath" doc:"Create the socket's directory." status:"full"`
	Hostname        string `conf:"hostname" doc:"Host name of messages from this socket." status:"full"`
	Ruleset         string `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Unlink          bool   `conf:"unlink" default:"on" doc:"Remove a socket file that is there, and ours at the end." status:"full"`
	IgnoreTimestamp bool   `conf:"ignoretimestamp" default:"on" doc:"Use the time of reception." status:"full"`
	UseSysTime      bool   `conf:"usesystimestamp" default:"on" doc:"Use the time at which the kernel took the message, whatever ignoreTimestamp says, unless useSpecialParser is off." status:"full"`
	Special         bool   `conf:"usespecialparser" default:"on" doc:"Read messages as syslog(3) writes them; off: with the parsers of the ruleset." status:"full"`
	ParseHostname   bool   `conf:"parsehostname" doc:"Messages hold a host name, for parsers that look for one." status:"full"`
	FlowControl     bool   `conf:"flowcontrol" doc:"Hold senders up when a queue is nearly full." status:"full"`
	IgnoreOwn       bool   `conf:"ignoreownmessages" default:"on" doc:"Drop messages of this process, if its own messages go through the rules." status:"full"`
	UsePID          bool   `conf:"usepidfromsystem" doc:"Put the process number that the kernel gives into the tag." status:"full"`
	Annotate        bool   `conf:"annotate" doc:"Append trusted properties, which the kernel and /proc give: _PID, _UID, _GID, _COMM, _EXE, _CMDLINE." status:"full"`
	ParseTrusted    bool   `conf:"parsetrusted" doc:"With annotate, set $!pid, $!uid, $!gid, $!appname, $!exe and $!cmd instead." status:"full"`
	RateInterval    int    `conf:"ratelimit.interval" doc:"Seconds of a rate limit's interval; 0 is no limit." status:"full"`
	RateBurst       int    `conf:"ratelimit.burst" default:"200" doc:"Messages of one process let through in an interval." status:"full"`
	RateSeverity    int    `conf:"ratelimit.severity,type=severity" default:"1" doc:"Only messages of this severity and less severe ones are limited." status:"full"`
	RateName        string `conf:"ratelimit.name" doc:"Name of a ratelimit() object with a process's limit, instead of the above." status:"full"`
}

const (
	devLog        = "/dev/log"
	journalSocket = "/run/systemd/journal/syslog"
)

// NewSystemSocket makes the input that loading imuxsock means; nil if it is off.
func NewSystemSocket(m IMUXSockModule, d Deps) (Input, error) {
	if !m.Use {
		return nil, nil
	}
	p := IMUXSockParams{Socket: m.Name, Unlink: m.Unlink, IgnoreTimestamp: m.IgnoreTimestamp, UseSysTime: m.UseSysTime,
		Special: m.Special, ParseHostname: m.ParseHostname, FlowControl: m.FlowControl, IgnoreOwn: m.IgnoreOwn, UsePID: m.UsePID,
		Annotate: m.Annotate, ParseTrusted: m.ParseTrusted, RateInterval: m.RateInterval, RateBurst: m.RateBurst,
		RateSeverity: m.RateSeverity, RateName: m.RateName}
	if p.Socket == "" {
		p.Socket = systemSocket()
	}
	in, err := newUnixSocket(p, d)
	if err != nil {
		return nil, err
	}
	in.system = true
	return in, nil
}

// systemSocket is where local programs' messages arrive: under systemd the
// journal reads /dev/log and passes on what it reads.
func systemSocket() string {
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return devLog
	}
	if _, err := os.Stat(journalSocket); err != nil {
		return devLog
	}
	return journalSocket
}

// NewIMUXSock makes one input(type="imuxsock").
func NewIMUXSock(_ IMUXSockModule, p IMUXSockParams, d Deps) (Input, error) {
	if p.Socket == "" {
		return nil, errors.New("imuxsock: the socket has no name")
	}
	return newUnixSocket(p, d)
}

// unixSocket reads datagrams of local processes, each one message.
type unixSocket struct {
	p      IMUXSockParams
	deps   Deps
	system bool // the system's log socket
	conn   *net.UnixConn
	given  bool // by the service manager: not ours to remove
	flags  message.Flags
	ledger message.Ledger
	limits *processLimits
}

func newUnixSocket(p IMUXSockParams, d Deps) (*unixSocket, error) {
	in := &unixSocket{p: p, deps: d}
	if p.IgnoreTimestamp || p.UseSysTime && p.Special {
		in.flags |= message.IgnoreTimestamp
	}
	if p.ParseHostname {
		in.flags |= message.ParseHostname
	}
	var err error
	if in.limits, err = newProcessLimits(p, d, &in.ledger); err != nil {
		return nil, fmt.Errorf("imuxsock: %s: %w", p.Socket, err)
	}
	return in, nil
}

// Listen implements Input.
func (in *unixSocket) Listen() error {
	if c := activatedSocket(in.p.Socket, in.system); c != nil {
		in.conn, in.given = c, true
		return in.wantCredentials()
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
	return in.wantCredentials()
}

// wantCredentials asks the kernel to say who sends and when (unix(7), socket(7)).
func (in *unixSocket) wantCredentials() error {
	raw, err := in.conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
		}), err)
	}
	if err != nil {
		return fmt.Errorf("imuxsock: %s: ask for credentials: %w", in.p.Socket, err)
	}
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
// opened for us (sd_listen_fds(3)), or nil. As a system socket a single one counts
// whatever it is called.
func activatedSocket(path string, system bool) *net.UnixConn {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for fd := 3; fd < 3+min(n, 16); fd++ {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			continue
		}
		f := os.NewFile(uintptr(own), path)
		c, err := net.FilePacketConn(f)
		f.Close()
		if err != nil {
			continue
		}
		if u, ok := c.(*net.UnixConn); ok && (u.LocalAddr().String() == path || n == 1 && system) {
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
	r := newDatagramReader(in)
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
	in.limits.close()
	in.conn.Close()
	if !in.given && in.p.Unlink {
		os.Remove(in.p.Socket)
	}
}

// Name implements Input.
func (in *unixSocket) Name() string { return "imuxsock(" + in.p.Socket + ")" }

// Addrs implements Input.
func (in *unixSocket) Addrs() []string { return []string{in.p.Socket} }

// Ledger implements Input.
func (in *unixSocket) Ledger() *message.Ledger { return &in.ledger }
