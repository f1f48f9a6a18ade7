package conf

import (
	"net"
	"time"
)

// This file holds the parameters that inputs and outputs of TCP connections have
// in common. They are embedded in the modules' own parameter structs.

// KeepAlive are the parameters of TCP keep-alive.
type KeepAlive struct {
	On       Opt[bool] `conf:"keepalive" doc:"Probe idle connections (TCP keep-alive)." status:"full"`
	Probes   Opt[int]  `conf:"keepalive.probes" doc:"Unanswered probes until a connection is given up; 0 is the system's default." status:"full"`
	Time     Opt[int]  `conf:"keepalive.time" doc:"Seconds without data until the first probe; 0 is the system's default." status:"full"`
	Interval Opt[int]  `conf:"keepalive.interval" doc:"Seconds between probes; 0 is the system's default." status:"full"`
}

// Over is k with what it does not say taken from module's.
func (k KeepAlive) Over(module KeepAlive) KeepAlive {
	return KeepAlive{On: k.On.Or(module.On), Probes: k.Probes.Or(module.Probes),
		Time: k.Time.Or(module.Time), Interval: k.Interval.Or(module.Interval)}
}

// Config is what the parameters say, as Go wants it.
func (k KeepAlive) Config() net.KeepAliveConfig {
	seconds := func(n int) time.Duration {
		if n <= 0 {
			return -1 // leave the system's
		}
		return time.Duration(n) * time.Second
	}
	c := net.KeepAliveConfig{Enable: k.On.Value, Idle: seconds(k.Time.Value),
		Interval: seconds(k.Interval.Value), Count: k.Probes.Value}
	if c.Count <= 0 {
		c.Count = -1
	}
	return c
}

// StreamFiles name the files of a TLS stream driver.
type StreamFiles struct {
	CAFile   Opt[string] `conf:"streamdriver.cafile" doc:"Certificates of authorities; default is global()'s defaultNetstreamDriverCAFile." status:"full"`
	CAExtra  Opt[string] `conf:"streamdriver.caextrafiles" doc:"More files of such certificates, separated by commas; default is global()'s netstreamDriverCAExtraFiles." status:"full"`
	CRLFile  Opt[string] `conf:"streamdriver.crlfile" doc:"Lists of revoked certificates; default is global()'s." status:"full"`
	KeyFile  Opt[string] `conf:"streamdriver.keyfile" doc:"Private key; default is global()'s." status:"full"`
	CertFile Opt[string] `conf:"streamdriver.certfile" doc:"Certificate, with those between it and the authority's; default is global()'s." status:"full"`
}

// Over is f with what it does not say taken from below.
func (f StreamFiles) Over(below StreamFiles) StreamFiles {
	return StreamFiles{CAFile: f.CAFile.Or(below.CAFile), CAExtra: f.CAExtra.Or(below.CAExtra), CRLFile: f.CRLFile.Or(below.CRLFile),
		KeyFile: f.KeyFile.Or(below.KeyFile), CertFile: f.CertFile.Or(below.CertFile)}
}

// StreamDriver are the parameters of rsyslog's stream drivers, of imtcp and omfwd.
type StreamDriver struct {
	Driver          Opt[string]   `conf:"streamdriver.name" alias:"streamdriver" doc:"ptcp is plain TCP; gtls, ossl and mbedtls are TLS, by one and the same library." status:"full"`
	Mode            Opt[int]      `conf:"streamdriver.mode" alias:"streamdrivermode" doc:"0 is plain TCP, 1 is TLS." status:"full"`
	AuthMode        Opt[string]   `conf:"streamdriver.authmode" alias:"streamdriverauthmode" doc:"How peers prove who they are: anon, x509/certvalid, x509/name, x509/fingerprint." status:"full"`
	PermittedPeers  Opt[[]string] `conf:"permittedpeer" alias:"streamdriverpermittedpeers" doc:"Names or fingerprints of permitted peers." status:"full"`
	PermitExpired   Opt[string]   `conf:"streamdriver.permitexpiredcerts" doc:"on: accept expired certificates; warn: say so; off: refuse them." status:"full"`
	CheckKeyPurpose Opt[bool]     `conf:"streamdriver.checkextendedkeypurpose" doc:"Refuse certificates that are not for a server, or a client, respectively." status:"full"`
	PrioritizeSAN   Opt[bool]     `conf:"streamdriver.prioritizesan" doc:"Do not look at the common name of a certificate that has subject alternative names." status:"full"`
	VerifyDepth     Opt[int]      `conf:"streamdriver.tlsverifydepth" doc:"Most certificates between the peer's and the authority's." status:"full"`
	Priorities      Opt[string]   `conf:"gnutlsprioritystring" doc:"Protocol versions and ciphers, as GnuTLS or as OpenSSL has them." status:"full"`
	StreamFiles
}

// Over is s with what it does not say taken from module's.
func (s StreamDriver) Over(module StreamDriver) StreamDriver {
	return StreamDriver{
		Driver: s.Driver.Or(module.Driver), Mode: s.Mode.Or(module.Mode), AuthMode: s.AuthMode.Or(module.AuthMode),
		PermittedPeers: s.PermittedPeers.Or(module.PermittedPeers), PermitExpired: s.PermitExpired.Or(module.PermitExpired),
		CheckKeyPurpose: s.CheckKeyPurpose.Or(module.CheckKeyPurpose), PrioritizeSAN: s.PrioritizeSAN.Or(module.PrioritizeSAN),
		VerifyDepth: s.VerifyDepth.Or(module.VerifyDepth), Priorities: s.Priorities.Or(module.Priorities),
		StreamFiles: s.StreamFiles.Over(module.StreamFiles),
	}
}

// StreamDefaults are the parameters of global() for stream drivers.
type StreamDefaults struct {
	Driver   string `conf:"defaultnetstreamdriver" doc:"Default of streamDriver.name." status:"full"`
	CAFile   string `conf:"defaultnetstreamdrivercafile" doc:"Default of streamDriver.caFile." status:"full"`
	CRLFile  string `conf:"defaultnetstreamdrivercrlfile" doc:"Default of streamDriver.crlFile." status:"full"`
	KeyFile  string `conf:"defaultnetstreamdriverkeyfile" doc:"Default of streamDriver.keyFile." status:"full"`
	CertFile string `conf:"defaultnetstreamdrivercertfile" doc:"Default of streamDriver.certFile." status:"full"`
	CAExtra  string `conf:"netstreamdrivercaextrafiles" doc:"Default of streamDriver.caExtraFiles." status:"full"`
}

// RELPTLS are the TLS parameters of imrelp and omrelp.
type RELPTLS struct {
	TLS            bool     `conf:"tls" doc:"Use TLS." status:"full"`
	AuthMode       string   `conf:"tls.authmode" doc:"How peers prove who they are: certvalid, name, fingerprint; default is not at all." status:"full"`
	PermittedPeers []string `conf:"tls.permittedpeer" doc:"Names or fingerprints of permitted peers." status:"full"`
	CACert         string   `conf:"tls.cacert" doc:"Certificates of authorities." status:"full"`
	MyCert         string   `conf:"tls.mycert" doc:"Certificate, with those between it and the authority's." status:"full"`
	MyPrivKey      string   `conf:"tls.myprivkey" doc:"Private key." status:"full"`
	Priorities     string   `conf:"tls.prioritystring" doc:"Protocol versions and ciphers, as GnuTLS has them." status:"full"`
	Commands       string   `conf:"tls.tlscfgcmd" doc:"The same as OpenSSL has them." status:"full"`
	Compression    bool     `conf:"tls.compression" doc:"Accepted; compression under TLS gives secrets away and is gone from TLS 1.3." status:"none"`
}

// ProxyProtocol are the parameters of the PROXY protocol; rsyslog has none.
type ProxyProtocol struct {
	Mode     string   `conf:"proxyprotocol" default:"off" doc:"off, optional or required: a PROXY protocol header names the sender, before TLS. fromhost, fromhost-ip and fromhost-port are the sender's then, lines about opened and closed connections name the proxy, too; health checks (LOCAL) are quiet (sysrelay's own)." status:"full"`
	Trusted  []string `conf:"proxyprotocol.trusted" doc:"Addresses and networks of the proxies whose headers are believed (sysrelay's own)." status:"full"`
	Metadata bool     `conf:"proxyprotocol.metadata" doc:"Set $!proxy!ip and $!proxy!port, the proxy's own address, where a header names another sender (sysrelay's own)." status:"full"`
	Timeout  int      `conf:"proxyprotocol.timeout" default:"10000" doc:"Milliseconds to wait for the header (sysrelay's own)." status:"full"`
}
