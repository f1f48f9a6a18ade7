package conf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Severities of the lines a Keyring logs.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// Keyring has everything inputs and outputs need for TLS: certificates, keys,
// authorities and lists of revoked certificates, read again when files change.
// The zero Keyring is good for use, and so is nil.
type Keyring struct {
	Defaults StreamDefaults
	Lenient  bool // private keys may be open to everybody, as for rsyslogd
	Log      func(severity int, text string)
	Now      func() time.Time

	mu   sync.Mutex
	all  []*TLS
	told map[string]time.Time // expiring certificates, when they were reported
}

func (k *Keyring) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}

func (k *Keyring) log(severity int, text string) {
	if k.Log != nil {
		k.Log(severity, text)
	}
}

// add makes a TLS of settings. prefix is that of the parameters they came from.
func (k *Keyring) add(s tlsSettings, prefix string) (*TLS, error) {
	if err := s.check(prefix); err != nil {
		return nil, err
	}
	for _, text := range s.doubts() {
		k.log(severityWarning, s.owner+": TLS: "+text)
	}
	t := &TLS{tlsSettings: s, ring: k}
	t.base = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m, err := t.current()
		if err != nil {
			return nil, err
		}
		return m.server, nil
	}}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, t)
	return t, nil
}

// Load reads all files, so that they are read before privileges are given up.
// What is wrong with them is logged.
func (k *Keyring) Load() {
	for _, t := range k.list() {
		_, _ = t.current() // logged, and an error of every handshake
	}
	k.reportEnds()
}

// Refresh looks at all files now.
func (k *Keyring) Refresh() {
	for _, t := range k.list() {
		t.mu.Lock()
		t.look()
		t.mu.Unlock()
	}
	k.reportEnds()
}

func (k *Keyring) list() []*TLS {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*TLS(nil), k.all...)
}

// refreshEvery is how often files are looked at without a handshake.
const refreshEvery = time.Minute

// Run looks after the files until ctx ends.
func (k *Keyring) Run(ctx context.Context) {
	if len(k.list()) == 0 {
		return
	}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.Refresh()
		case <-ctx.Done():
			return
		}
	}
}

// endsWithin is how long before it ends a certificate is reported, once a day.
const endsWithin = 30 * 24 * time.Hour

// reportEnds reports what ends soon.
func (k *Keyring) reportEnds() {
	now := k.now()
	for _, t := range k.list() {
		t.mu.Lock()
		m := t.material
		t.mu.Unlock()
		if m == nil {
			continue
		}
		if m.certificate != nil {
			k.reportEnd(now, "certificate "+t.certFile, m.certificate.Leaf.NotAfter)
		}
		for _, c := range m.authorities {
			k.reportEnd(now, "certificate of authority "+showName(c.Subject.CommonName), c.NotAfter)
		}
		for _, l := range m.revocations {
			if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
				k.reportEnd(now, "list of revoked certificates "+t.crlFile, l.NextUpdate)
			}
		}
	}
}

func (k *Keyring) reportEnd(now time.Time, what string, end time.Time) {
	left := end.Sub(now)
	if left > endsWithin {
		return
	}
	k.mu.Lock()
	last, known := k.told[what]
	if known && now.Sub(last) < 24*time.Hour {
		k.mu.Unlock()
		return
	}
	if k.told == nil {
		k.told = map[string]time.Time{}
	}
	k.told[what] = now
	k.mu.Unlock()
	if left < 0 {
		k.log(severityError, fmt.Sprintf("TLS: %s is out of date since %s", what, end.Format(time.DateTime)))
		return
	}
	k.log(severityWarning, fmt.Sprintf("TLS: %s ends in %d days, at %s", what, int(left.Hours()/24), end.Format(time.DateTime)))
}

// TLS is what the connections of one input or output are protected by.
type TLS struct {
	tlsSettings
	ring *Keyring
	base *tls.Config // of servers; it has the keys of session tickets

	mu       sync.Mutex
	looked   time.Time
	stamps   []stamp
	material *material
	err      error // why there is no material
}

// limits are what both sides agree to.
func (t *TLS) limits(m *material) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: t.versions.max, CipherSuites: t.versions.suites,
		DynamicRecordSizingDisabled: true, Time: t.ring.now}
	if t.versions.min != 0 {
		c.MinVersion = t.versions.min
	}
	if m.certificate != nil {
		c.Certificates = []tls.Certificate{*m.certificate}
	}
	return c
}

// serverConfig: peers are checked in VerifyConnection, which is called for
// resumed sessions, too.
func (t *TLS) serverConfig(m *material) *tls.Config {
	c := t.limits(m)
	c.ClientAuth = tls.RequireAnyClientCert
	switch t.auth {
	case authNone:
		c.ClientAuth = tls.NoClientCert
	case authName, authCertValid:
		c.ClientCAs = m.roots // a hint for clients with several certificates
	}
	c.VerifyConnection = func(s tls.ConnectionState) error { return t.refuse(s.PeerCertificates, "") }
	return c
}

// refusal is an error of ours about the peer.
type refusal struct{ error }

func (t *TLS) refuse(peer []*x509.Certificate, target string) error {
	if err := t.Check(peer, target); err != nil {
		return refusal{err}
	}
	return nil
}

// ErrSilent is the end of a connection over which nothing came: somebody has
// tried whether the port is open.
var ErrSilent = errors.New("nothing came")

// Server makes the TLS connection of a client's connection; ahead is what has
// been read of it already. It waits for the handshake until ctx ends or its time
// is over.
func (t *TLS) Server(ctx context.Context, c net.Conn, ahead []byte) (*TLSConn, error) {
	if _, err := t.current(); err != nil {
		return nil, err
	}
	s := &tlsSocket{Conn: c, ahead: ahead, fd: -1}
	conn := &TLSConn{Conn: tls.Server(s, t.base), socket: s}
	err := conn.handshake(ctx)
	if err != nil && !s.heard {
		return nil, ErrSilent
	}
	return conn, err
}

// Client makes a TLS connection to a server that was found under the name target.
func (t *TLS) Client(ctx context.Context, c net.Conn, target string) (*TLSConn, error) {
	m, err := t.current()
	if err != nil {
		return nil, err
	}
	s := &tlsSocket{Conn: c, fd: -1}
	conn := &TLSConn{socket: s}
	config := t.limits(m)
	config.ServerName = orElse(t.sni, target)
	config.InsecureSkipVerify = true // VerifyConnection does it
	config.VerifyConnection = func(s tls.ConnectionState) error { return t.refuse(s.PeerCertificates, target) }
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		conn.Asked = true
		if m.certificate == nil {
			return &tls.Certificate{}, nil
		}
		// Whatever authorities the server names: it may know the certificate itself.
		return m.certificate, nil
	}
	conn.Conn = tls.Client(s, config)
	return conn, conn.handshake(ctx)
}

// HandshakeTime is how long a handshake may take.
const HandshakeTime = 10 * time.Second

func (c *TLSConn) handshake(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	err := c.HandshakeContext(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("it was not done in %v", HandshakeTime)
	}
	return said(err)
}

// said says in one line for people what TLS has to say.
func said(err error) error {
	var (
		record  tls.RecordHeaderError
		op      *net.OpError
		refused refusal
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused.error
	case errors.As(err, &record) && record.Conn != nil:
		return errPlain
	case errors.As(err, &op) && op.Op == "remote error":
		return fmt.Errorf("the peer refuses: TLS alert %q", strings.TrimPrefix(op.Err.Error(), "tls: "))
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		return errNoCertificate
	case strings.Contains(err.Error(), "client offered only unsupported versions"):
		return errors.New("the client speaks no version of TLS that is permitted here")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the peer closed the connection: %w", err)
	}
	return err
}
