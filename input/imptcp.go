package input

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sysrelay/conf"
)

// IMPTCPModule are the parameters of module(load="imptcp").
type IMPTCPModule struct {
	Threads     int  `conf:"threads" default:"2" doc:"Accepted; every connection has a goroutine." status:"full"`
	MaxSessions int  `conf:"maxsessions" doc:"Connections at a time per input; 0 is no limit." status:"full"`
	OnPoller    bool `conf:"processonpoller" default:"on" doc:"Accepted; there is no poller." status:"full"`
}

// IMPTCPParams are the parameters of input(type="imptcp").
type IMPTCPParams struct {
	Port             string        `conf:"port" doc:"Port to listen on; 0 lets the system choose. Either port or path must be given." status:"full"`
	Address          string        `conf:"address" doc:"Address to listen on; default is all." status:"full"`
	Path             string        `conf:"path" doc:"Unix stream socket to listen on." status:"full"`
	Unlink           bool          `conf:"unlink" doc:"Remove the socket file first if there is one." status:"full"`
	DiscardTruncated bool          `conf:"discardtruncatedmsg" doc:"Discard what is beyond maxMessageSize instead of making it a message of its own." status:"full"`
	FileOwner        conf.Opt[int] `conf:"fileowner,type=uid" doc:"Owner of the socket file." status:"full"`
	FileOwnerNum     conf.Opt[int] `conf:"fileownernum" doc:"The same as a number." status:"full"`
	FileGroup        conf.Opt[int] `conf:"filegroup,type=gid" doc:"Group of the socket file." status:"full"`
	FileGroupNum     conf.Opt[int] `conf:"filegroupnum" doc:"The same as a number." status:"full"`
	FileMode         int           `conf:"filecreatemode,type=mode" default:"0644" doc:"Mode of the socket file." status:"full"`
	FailOnChown      bool          `conf:"failonchownfailure" default:"on" doc:"Do not start if the owner cannot be set." status:"full"`
	FlowControl      bool          `conf:"flowcontrol" default:"on" doc:"Hold senders up a little when a queue is nearly full." status:"full"`
	Name             string        `conf:"name" default:"imptcp" doc:"Property inputname of the messages." status:"full"`
	MaxFrame         int           `conf:"maxframesize" default:"200000" doc:"Largest octet count that is believed." status:"full"`
	StartRegex       string        `conf:"framing.delimiter.regex" doc:"Lines matching this POSIX extended expression start a message." status:"full"`
	Ruleset          string        `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	DefaultTZ        string        `conf:"defaulttz" doc:"Time zone of RFC 3164 timestamps without one, as +hh:mm or -hh:mm." status:"full"`
	OctetCounted     bool          `conf:"supportoctetcountedframing" default:"on" doc:"Recognise octet-counted frames." status:"full"`
	CiscoASA         bool          `conf:"framingfix.cisco.asa" doc:"Skip spaces before a message." status:"full"`
	MaxSessions      conf.Opt[int] `conf:"maxsessions" doc:"Connections at a time; 0 is no limit." status:"full"`
	NotifyClose      bool          `conf:"notifyonconnectionclose" doc:"Log when a connection is closed." status:"full"`
	NotifyOpen       bool          `conf:"notifyonconnectionopen" doc:"Log when a connection is accepted." status:"full"`
	Delimiter        int           `conf:"addtlframedelimiter" default:"-1" doc:"ASCII value of a further byte that ends a message; -1 is none." status:"full"`
	MultiLine        bool          `conf:"multiline" doc:"LF ends a message only if '<' follows." status:"full"`
	PortFile         string        `conf:"listenportfilename" doc:"File the port number is written to." status:"full"`
	Backlog          int           `conf:"socketbacklog" default:"64" doc:"Connections waiting to be accepted." status:"full"`
	conf.KeepAlive
	RateParams
	StreamCompression
	StreamExtras
}

// NewIMPTCP makes one input(type="imptcp").
func NewIMPTCP(module IMPTCPModule, p IMPTCPParams, d Deps) (Input, error) {
	where := p.Port
	switch {
	case p.Port == "" && p.Path == "":
		return nil, errors.New("imptcp: Must have either port or path defined")
	case p.Path != "" && p.ProxyProtocol.Mode != "" && !strings.EqualFold(p.ProxyProtocol.Mode, "off"):
		return nil, errors.New("imptcp: proxyProtocol needs a port, not a path")
	case p.Path != "":
		where = p.Path
	}
	in := &streamInput{name: fmt.Sprintf("imptcp(%s)", where)}
	in.init(in.name, d)
	in.framing = Framing{
		OctetCounting:    p.OctetCounted,
		LF:               true,
		Delimiter:        p.Delimiter,
		SkipSpace:        p.CiscoASA,
		MultiLine:        p.MultiLine,
		DiscardTruncated: p.DiscardTruncated,
		MaxFrame:         p.MaxFrame,
	}
	in.streamParams = streamParams{
		module:       "imptcp",
		inputName:    p.Name,
		address:      p.Address,
		port:         p.Port,
		path:         p.Path,
		portFile:     p.PortFile,
		backlog:      p.Backlog,
		maxSessions:  or(p.MaxSessions, module.MaxSessions),
		keepAlive:    p.KeepAlive.Config(),
		notifyOpen:   p.NotifyOpen,
		notifyClose:  p.NotifyClose,
		socketMode:   os.FileMode(p.FileMode),
		socketOwner:  or(p.FileOwnerNum, or(p.FileOwner, -1)),
		socketGroup:  or(p.FileGroupNum, or(p.FileGroup, -1)),
		unlink:       p.Unlink,
		ownerIsFatal: p.FailOnChown,
	}
	in.setFlow(p.FlowControl)
	in.unpack = p.StreamCompression.policy()
	var err error
	if in.limit, err = p.limiter(in.name, d, &in.ledger); err == nil {
		err = in.configure(p.StreamExtras, rawStreamParams{regex: p.StartRegex, defaultTZ: p.DefaultTZ})
	}
	if err != nil {
		return nil, fmt.Errorf("imptcp %s: %w", where, err)
	}
	return in, nil
}
