package conf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tlsVersions are the protocol versions and ciphers to be used; zero leaves them
// to the library.
type tlsVersions struct {
	min, max uint16
	suites   []uint16 // of TLS 1.2 and before; those of 1.3 are always all
}

// parsePriorities reads what the user says about them in GnuTLS's words
// (NORMAL:-VERS-ALL:+VERS-TLS1.2) or OpenSSL's (MinProtocol=TLSv1.2). What has no
// counterpart here is an error, unless it only forbids what is not there anyway:
// a demand must not be left out silently.
func parsePriorities(text string) (tlsVersions, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return tlsVersions{}, nil
	case strings.Contains(text, "="):
		return parseCommands(text)
	}
	return parseGnuTLS(text)
}

// versionOf reads a version; ours tells whether there is such a one here.
func versionOf(name string) (v uint16, ours bool) {
	switch strings.ToLower(strings.NewReplacer("TLSv", "", "TLS", "", "tlsv", "").Replace(name)) {
	case "1", "1.0":
		return tls.VersionTLS10, true
	case "1.1":
		return tls.VersionTLS11, true
	case "1.2":
		return tls.VersionTLS12, true
	case "1.3":
		return tls.VersionTLS13, true
	}
	return 0, false
}

// versionSet is which versions are permitted, by their distance from TLS 1.0.
type versionSet [4]bool

func (s *versionSet) set(v uint16, on bool) { s[v-tls.VersionTLS10] = on }

func (s *versionSet) setAll(on bool) {
	for i := range s {
		s[i] = on
	}
}

// bounds are the least and the greatest version. Go has no gaps.
func (s *versionSet) bounds() (least, greatest uint16, err error) {
	for i, on := range s {
		if !on {
			continue
		}
		v := uint16(tls.VersionTLS10 + i)
		if greatest != 0 && greatest != v-1 {
			return 0, 0, fmt.Errorf("%s and %s cannot be used without the versions between", tls.VersionName(least), tls.VersionName(v))
		}
		if least == 0 {
			least = v
		}
		greatest = v
	}
	if least == 0 {
		return 0, 0, errors.New("it leaves no version of TLS")
	}
	return least, greatest, nil
}

// parseCommands reads OpenSSL's configuration commands, in lines or separated by
// semicolons, as rsyslog takes them.
func parseCommands(text string) (v tlsVersions, err error) {
	set := versionSet{2: true, 3: true}
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			return v, fmt.Errorf("%q is not of the form Command=value", line)
		}
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(name) {
		case "protocol":
			err = set.protocols(value)
		case "minprotocol", "maxprotocol":
			err = set.limit(strings.ToLower(name), value)
		case "cipherstring":
			v.suites, err = parseCiphers(value)
		case "options":
			err = checkOptions(value)
		default:
			err = errors.New("there is nothing like it here; Protocol, MinProtocol, MaxProtocol, CipherString and Options are known")
		}
		if err != nil {
			return v, fmt.Errorf("%s: %w", name, err)
		}
	}
	v.min, v.max, err = set.bounds()
	return v, err
}

func (s *versionSet) limit(command, value string) error {
	v, ok := versionOf(value)
	if !ok {
		return fmt.Errorf("%q is not TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", value)
	}
	least, greatest, err := s.bounds()
	if err != nil {
		return err
	}
	if command == "minprotocol" {
		least, greatest = v, max(v, greatest)
	} else {
		least, greatest = min(v, least), v
	}
	for i := range s {
		w := uint16(tls.VersionTLS10 + i)
		s[i] = least <= w && w <= greatest
	}
	return nil
}

// protocols reads a list like -ALL,TLSv1.2 or ALL,-SSLv3.
func (s *versionSet) protocols(list string) error {
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		on := !strings.HasPrefix(word, "-")
		word = strings.TrimLeft(word, "+-")
		switch v, ours := versionOf(word); {
		case strings.EqualFold(word, "ALL"):
			s.setAll(on)
			if on { // what is broken has to be asked for by name
				s.set(tls.VersionTLS10, false)
				s.set(tls.VersionTLS11, false)
			}
		case ours:
			s.set(v, on)
		case on || !strings.HasPrefix(strings.ToUpper(word), "SSL"):
			return fmt.Errorf("there is no protocol %q", word)
		}
	}
	return nil
}

// checkOptions: those that only forbid what is not there are fulfilled.
func checkOptions(list string) error {
	for word := range strings.SplitSeq(list, ",") {
		switch w := strings.ToLower(strings.TrimLeft(strings.TrimSpace(word), "+")); w {
		case "serverpreference", "-compression", "norenegotiation", "no_renegotiation", "singledhuse", "singleecdhuse":
		default:
			return fmt.Errorf("there is no option %q", word)
		}
	}
	return nil
}

// parseCiphers reads OpenSSL's names of ciphers. Lists of kinds (HIGH:!aNULL) are
// fulfilled by what the library chooses by itself if they ask for no more than
// that it be strong.
func parseCiphers(list string) (suites []uint16, err error) {
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		switch id := suiteOf(word); {
		case id != 0:
			suites = append(suites, id)
		case strings.HasPrefix(word, "TLS_"): // of TLS 1.3, which are always there
		case strings.HasPrefix(word, "!") || strings.HasPrefix(word, "-") || strings.HasPrefix(word, "@SECLEVEL=") || strings.HasPrefix(word, "@STRENGTH"):
			if !weak(word) {
				return nil, fmt.Errorf("%q forbids what may be used: name the ciphers to use instead", word)
			}
		case slices.Contains([]string{"DEFAULT", "HIGH", "ALL", "SECURE", "ECDHE", "kEECDH", "EECDH"}, word):
		default:
			return nil, fmt.Errorf("there is no cipher %q", word)
		}
	}
	return suites, nil
}

// weak tells whether a word only forbids what is never used.
func weak(word string) bool {
	switch strings.ToLower(strings.TrimLeft(word, "!-")) {
	case "anull", "enull", "null", "export", "exp", "low", "medium", "des", "3des", "rc4", "md5", "psk", "srp", "adh", "aecdh", "dss", "dsa",
		"camellia", "seed", "idea", "aria", "ssl2", "sslv2", "ssl3", "sslv3", "kdh", "dh", "dhe", "kedh", "krsa", "aes128-cbc", "sha1":
		return true
	}
	return strings.HasPrefix(word, "@")
}

// suiteOf finds a cipher by OpenSSL's name: ECDHE-RSA-AES128-GCM-SHA256 is
// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
func suiteOf(name string) uint16 {
	for _, s := range tls.CipherSuites() {
		ours := strings.TrimPrefix(s.Name, "TLS_")
		ours = strings.NewReplacer("WITH_", "", "AES_", "AES", "_CBC", "", "_", "-").Replace(ours)
		ours = strings.Replace(ours, "POLY1305-SHA256", "POLY1305", 1)
		if strings.EqualFold(name, s.Name) || strings.EqualFold(name, ours) {
			if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
				return s.ID
			}
		}
	}
	return 0
}

// parseGnuTLS reads a priority string: a level, then what is added and removed.
func parseGnuTLS(text string) (v tlsVersions, err error) {
	set := versionSet{2: true, 3: true}
	var not []string // ciphers and key exchanges removed
	for i, word := range strings.Split(text, ":") {
		op, name := byte('+'), strings.ToUpper(strings.TrimSpace(word))
		if name != "" && strings.IndexByte("+-!%@", name[0]) >= 0 {
			op, name = name[0], name[1:]
		} else if i > 0 {
			return v, fmt.Errorf("%q needs a + or - before it", word)
		}
		switch version, ours := versionOf(strings.TrimPrefix(name, "VERS-")); {
		case op == '%':
			err = checkGnuTLSOption(name)
		case op == '@':
			err = errors.New("priority files of the system are GnuTLS's own")
		case i == 0:
			err = checkLevel(name)
		case name == "VERS-ALL" || name == "VERS-TLS-ALL":
			set.setAll(op == '+')
		case strings.HasPrefix(name, "VERS-") && ours:
			set.set(version, op == '+')
		case op != '+':
			not = append(not, name)
		case !slices.Contains(gnuTLSPresent, name):
			err = fmt.Errorf("there is no %s here", name)
		}
		if err != nil {
			return v, err
		}
	}
	if v.min, v.max, err = set.bounds(); err != nil {
		return v, err
	}
	v.suites, err = without(not, v.max)
	return v, err
}

// gnuTLSPresent is what may be asked for and is there by itself.
var gnuTLSPresent = []string{"ECDHE-RSA", "ECDHE-ECDSA", "AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AEAD", "SHA256", "SHA384",
	"CURVE-ALL", "GROUP-ALL", "SIGN-ALL", "MAC-ALL", "CIPHER-ALL", "CTYPE-ALL", "CTYPE-X509", "COMP-NULL",
	"GROUP-X25519", "GROUP-SECP256R1", "GROUP-SECP384R1", "GROUP-SECP521R1", "CURVE-X25519", "CURVE-SECP256R1", "CURVE-SECP384R1", "CURVE-SECP521R1"}

func checkLevel(name string) error {
	switch name {
	case "NORMAL", "PERFORMANCE", "SECURE128", "SECURE192", "SECURE256", "PFS", "SUITEB128", "SUITEB192", "LEGACY", "SYSTEM":
		return nil
	case "NONE":
		return errors.New("NONE begins lists that are complete in GnuTLS's terms: begin with NORMAL")
	}
	return fmt.Errorf("%q is not a priority string: it begins with a level like NORMAL", name)
}

func checkGnuTLSOption(name string) error {
	switch name {
	case "SERVER_PRECEDENCE", "SAFE_RENEGOTIATION", "COMPAT", "LATEST_RECORD_VERSION", "PROFILE_LOW", "PROFILE_LEGACY", "PROFILE_MEDIUM",
		"DISABLE_SAFE_RENEGOTIATION", "NO_TICKETS", "VERIFY_ALLOW_SIGN_RSA_MD5":
		return nil
	}
	return fmt.Errorf("there is no option %%%s here", name)
}

// without are the ciphers of TLS 1.2 that are left; nil if they are all.
func without(not []string, greatest uint16) (suites []uint16, err error) {
	const gone = " ARCFOUR-128 ARCFOUR-40 3DES-CBC DES-CBC RSA RSA-EXPORT DHE-RSA DHE-DSS ANON-DH ANON-ECDH PSK SRP SRP-RSA SRP-DSS MD5 SHA1 " +
		"CAMELLIA-128-CBC CAMELLIA-256-CBC CAMELLIA-128-GCM CAMELLIA-256-GCM AES-128-CCM AES-256-CCM VERS-SSL3.0 VERS-DTLS-ALL VERS-DTLS1.0 VERS-DTLS1.2 " +
		"COMP-DEFLATE CTYPE-OPENPGP SIGN-RSA-SHA1 SIGN-DSA-SHA1 SIGN-RSA-MD5 "
	kinds := map[string]string{"AES-128-GCM": "AES_128_GCM", "AES-256-GCM": "AES_256_GCM", "CHACHA20-POLY1305": "CHACHA20",
		"AES-128-CBC": "AES_128_CBC", "AES-256-CBC": "AES_256_CBC", "ECDHE-RSA": "ECDHE_RSA", "ECDHE-ECDSA": "ECDHE_ECDSA"}
	var parts []string
	for _, name := range not {
		part, known := kinds[name]
		switch {
		case known:
			parts = append(parts, part)
		case !strings.Contains(gone, " "+name+" "):
			return nil, fmt.Errorf("there is no %s here to be left out", name)
		}
		if known && greatest >= tls.VersionTLS13 && !strings.HasSuffix(name, "-CBC") {
			return nil, fmt.Errorf("%s cannot be left out of TLS 1.3: add -VERS-TLS1.3", name)
		}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	for _, s := range tls.CipherSuites() {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s.Name, p) }) {
			suites = append(suites, s.ID)
		}
	}
	if len(suites) == 0 {
		return nil, errors.New("it leaves no cipher")
	}
	return suites, nil
}
