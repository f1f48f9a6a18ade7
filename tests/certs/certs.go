// Package certs makes certificates for tests: no key is ever kept.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Identity is a certificate with its key.
type Identity struct {
	*x509.Certificate
	key   *ecdsa.PrivateKey
	above []*Identity // issuers without the root
}

// Options say how a certificate is to be. The zero Options are good for an hour.
type Options struct {
	CN        string
	Names     []string
	IPs       []string
	Usage     []x509.ExtKeyUsage
	From, To  time.Time
	Authority bool
}

var serial int64

// New makes a certificate issued by issuer, or by itself if that is nil.
func New(issuer *Identity, o Options) *Identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	serial++
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial<<32 | now.UnixNano()&0xffffffff), Subject: pkix.Name{CommonName: o.CN, Organization: []string{"sysrelay tests"}},
		DNSNames: o.Names, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: o.Usage,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: o.Authority,
	}
	if o.Authority {
		c.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	for _, ip := range o.IPs {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(ip))
	}
	if !o.From.IsZero() {
		c.NotBefore = o.From
	}
	if !o.To.IsZero() {
		c.NotAfter = o.To
	}
	id := &Identity{key: key}
	parent, signer := c, key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.key
		if issuer.above != nil || issuer.Issuer.CommonName != issuer.Subject.CommonName {
			id.above = append([]*Identity{issuer}, issuer.above...)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	check(err)
	id.Certificate, err = x509.ParseCertificate(der)
	check(err)
	return id
}

// Authority makes a root.
func Authority(cn string) *Identity { return New(nil, Options{CN: cn, Authority: true}) }

// CertPEM is the certificate with those between it and the root.
func (id *Identity) CertPEM() []byte {
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Raw})
	for _, a := range id.above {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Raw})...)
	}
	return b
}

// KeyPEM is the key.
func (id *Identity) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	check(err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TLS is the identity as crypto/tls has it.
func (id *Identity) TLS() tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{id.Raw}, PrivateKey: id.key}
	for _, a := range id.above {
		c.Certificate = append(c.Certificate, a.Raw)
	}
	return c
}

// CRL is a list of certificates that the authority has revoked, good until then.
func (id *Identity) CRL(until time.Time, revoked ...*Identity) []byte {
	l := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: until}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, id.Certificate, id.key)
	check(err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// Write writes NAME.pem and NAME.key into a directory.
func (id *Identity) Write(dir, name string) (cert, key string) {
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	check(os.WriteFile(key, id.KeyPEM(), 0o600))
	check(os.WriteFile(cert, id.CertPEM(), 0o644))
	return cert, key
}

// SHA1 and SHA256 are fingerprints as rsyslog writes them.
func (id *Identity) SHA1() string {
	s := sha1.Sum(id.Raw)
	return "SHA1:" + hex(s[:])
}

func (id *Identity) SHA256() string {
	s := sha256.Sum256(id.Raw)
	return "SHA256:" + hex(s[:])
}

func hex(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", b), " ", ":") }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
