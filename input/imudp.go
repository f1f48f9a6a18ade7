package input

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// IMUDPModule are the parameters of module(load="imudp"): defaults for its inputs.
type IMUDPModule struct {
	SchedulingPolicy   string   `conf:"schedulingpolicy" doc:"Scheduling class of the receiving thread." status:"none"`
	SchedulingPriority int      `conf:"schedulingpriority" doc:"Priority within it." status:"none"`
	BatchSize          int      `conf:"batchsize" default:"32" doc:"Datagrams taken from the kernel at once; never fewer than 64 here." status:"full"`
	Threads            int      `conf:"threads" default:"1" doc:"Sockets per port, each with its own receiver; the kernel gives each sender to one of them." status:"full"`
	TimeRequery        int      `conf:"timerequery" default:"2" doc:"Accepted; the time is read once per batch." status:"full"`
	PreserveCase       bool     `conf:"preservecase" doc:"Keep the case of fromhost." status:"full"`
	AllowedSender      []string `conf:"allowedsender" doc:"Addresses, networks and names that may send." status:"full"`
}

// IMUDPParams are the parameters of input(type="imudp").
type IMUDPParams struct {
	Port          []string           `conf:"port,required" doc:"Ports to listen on; 0 lets the system choose." status:"full"`
	PortFile      string             `conf:"listenportfilename" doc:"File the first port's number is written to." status:"full"`
	DefaultTZ     string             `conf:"defaulttz" doc:"Time zone of RFC 3164 timestamps without one, as +hh:mm or -hh:mm." status:"full"`
	Name          string             `conf:"name" alias:"inputname" default:"imudp" doc:"Property inputname of the messages." status:"full"`
	AppendPort    bool               `conf:"name.appendport" alias:"inputname.appendport" doc:"Append the port to it." status:"full"`
	Address       string             `conf:"address" doc:"Address to listen on; default is all." status:"full"`
	Device        string             `conf:"device" doc:"Network interface to listen on." status:"full"`
	ReceiveBuffer int64              `conf:"rcvbufsize,type=size" doc:"Size of the kernel's receive buffer; default is 4 MiB, or what the system permits, and twice as much each time it has overflowed, up to 64 MiB." status:"full"`
	FreeBind      int                `conf:"ipfreebind" default:"2" doc:"Listen on an address this host does not have yet: 0 no, 1 and 2 yes." status:"full"`
	Namespace     string             `conf:"networknamespace" doc:"Linux network namespace to listen in, a name below /run/netns (sysrelay's own)." status:"full"`
	Ruleset       string             `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	AllowedSender conf.Opt[[]string] `conf:"allowedsender" doc:"As in module()." status:"full"`
	RateParams
}

type udpInput struct {
	p            IMUDPParams
	threads      int
	vector       int // datagrams per system call
	preserveCase bool
	flags        message.Flags
	deps         Deps
	name         string
	allowed      *AllowedSenders
	limit        *limiter
	ledger       message.Ledger
	sockets      []*udpSocket
	warn         disallowedWarning
}

const (
	leastVector = 64
	mostVector  = 1024
	mostThreads = 32      // as rsyslog
	mostBuffer  = 1 << 30 // as rsyslog: rcvbufSize is at most 1 GiB
)

// NewIMUDP makes one input(type="imudp").
func NewIMUDP(module IMUDPModule, p IMUDPParams, d Deps) (Input, error) {
	if len(p.Port) == 0 {
		return nil, errors.New("imudp: no port given")
	}
	if p.ReceiveBuffer > mostBuffer {
		return nil, fmt.Errorf("imudp port %s: rcvbufSize %d is larger than 1 GiB", p.Port[0], p.ReceiveBuffer)
	}
	in := &udpInput{p: p, deps: d,
		name:         fmt.Sprintf("imudp(%s)", strings.Join(p.Port, ",")),
		threads:      min(max(module.Threads, 1), mostThreads),
		vector:       min(max(module.BatchSize, leastVector), mostVector),
		preserveCase: module.PreserveCase,
	}
	var err error
	if in.allowed, err = NewAllowedSenders(or(p.AllowedSender, module.AllowedSender)); err != nil {
		return nil, fmt.Errorf("imudp port %s: %w", p.Port[0], err)
	}
	if in.flags, err = networkFlags(p.DefaultTZ); err != nil {
		return nil, fmt.Errorf("imudp port %s: %w", p.Port[0], err)
	}
	if in.limit, err = p.limiter(in.name, d, &in.ledger); err != nil {
		return nil, fmt.Errorf("imudp port %s: %w", p.Port[0], err)
	}
	return in, nil
}

// Listen implements Input.
func (in *udpInput) Listen() error {
	for i, port := range in.p.Port {
		for range in.threads {
			s, err := in.open(port)
			if err != nil {
				in.close()
				return err
			}
			in.sockets = append(in.sockets, s)
			_, port, _ = net.SplitHostPort(s.addr.String())
		}
		if i > 0 {
			continue
		}
		if err := writePortFile(in.p.PortFile, in.sockets[0].addr); err != nil {
			in.close()
			return fmt.Errorf("imudp: %w", err)
		}
	}
	return nil
}

func (in *udpInput) open(port string) (*udpSocket, error) {
	addr := net.JoinHostPort(in.p.Address, port)
	lc := net.ListenConfig{Control: in.options()}
	var c net.PacketConn
	err := conf.InNamespace(in.p.Namespace, func() (err error) {
		c, err = lc.ListenPacket(context.Background(), "udp"+in.deps.IPVersion, addr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("imudp: cannot listen on %s: %w", addr, err)
	}
	return newUDPSocket(in, c.(*net.UDPConn))
}

func (in *udpInput) close() {
	for _, s := range in.sockets {
		s.file.Close()
	}
}

// Run implements Input.
func (in *udpInput) Run(ctx context.Context, to message.Handler) error {
	work, cancel := in.deps.graceful(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		for _, s := range in.sockets {
			s.interrupt()
		}
	})
	defer stop()
	var wg sync.WaitGroup
	for _, s := range in.sockets {
		wg.Go(func() { s.run(ctx, work, to) })
	}
	wg.Wait()
	in.close()
	in.limit.close()
	return nil
}

// Name implements Input.
func (in *udpInput) Name() string { return in.name }

// Addrs implements Input.
func (in *udpInput) Addrs() []string {
	var addrs []string
	for i := 0; i < len(in.sockets); i += in.threads {
		addrs = append(addrs, in.sockets[i].addr.String())
	}
	return addrs
}

// Ledger implements Input.
func (in *udpInput) Ledger() *message.Ledger { return &in.ledger }

// disallowedWarning says at most once a minute that senders were refused.
// as rsyslog, which says it in the same words.
type disallowedWarning struct {
	mu   sync.Mutex
	last int64
}

func (w *disallowedWarning) tell(d *Deps, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != 0 && now-w.last < int64(time.Minute) {
		return
	}
	w.last = now
	d.Log(severityError, "imudp: UDP message from disallowed sender discarded")
}
