package conf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sysrelay/tests/certs"
)

// ring is a Keyring whose log and clock a test has.
type ring struct {
	Keyring
	dir   string
	mu    sync.Mutex
	clock time.Time
	lines []string
}

func newRing(t *testing.T) *ring {
	r := &ring{dir: t.TempDir(), clock: time.Now()}
	r.Log = func(severity int, text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, fmt.Sprintf("%d %s", severity, text))
	}
	r.Now = func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.clock
	}
	return r
}

func (r *ring) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(d)
}

// said returns the lines since it was last called.
func (r *ring) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.lines, "\n")
	r.lines = nil
	return s
}

func (r *ring) file(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func str(s string) Opt[string]        { return Opt[string]{s, s != ""} }
func words(s ...string) Opt[[]string] { return Opt[[]string]{s, len(s) > 0} }
func number(n int) Opt[int]           { return Opt[int]{n, true} }
func onOff(b bool) Opt[bool]          { return Opt[bool]{b, true} }
func sides(t *testing.T) (_, _ net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// serve lets a client of crypto/tls shake hands with our server and returns what
// the server says.
func serve(t *testing.T, server *TLS, client *tls.Config) error {
	t.Helper()
	a, b := sides(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := tls.Client(a, client)
		if c.Handshake() == nil {
			c.Read(make([]byte, 1)) // takes a session ticket, or the alert
		}
		a.Close()
	}()
	c, err := server.Server(context.Background(), b, nil)
	if err == nil {
		c.Write([]byte("x"))
		c.Close()
	}
	b.Close()
	<-done
	return err
}

// call lets our client shake hands with a server of crypto/tls.
func call(t *testing.T, client *TLS, server *tls.Config, target string) error {
	t.Helper()
	a, b := sides(t)
	go func() {
		tls.Server(b, server).Handshake()
		b.Close()
	}()
	_, err := client.Client(context.Background(), a, target)
	return err
}

func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: refused: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want %q", what, err, want)
	case err != nil && (strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 2000):
		t.Errorf("%s: the error is not one line for people: %q", what, err)
	}
}

// TestPeers: each certificate trick against each mode of authentication, with us
// as the server. What is refused is refused for the reason given.
func TestPeers(t *testing.T) {
	r := newRing(t)
	ca, other := certs.Authority("ca"), certs.Authority("other")
	middle := certs.New(ca, certs.Options{CN: "middle", Authority: true})
	low := certs.New(middle, certs.Options{CN: "low", Authority: true})
	past, future := time.Now().Add(-30*time.Minute), time.Now().Add(30*time.Minute)
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example.net", i)
	}
	sent := map[string]*certs.Identity{
		"good":       certs.New(ca, certs.Options{CN: "cn.example.net", Names: []string{"a.example.net", "b.example.org"}}),
		"cn":         certs.New(ca, certs.Options{CN: "a.example.net"}),
		"upper":      certs.New(ca, certs.Options{Names: []string{"A.Example.NET"}}),
		"ip":         certs.New(ca, certs.Options{IPs: []string{"192.0.2.7"}}),
		"middle":     certs.New(middle, certs.Options{Names: []string{"a.example.net"}}),
		"low":        certs.New(low, certs.Options{Names: []string{"a.example.net"}}),
		"self":       certs.New(nil, certs.Options{CN: "a.example.net", Names: []string{"a.example.net"}}),
		"foreign":    certs.New(other, certs.Options{Names: []string{"a.example.net"}}),
		"expired":    certs.New(ca, certs.Options{Names: []string{"a.example.net"}, To: past}),
		"early":      certs.New(ca, certs.Options{Names: []string{"a.example.net"}, From: future}),
		"revoked":    certs.New(ca, certs.Options{Names: []string{"a.example.net"}}),
		"for-server": certs.New(ca, certs.Options{Names: []string{"a.example.net"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}),
		"for-client": certs.New(ca, certs.Options{Names: []string{"a.example.net"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}),
		"nul":        certs.New(ca, certs.Options{CN: "a.example.net\x00.evil.org", Names: []string{"a.example.net\x00.evil.org"}}),
		"lf":         certs.New(ca, certs.Options{CN: "x\n<0>forged"}),
		"wild":       certs.New(ca, certs.Options{Names: []string{"*.example.net"}}),
		"deep":       certs.New(ca, certs.Options{Names: []string{"x.a.example.net"}}),
		"many":       certs.New(ca, certs.Options{Names: many}),
	}
	cert, key := certs.New(ca, certs.Options{CN: "server"}).Write(r.dir, "server")
	caFile := r.file(t, "ca.pem", ca.CertPEM())
	crl := r.file(t, "crl.pem", ca.CRL(future, sent["revoked"]))
	oldCRL := r.file(t, "old.pem", ca.CRL(past))
	files := StreamFiles{CAFile: str(caFile), CertFile: str(cert), KeyFile: str(key)}
	name := func(peers ...string) StreamDriver {
		return StreamDriver{Mode: number(1), AuthMode: str("x509/name"), PermittedPeers: words(peers...), StreamFiles: files}
	}
	valid := StreamDriver{Mode: number(1), AuthMode: str("x509/certvalid"), StreamFiles: files}
	with := func(p StreamDriver, change func(*StreamDriver)) StreamDriver { change(&p); return p }
	print := func(of ...string) StreamDriver {
		p := with(valid, func(p *StreamDriver) { p.AuthMode, p.CAFile = str("x509/fingerprint"), str("") })
		p.PermittedPeers = words(of...)
		return p
	}
	const noMatch, noSigner = "peer name not authorized", "signer not found"
	for _, tt := range []struct {
		what string
		p    StreamDriver
		peer string // "" is without certificate
		want string
	}{
		{"anon", with(valid, func(p *StreamDriver) { p.AuthMode = str("anon") }), "", ""},
		{"anon", with(valid, func(p *StreamDriver) { p.AuthMode = str("anon") }), "self", ""},
		{"valid", valid, "good", ""},
		{"valid", valid, "", "peer did not provide a certificate"},
		{"valid", valid, "self", noSigner},
		{"valid", valid, "foreign", noSigner},
		{"valid", valid, "middle", ""},
		{"valid", valid, "expired", "certificate expired"},
		{"valid", valid, "early", "certificate not yet active"},
		{"valid", valid, "for-server", ""},
		{"valid", valid, "nul", ""},
		{"expired permitted", with(valid, func(p *StreamDriver) { p.PermitExpired = str("on") }), "expired", ""},
		{"expired with warning", with(valid, func(p *StreamDriver) { p.PermitExpired = str("warn") }), "expired", ""},
		{"expired permitted", with(valid, func(p *StreamDriver) { p.PermitExpired = str("on") }), "early", "not yet active"},
		{"expired permitted", with(valid, func(p *StreamDriver) { p.PermitExpired = str("on") }), "self", noSigner},
		{"purpose", with(valid, func(p *StreamDriver) { p.CheckKeyPurpose = onOff(true) }), "for-client", ""},
		{"purpose", with(valid, func(p *StreamDriver) { p.CheckKeyPurpose = onOff(true) }), "for-server", "extended key usage"},
		{"purpose", with(valid, func(p *StreamDriver) { p.CheckKeyPurpose = onOff(true) }), "good", ""},
		{"depth 1", with(valid, func(p *StreamDriver) { p.VerifyDepth = number(1) }), "middle", ""},
		{"depth 1", with(valid, func(p *StreamDriver) { p.VerifyDepth = number(1) }), "low", "2 certificates between"},
		{"crl", with(valid, func(p *StreamDriver) { p.CRLFile = str(crl) }), "good", ""},
		{"crl", with(valid, func(p *StreamDriver) { p.CRLFile = str(crl) }), "revoked", "certificate revoked"},
		{"old crl", with(valid, func(p *StreamDriver) { p.CRLFile = str(oldCRL) }), "good", "out of date"},
		{"extra ca", with(valid, func(p *StreamDriver) { p.CAExtra = str(r.file(t, "other.pem", other.CertPEM())) }), "foreign", ""},
		{"name", name("a.example.net"), "good", ""},
		{"name, second", name("x.example.net", "b.example.org"), "good", ""},
		{"name, commas", name("x.example.net, b.example.org"), "good", ""},
		{"name, in CN beside SAN", name("cn.example.net"), "good", ""},
		{"name, SAN first", with(name("cn.example.net"), func(p *StreamDriver) { p.PrioritizeSAN = onOff(true) }), "good", noMatch + " - not permitted to talk to it. Names: DNSname: a.example.net; DNSname: b.example.org; CN: cn.example.net;"},
		{"name, SAN first", with(name("a.example.net"), func(p *StreamDriver) { p.PrioritizeSAN = onOff(true) }), "cn", ""},
		{"name", name("a.example.net"), "upper", ""},
		{"name", name("192.0.2.7"), "ip", ""},
		{"name", name("192.0.2.70"), "ip", noMatch},
		{"name", name("c.example.net"), "good", noMatch},
		{"name", name("a.example.net"), "self", noSigner},
		{"name", name("a.example.net"), "expired", "certificate expired"},
		{"name", name("a.example.net"), "nul", noMatch},
		{"name", name("*.evil.org", "a.example.net*"), "nul", noMatch},
		{"name", name("*"), "lf", noMatch + ` - not permitted to talk to it. Names: CN: "x\n<0>forged";`},
		{"nobody", name(), "good", noMatch},
		{"wildcard", name("*.example.net"), "good", ""},
		{"wildcard", name("*.example.net"), "deep", noMatch},
		{"wildcard", name("*.net"), "good", noMatch},
		{"wildcard of the certificate is no pattern", name("a.example.net"), "wild", noMatch},
		{"many", name("n9999.example.net"), "many", ""},
		{"many", name("a.example.net"), "many", "and 9992 more"},
		{"fingerprint", print(sent["self"].SHA1()), "self", ""},
		{"fingerprint", print("SHA1:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00", strings.ToLower(sent["expired"].SHA256())), "expired", ""},
		{"fingerprint", print(sent["self"].SHA256()), "good", "peer fingerprint '" + sent["good"].SHA256()},
		{"fingerprint", print(sent["self"].SHA256()), "", "peer did not provide a certificate"},
		{"fingerprint of nobody", print(), "good", "unknown"},
	} {
		server, err := r.StreamTLS("test", true, tt.p, "")
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v}
			if tt.peer != "" {
				c := sent[tt.peer].TLS()
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
			}
			wantError(t, fmt.Sprintf("%s, %s, %s", tt.what, tt.peer, tls.VersionName(v)), serve(t, server, config), tt.want)
		}
	}
	if s := r.said(); !strings.Contains(s, "has expired; it is let in all the same") {
		t.Errorf("permitExpiredCerts=warn does not warn:\n%s", s)
	}
}

// TestServersName: without permitted peers a server must have the name it was
// called by.
func TestServersName(t *testing.T) {
	r := newRing(t)
	ca := certs.Authority("ca")
	caFile := r.file(t, "ca.pem", ca.CertPEM())
	for _, tt := range []struct {
		target, peers string
		o             certs.Options
		want          string
	}{
		{"a.example.net", "", certs.Options{Names: []string{"a.example.net"}}, ""},
		{"a.example.net", "", certs.Options{CN: "a.example.net"}, ""},
		{"a.example.net", "", certs.Options{Names: []string{"*.example.net"}}, ""},
		{"x.a.example.net", "", certs.Options{Names: []string{"*.example.net"}}, "not authorized"},
		{"a.example.net", "", certs.Options{Names: []string{"b.example.net"}}, "not authorized"},
		{"a.example.net", "", certs.Options{CN: "*.example.net"}, "not authorized"},
		{"127.0.0.1", "", certs.Options{IPs: []string{"127.0.0.1"}}, ""},
		{"127.0.0.1", "", certs.Options{Names: []string{"127.0.0.1"}}, "not authorized"},
		{"127.0.0.1", "b.example.net", certs.Options{Names: []string{"b.example.net"}}, ""},
		{"a.example.net", "b.example.net", certs.Options{Names: []string{"a.example.net"}}, "not authorized"},
	} {
		client, err := r.StreamTLS("test", false, StreamDriver{Mode: number(1), PermittedPeers: words(splitList([]string{tt.peers})...), StreamFiles: StreamFiles{CAFile: str(caFile)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		server := &tls.Config{Certificates: []tls.Certificate{certs.New(ca, tt.o).TLS()}}
		wantError(t, fmt.Sprintf("%+v", tt), call(t, client, server, tt.target), tt.want)
	}
}

// TestOldProtocols: neither side speaks TLS 1.1 unless told to.
func TestOldProtocols(t *testing.T) {
	r := newRing(t)
	ca := certs.Authority("ca")
	cert, key := certs.New(ca, certs.Options{CN: "s"}).Write(r.dir, "s")
	p := StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{CertFile: str(cert), KeyFile: str(key)}}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server, err := r.StreamTLS("test", true, p, "")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "server", serve(t, server, old), "speaks no version of TLS")
	old.Certificates = []tls.Certificate{certs.New(ca, certs.Options{CN: "s"}).TLS()}
	p.StreamFiles = StreamFiles{}
	client, err := r.StreamTLS("test", false, p, "")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "client", call(t, client, old, "s"), "protocol version")
	p.Priorities = str("NORMAL:+VERS-TLS1.1")
	if client, err = r.StreamTLS("test", false, p, ""); err != nil {
		t.Fatal(err)
	}
	wantError(t, "client that may", call(t, client, old, "s"), "")
	if s := r.said(); !strings.Contains(s, "TLS 1.1 is permitted, which is broken") {
		t.Errorf("no warning: %s", s)
	}
}

// TestResumedSessions: a session that is resumed is checked like a new one.
func TestResumedSessions(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := newRing(t)
		ca := certs.Authority("ca")
		peer := certs.New(ca, certs.Options{CN: "peer"})
		cert, key := certs.New(ca, certs.Options{CN: "s"}).Write(r.dir, "s")
		crl := r.file(t, "crl.pem", ca.CRL(time.Now().Add(time.Hour)))
		server, err := r.StreamTLS("test", true, StreamDriver{Mode: number(1), AuthMode: str("x509/certvalid"),
			StreamFiles: StreamFiles{CAFile: str(r.file(t, "ca.pem", ca.CertPEM())), CertFile: str(cert), KeyFile: str(key), CRLFile: str(crl)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		resumed := 0
		client := &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v, ServerName: "s", Certificates: []tls.Certificate{peer.TLS()},
			ClientSessionCache: tls.NewLRUClientSessionCache(1), VerifyConnection: func(s tls.ConnectionState) error {
				if s.DidResume {
					resumed++
				}
				return nil
			}}
		wantError(t, "first", serve(t, server, client), "")
		wantError(t, "resumed", serve(t, server, client), "")
		if resumed != 1 {
			t.Fatalf("%s: the session was not resumed: the test tests nothing", tls.VersionName(v))
		}
		r.file(t, "crl.pem", ca.CRL(time.Now().Add(time.Hour), peer))
		r.Refresh()
		wantError(t, "resumed after it was revoked", serve(t, server, client), "certificate revoked")
	}
}

// TestFilesThatChange: new files are used for new connections, bad ones are not.
func TestFilesThatChange(t *testing.T) {
	r := newRing(t)
	ca := certs.Authority("ca")
	cert, key := certs.New(ca, certs.Options{CN: "one"}).Write(r.dir, "s")
	server, err := r.StreamTLS("imtcp(6514)", true, StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{CertFile: str(cert), KeyFile: str(key)}}, "")
	if err != nil {
		t.Fatal(err)
	}
	served := func() (cn string) {
		t.Helper()
		err := serve(t, server, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			cn = s.PeerCertificates[0].Subject.CommonName
			return nil
		}})
		wantError(t, "served", err, "")
		return cn
	}
	if got := served(); got != "one" {
		t.Errorf("served %s", got)
	}
	two := certs.New(ca, certs.Options{CN: "two"})
	r.file(t, "s.pem", two.CertPEM()) // the key does not fit yet
	r.pass(lookEvery)
	if got := served(); got != "one" {
		t.Errorf("with half of a new pair served %s", got)
	}
	if s := r.said(); strings.Count(s, "\n") != 0 || !strings.Contains(s, "3 imtcp(6514): TLS: certificate "+cert) || !strings.Contains(s, "what was there before stays in use") {
		t.Errorf("half a pair: %s", s)
	}
	r.file(t, "s.key", two.KeyPEM())
	if got := served(); got != "one" {
		t.Errorf("files are looked at more often than every %v", lookEvery)
	}
	r.pass(lookEvery)
	if got := served(); got != "two" {
		t.Errorf("with a new pair served %s", got)
	}
	if s := r.said(); !strings.Contains(s, "6 imtcp(6514): the changed certificates") {
		t.Errorf("new pair: %s", s)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	r.Refresh()
	if got := served(); got != "two" {
		t.Errorf("without a key served %s", got)
	}
	if s := r.said(); !strings.Contains(s, "private key: stat ") {
		t.Errorf("no key: %s", s)
	}
}

// TestFilesThatCome: what is missing at the start is found when it is there.
func TestFilesThatCome(t *testing.T) {
	r := newRing(t)
	id := certs.New(nil, certs.Options{CN: "s"})
	server, err := r.StreamTLS("imtcp(6514)", true, StreamDriver{Mode: number(1), AuthMode: str("anon"),
		StreamFiles: StreamFiles{CertFile: str(filepath.Join(r.dir, "s.pem")), KeyFile: str(filepath.Join(r.dir, "s.key"))}}, "")
	if err != nil {
		t.Fatal(err)
	}
	r.Load()
	if s := r.said(); !strings.Contains(s, "there are no connections until that is put right") {
		t.Errorf("at the start: %s", s)
	}
	client := &tls.Config{InsecureSkipVerify: true}
	wantError(t, "without files", serve(t, server, client), "no such file")
	id.Write(r.dir, "s")
	r.pass(lookEvery)
	wantError(t, "with files", serve(t, server, client), "")
}

func TestKeysOpenToEverybody(t *testing.T) {
	r := newRing(t)
	cert, key := certs.New(nil, certs.Options{CN: "s"}).Write(r.dir, "s")
	p := StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{CertFile: str(cert), KeyFile: str(key)}}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, lenient := range []bool{false, true} {
		r.Lenient = lenient
		server, err := r.StreamTLS("test", true, p, "")
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if !lenient {
			want = "is open to everybody on this machine (mode 0644)"
		}
		wantError(t, fmt.Sprint("lenient ", lenient), serve(t, server, &tls.Config{InsecureSkipVerify: true}), want)
		if s := r.said(); !strings.Contains(s, "is open to everybody") {
			t.Errorf("lenient %v: nothing is said: %s", lenient, s)
		}
	}
}

func TestEndsAreReportedDaily(t *testing.T) {
	r := newRing(t)
	ca := certs.New(nil, certs.Options{CN: "ca", Authority: true, To: r.clock.Add(40 * 24 * time.Hour)})
	cert, key := certs.New(ca, certs.Options{CN: "s", To: r.clock.Add(20*24*time.Hour + time.Hour)}).Write(r.dir, "s")
	for range 2 { // two inputs with the same files say it once
		if _, err := r.StreamTLS("test", true, StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{
			CAFile: str(r.file(t, "ca.pem", ca.CertPEM())), CertFile: str(cert), KeyFile: str(key)}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	r.Load()
	if s := r.said(); s != "4 TLS: certificate "+cert+" ends in 20 days, at "+r.clock.Add(20*24*time.Hour+time.Hour).UTC().Format(time.DateTime) {
		t.Errorf("20 days before: %s", s)
	}
	r.pass(23 * time.Hour)
	r.Refresh()
	if s := r.said(); s != "" {
		t.Errorf("the same day: %s", s)
	}
	r.pass(10 * 24 * time.Hour)
	r.Refresh()
	if s := r.said(); !strings.Contains(s, "ends in 9 days") || !strings.Contains(s, "authority ca ends in 29 days") {
		t.Errorf("later: %s", s)
	}
	r.pass(11 * 24 * time.Hour)
	r.Refresh()
	if s := r.said(); !strings.Contains(s, "3 TLS: certificate "+cert+" is out of date since") {
		t.Errorf("too late: %s", s)
	}
}

// TestHandshakesThatFail: why is said in one line.
func TestHandshakesThatFail(t *testing.T) {
	r := newRing(t)
	cert, key := certs.New(nil, certs.Options{CN: "s"}).Write(r.dir, "s")
	server, err := r.StreamTLS("test", true, StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{CertFile: str(cert), KeyFile: str(key)}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for sent, want := range map[string]string{
		"<13>plain syslog\n": "does not speak TLS",
		"GET / HTTP/1.1\r\n": "does not speak TLS",
		"\x16\x03\x01":       "closed the connection",
	} {
		a, b := sides(t)
		a.Write([]byte(sent))
		a.(*net.TCPConn).CloseWrite()
		_, err := server.Server(context.Background(), b, nil)
		wantError(t, sent, err, want)
	}
}

func TestTLSParameters(t *testing.T) {
	r := newRing(t)
	files := StreamFiles{CAFile: str("ca"), CertFile: str("cert"), KeyFile: str("key")}
	all := StreamDriver{Mode: number(1), StreamFiles: files}
	with := func(change func(*StreamDriver)) StreamDriver { p := all; change(&p); return p }
	for _, tt := range []struct {
		p      StreamDriver
		server bool
		want   string
	}{
		{all, true, ""},
		{with(func(p *StreamDriver) { p.Driver = str("GTLS") }), true, ""},
		{with(func(p *StreamDriver) { p.Driver = str("ossl") }), true, ""},
		{with(func(p *StreamDriver) { p.Driver = str("mbedtls") }), true, ""},
		{with(func(p *StreamDriver) { p.Driver = str("ptcp") }), true, "write gtls"},
		{with(func(p *StreamDriver) { p.Driver = str("nss") }), true, `"nss" is not`},
		{with(func(p *StreamDriver) { p.Mode = number(2) }), true, "mode=2"},
		{with(func(p *StreamDriver) { p.AuthMode = str("x509/nam") }), true, `"x509/nam" is not`},
		{with(func(p *StreamDriver) { p.PermitExpired = str("maybe") }), true, `"maybe"`},
		{with(func(p *StreamDriver) { p.CertFile = str("") }), true, "needs streamDriver.certFile and streamDriver.keyFile"},
		{with(func(p *StreamDriver) { p.CertFile = str("") }), false, "nothing without each other"},
		{with(func(p *StreamDriver) { p.CAFile = str("") }), true, "without streamDriver.caFile"},
		{with(func(p *StreamDriver) { p.CAFile, p.AuthMode = str(""), str("anon") }), true, ""},
		{with(func(p *StreamDriver) { p.AuthMode, p.PermittedPeers = str("x509/fingerprint"), words("host") }), true, `"host" is not a fingerprint`},
		{with(func(p *StreamDriver) { p.AuthMode, p.PermittedPeers = str("x509/fingerprint"), words("SHA1:00") }), true, `is not a fingerprint`},
		{with(func(p *StreamDriver) { p.PermittedPeers = words("a*b.example.net") }), true, "an asterisk may"},
		{with(func(p *StreamDriver) { p.VerifyDepth = number(-1) }), true, "tlsVerifyDepth"},
		{with(func(p *StreamDriver) { p.Priorities = str("NORMAL:+ARCFOUR-128") }), true, "gnutlsPriorityString: there is no ARCFOUR-128"},
	} {
		_, err := r.StreamTLS("test", tt.server, tt.p, "")
		wantError(t, fmt.Sprintf("%+v", tt.p), err, tt.want)
	}
	r.Defaults = StreamDefaults{CAFile: "ca", CertFile: "cert", KeyFile: "key", CAExtra: "b,c"}
	got, err := r.StreamTLS("test", true, StreamDriver{Mode: number(1)}, "")
	if err != nil || got.certFile != "cert" || !slices.Equal(got.caFiles, []string{"ca", "b", "c"}) {
		t.Errorf("with defaults: %+v, %v", got, err)
	}
	if plain, err := r.StreamTLS("test", true, StreamDriver{Driver: str("gtls")}, ""); plain != nil || err != nil {
		t.Errorf("mode 0: %v, %v", plain, err)
	}
	for want, p := range map[string]RELPTLS{
		"needs tls.myCert and tls.myPrivKey": {TLS: true},
		"tls.authMode":                       {TLS: true, AuthMode: "x509/name"},
		"without tls.caCert":                 {TLS: true, AuthMode: "name", MyCert: "c", MyPrivKey: "k"},
		"tls.tlscfgcmd":                      {TLS: true, MyCert: "c", MyPrivKey: "k", Commands: "x"},
		"":                                   {TLS: true, MyCert: "c", MyPrivKey: "k"},
	} {
		_, err := r.RELPTLS("test", true, p)
		wantError(t, fmt.Sprintf("%+v", p), err, want)
	}
}

func TestPriorities(t *testing.T) {
	const v10, v11, v12, v13 = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13
	gcm256 := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	for _, tt := range []struct {
		text     string
		min, max uint16
		suites   []uint16
		want     string
	}{
		{"", 0, 0, nil, ""},
		{"NORMAL", v12, v13, nil, ""},
		{"SECURE128:-VERS-TLS-ALL:+VERS-TLS1.2", v12, v12, nil, ""},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3:%SERVER_PRECEDENCE", v13, v13, nil, ""},
		{"NORMAL:-VERS-TLS1.3:-VERS-SSL3.0:-ARCFOUR-128:-RSA", v12, v12, nil, ""},
		{"NORMAL:-VERS-ALL", 0, 0, nil, "no version"},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.3", 0, 0, nil, "without the versions between"},
		{"NORMAL:-AES-128-GCM", 0, 0, nil, "add -VERS-TLS1.3"},
		{"NORMAL:-VERS-TLS1.3:-AES-128-GCM:-CHACHA20-POLY1305:-AES-128-CBC:-AES-256-CBC:-ECDHE-ECDSA", v12, v12, gcm256, ""},
		{"NORMAL:+ANON-ECDH", 0, 0, nil, "no ANON-ECDH"},
		{"NORMAL:-FOO", 0, 0, nil, "no FOO"},
		{"NONE:+VERS-TLS1.2", 0, 0, nil, "begin with NORMAL"},
		{"gibberish", 0, 0, nil, "not a priority string"},
		{"Protocol=-ALL,TLSv1.2", v12, v12, nil, ""},
		{"Protocol=ALL,-SSLv2,-TLSv1,-TLSv1.1", v12, v13, nil, ""},
		{"Protocol=-ALL,TLSv1,TLSv1.1,TLSv1.2", v10, v12, nil, ""},
		{"MinProtocol=TLSv1.2\nMaxProtocol=TLSv1.2", v12, v12, nil, ""},
		{"MinProtocol=TLSv1.1", v11, v13, nil, ""},
		{"MinProtocol=TLSv1.3", v13, v13, nil, ""},
		{"CipherString=ECDHE-RSA-AES256-GCM-SHA384\nProtocol=-TLSv1.3", v12, v12, gcm256, ""},
		{"CipherString=HIGH:!aNULL:!MD5:!3DES", v12, v13, nil, ""},
		{"CipherString=RC4-SHA", 0, 0, nil, `no cipher "RC4-SHA"`},
		{"CipherString=HIGH:!AESGCM", 0, 0, nil, "name the ciphers"},
		{"Options=-SessionTicket", 0, 0, nil, "no option"},
		{"Curves=P-256", 0, 0, nil, "nothing like it here"},
		{"Protocol=SSLv3", 0, 0, nil, `no protocol "SSLv3"`},
	} {
		v, err := parsePriorities(tt.text)
		wantError(t, tt.text, err, tt.want)
		if err == nil && (v.min != tt.min || v.max != tt.max || !slices.Equal(v.suites, tt.suites)) {
			t.Errorf("%s: %x to %x, %x", tt.text, v.min, v.max, v.suites)
		}
	}
}

// TestTLSAnswersDoNotWait: who makes TLS answer and does not read the answers is cut off at once: it would
// hold up others.
func TestTLSAnswersDoNotWait(t *testing.T) {
	_, b := sides(t)
	raw, err := b.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := &tlsSocket{Conn: b, fd: -1}
	err = nil
	raw.Control(func(fd uintptr) {
		s.fd = int(fd)
		for err == nil {
			_, err = s.Write(bytes.Repeat([]byte("x"), 1<<16))
		}
	})
	if err != errNotReading {
		t.Errorf("error %v", err)
	}
}

// TestSlowHandshakes: who does its part of the handshake too slowly is cut off,
// however it goes about it, and so is a server that never answers.
func TestSlowHandshakes(t *testing.T) {
	r := newRing(t)
	cert, key := certs.New(nil, certs.Options{CN: "s"}).Write(r.dir, "s")
	p := StreamDriver{Mode: number(1), AuthMode: str("anon"), StreamFiles: StreamFiles{CertFile: str(cert), KeyFile: str(key)}}
	server, err := r.StreamTLS("test", true, p, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := r.StreamTLS("test", false, p, "")
	if err != nil {
		t.Fatal(err)
	}
	r.Load()
	r.Now = nil
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a, b := net.Pipe()
		go func() { // one byte of a long hello a second
			a.Write([]byte("\x16\x03\x01\x40\x00"))
			for {
				if _, err := a.Write([]byte{1}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		_, err := server.Server(t.Context(), b, nil)
		wantError(t, "slow client", err, "it was not done in 10s")
		a.Close()
		c, d := net.Pipe()
		go io.Copy(io.Discard, d)
		_, err = client.Client(t.Context(), c, "s")
		wantError(t, "silent server", err, "it was not done in 10s")
		d.Close()
		if took := time.Since(began); took != 2*HandshakeTime {
			t.Errorf("it took %v", took)
		}
	})
}
