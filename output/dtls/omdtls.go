// Package dtls is omdtls: syslog over DTLS (RFC 6012). It stands by itself because
// of the library it needs.
package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	pion "github.com/pion/dtls/v3"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/output"
)

// Module are the parameters of module(load="omdtls").
type Module struct {
	Template string `conf:"template" doc:"Default template of omdtls actions." status:"full"`
}

// Params are the parameters of action(type="omdtls").
type Params struct {
	Target    string `conf:"target,required" doc:"Host to send to." status:"full"`
	Port      string `conf:"port" default:"4433" doc:"UDP port." status:"full"`
	Template  string `conf:"template" doc:"Template of what is sent; default RSYSLOG_FileFormat. At most maxMessageSize bytes of it are sent." status:"full"`
	StatsName string `conf:"statsname" doc:"Accepted; every action has statistics under its own name." status:"none"`
	conf.DTLS
}

// omdtls sends each message as one record. As with UDP, a message counts as
// delivered once it is sent.
type omdtls struct {
	Params
	tpl   message.Template
	limit int
	tls   *conf.TLS
	conn  *pion.Conn // nil while not connected
	text  []byte
}

// New makes the output of action(type="omdtls"). It opens no connection.
func New(m Module, p Params, d output.Deps) (output.Output, error) {
	name := "RSYSLOG_FileFormat" // as rsyslog
	for _, given := range []string{m.Template, p.Template} {
		if given != "" {
			name = given
		}
	}
	tpl, ok := d.Template(name)
	if !ok {
		return nil, fmt.Errorf("there is no template %q", name)
	}
	ring := d.TLS
	if ring == nil {
		ring = &conf.Keyring{Log: d.Log}
	}
	o := &omdtls{Params: p, tpl: tpl, limit: d.Env.Sanitize.MaxSize}
	var err error
	o.tls, err = ring.DTLS("omdtls to "+net.JoinHostPort(p.Target, p.Port), false, p.DTLS)
	return o, err
}

// Write implements Output.
func (o *omdtls) Write(ctx context.Context, v message.View) (n int, err error) {
	if err := o.TryResume(ctx); err != nil {
		return 0, err
	}
	for ; n < v.Len(); n++ {
		o.text = o.tpl.Append(o.text[:0], v.At(n))
		if o.limit > 0 && len(o.text) > o.limit {
			o.text = o.text[:o.limit]
		}
		if err := o.conn.SetWriteDeadline(time.Now().Add(conf.HandshakeTime)); err != nil {
			return n, o.failed(err)
		}
		if _, err := o.conn.Write(o.text); err != nil {
			return n, o.failed(err)
		}
	}
	return n, nil
}

func (o *omdtls) failed(err error) error {
	_ = o.conn.Close()
	o.conn = nil
	return fmt.Errorf("cannot send to %s: %w", net.JoinHostPort(o.Target, o.Port), err)
}

// Render shows what would be sent, for the error file.
func (o *omdtls) Render(dst []byte, m *message.Message) []byte { return o.tpl.Append(dst, m) }

// TryResume implements Output: it connects, if the peer has not ended it.
func (o *omdtls) TryResume(ctx context.Context) error {
	if o.conn != nil {
		return nil
	}
	to := net.JoinHostPort(o.Target, o.Port)
	cert, err := o.tls.Certificate()
	if err != nil {
		return fmt.Errorf("cannot connect to %s: DTLS: %w", to, err)
	}
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", to, err)
	}
	socket, err := net.DialUDP("udp", nil, addr)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", to, err)
	}
	if o.conn, err = pion.ClientWithOptions(connected{socket}, addr, o.options(cert)...); err == nil {
		limited, cancel := context.WithTimeout(ctx, conf.HandshakeTime)
		defer cancel()
		err = o.conn.HandshakeContext(limited)
	}
	if err != nil {
		o.conn = nil
		return errors.Join(fmt.Errorf("cannot connect to %s: DTLS: %w", to, err), socket.Close())
	}
	go watch(o.conn)
	return nil
}

// connected is a socket that sends to its peer alone, so that it hears that
// nobody is there.
type connected struct{ *net.UDPConn }

func (c connected) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// watch reads what the peer may say: its farewell closes the connection, and the
// next write fails.
func watch(c *pion.Conn) {
	var b [512]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			_ = c.Close()
			return
		}
	}
}

func (o *omdtls) options(cert *tls.Certificate) []pion.ClientOption {
	all := []pion.ClientOption{
		pion.WithExtendedMasterSecret(pion.RequireExtendedMasterSecret), pion.WithServerName(o.Target),
		pion.WithInsecureSkipVerify(true), // VerifyPeerCertificate does it
		pion.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error { return o.tls.CheckRaw(raw, o.Target) }),
	}
	if cert != nil {
		all = append(all, pion.WithCertificates(*cert))
	}
	var suites []pion.CipherSuiteID
	for _, id := range o.tls.Suites() {
		suites = append(suites, pion.CipherSuiteID(id))
	}
	if len(suites) > 0 {
		all = append(all, pion.WithCipherSuites(suites...))
	}
	return all
}

// Hup implements Output.
func (o *omdtls) Hup() {}

// Close implements Output.
func (o *omdtls) Close() error {
	if o.conn == nil {
		return nil
	}
	err := o.conn.Close()
	o.conn = nil
	return err
}
