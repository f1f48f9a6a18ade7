package tests

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sysrelay/tests/certs"
)

// tlsCase is a receiver and a sender in rsyslog's words, and whether the message
// arrives. Who is who: the receiver is server.example.net, also called localhost,
// the sender client.example.net, if the case gives it no other identity.
type tlsCase struct {
	name             string
	relp             bool
	receiver, sender string
	arrives          bool
	says             string // in sysrelay's log when it refuses
	bySender         bool   // the sender refuses
	notOSSL          bool   // rsyslogd 8.2302 does it with GnuTLS alone
}

const anon, valid, byName, byPrint = `streamDriver.authMode="anon"`, `streamDriver.authMode="x509/certvalid"`,
	`streamDriver.authMode="x509/name"`, `streamDriver.authMode="x509/fingerprint"`

func tlsCases() []tlsCase {
	const notAuthorized = "peer name not authorized"
	permit := func(peer string) string { return byName + ` permittedPeer="` + peer + `"` }
	to := func(peer string) string {
		return `streamDriverAuthMode="x509/name" streamDriverPermittedPeers="` + peer + `"`
	}
	as := func(id string) string {
		return fmt.Sprintf(` streamDriver.certFile="$DIR/%s.pem" streamDriver.keyFile="$DIR/%[1]s.key"`, id)
	}
	const server, relpMode = "server.example.net", `tls.authMode="name" tls.permittedPeer="`
	return []tlsCase{
		{name: "anon", receiver: anon, sender: anon, arrives: true},
		{name: "certvalid", receiver: valid, sender: valid, arrives: true},
		{name: "self-signed", receiver: valid, sender: to(server) + as("self"), says: "certificate invalid: signer not found"},
		{name: "name", receiver: permit("client.example.net"), sender: to(server), arrives: true},
		{name: "one of several names", receiver: byName + ` permittedPeer=["x.example.net","client.example.net"]`, sender: to("x.example.net," + server), arrives: true},
		{name: "name of the target", receiver: valid, sender: byName, arrives: true, notOSSL: true},
		{name: "*.example.net", receiver: permit("*.example.net"), sender: to(server), arrives: true},
		{name: "cl*.example.net", receiver: permit("cl*.example.net"), sender: to(server), arrives: true},
		{name: "*ent.example.net", receiver: permit("*ent.example.net"), sender: to(server), arrives: true},
		{name: "*.*.net", receiver: permit("*.*.net"), sender: to(server), arrives: true},
		{name: "*.net", receiver: permit("*.net"), sender: to(server), says: notAuthorized},
		{name: "*", receiver: permit("*"), sender: to(server), arrives: true},
		{name: "other name", receiver: permit("other.example.net"), sender: to(server), says: notAuthorized + " - not permitted to talk to it. Names: DNSname: client.example.net; CN: client"},
		{name: "server of another name", receiver: valid, sender: to("other.example.net"), says: notAuthorized, bySender: true},
		{name: "no names", receiver: byName, sender: to(server), says: notAuthorized},
		{name: "common name", receiver: permit("client"), sender: to(server), arrives: true},
		{name: "common name after SAN", receiver: permit("client") + ` streamDriver.prioritizeSAN="on"`, sender: to(server), says: notAuthorized, notOSSL: true},
		{name: "SHA1", receiver: byPrint + ` permittedPeer="$SHA1"`, sender: byPrint + ` streamDriverPermittedPeers="$SERVER"`, arrives: true},
		{name: "SHA256", receiver: byPrint + ` permittedPeer="$SHA256"`, sender: to(server), arrives: true},
		{name: "other fingerprint", receiver: byPrint + ` permittedPeer="$SERVER"`, sender: to(server), says: "peer fingerprint 'SHA256:"},
		{name: "expired", receiver: valid, sender: to(server) + as("expired"), says: "certificate expired"},
		{name: "expired and permitted", receiver: valid + ` streamDriver.permitExpiredCerts="on"`, sender: to(server) + as("expired"), arrives: true},
		{name: "wrong purpose", receiver: valid + ` streamDriver.checkExtendedKeyPurpose="on"`, sender: to(server) + as("serveronly"), says: "extended key usage", notOSSL: true},
		{name: "purpose not checked", receiver: valid, sender: to(server) + as("serveronly"), arrives: true, notOSSL: true},
		{name: "RELP, name", relp: true, receiver: relpMode + `client.example.net"`, sender: relpMode + server + `"`, arrives: true},
		{name: "RELP, wildcard", relp: true, receiver: relpMode + `*.example.net"`, sender: relpMode + `*.example.net"`, arrives: true},
		{name: "RELP, other name", relp: true, receiver: relpMode + `other.example.net"`, sender: relpMode + server + `"`, says: notAuthorized},
		{name: "RELP, server of another name", relp: true, receiver: relpMode + `client.example.net"`, sender: relpMode + `other.example.net"`, says: notAuthorized, bySender: true},
		{name: "RELP, fingerprint", relp: true, receiver: `tls.authMode="fingerprint" tls.permittedPeer="$SHA1"`, sender: `tls.authMode="fingerprint" tls.permittedPeer="$SERVER"`, arrives: true},
	}
}

// tlsDaemons are sysrelay and rsyslogd with its two stream drivers.
var tlsDaemons = []string{"sysrelay", "gtls", "ossl"}

// tlsBench is all daemons as receivers and as senders of all cases.
type tlsBench struct {
	*bench
	t     *testing.T
	cases []tlsCase
	words *strings.Replacer
	ports map[string]string // "RECEIVER N"
	given map[string]bool
}

func newTLSBench(t *testing.T) *tlsBench {
	dir := t.TempDir()
	b := &tlsBench{bench: &bench{processes: map[string]*process{}, dir: dir}, t: t, cases: tlsCases(), ports: map[string]string{}, given: map[string]bool{}}
	t.Cleanup(b.killAll)
	ca := certs.Authority("authority")
	ca.Write(dir, "ca")
	server := certs.New(ca, certs.Options{CN: "server", Names: []string{"server.example.net", "localhost"}})
	client := certs.New(ca, certs.Options{CN: "client", Names: []string{"client.example.net"}})
	server.Write(dir, "server")
	client.Write(dir, "client")
	certs.New(nil, certs.Options{CN: "self", Names: []string{"client.example.net"}}).Write(dir, "self")
	certs.New(ca, certs.Options{CN: "expired", To: time.Now().Add(-time.Minute)}).Write(dir, "expired")
	certs.New(ca, certs.Options{CN: "serveronly", Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).Write(dir, "serveronly")
	b.words = strings.NewReplacer("$DIR", dir, "$SHA1", client.SHA1(), "$SHA256", client.SHA256(), "$SERVER", server.SHA1())
	return b
}

// head is what both configurations of a daemon begin with.
func (b *tlsBench) head(daemon, role, id string) string {
	driver := strings.ReplaceAll(daemon, "sysrelay", "gtls")
	lib := map[string]string{"gtls": "gnutls", "ossl": "openssl"}[driver]
	work := filepath.Join(b.dir, daemon+"-"+role)
	if err := os.MkdirAll(work, 0o755); err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf(`global(workDirectory="%s" net.enableDNS="off" defaultNetstreamDriver="%s" defaultNetstreamDriverCAFile="%s/ca.pem"
  defaultNetstreamDriverCertFile="%[3]s/%[4]s.pem" defaultNetstreamDriverKeyFile="%[3]s/%[4]s.key")
module(load="imtcp")
module(load="imrelp" tls.tlslib="%[5]s")
module(load="omrelp" tls.tlslib="%[5]s")
if $inputname == "rsyslogd" then { action(type="omfile" file="%[6]s/own.log") stop }
`, work, driver, b.dir, id, lib, work)
}

// port is a free one that nobody has been given yet: it is bound only later.
func (b *tlsBench) port() string {
	for {
		if port := freePort(b.t); !b.given[port] {
			b.given[port] = true
			return port
		}
	}
}

func (b *tlsBench) relpFiles(id string) string {
	return fmt.Sprintf(` tls="on" tls.caCert="%s/ca.pem" tls.myCert="%[1]s/%s.pem" tls.myPrivKey="%[1]s/%[2]s.key"`, b.dir, id)
}

func (b *tlsBench) receiver(daemon string) {
	conf := b.head(daemon, "receiver", "server")
	for i, c := range b.cases {
		if c.notOSSL && daemon == "ossl" {
			continue
		}
		port := b.port()
		b.ports[fmt.Sprint(daemon, i)] = port
		in := fmt.Sprintf(`input(type="imtcp" address="127.0.0.1" port="%s" ruleset="r%d" streamDriver.mode="1" %s)`, port, i, c.receiver)
		if c.relp {
			in = fmt.Sprintf(`input(type="imrelp" address="127.0.0.1" port="%s" ruleset="r%d" %s %s)`, port, i, b.relpFiles("server"), c.receiver)
		}
		conf += b.words.Replace(in) + fmt.Sprintf("\nruleset(name=\"r%d\") { action(type=\"omfile\" file=%q) }\n", i, b.received(daemon, i))
	}
	b.daemon(daemon, "receiver", conf)
}

func (b *tlsBench) received(daemon string, i int) string {
	return filepath.Join(b.dir, daemon+"-receiver", fmt.Sprintf("out%d", i))
}

func (b *tlsBench) sender(daemon string) (port string) {
	conf := b.head(daemon, "sender", "client")
	port = b.port()
	conf += fmt.Sprintf(`input(type="imtcp" address="127.0.0.1" port="%s")`+"\n", port)
	for _, to := range tlsDaemons {
		for i, c := range b.cases {
			if c.notOSSL && (daemon == "ossl" || to == "ossl") {
				continue
			}
			out := fmt.Sprintf(`action(type="omfwd" target="localhost" port="%s" protocol="tcp" streamDriverMode="1" %s`, b.ports[fmt.Sprint(to, i)],
				strings.ReplaceAll(c.sender, "streamDriver.authMode", "streamDriverAuthMode"))
			if c.relp {
				out = fmt.Sprintf(`action(type="omrelp" target="localhost" port="%s" %s %s`, b.ports[fmt.Sprint(to, i)], b.relpFiles("client"), c.sender)
			}
			conf += b.words.Replace(out) + ` action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.timeoutShutdown="0")` + "\n"
		}
	}
	b.daemon(daemon, "sender", conf)
	return port
}

func (b *tlsBench) daemon(daemon, role, conf string) {
	name := daemon + "-" + role
	file := filepath.Join(b.dir, name+".conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		b.t.Fatal(err)
	}
	args := []string{"-n", "-C", "-i", "NONE", "-f", file}
	program := sysrelay
	if daemon != "sysrelay" {
		program = "rsyslogd"
		args[3] = filepath.Join(b.dir, name+".pid")
	}
	if _, err := b.start(name, program, args...); err != nil {
		b.t.Fatalf("%v; `bash tests/run` installs what the tests need", err)
	}
}

func (b *tlsBench) connect(port string) (conn net.Conn) {
	if !until(func() (ok bool) {
		var err error
		conn, err = net.Dial("tcp", "127.0.0.1:"+port)
		return err == nil
	}) {
		b.t.Fatalf("nobody listens on %s\n%s", port, b.output())
	}
	return conn
}

// TestTLSWithRsyslogd: every mode of authentication between sysrelay and rsyslogd
// with each of its drivers, both ways, comes to the verdict rsyslogd comes to
// among itself, and refusals are logged with their reason.
func TestTLSWithRsyslogd(t *testing.T) {
	t.Setenv("RSYSLOG_DFLT_LOG_INTERNAL", "1")
	b := newTLSBench(t)
	for _, d := range tlsDaemons {
		b.receiver(d)
	}
	for _, port := range b.ports {
		b.connect(port).Close()
	}
	for _, d := range tlsDaemons {
		c := b.connect(b.sender(d))
		fmt.Fprintf(c, "<13>Nov 24 12:00:00 host tag: from %s;\n", d)
		c.Close()
	}
	for i, c := range b.cases {
		for _, from := range tlsDaemons {
			for _, to := range tlsDaemons {
				switch {
				case c.notOSSL && (from == "ossl" || to == "ossl"):
				case from != "sysrelay" && to != "sysrelay" && from+to != "gtlsgtls":
					// rsyslogd's ossl driver now and then loses the first message to another
					// rsyslogd, or of one; with GnuTLS on both sides it says what is right.
				default:
					b.check(i, c, from, to)
				}
			}
		}
	}
}

// check: the driver ossl of rsyslogd 8.2302 refuses nobody for a name or a
// fingerprint as a receiver; it is asked for what has to arrive alone.
func (b *tlsBench) check(i int, c tlsCase, from, to string) {
	there := func() bool {
		text, _ := os.ReadFile(b.received(to, i))
		return strings.Contains(string(text), "from "+from+";")
	}
	refuser := to + "-receiver"
	if c.bySender {
		refuser = from + "-sender"
	}
	switch p := b.processes[refuser]; {
	case c.arrives && !until(there):
		b.t.Errorf("%s, from %s to %s: it does not arrive", c.name, from, to)
	case !c.arrives && strings.HasPrefix(refuser, "sysrelay"):
		if !until(func() bool { return strings.Contains(p.stderr.String(), c.says) }) {
			b.t.Errorf("%s, from %s to %s: sysrelay does not say %q:\n%s", c.name, from, to, c.says, p.stderr.String())
		}
		if there() {
			b.t.Errorf("%s, from %s to %s: it arrives", c.name, from, to)
		}
	case !c.arrives && !strings.HasPrefix(refuser, "ossl") && there():
		b.t.Errorf("%s, from %s to %s: it arrives", c.name, from, to)
	}
}
