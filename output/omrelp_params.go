package output

import (
	"errors"
	"fmt"
	"net"
	"time"

	"sysrelay/conf"
)

// OMRELPModule are the parameters of module(load="omrelp").
type OMRELPModule struct {
	TLSLib string `conf:"tls.tlslib" doc:"Accepted: gnutls or openssl; there is one library." status:"full"`
}

// OMRELPParams are the parameters of action(type="omrelp").
type OMRELPParams struct {
	Target         string `conf:"target,required" doc:"Host to send to." status:"full"`
	Port           string `conf:"port" default:"514" doc:"Port." status:"full"`
	Template       string `conf:"template" doc:"Template of what is sent; default RSYSLOG_ForwardFormat. As in rsyslog, at most maxMessageSize bytes of it are sent." status:"full"`
	WindowSize     int    `conf:"windowsize,min=0,max=1000000" doc:"Messages that may wait for their answer; 0 is 128." status:"full"`
	Timeout        int    `conf:"timeout,min=1" default:"90" doc:"Seconds without any answer after which the connection is given up." status:"full"`
	ConnTimeout    int    `conf:"conn.timeout,min=1" default:"10" doc:"Seconds the connection, with the opening of its session, may take to come about." status:"full"`
	RebindInterval int    `conf:"rebindinterval,min=0" doc:"Messages after which the connection is closed and opened anew; 0 is never." status:"full"`
	LocalClientIP  string `conf:"localclientip" doc:"Local address to send from." status:"full"`

	conf.KeepAlive
	conf.RELPTLS
	TLSFailDisables bool `conf:"tls.permanentfailuredisablesaction" doc:"Accepted; no failure disables an action for good." status:"none"`
}

func (p OMRELPParams) check() error {
	switch {
	case p.Target == "":
		return errors.New("omrelp needs a target")
	case p.LocalClientIP != "" && net.ParseIP(p.LocalClientIP) == nil:
		return fmt.Errorf("localClientIp %q is not an IP address", p.LocalClientIP)
	}
	return nil
}

func (p OMRELPParams) dialing() Dialing {
	return Dialing{Address: p.LocalClientIP, KeepAlive: p.KeepAlive}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
