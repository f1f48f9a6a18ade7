package conf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// material is what the files of a TLS hold. It does not change: files that do
// make a new one.
type material struct {
	certificate *tls.Certificate // nil if there is none
	roots       *x509.CertPool
	authorities []*x509.Certificate
	revocations []revocations
	server      *tls.Config // for new connections of clients
}

// revocations is one list of revoked certificates.
type revocations struct {
	*x509.RevocationList
	serials map[string]time.Time // when they were revoked
}

// load reads all files.
func (t *TLS) load() (*material, error) {
	m := &material{roots: x509.NewCertPool()}
	if err := t.loadCertificate(m); err != nil {
		return nil, err
	}
	for _, name := range t.caFiles {
		certs, err := readCertificates(name)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			m.roots.AddCert(c)
		}
		m.authorities = append(m.authorities, certs...)
	}
	if t.crlFile != "" {
		var err error
		if m.revocations, err = readRevocations(t.crlFile); err != nil {
			return nil, err
		}
	}
	if t.server {
		m.server = t.serverConfig(m)
	}
	return m, nil
}

func (t *TLS) loadCertificate(m *material) error {
	if t.certFile == "" {
		return nil
	}
	if err := t.checkKeyMode(); err != nil {
		return err
	}
	cert, err := os.ReadFile(t.certFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	key, err := os.ReadFile(t.keyFile)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	if bytes.Contains(key, []byte("ENCRYPTED")) {
		return fmt.Errorf("private key %s is encrypted, and there is nobody to ask for its passphrase", t.keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate %s with private key %s: %s", t.certFile, t.keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	m.certificate = &pair
	return nil
}

// checkKeyMode refuses a private key that everybody can read. Called as
// rsyslogd, which does not look, it is used, and said to be open.
func (t *TLS) checkKeyMode() error {
	info, err := os.Stat(t.keyFile)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	if info.Mode().Perm()&0o007 == 0 {
		return nil
	}
	err = fmt.Errorf("private key %s is open to everybody on this machine (mode %04o): chmod o= %[1]s", t.keyFile, info.Mode().Perm())
	if !t.ring.Lenient {
		return err
	}
	t.ring.log(severityWarning, t.owner+": "+err.Error())
	return nil
}

func readCertificates(name string) ([]*x509.Certificate, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	var all []*x509.Certificate
	for der := range blocks(b, "CERTIFICATE") {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("authorities: certificate %d of %s: %w", len(all)+1, name, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("authorities: there is no certificate in %s", name)
	}
	return all, nil
}

func readRevocations(name string) ([]revocations, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	var all []revocations
	for der := range blocks(b, "X509 CRL") {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d of %s: %w", len(all)+1, name, err)
		}
		r := revocations{RevocationList: l, serials: make(map[string]time.Time, len(l.RevokedCertificateEntries))}
		for _, e := range l.RevokedCertificateEntries {
			r.serials[e.SerialNumber.String()] = e.RevocationTime
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no revocation list in %s", name)
	}
	return all, nil
}

// blocks yields the PEM blocks of a kind, or all of b if there is no PEM in it.
func blocks(b []byte, kind string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if !bytes.Contains(b, []byte("-----BEGIN ")) {
			if len(b) > 0 {
				yield(b)
			}
			return
		}
		for {
			var block *pem.Block
			if block, b = pem.Decode(b); block == nil {
				return
			}
			if block.Type == kind && !yield(block.Bytes) {
				return
			}
		}
	}
}

// stamp tells whether files have changed.
type stamp struct {
	size, modified int64
	inode          uint64
	missing        bool
}

func (t *TLS) files() []string {
	var all []string
	for _, name := range append([]string{t.certFile, t.keyFile, t.crlFile}, t.caFiles...) {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

func stampOf(name string) stamp {
	info, err := os.Stat(name)
	if err != nil {
		return stamp{missing: true}
	}
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// lookEvery is how often files are looked at, at most.
const lookEvery = time.Second

// current returns what the files hold. Changed files are read; if they are no
// good, what was there before stays in use.
func (t *TLS) current() (*material, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.ring.now(); t.looked.IsZero() || now.Sub(t.looked).Abs() >= lookEvery {
		t.looked = now
		t.look()
	}
	return t.material, t.err
}

// look reads the files if they have changed. It is called with the lock held.
func (t *TLS) look() {
	stamps := make([]stamp, 0, len(t.stamps))
	for _, name := range t.files() {
		stamps = append(stamps, stampOf(name))
	}
	if t.stamps != nil && equalStamps(stamps, t.stamps) {
		return
	}
	first := t.stamps == nil
	t.stamps = stamps
	m, err := t.load()
	switch {
	case err == nil:
		if !first {
			t.ring.log(severityInfo, t.owner+": the changed certificates, keys and lists are in use for new connections")
		}
		t.material, t.err = m, nil
	case t.material != nil:
		t.ring.log(severityError, fmt.Sprintf("%s: TLS: %v; what was there before stays in use", t.owner, err))
	default:
		t.err = err
		t.ring.log(severityError, fmt.Sprintf("%s: TLS: %v; there are no connections until that is put right", t.owner, err))
	}
}

func equalStamps(a, b []stamp) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// errPlain is what a peer that does not speak TLS is told by closing.
var errPlain = errors.New("it does not speak TLS, and this port does nothing else")
