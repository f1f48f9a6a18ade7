package input

import (
	"context"
	"fmt"
	"strings"

	"sysrelay/conf"
	"sysrelay/input/relp"
	"sysrelay/message"
)

// IMRELPModule are the parameters of module(load="imrelp").
type IMRELPModule struct {
	Ruleset string `conf:"ruleset" doc:"Ruleset of inputs that name none." status:"full"`
	TLSLib  string `conf:"tls.tlslib" doc:"Accepted: gnutls or openssl; there is one library." status:"full"`
}

// IMRELPParams are the parameters of input(type="imrelp").
type IMRELPParams struct {
	Port          string   `conf:"port,required" doc:"Port to listen on; 0 lets the system choose." status:"full"`
	PortFile      string   `conf:"listenportfilename" doc:"File the port number is written to (sysrelay's own)." status:"full"`
	Address       string   `conf:"address" doc:"Address to listen on; default is all." status:"full"`
	Name          string   `conf:"name" default:"imrelp" doc:"Property inputname of the messages." status:"full"`
	Ruleset       string   `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Ack           string   `conf:"ack" default:"stored" doc:"What a message's answer promises. received: it is in memory; stored: everything durable it was routed to has it on disk, and everything else has delivered it; delivered: it has left the disk queues, too (sysrelay's own)." status:"full"`
	MaxDataSize   int64    `conf:"maxdatasize,type=size" doc:"Longest message in bytes; default is maxMessageSize." status:"full"`
	OversizeMode  string   `conf:"oversizemode" default:"truncate" doc:"truncate: cut longer messages; abort: end the session; accept: cut them at maxMessageSize." status:"full"`
	FlowControl   string   `conf:"flowcontrol" default:"light" doc:"no, light or full: how much a nearly full queue may hold senders up." status:"full"`
	MaxSessions   int      `conf:"maxsessions" doc:"Connections at a time; 0 is no limit (sysrelay's own)." status:"full"`
	AllowedSender []string `conf:"allowedsender" doc:"Addresses, networks and names that may send (sysrelay's own)." status:"full"`
	DHBits        int      `conf:"tls.dhbits" doc:"Accepted; there is no Diffie-Hellman without elliptic curves." status:"none"`
	conf.RELPTLS
	conf.KeepAlive
	conf.ProxyProtocol
	RateParams
	SessionLimits
}

type relpInput struct {
	streamListener
	name    string
	ack     message.Ack
	flow    message.Flow
	maxData int
	mode    string // oversizeMode
	limit   *limiter
	ledger  message.Ledger
	pool    *scratches
	to      message.Handler
}

// NewIMRELP makes one input(type="imrelp").
func NewIMRELP(module IMRELPModule, p IMRELPParams, d Deps) (Input, error) {
	in := &relpInput{name: fmt.Sprintf("imrelp(%s)", p.Port), mode: strings.ToLower(p.OversizeMode)}
	in.init(in.name, d)
	in.streamParams = streamParams{
		module:      "imrelp",
		inputName:   p.Name,
		address:     p.Address,
		port:        p.Port,
		portFile:    p.PortFile,
		maxSessions: p.MaxSessions,
		keepAlive:   p.KeepAlive.Config(),
	}
	var err error
	if in.limit, err = p.limiter(in.name, d, &in.ledger); err == nil {
		err = in.configure(p)
	}
	if err != nil {
		return nil, fmt.Errorf("imrelp port %s: %w", p.Port, err)
	}
	return in, nil
}

func (in *relpInput) configure(p IMRELPParams) (err error) {
	if in.tls, err = in.deps.keyring().RELPTLS(in.name, true, p.RELPTLS); err != nil {
		return err
	}
	switch strings.ToLower(p.Ack) {
	case "received":
		in.ack = message.Received
	case "", "stored":
		in.ack = message.Stored
	case "delivered":
		in.ack = message.Delivered
	default:
		return fmt.Errorf("ack %q is not received, stored or delivered", p.Ack)
	}
	switch strings.ToLower(p.FlowControl) {
	case "no", "none":
		in.flow = message.NoDelay
	case "full":
		in.flow = message.FullDelay
	case "", "light":
		in.flow = message.LightDelay
	default:
		in.flow = message.LightDelay
		in.deps.Log(severityWarning, fmt.Sprintf("imrelp: wrong flowcontrol parameter value '%s', using default: 'light'; possible values: 'no', 'light', 'full'", p.FlowControl))
	}
	switch in.mode {
	case "truncate", "abort", "accept":
	case "":
		in.mode = "truncate"
	default:
		in.deps.Log(severityWarning, fmt.Sprintf("imrelp: wrong oversizeMode parameter value %s, using default: truncate", p.OversizeMode))
		in.mode = "truncate"
	}
	least := in.deps.Env.Sanitize.MaxSize
	in.maxData = max(int(p.MaxDataSize), least)
	if p.MaxDataSize > 0 && int(p.MaxDataSize) < least {
		in.deps.Log(severityWarning, fmt.Sprintf("error: maxDataSize (%d) is smaller than global parameter maxMessageSize (%d) - global parameter will be used.", p.MaxDataSize, least))
	}
	if in.allowed, err = NewAllowedSenders(p.AllowedSender); err != nil {
		return err
	}
	if in.proxy, err = newProxyPolicy(p.ProxyProtocol); err != nil {
		return err
	}
	in.patience, in.sources.most = p.patience(), p.PerSource
	in.pool = newScratches(relp.HeaderMax + max(in.maxData, relp.OffersMax) + 1)
	return nil
}

// Listen implements Input.
func (in *relpInput) Listen() error { return in.listen() }

// Run implements Input.
func (in *relpInput) Run(ctx context.Context, to message.Handler) error {
	in.to, in.serve = to, in.serveConn
	defer in.limit.close()
	return in.run(ctx)
}

// Name implements Input.
func (in *relpInput) Name() string { return in.name }

// Addrs implements Input.
func (in *relpInput) Addrs() []string { return []string{in.ln.Addr().String()} }

// Ledger implements Input.
func (in *relpInput) Ledger() *message.Ledger { return &in.ledger }
