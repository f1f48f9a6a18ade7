package output

import (
	"errors"
	"fmt"

	"sysrelay/conf"
)

// OMFwdModule are the parameters of module(load="builtin:omfwd").
type OMFwdModule struct {
	Template    string `conf:"template" doc:"Default template of omfwd actions." status:"full"`
	IOBufferMax int    `conf:"iobuffer.maxsize" doc:"Accepted; a batch is sent whole." status:"none"`
	conf.StreamFiles
}

// OMFwdParams are the parameters of action(type="omfwd").
type OMFwdParams struct {
	Target           []string `conf:"target" doc:"Host to send to. Several form a pool: over TCP messages go to each in turn, over UDP, where rsyslog has no pools either, to the first that can be sent to, or to all with udp.sendToAll." status:"full"`
	TargetSRV        string   `conf:"targetsrv" doc:"Find the targets by the DNS SRV records of _syslog._tcp or _syslog._udp below this name, by priority and weight; instead of target." status:"full"`
	Port             []string `conf:"port" doc:"Port, one for all targets or one each; default 514." status:"full"`
	Protocol         string   `conf:"protocol,enum=udp|tcp" default:"udp" doc:"udp or tcp." status:"full"`
	Template         string   `conf:"template" doc:"Template of what is sent; default RSYSLOG_TraditionalForwardFormat. As in rsyslog, at most maxMessageSize bytes of it are sent." status:"full"`
	Framing          string   `conf:"tcp_framing,enum=traditional|octet-counted" default:"traditional" doc:"traditional ends messages with a delimiter, octet-counted begins them with their length (RFC 6587)." status:"full"`
	FrameDelimiter   int      `conf:"tcp_framedelimiter,min=0,max=255" default:"10" doc:"Code of the delimiter of traditional framing." status:"full"`
	ZipLevel         int      `conf:"ziplevel,min=0,max=9" doc:"Compress each message that gets shorter by it: z and a zlib stream, as rsyslog reads it. 0 is off." status:"full"`
	CompressionMode  string   `conf:"compression.mode,enum=none|single|stream:always" doc:"single: compress each message (see zipLevel). stream:always: compress the whole TCP stream, for an imptcp or imtcp with the same setting." status:"full"`
	Compression      string   `conf:"compression.driver,enum=zlib|zstd" default:"zlib" doc:"zlib or zstd, for compression.mode stream:always." status:"full"`
	StreamFlush      bool     `conf:"compression.stream.flushontxend" default:"on" doc:"Send what is compressed at the end of every batch. off: gather up to 64 KiB or for a second." status:"full"`
	RebindInterval   int      `conf:"rebindinterval" doc:"Messages after which the connection is closed and opened anew, so that a load balancer can move it; 0 is never." status:"full"`
	RebindTCP        int      `conf:"tcp.rebindinterval" doc:"rebindInterval for TCP ($ActionSendTCPRebindInterval)." status:"full"`
	RebindUDP        int      `conf:"udp.rebindinterval" doc:"rebindInterval for UDP ($ActionSendUDPRebindInterval)." status:"full"`
	ResendLast       bool     `conf:"resendlastmsgonreconnect" doc:"After a connection was lost, send its last message again even if it was acknowledged." status:"full"`
	ResendUnacked    bool     `conf:"resendunacknowledged" default:"on" doc:"After a connection was lost, send again what the peer's kernel had not acknowledged (sysrelay's own)." status:"full"`
	ResendAfterReset int64    `conf:"resendafterreset,type=size" doc:"After a connection was reset, which means that the peer's program died before it had read everything, send the last so many bytes again although they were acknowledged: duplicates instead of loss (sysrelay's own). 0 is off." status:"full"`
	CheckConnection  bool     `conf:"extendedconnectioncheck" default:"on" doc:"Look whether the peer has closed the connection before every write." status:"full"`
	MaxErrors        int      `conf:"maxerrormessages,min=0" doc:"Error messages of the action at most; 0 is no limit." status:"full"`
	ConErrSkip       int      `conf:"conerrskip,min=0" doc:"Report only every so many-th failure; 0 is every one." status:"full"`
	PoolResume       int      `conf:"pool.resumeinterval" default:"30" doc:"Seconds after which a target of a pool that failed is tried again." status:"full"`

	PoolMode string `conf:"pool.mode,enum=roundrobin|failover" default:"roundrobin" doc:"failover: use a target only while those before it cannot be reached (sysrelay's own)." status:"full"`

	UDPSendToAll bool  `conf:"udp.sendtoall" doc:"Send to every address of the target's name, not only to the first." status:"full"`
	UDPSendDelay int   `conf:"udp.senddelay" doc:"Microseconds to wait after each message." status:"full"`
	UDPSendBuf   int64 `conf:"udp.sendbuf,type=size" doc:"Size of the socket's send buffer; default is the system's." status:"full"`

	Dialing

	RateParams

	conf.StreamDriver
	RemoteSNI string `conf:"streamdriverremotesni" alias:"streamdriver.remotesni" doc:"Name to ask the server for; default is the target's." status:"none"`
}

func (p OMFwdParams) check() error {
	switch {
	case p.TargetSRV != "" && len(p.Target) > 0:
		return errors.New("target and targetSrv exclude each other")
	case p.TargetSRV != "" && len(p.Port) > 0:
		return errors.New("port and targetSrv exclude each other: SRV records name the ports")
	case len(p.Target) == 0 && p.TargetSRV == "":
		return errors.New("omfwd needs a target")
	case len(p.Port) > 1 && len(p.Port) != len(p.Target):
		return fmt.Errorf("%d ports for %d targets; give one port, or one for each target", len(p.Port), len(p.Target))
	case p.CompressionMode == "stream:always" && p.Protocol != "tcp":
		return errors.New("compression.mode stream:always needs protocol=\"tcp\"; write single")
	case p.Compression == "zstd" && p.CompressionMode != "stream:always":
		return errors.New("compression.driver zstd goes with compression.mode stream:always; single messages are compressed with zlib")
	}
	return nil
}

// zip is the level messages are compressed with.
// as rsyslog: zipLevel alone turns compression on, compression.mode=none off, and
// compression.mode=single without zipLevel is level 9.
func (p OMFwdParams) zip() int {
	switch {
	case p.CompressionMode == "none", p.CompressionMode == "stream:always":
		return 0
	case p.CompressionMode == "single" && p.ZipLevel == 0:
		return 9
	}
	return p.ZipLevel
}

// packing is how the stream is compressed, nil if it is not.
func (p OMFwdParams) packing() *packing {
	if p.CompressionMode != "stream:always" {
		return nil
	}
	return &packing{zstd: p.Compression == "zstd", level: p.ZipLevel, flush: p.StreamFlush}
}

// rebind is the rebind interval of the protocol.
func (p OMFwdParams) rebind() int {
	if p.RebindInterval > 0 {
		return p.RebindInterval
	}
	if p.Protocol == "tcp" {
		return p.RebindTCP
	}
	return p.RebindUDP
}

// addresses are the targets with their ports.
func (p OMFwdParams) addresses() []hostPort {
	var all []hostPort
	for i, host := range p.Target {
		port := "514"
		if len(p.Port) > 0 {
			port = p.Port[min(i, len(p.Port)-1)]
		}
		all = append(all, hostPort{host, port})
	}
	return all
}
