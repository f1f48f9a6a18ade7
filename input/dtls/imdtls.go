// Package dtls is imdtls: syslog over DTLS (RFC 6012). It stands by itself because
// of the library it needs.
package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	pion "github.com/pion/dtls/v3"

	"sysrelay/conf"
	"sysrelay/input"
	"sysrelay/message"
)

// Module are the parameters of module(load="imdtls").
type Module struct {
	Ruleset string `conf:"ruleset" doc:"Ruleset of inputs that name none." status:"full"`
}

// Params are the parameters of input(type="imdtls").
type Params struct {
	Port          string   `conf:"port" default:"4433" doc:"UDP port to listen on; 0 lets the system choose." status:"full"`
	PortFile      string   `conf:"listenportfilename" doc:"File the port number is written to (sysrelay's own)." status:"full"`
	Address       string   `conf:"address" doc:"Address to listen on; default is all." status:"full"`
	Name          string   `conf:"name" default:"imdtls" doc:"Property inputname of the messages." status:"full"`
	Ruleset       string   `conf:"ruleset" doc:"Ruleset the messages go to." status:"full"`
	Timeout       int      `conf:"timeout,min=1" default:"1800" doc:"Seconds without a message after which a session is ended." status:"full"`
	MaxSessions   int      `conf:"maxsessions,min=1" default:"1000" doc:"Sessions at a time, those whose handshake is not done included (sysrelay's own)." status:"full"`
	AllowedSender []string `conf:"allowedsender" doc:"Addresses, networks and names that may send (sysrelay's own)." status:"full"`
	conf.DTLS
}

// imdtls is one input. A session is a peer's address and port; it has a goroutine,
// and what it has received and not read is bounded by the library.
type imdtls struct {
	Params
	name    string
	deps    input.Deps
	tls     *conf.TLS
	allowed *input.AllowedSenders
	ln      net.Listener
	ledger  message.Ledger
	slots   chan struct{}
	mu      sync.Mutex
	open    map[net.Conn]bool

	complain      func(text string)
	endComplaints func()
}

// New makes one input(type="imdtls").
func New(_ Module, p Params, d input.Deps) (input.Input, error) {
	in := &imdtls{Params: p, name: fmt.Sprintf("imdtls(%s)", p.Port), deps: d, slots: make(chan struct{}, p.MaxSessions), open: map[net.Conn]bool{}}
	in.complain, in.endComplaints = d.Complaints(in.name)
	ring := d.TLS
	if ring == nil {
		ring = &conf.Keyring{Log: d.Log}
	}
	var err error
	if in.tls, err = ring.DTLS(in.name, true, p.DTLS); err == nil {
		in.allowed, err = input.NewAllowedSenders(p.AllowedSender)
	}
	if err != nil {
		return nil, fmt.Errorf("imdtls port %s: %w", p.Port, err)
	}
	return in, nil
}

// Listen implements Input.
func (in *imdtls) Listen() error {
	addr, err := net.ResolveUDPAddr("udp"+in.deps.IPVersion, net.JoinHostPort(in.Address, in.Port))
	if err == nil {
		in.ln, err = pion.ListenWithOptions("udp"+in.deps.IPVersion, addr, in.options()...)
	}
	if err != nil {
		return fmt.Errorf("imdtls: cannot listen on %s: %w", net.JoinHostPort(in.Address, in.Port), err)
	}
	if err := input.WritePortFile(in.PortFile, in.ln.Addr()); err != nil {
		in.ln.Close()
		return err
	}
	return nil
}

func (in *imdtls) options() []pion.ServerOption {
	all := []pion.ServerOption{
		pion.WithGetCertificate(func(*pion.ClientHelloInfo) (*tls.Certificate, error) { return in.tls.Certificate() }),
		pion.WithExtendedMasterSecret(pion.RequireExtendedMasterSecret),
		pion.WithInsecureSkipVerify(true), // VerifyPeerCertificate does it; there are no resumed sessions
	}
	var suites []pion.CipherSuiteID
	for _, id := range in.tls.Suites() {
		suites = append(suites, pion.CipherSuiteID(id))
	}
	if len(suites) > 0 {
		all = append(all, pion.WithCipherSuites(suites...))
	}
	if in.tls.Asks() {
		all = append(all, pion.WithClientAuth(pion.RequireAnyClientCert),
			pion.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error { return in.tls.CheckRaw(raw, "") }))
	}
	return all
}

// Run implements Input.
func (in *imdtls) Run(ctx context.Context, to message.Handler) error {
	work, cancel := in.deps.Graceful(ctx)
	defer cancel()
	defer in.endComplaints()
	stop := context.AfterFunc(ctx, in.stop)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := in.ln.Accept()
		if err != nil {
			if ctx.Err() == nil {
				return fmt.Errorf("%s: %w", in.name, err)
			}
			return nil
		}
		select {
		case in.slots <- struct{}{}:
		default:
			in.complain(fmt.Sprintf("%s: too many sessions - dropping that of %s", in.name, c.RemoteAddr()))
			_ = c.Close()
			continue
		}
		in.keep(c)
		wg.Go(func() {
			defer func() { <-in.slots }()
			defer in.forget(c)
			if err := in.serve(ctx, work, c.(*pion.Conn), to); err != nil && ctx.Err() == nil {
				in.complain(fmt.Sprintf("imdtls %s: session with %s ended: %v", in.Params.Name, c.RemoteAddr(), err))
			}
		})
	}
}

func (in *imdtls) keep(c net.Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open[c] = true
}

func (in *imdtls) forget(c net.Conn) {
	in.mu.Lock()
	delete(in.open, c)
	in.mu.Unlock()
	_ = c.Close()
}

// stop ends the listener and what sessions wait for.
func (in *imdtls) stop() {
	_ = in.ln.Close()
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := range in.open {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// datagramMax is the longest record's content.
const datagramMax = 1 << 16

// serve reads a session to its end.
func (in *imdtls) serve(ctx, work context.Context, c *pion.Conn, to message.Handler) error {
	peer, _ := c.RemoteAddr().(*net.UDPAddr)
	if peer == nil {
		return errors.New("its address is not known")
	}
	ip := peer.AddrPort().Addr().Unmap()
	host := in.deps.Resolve(ctx, ip.String())
	if host == "" || !in.allowed.Allows(ip, host) {
		return errors.New("disallowed sender")
	}
	limited, cancel := context.WithTimeout(ctx, conf.HandshakeTime)
	err := c.HandshakeContext(limited)
	cancel()
	if err != nil {
		return fmt.Errorf("DTLS handshake failed: %w", err)
	}
	origin := message.NewOrigin(in.Params.Name, host, ip.String(), strconv.Itoa(peer.Port))
	var b message.Batch
	buf := make([]byte, datagramMax)
	for {
		if err := c.SetReadDeadline(time.Now().Add(time.Duration(in.Timeout) * time.Second)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		n, err := c.Read(buf)
		if n > 0 {
			// RFC 6012 §5.4 frames messages as RFC 5425 does; rsyslog sends one a datagram.
			b.Receive(&in.deps.Env.Sanitize, buf[:n], origin, in.deps.Env.Now().UnixNano(), message.ParseHostname)
			input.HandOver(work, &b, to, &in.ledger)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
			return nil
		case err != nil:
			return err
		}
	}
}

func isTimeout(err error) bool {
	n := net.Error(nil)
	return errors.As(err, &n) && n.Timeout()
}

// Name implements Input.
func (in *imdtls) Name() string { return in.name }

// Addrs implements Input.
func (in *imdtls) Addrs() []string { return []string{in.ln.Addr().String()} }

// Ledger implements Input.
func (in *imdtls) Ledger() *message.Ledger { return &in.ledger }
