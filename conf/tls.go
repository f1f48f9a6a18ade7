package conf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tlsAuth is how a peer proves who it is.
type tlsAuth uint8

const (
	authNone        tlsAuth = iota // not at all
	authCertValid                  // by a certificate of one of our authorities
	authName                       // by such a certificate with a permitted name
	authFingerprint                // by a certificate that is known itself
)

// tlsSettings say how connections of one input or output are protected: what
// the parameters of stream drivers and of RELP have in common.
type tlsSettings struct {
	owner  string // whose connections: "imtcp(6514)"
	server bool
	auth   tlsAuth
	peers  []string
	sni    string // name to ask the server for; default is the target's

	caFiles                    []string
	certFile, keyFile, crlFile string

	permitExpired, warnExpired bool
	checkPurpose, onlySAN      bool
	depth                      int // most certificates between; 0 is no limit
	versions                   tlsVersions
}

// StreamTLS are the settings of a stream driver; nil if it is plain TCP. owner
// is what messages call the input or output.
func (k *Keyring) StreamTLS(owner string, server bool, p StreamDriver, sni string) (*TLS, error) {
	driver := strings.ToLower(p.Driver.Value)
	if driver == "" && !p.Mode.Given {
		driver = strings.ToLower(k.Defaults.Driver)
	}
	switch {
	case p.Mode.Value != 0 && p.Mode.Value != 1:
		return nil, fmt.Errorf("streamDriver.mode=%d is neither 0, plain TCP, nor 1, TLS", p.Mode.Value)
	case driver != "" && !slices.Contains([]string{"ptcp", "gtls", "ossl", "mbedtls"}, driver):
		return nil, fmt.Errorf("streamDriver.name %q is not ptcp, gtls, ossl or mbedtls", p.Driver.Value)
	case p.Mode.Value == 0:
		return nil, nil
	case driver == "ptcp":
		return nil, errors.New("streamDriver.mode=1 asks for TLS, and streamDriver.name is ptcp, which is plain TCP: write gtls")
	}
	files := p.StreamFiles
	s := tlsSettings{
		owner: owner, server: server, sni: sni, peers: splitList(p.PermittedPeers.Value),
		certFile: orElse(files.CertFile.Value, k.Defaults.CertFile), keyFile: orElse(files.KeyFile.Value, k.Defaults.KeyFile),
		crlFile: orElse(files.CRLFile.Value, k.Defaults.CRLFile), depth: p.VerifyDepth.Value,
		checkPurpose: p.CheckKeyPurpose.Value, onlySAN: p.PrioritizeSAN.Value,
	}
	s.caFiles = splitList([]string{orElse(files.CAFile.Value, k.Defaults.CAFile), orElse(files.CAExtra.Value, k.Defaults.CAExtra)})
	switch mode := p.AuthMode.Value; strings.ToLower(mode) {
	case "", "x509/name": // as rsyslog: the strictest is what there is when nothing is said
		s.auth = authName
	case "x509/certvalid":
		s.auth = authCertValid
	case "x509/fingerprint":
		s.auth = authFingerprint
	case "anon":
		s.auth = authNone
	default:
		return nil, fmt.Errorf("streamDriver.authMode %q is not anon, x509/certvalid, x509/name or x509/fingerprint", mode)
	}
	switch strings.ToLower(p.PermitExpired.Value) {
	case "", "off", "no":
	case "warn":
		s.permitExpired, s.warnExpired = true, true
	case "on", "yes":
		s.permitExpired = true
	default:
		return nil, fmt.Errorf("streamDriver.permitExpiredCerts %q is not on, off or warn", p.PermitExpired.Value)
	}
	var err error
	if s.versions, err = parsePriorities(p.Priorities.Value); err != nil {
		return nil, fmt.Errorf("gnutlsPriorityString: %w", err)
	}
	return k.add(s, "streamDriver.")
}

// RELPTLS are the settings of RELP; nil if it goes without TLS.
func (k *Keyring) RELPTLS(owner string, server bool, p RELPTLS) (*TLS, error) {
	if !p.TLS {
		return nil, nil
	}
	s := tlsSettings{owner: owner, server: server, peers: splitList(p.PermittedPeers), caFiles: splitList([]string{p.CACert}),
		certFile: p.MyCert, keyFile: p.MyPrivKey}
	switch strings.ToLower(p.AuthMode) {
	case "":
	case "certvalid":
		s.auth = authCertValid
	case "name":
		s.auth = authName
	case "fingerprint":
		s.auth = authFingerprint
	default:
		return nil, fmt.Errorf("tls.authMode %q is not certvalid, name or fingerprint", p.AuthMode)
	}
	for _, x := range []struct{ name, text string }{{"tls.prioritystring", p.Priorities}, {"tls.tlscfgcmd", p.Commands}} {
		v, err := parsePriorities(x.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.name, err)
		}
		if x.text != "" {
			s.versions = v
		}
	}
	return k.add(s, "tls.")
}

// check says what is missing or cannot work. prefix is that of the parameters.
func (s *tlsSettings) check(prefix string) error {
	names := map[string][3]string{
		"streamDriver.": {"streamDriver.caFile", "streamDriver.certFile", "streamDriver.keyFile"},
		"tls.":          {"tls.caCert", "tls.myCert", "tls.myPrivKey"},
	}[prefix]
	switch {
	case s.server && (s.certFile == "" || s.keyFile == ""):
		return fmt.Errorf("TLS needs %s and %s: there are no anonymous ciphers, with which rsyslog goes without", names[1], names[2])
	case (s.certFile == "") != (s.keyFile == ""):
		return fmt.Errorf("%s and %s are nothing without each other", names[1], names[2])
	case (s.auth == authName || s.auth == authCertValid) && len(s.caFiles) == 0:
		return fmt.Errorf("the certificates of peers cannot be checked without %s", names[0])
	case s.depth < 0:
		return fmt.Errorf("streamDriver.tlsVerifyDepth %d is negative", s.depth)
	}
	if s.auth == authFingerprint {
		for i, p := range s.peers {
			f, err := parseFingerprint(p)
			if err != nil {
				return err
			}
			s.peers[i] = f
		}
	}
	if s.auth == authName {
		for _, p := range s.peers {
			if err := checkPattern(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// doubts are what can work and is hardly meant.
func (s *tlsSettings) doubts() (lines []string) {
	switch {
	case s.auth == authName && len(s.peers) == 0 && s.server:
		lines = append(lines, "no permitted peers are given: nobody may connect")
	case s.auth == authFingerprint && len(s.peers) == 0:
		lines = append(lines, "no permitted peers are given: nobody's fingerprint is known")
	case (s.auth == authNone || s.auth == authCertValid) && len(s.peers) > 0:
		lines = append(lines, "permitted peers are given, and the authentication mode looks at no names: whoever is who, all are let in alike")
	}
	if v := s.versions.min; v != 0 && v < tls.VersionTLS12 {
		lines = append(lines, tls.VersionName(v)+" is permitted, which is broken")
	}
	return lines
}

// splitList are the parts of a list in which commas separate, too, as in
// streamDriverPermittedPeers.
func splitList(list []string) (all []string) {
	for _, s := range list {
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
