package conf

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// This file decides whether a peer may be talked to. The wording follows
// rsyslog's where it has any.

var errNoCertificate = errors.New("peer did not provide a certificate, not permitted to talk to it")

// Check decides about the certificates a peer has shown. target is the name that
// a server was asked for by; it is empty for clients.
func (t *TLS) Check(peer []*x509.Certificate, target string) error {
	m, err := t.current()
	if err != nil {
		return err
	}
	if t.auth == authNone {
		return nil
	}
	if len(peer) == 0 {
		return errNoCertificate
	}
	if t.auth == authFingerprint {
		return t.checkFingerprint(peer[0])
	}
	if err := t.checkChain(m, peer); err != nil {
		return fmt.Errorf("not permitted to talk to peer, certificate invalid: %w", err)
	}
	if t.auth == authName {
		return t.checkName(peer[0], target)
	}
	return nil
}

// checkFingerprint: as rsyslog, a certificate that is known needs no authority
// and does not expire.
func (t *TLS) checkFingerprint(c *x509.Certificate) error {
	sha1, sha256 := fingerprints(c)
	for _, p := range t.peers {
		if p == sha1 || p == sha256 {
			return nil
		}
	}
	return fmt.Errorf("peer fingerprint '%s' ('%s') unknown - we are not permitted to talk to it", sha256, sha1)
}

func fingerprints(c *x509.Certificate) (short, long string) {
	a, b := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	return "SHA1:" + colons(a[:]), "SHA256:" + colons(b[:])
}

func colons(b []byte) string {
	parts := make([]string, len(b))
	for i, x := range b {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{x}))
	}
	return strings.Join(parts, ":")
}

// parseFingerprint brings a fingerprint into the form of fingerprints.
func parseFingerprint(s string) (string, error) {
	kind, text, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	size := map[string]int{"SHA1": sha1.Size, "SHA256": sha256.Size}[strings.ToUpper(kind)]
	if err != nil || size == 0 || len(b) != size {
		return "", fmt.Errorf("permitted peer %q is not a fingerprint: SHA1: and 20 bytes or SHA256: and 32 bytes in hexadecimal", s)
	}
	return strings.ToUpper(kind) + ":" + colons(b), nil
}

// checkName looks for a permitted name in a certificate. Without a list it is
// the name of the server that was called.
func (t *TLS) checkName(c *x509.Certificate, target string) error {
	if len(t.peers) == 0 && target != "" {
		if t.isTarget(c, target) {
			return nil
		}
		return t.nameError(c)
	}
	for _, p := range t.peers {
		for _, n := range c.DNSNames {
			if matchName(p, n) {
				return nil
			}
		}
		for _, ip := range c.IPAddresses {
			if want := net.ParseIP(p); want != nil && want.Equal(ip) {
				return nil
			}
		}
		if t.looksAtCN(c) && matchName(p, c.Subject.CommonName) {
			return nil
		}
	}
	return t.nameError(c)
}

// looksAtCN: as rsyslog, the common name counts beside alternative names, unless
// prioritizeSAN. RFC 5425 §5.2 permits that.
func (t *TLS) looksAtCN(c *x509.Certificate) bool {
	return !t.onlySAN || len(c.DNSNames)+len(c.IPAddresses) == 0
}

// isTarget looks for a server's own name: as rsyslog, by the name it is called;
// RFC 5425 §5.2 also lets the certificate have a wildcard for its first label.
func (t *TLS) isTarget(c *x509.Certificate, target string) bool {
	if c.VerifyHostname(target) == nil {
		return true
	}
	return t.looksAtCN(c) && plainName(c.Subject.CommonName) && strings.EqualFold(c.Subject.CommonName, target)
}

// namesMax and nameMax bound what of a certificate's names is shown.
const (
	namesMax = 8
	nameMax  = 100
)

func (t *TLS) nameError(c *x509.Certificate) error {
	var b strings.Builder
	n := 0
	add := func(kind, name string) {
		if n++; n <= namesMax {
			fmt.Fprintf(&b, "%s: %s; ", kind, showName(name))
		}
	}
	for _, s := range c.DNSNames {
		add("DNSname", s)
	}
	for _, ip := range c.IPAddresses {
		add("IPaddress", ip.String())
	}
	if n > namesMax {
		fmt.Fprintf(&b, "and %d more; ", n-namesMax)
		n = 0
	}
	if c.Subject.CommonName != "" {
		add("CN", c.Subject.CommonName)
	}
	return fmt.Errorf("peer name not authorized - not permitted to talk to it. Names: %s", strings.TrimSpace(b.String()))
}

// showName shows a name that the peer has chosen.
func showName(s string) string {
	if len(s) > nameMax {
		s = s[:nameMax] + "…"
	}
	if plainName(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// plainName tells whether a name has nothing in it that could hide where it ends.
func plainName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// checkPattern says why a permitted name cannot match as it stands.
func checkPattern(p string) error {
	for label := range strings.SplitSeq(p, ".") {
		inner := strings.TrimSuffix(strings.TrimPrefix(label, "*"), "*")
		if strings.Contains(inner, "*") || inner != "" && strings.HasPrefix(label, "*") && strings.HasSuffix(label, "*") || label == "**" {
			return fmt.Errorf("permitted peer %q: an asterisk may begin or end a part of the name, or be one", p)
		}
	}
	return nil
}

// matchName matches a permitted name with one of a certificate, part by part.
// as rsyslog: an asterisk is one part, or the beginning or end of one.
func matchName(pattern, name string) bool {
	if !plainName(name) {
		return false
	}
	p, n := strings.Split(strings.ToLower(pattern), "."), strings.Split(strings.ToLower(name), ".")
	if len(p) != len(n) {
		return false
	}
	for i := range p {
		if !matchLabel(p[i], n[i]) {
			return false
		}
	}
	return true
}

func matchLabel(pattern, label string) bool {
	switch {
	case pattern == "*":
		return label != ""
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(label, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(label, pattern[:len(pattern)-1])
	}
	return pattern == label
}

// chainMax is how many certificates of a peer are looked at.
const chainMax = 16

// checkChain looks for a way from the peer's certificate to an authority.
func (t *TLS) checkChain(m *material, peer []*x509.Certificate) error {
	peer = peer[:min(len(peer), chainMax)]
	o := x509.VerifyOptions{Roots: m.roots, Intermediates: x509.NewCertPool(), CurrentTime: t.ring.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if t.checkPurpose {
		o.KeyUsages[0] = x509.ExtKeyUsageServerAuth
		if t.server {
			o.KeyUsages[0] = x509.ExtKeyUsageClientAuth
		}
	}
	for _, c := range peer[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := peer[0].Verify(o)
	if err != nil && t.permitExpired {
		for _, o.CurrentTime = range m.pastEnds(peer, o.CurrentTime) {
			if chains, err = peer[0].Verify(o); err == nil {
				break
			}
		}
		if err == nil && t.warnExpired {
			t.ring.log(severityWarning, fmt.Sprintf("%s: the certificate of peer %s, or that of its authority, has expired; it is let in all the same",
				t.owner, showName(peer[0].Subject.CommonName)))
		}
	}
	if err != nil {
		return chainError(err)
	}
	for _, chain := range chains {
		if err = t.checkOneChain(m, chain); err == nil {
			return nil
		}
	}
	return err
}

func (t *TLS) checkOneChain(m *material, chain []*x509.Certificate) error {
	if between := len(chain) - 2; t.depth > 0 && between > t.depth {
		return fmt.Errorf("%d certificates between it and its authority are more than %d", between, t.depth)
	}
	for i := range len(chain) - 1 {
		if err := m.revoked(chain[i], chain[i+1], t.ring.now()); err != nil {
			return err
		}
	}
	return nil
}

// chainError says why a certificate is not valid; Go's errors are for those who
// look at Go programs.
func chainError(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		_, hint, _ := strings.Cut(err.Error(), "possibly because of ")
		return errors.New(strings.TrimSpace("signer not found: no authority in the CA file has signed it " + hint))
	case !errors.As(err, &invalid):
		return err
	case invalid.Reason == x509.Expired && strings.Contains(invalid.Detail, "before"):
		return fmt.Errorf("certificate not yet active (%s)", invalid.Detail)
	case invalid.Reason == x509.Expired:
		return fmt.Errorf("certificate expired (%s)", invalid.Detail)
	case invalid.Reason == x509.IncompatibleUsage:
		return errors.New("its extended key usage does not permit this purpose")
	}
	return invalid
}

// pastEnds are the times at which certificates that have expired were valid last.
func (m *material) pastEnds(peer []*x509.Certificate, now time.Time) (ends []time.Time) {
	for _, list := range [][]*x509.Certificate{peer, m.authorities} {
		for _, c := range list {
			if c.NotAfter.Before(now) {
				ends = append(ends, c.NotAfter)
			}
		}
	}
	return ends
}

// revoked says why a certificate is not good any more. A list that is out of
// date says nothing about who was revoked since: as with GnuTLS and OpenSSL,
// nobody whose authority issued it is let in then.
func (m *material) revoked(c, issuer *x509.Certificate, now time.Time) error {
	for _, l := range m.revocations {
		if string(l.RawIssuer) != string(c.RawIssuer) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
			return fmt.Errorf("the list of revoked certificates of its authority is out of date since %s", l.NextUpdate.Format(time.DateTime))
		}
		if at, ok := l.serials[c.SerialNumber.String()]; ok {
			return fmt.Errorf("certificate revoked at %s", at.Format(time.DateTime))
		}
	}
	return nil
}
