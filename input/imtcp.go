package input

import (
	"errors"
	"fmt"
	"strings"

	"sysrelay/conf"
	"sysrelay/message"
)

// IMTCPCommon are parameters of module(load="imtcp") and its inputs alike.
type IMTCPCommon struct {
	conf.StreamDriver
	RevocationCheck bool             `conf:"streamdriver.tlsrevocationcheck" doc:"Ask authorities about revocation (OCSP); not there, an error: give a streamDriver.crlFile." status:"none"`
	Namespace       conf.Opt[string] `conf:"networknamespace" doc:"Linux network namespace to listen in, a name below /run/netns." status:"full"`
	Workers         int              `conf:"workerthreads" doc:"Accepted; every connection has a goroutine." status:"full"`
	MaxReads        int              `conf:"starvationprotection.maxreads" doc:"Accepted; connections are served in turn." status:"full"`
	MaxListeners    int              `conf:"maxlisteners" alias:"maxlistners" doc:"Accepted; there is no limit." status:"full"`
	conf.KeepAlive
	StreamCompression
}

// IMTCPModule are the parameters of module(load="imtcp"): defaults for its inputs.
type IMTCPModule struct {
	IMTCPCommon
	FlowControl      bool     `conf:"flowcontrol" default:"on" doc:"Hold senders up a little when a queue is nearly full." status:"full"`
	DisableLF        bool     `conf:"disablelfdelimiter" doc:"LF does not end a message." status:"full"`
	DiscardTruncated bool     `conf:"discardtruncatedmsg" doc:"Discard what is beyond maxMessageSize instead of making it a message of its own." status:"full"`
	OctetCounted     bool     `conf:"octetcountedframing" default:"on" doc:"Recognise octet-counted frames." status:"full"`
	NotifyClose      bool     `conf:"notifyonconnectionclose" doc:"Log when a connection is closed." status:"full"`
	NotifyOpen       bool     `conf:"notifyonconnectionopen" doc:"Log when a connection is accepted." status:"full"`
	Delimiter        int      `conf:"addtlframedelimiter" default:"-1" doc:"ASCII value of a further byte that ends a message; -1 is none." status:"full"`
	MaxFrame         int      `conf:"maxframesize" default:"200000" doc:"Largest octet count that is believed." status:"full"`
	MaxSessions      int      `conf:"maxsessions" default:"200" doc:"Connections at a time per input; 0 is no limit." status:"full"`
	PreserveCase     bool     `conf:"preservecase" default:"on" doc:"Keep the case of fromhost." status:"full"`
	AllowedSender    []string `conf:"allowedsender" doc:"Addresses, networks and names that may send." status:"full"`
}

// IMTCPParams are the parameters of input(type="imtcp").
type IMTCPParams struct {
	IMTCPCommon
	Port             string             `conf:"port,required" doc:"Port to listen on; 0 lets the system choose." status:"full"`
	PortFile         string             `conf:"listenportfilename" doc:"File the port number is written to." status:"full"`
	Address          string             `conf:"address" doc:"Address to listen on; default is all." status:"full"`
	Name             string             `conf:"name" default:"imtcp" doc:"Property inputname of the messages." status:"full"`
	DefaultTZ        string             `conf:"defaulttz" doc:"Time zone of RFC 3164 timestamps without one, as +hh:mm or -hh:mm." status:"full"`
	Ruleset          string             `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	FlowControl      conf.Opt[bool]     `conf:"flowcontrol" doc:"As in module()." status:"full"`
	DisableLF        conf.Opt[bool]     `conf:"disablelfdelimiter" doc:"As in module()." status:"full"`
	DiscardTruncated conf.Opt[bool]     `conf:"discardtruncatedmsg" doc:"As in module()." status:"full"`
	NotifyClose      conf.Opt[bool]     `conf:"notifyonconnectionclose" doc:"As in module()." status:"full"`
	NotifyOpen       conf.Opt[bool]     `conf:"notifyonconnectionopen" doc:"As in module()." status:"full"`
	Delimiter        conf.Opt[int]      `conf:"addtlframedelimiter" doc:"As in module()." status:"full"`
	MaxFrame         conf.Opt[int]      `conf:"maxframesize" doc:"As in module()." status:"full"`
	MaxSessions      conf.Opt[int]      `conf:"maxsessions" doc:"As in module()." status:"full"`
	PreserveCase     conf.Opt[bool]     `conf:"preservecase" doc:"As in module()." status:"full"`
	AllowedSender    conf.Opt[[]string] `conf:"allowedsender" doc:"As in module()." status:"full"`
	OctetCounted     conf.Opt[bool]     `conf:"supportoctetcountedframing" doc:"Recognise octet-counted frames." status:"full"`
	CiscoASA         bool               `conf:"framingfix.cisco.asa" doc:"Skip spaces before a message." status:"full"`
	Backlog          int                `conf:"socketbacklog" doc:"Connections waiting to be accepted; 0 is the system's." status:"full"`
	MultiLine        bool               `conf:"multiline" doc:"LF ends a message only if '<' follows." status:"full"`
	StartRegex       string             `conf:"framing.delimiter.regex" doc:"Lines matching this POSIX extended expression start a message." status:"full"`
	RateParams
	StreamExtras
}

// StreamExtras are parameters of imtcp and imptcp that rsyslog does not have.
type StreamExtras struct {
	SessionLimits
	Framing string `conf:"framing" default:"rsyslog" doc:"rsyslog: octet counting or LF, decided for every message. strict: decided by a connection's first byte; a wrong octet count ends the connection, so that no message can be forged inside another (sysrelay's own)." status:"full"`
	conf.ProxyProtocol
}

// NewIMTCP makes one input(type="imtcp").
func NewIMTCP(module IMTCPModule, p IMTCPParams, d Deps) (Input, error) {
	in := &streamInput{name: fmt.Sprintf("imtcp(%s)", p.Port)}
	in.init(in.name, d)
	in.framing = Framing{
		OctetCounting:    or(p.OctetCounted, module.OctetCounted),
		LF:               !or(p.DisableLF, module.DisableLF),
		Delimiter:        or(p.Delimiter, module.Delimiter),
		SkipSpace:        p.CiscoASA,
		MultiLine:        p.MultiLine,
		DiscardTruncated: or(p.DiscardTruncated, module.DiscardTruncated),
		SplitCounted:     true,
		MaxFrame:         or(p.MaxFrame, module.MaxFrame),
	}
	in.streamParams = streamParams{
		module:      "imtcp",
		inputName:   p.Name,
		address:     p.Address,
		port:        p.Port,
		portFile:    p.PortFile,
		backlog:     p.Backlog,
		maxSessions: or(p.MaxSessions, module.MaxSessions),
		keepAlive:   p.KeepAlive.Over(module.KeepAlive).Config(),
		notifyOpen:  or(p.NotifyOpen, module.NotifyOpen),
		notifyClose: or(p.NotifyClose, module.NotifyClose),
		namespace:   p.Namespace.Or(module.Namespace).Value,
		lowerCase:   !or(p.PreserveCase, module.PreserveCase),
	}
	in.unpack = p.StreamCompression.Over(module.StreamCompression).policy()
	in.setFlow(or(p.FlowControl, module.FlowControl))
	var err error
	if in.limit, err = p.limiter(in.name, d, &in.ledger); err != nil {
		return nil, fmt.Errorf("imtcp port %s: %w", p.Port, err)
	}
	both := p.IMTCPCommon
	both.StreamDriver = p.StreamDriver.Over(module.StreamDriver)
	both.RevocationCheck = p.RevocationCheck || module.RevocationCheck
	if err := in.streamTLS(both); err != nil {
		return nil, fmt.Errorf("imtcp port %s: %w", p.Port, err)
	}
	err = in.configure(p.StreamExtras, rawStreamParams{p.StartRegex, p.DefaultTZ, or(p.AllowedSender, module.AllowedSender)})
	if err != nil {
		return nil, fmt.Errorf("imtcp port %s: %w", p.Port, err)
	}
	return in, nil
}

// or is the value of p if it was given, that of the module otherwise.
func or[T any](p conf.Opt[T], module T) T {
	if p.Given {
		return p.Value
	}
	return module
}

// maxFrameLimit is the largest maxFrameSize. as rsyslog.
const maxFrameLimit = 200_000_000

// rawStreamParams are parameters of imtcp and imptcp that need checking.
type rawStreamParams struct {
	regex, defaultTZ string
	allowed          []string
}

// configure checks and sets what needs checking.
func (in *streamInput) configure(x StreamExtras, p rawStreamParams) (err error) {
	f, regex := &in.framing, p.regex
	f.MaxMessage = in.deps.Env.Sanitize.MaxSize
	if in.flags, err = networkFlags(p.defaultTZ); err != nil {
		return err
	}
	switch strings.ToLower(x.Framing) {
	case "", "rsyslog":
	case "strict":
		f.Strict = true
	default:
		return fmt.Errorf("framing %q is not rsyslog or strict", x.Framing)
	}
	switch {
	case f.MaxFrame > maxFrameLimit:
		return fmt.Errorf("maxFrameSize %d is larger than %d", f.MaxFrame, maxFrameLimit)
	case f.Delimiter > 255:
		return fmt.Errorf("addtlFrameDelimiter %d is not a byte", f.Delimiter)
	case !f.LF && f.Delimiter < 0 && !f.OctetCounting && regex == "":
		return errors.New("disableLFDelimiter is on and nothing else ends a message: set addtlFrameDelimiter")
	}
	if regex != "" {
		if f.Strict {
			return errors.New("framing strict and framing.delimiter.regex exclude each other")
		}
		if f.Start, err = message.CompileERE(regex); err != nil {
			return fmt.Errorf("framing.delimiter.regex: %w", err)
		}
	}
	if in.allowed, err = NewAllowedSenders(p.allowed); err != nil {
		return err
	}
	if in.proxy, err = newProxyPolicy(x.ProxyProtocol); err != nil {
		return err
	}
	in.patience, in.sources.most = x.patience(), x.PerSource
	in.pool = newScratches(f.Bound())
	return nil
}

func (in *streamInput) setFlow(control bool) {
	in.flow = message.NoDelay
	if control {
		in.flow = message.LightDelay
	}
}
