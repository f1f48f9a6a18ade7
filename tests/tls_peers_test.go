package tests

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sysrelay/tests/certs"
)

// tlsWorld is a directory with certificates in which daemons run.
type tlsWorld struct {
	*tlsBench
	client, other *certs.Identity
}

func newTLSWorld(t *testing.T) *tlsWorld {
	dir := t.TempDir()
	w := &tlsWorld{tlsBench: &tlsBench{bench: &bench{processes: map[string]*process{}, dir: dir}, t: t, given: map[string]bool{}}}
	t.Cleanup(w.killAll)
	ca := certs.Authority("authority")
	ca.Write(dir, "ca")
	server := certs.New(ca, certs.Options{CN: "server", Names: []string{"server.example.net", "localhost"}})
	server.Write(dir, "server")
	w.client = certs.New(ca, certs.Options{CN: "client", Names: []string{"client.example.net"}})
	w.client.Write(dir, "client")
	w.other = certs.New(ca, certs.Options{CN: "other", Names: []string{"other.example.net"}})
	w.other.Write(dir, "other")
	both := append(server.CertPEM(), server.KeyPEM()...) // as HAProxy wants it
	if err := os.WriteFile(filepath.Join(dir, "both.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// relay starts sysrelay. $DIR is the directory.
func (w *tlsWorld) relay(name, conf string) *process {
	w.daemon("sysrelay", name, strings.ReplaceAll(conf, "$DIR", w.dir))
	return w.processes["sysrelay-"+name]
}

func (w *tlsWorld) await(file, want string) {
	w.t.Helper()
	var got string
	if !until(func() bool {
		b, _ := os.ReadFile(filepath.Join(w.dir, file))
		got = string(b)
		return got == want
	}) {
		w.t.Errorf("%s holds %q, want %q\n%s", file, got, want, w.output())
	}
}

func (w *tlsWorld) says(p *process, want string) {
	w.t.Helper()
	if !until(func() bool { return strings.Contains(p.stderr.String(), want) }) {
		w.t.Errorf("it does not say %q:\n%s", want, p.stderr.String())
	}
}

const tlsHead = `global(net.enableDNS="off" workDirectory="$DIR" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="$DIR/ca.pem"
  defaultNetstreamDriverCertFile="$DIR/server.pem" defaultNetstreamDriverKeyFile="$DIR/server.key")
module(load="imtcp") module(load="imrelp") module(load="omrelp")
template(name="text" type="string" string="%msg:2:$% %fromhost-ip% %fromhost-port%\n")
`

// openssl runs a command of openssl's; what it is given on standard input comes
// from in.
func (w *tlsWorld) openssl(in io.Reader, args ...string) string {
	cmd := exec.Command("openssl", args...)
	cmd.Dir, cmd.Stdin = w.dir, in
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatalf("openssl: %v; `bash tests/run` installs what the tests need", err)
	}
	return string(out)
}

// server starts a command of openssl's that ends when its standard input does.
func (w *tlsWorld) server(name string, args ...string) {
	p := &process{cmd: exec.Command("openssl", args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = w.dir, &p.stderr, &p.stderr
	in, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		w.t.Fatalf("%v; `bash tests/run` installs what the tests need", err)
	}
	w.t.Cleanup(func() { in.Close() })
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	w.processes[name] = p
}

// TestOpenSSLClient: openssl s_client delivers to sysrelay under both versions of
// TLS, and what is refused is refused with words on both sides.
func TestOpenSSLClient(t *testing.T) {
	w := newTLSWorld(t)
	port := w.port()
	p := w.relay("receiver", tlsHead+fmt.Sprintf(`input(type="imtcp" address="127.0.0.1" port="%s" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer="client.example.net")
template(name="msg" type="string" string="%%msg:2:$%%\n")
if $syslogtag == "t:" then action(type="omfile" file="$DIR/out" template="msg")
`, port))
	w.connect(port).Close()
	want := ""
	for _, tt := range []struct{ id, flag, says string }{
		{"client", "-tls1_2", ""},
		{"client", "-tls1_3", ""},
		{"other", "-tls1_3", "peer name not authorized - not permitted to talk to it. Names: DNSname: other.example.net; CN: other;"},
		{"", "-tls1_2", "peer did not provide a certificate"},
		{"client", "-tls1_1", "the client speaks no version of TLS that is permitted here"},
	} {
		args := []string{"s_client", "-connect", "127.0.0.1:" + port, "-CAfile", "ca.pem", "-verify_return_error", "-quiet", "-no_ign_eof", tt.flag, "-cipher", "DEFAULT@SECLEVEL=0"}
		if tt.id != "" {
			args = append(args, "-cert", tt.id+".pem", "-key", tt.id+".key")
		}
		line := fmt.Sprintf("from %s %s", tt.id, tt.flag)
		w.openssl(strings.NewReader("<13>Nov 24 12:00:00 h t: "+line+"\n"), args...)
		if tt.says == "" {
			want += line + "\n"
			w.await("out", want)
			continue
		}
		w.says(p, tt.says)
	}
	w.await("out", want)
}

// TestOpenSSLServer: sysrelay delivers to openssl s_server, and does not to one
// that is somebody else or refuses its certificate.
func TestOpenSSLServer(t *testing.T) {
	w := newTLSWorld(t)
	var ports []string
	servers := [][]string{
		{"-cert", "server.pem", "-key", "server.key", "-tls1_2"},
		{"-cert", "server.pem", "-key", "server.key", "-tls1_3", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"},
		{"-cert", "other.pem", "-key", "other.key"},
		{"-cert", "server.pem", "-key", "server.key", "-tls1_3", "-Verify", "1", "-verify_return_error", "-CAfile", "other.pem"},
	}
	conf := tlsHead + fmt.Sprintf("input(type=\"imtcp\" address=\"127.0.0.1\" port=\"%s\")\n", func() string { ports = append(ports, w.port()); return ports[0] }())
	for i, args := range servers {
		port := w.port()
		ports = append(ports, port)
		w.server(fmt.Sprint("s_server", i), append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-quiet"}, args...)...)
		conf += fmt.Sprintf(`action(type="omfwd" target="localhost" port="%s" protocol="tcp" streamDriverMode="1" streamDriver.certFile="$DIR/client.pem" streamDriver.keyFile="$DIR/client.key"
  template="text" queue.type="LinkedList" action.resumeInterval="1")`+"\n", port)
	}
	for _, port := range ports[1:] {
		w.connect(port).Close()
	}
	p := w.relay("sender", conf)
	c := w.connect(ports[0])
	fmt.Fprint(c, "<13>Nov 24 12:00:00 h t: hello\n")
	c.Close()
	for _, name := range []string{"s_server0", "s_server1"} {
		w.says(w.processes[name], "hello 127.0.0.1 ")
	}
	w.says(p, "cannot connect to localhost:"+ports[3]+": TLS: peer name not authorized - not permitted to talk to it. Names: DNSname: other.example.net; CN: other;")
	w.says(p, "cannot connect to localhost:"+ports[4]+": TLS: the peer refuses: TLS alert")
	for _, name := range []string{"s_server2", "s_server3"} {
		if s := w.processes[name].stderr.String(); strings.Contains(s, "hello") {
			t.Errorf("%s has the message:\n%s", name, s)
		}
	}
}

// TestHAProxy: sysrelay behind a real HAProxy. Versions 1 and 2 of the PROXY
// protocol, before TLS that HAProxy passes on and behind TLS that it ends, for
// syslog and for RELP; its health checks cost no line.
func TestHAProxy(t *testing.T) {
	w := newTLSWorld(t)
	behind := func(more string) (port, input string) {
		port = w.port()
		return port, fmt.Sprintf(`port="%s" address="127.0.0.1" proxyProtocol="required" proxyProtocol.trusted="127.0.0.1" %s)`+"\n", port, more)
	}
	conf, proxy := tlsHead, "global\n  log /dev/null local0\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
	type way struct{ name, in, front string }
	var ways []way
	for _, x := range []struct{ name, kind, more, bind, server string }{
		{"v1", "imtcp", "", "", "send-proxy"},
		{"v2", "imtcp", "", "", "send-proxy-v2"},
		{"v1-tls", "imtcp", `streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer="client.example.net"`, "", "send-proxy"},
		{"v2-tls", "imtcp", `streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer="client.example.net"`, "", "send-proxy-v2"},
		{"v2-offload", "imtcp", "", "ssl crt " + w.dir + "/both.pem", "send-proxy-v2-ssl-cn"},
		{"v2-relp", "imrelp", "", "", "send-proxy-v2 check-send-proxy"},
	} {
		port, in := behind(x.more)
		front := w.port()
		conf += fmt.Sprintf(`input(type="%s" ruleset="r-%s" %s`, x.kind, x.name, in)
		conf += fmt.Sprintf("ruleset(name=\"r-%s\") { action(type=\"omfile\" file=\"$DIR/out-%[1]s\" template=\"text\") }\n", x.name)
		proxy += fmt.Sprintf("listen %s\n  bind 127.0.0.1:%s %s\n  server s 127.0.0.1:%s %s check inter 50ms\n", x.name, front, x.bind, port, x.server)
		ways = append(ways, way{x.name, port, front})
	}
	p := w.relay("receiver", conf)
	for _, x := range ways {
		w.connect(x.in).Close()
	}
	if err := os.WriteFile(filepath.Join(w.dir, "haproxy.cfg"), []byte(proxy), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.start("haproxy", "haproxy", "-db", "-f", filepath.Join(w.dir, "haproxy.cfg")); err != nil {
		t.Fatalf("%v; `bash tests/run` installs what the tests need", err)
	}
	for _, x := range ways {
		c := w.connect(x.front)
		if strings.HasSuffix(x.name, "tls") || strings.HasSuffix(x.name, "offload") {
			c = tlsClient(c, w.client)
		}
		_, from, _ := net.SplitHostPort(c.LocalAddr().String())
		line := "<13>Nov 24 12:00:00 h t: hello"
		if strings.HasSuffix(x.name, "relp") {
			fmt.Fprintf(c, "1 open 30 relp_version=0\ncommands=syslog\n2 syslog %d %s\n", len(line), line)
		} else {
			fmt.Fprintln(c, line)
		}
		w.await("out-"+x.name, "hello 127.0.0.1 "+from+"\n")
		c.Close()
	}
	// Many checks have been made by now.
	if s := p.stderr.String(); strings.Contains(s, "closed") || strings.Contains(s, "failed") {
		t.Errorf("health checks or messages cost lines:\n%s", s)
	}
}

func tlsClient(c net.Conn, id *certs.Identity) net.Conn {
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{id.TLS()}})
}

// TestLegacyTLS: legacy directives on both sides, and a server's certificate that
// is replaced while a connection is open: it stays open, and new connections see
// the new certificate after a HUP.
func TestLegacyTLS(t *testing.T) {
	w := newTLSWorld(t)
	head := func(id string) string {
		return fmt.Sprintf("$ModLoad imtcp\n$DefaultNetstreamDriver gtls\n$DefaultNetstreamDriverCAFile $DIR/ca.pem\n$DefaultNetstreamDriverCertFile $DIR/%s.pem\n$DefaultNetstreamDriverKeyFile $DIR/%[1]s.key\n", id)
	}
	secure, plain := w.port(), w.port()
	r := w.relay("receiver", head("server")+fmt.Sprintf(`$InputTCPServerStreamDriverMode 1
$InputTCPServerStreamDriverAuthMode x509/name
$InputTCPServerStreamDriverPermittedPeer *.example.net
$InputTCPServerRun %s
$template msg,"%%msg:2:$%%\n"
:syslogtag, isequal, "t:" $DIR/out;msg
`, secure))
	w.connect(secure).Close()
	w.relay("sender", head("client")+fmt.Sprintf(`$InputTCPServerRun %s
$ActionSendStreamDriver gtls
$ActionSendStreamDriverMode 1
$ActionSendStreamDriverAuthMode x509/name
$ActionSendStreamDriverPermittedPeer server.example.net
*.* @@(o)127.0.0.1:%s
`, plain, secure))
	c := w.connect(plain)
	fmt.Fprint(c, "<13>Nov 24 12:00:00 h t: one\n")
	w.await("out", "one\n")

	served := func() string {
		c := tlsClient(w.connect(secure), w.client).(*tls.Conn)
		defer c.Close()
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if cn := served(); cn != "server" {
		t.Errorf("served %s", cn)
	}
	certs.New(nil, certs.Options{CN: "new"}).Write(w.dir, "server")
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { return served() == "new" }) {
		t.Error("the new certificate is not used")
	}
	fmt.Fprint(c, "<13>Nov 24 12:00:00 h t: two\n") // over the connection that was there
	w.await("out", "one\ntwo\n")
	c.Close()
}
