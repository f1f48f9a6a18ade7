package input

import (
	"context"
	"fmt"

	"sysrelay/conf"
	"sysrelay/input/beep"
	"sysrelay/message"
)

// IM3195Module are the parameters of module(load="im3195").
type IM3195Module struct{}

// IM3195Params are the parameters of input(type="im3195"): syslog over BEEP, the
// RAW profile of RFC 3195. rsyslog has no object for it, only the directive
// $Input3195ListenPort.
type IM3195Params struct {
	Port          string   `conf:"port" default:"601" doc:"Port to listen on; 0 lets the system choose." status:"full"`
	PortFile      string   `conf:"listenportfilename" doc:"File the port number is written to (sysrelay's own)." status:"full"`
	Address       string   `conf:"address" doc:"Address to listen on; default is all (sysrelay's own)." status:"full"`
	Name          string   `conf:"name" default:"im3195" doc:"Property inputname of the messages (sysrelay's own)." status:"full"`
	Ruleset       string   `conf:"ruleset" doc:"Ruleset the messages go to (sysrelay's own)." status:"full"`
	FlowControl   bool     `conf:"flowcontrol" default:"on" doc:"Hold senders up a little when a queue is nearly full (sysrelay's own)." status:"full"`
	MaxSessions   int      `conf:"maxsessions" default:"200" doc:"Connections at a time; 0 is no limit (sysrelay's own)." status:"full"`
	AllowedSender []string `conf:"allowedsender" doc:"Addresses, networks and names that may send (sysrelay's own)." status:"full"`
	DefaultTZ     string   `conf:"defaulttz" doc:"Time zone of RFC 3164 timestamps without one, as +hh:mm or -hh:mm (sysrelay's own)." status:"full"`
	conf.KeepAlive
	RateParams
	SessionLimits
}

type beepInput struct {
	streamListener
	name   string
	flow   message.Flow
	flags  message.Flags
	limit  *limiter
	ledger message.Ledger
	pool   *scratches
	to     message.Handler
}

// NewIM3195 makes one input(type="im3195").
func NewIM3195(_ IM3195Module, p IM3195Params, d Deps) (Input, error) {
	in := &beepInput{name: fmt.Sprintf("im3195(%s)", p.Port), flow: message.NoDelay}
	in.init(in.name, d)
	in.streamParams = streamParams{
		module:      "im3195",
		inputName:   p.Name,
		address:     p.Address,
		port:        p.Port,
		portFile:    p.PortFile,
		maxSessions: p.MaxSessions,
		keepAlive:   p.KeepAlive.Config(),
		patience:    p.patience(),
	}
	in.sources.most = p.PerSource
	if p.FlowControl {
		in.flow = message.LightDelay
	}
	in.pool = newScratches(beep.HeaderMax + beepWindow + len(beep.Trailer))
	var err error
	if in.allowed, err = NewAllowedSenders(p.AllowedSender); err == nil {
		in.flags, err = networkFlags(p.DefaultTZ)
	}
	if err == nil {
		in.limit, err = p.limiter(in.name, d, &in.ledger)
	}
	if err != nil {
		return nil, fmt.Errorf("im3195 port %s: %w", p.Port, err)
	}
	return in, nil
}

// Listen implements Input.
func (in *beepInput) Listen() error { return in.listen() }

// Run implements Input.
func (in *beepInput) Run(ctx context.Context, to message.Handler) error {
	in.to, in.serve = to, in.serveConn
	defer in.limit.close()
	return in.run(ctx)
}

// Name implements Input.
func (in *beepInput) Name() string { return in.name }

// Addrs implements Input.
func (in *beepInput) Addrs() []string { return []string{in.ln.Addr().String()} }

// Ledger implements Input.
func (in *beepInput) Ledger() *message.Ledger { return &in.ledger }
