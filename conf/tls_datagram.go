package conf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// DTLS are the parameters of imdtls and omdtls about certificates.
type DTLS struct {
	AuthMode       string   `conf:"tls.authmode" doc:"How peers prove who they are: certvalid, name, fingerprint; default is not at all." status:"full"`
	PermittedPeers []string `conf:"tls.permittedpeer" doc:"Names or fingerprints of permitted peers." status:"full"`
	CACert         string   `conf:"tls.cacert" doc:"Certificates of authorities." status:"full"`
	MyCert         string   `conf:"tls.mycert" doc:"Certificate, with those between it and the authority's." status:"full"`
	MyPrivKey      string   `conf:"tls.myprivkey" doc:"Private key." status:"full"`
	Commands       string   `conf:"tls.tlscfgcmd" doc:"Ciphers, as OpenSSL has them: CipherString=…. The version is always DTLS 1.2." status:"full"`
}

// DTLS are the settings of a DTLS input or output.
func (k *Keyring) DTLS(owner string, server bool, p DTLS) (*TLS, error) {
	t, err := k.RELPTLS(owner, server, RELPTLS{TLS: true, AuthMode: p.AuthMode, PermittedPeers: p.PermittedPeers,
		CACert: p.CACert, MyCert: p.MyCert, MyPrivKey: p.MyPrivKey, Commands: p.Commands})
	if err == nil && t.versions.min != 0 && (t.versions.min > tls.VersionTLS12 || t.versions.max < tls.VersionTLS12) {
		return nil, errors.New("tls.tlscfgcmd: there is nothing but DTLS 1.2 here, and it is excluded")
	}
	return t, err
}

// Certificate is ours as it is now; nil if there is none.
func (t *TLS) Certificate() (*tls.Certificate, error) {
	m, err := t.current()
	if err != nil {
		return nil, err
	}
	return m.certificate, nil
}

// Asks tells whether peers have to show a certificate.
func (t *TLS) Asks() bool { return t.auth != authNone }

// Suites are the ciphers of version 1.2 to choose from; nil if that is left to
// the library.
func (t *TLS) Suites() []uint16 { return t.versions.suites }

// CheckRaw is Check for certificates as they come.
func (t *TLS) CheckRaw(raw [][]byte, target string) error {
	peer := make([]*x509.Certificate, 0, len(raw))
	for _, der := range raw {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("the peer's certificate cannot be read: %w", err)
		}
		peer = append(peer, c)
	}
	return t.Check(peer, target)
}
