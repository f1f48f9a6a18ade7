package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const dtlsHead = `global(net.enableDNS="off" workDirectory="$DIR")
module(load="imtcp") module(load="imdtls") module(load="omdtls")
template(name="msg" type="string" string="%msg:2:$%\n")
template(name="wire" type="string" string="<%pri%>Nov 24 12:00:00 h t: %msg:2:$%\n")
`

// TestDTLS: omdtls and imdtls with each other and with openssl, and refusals on
// both sides.
func TestDTLS(t *testing.T) {
	w := newTLSWorld(t)
	files := func(id string) string {
		return fmt.Sprintf(`tls.caCert="$DIR/ca.pem" tls.myCert="$DIR/%s.pem" tls.myPrivKey="$DIR/%[1]s.key"`, id)
	}
	r := w.relay("receiver", dtlsHead+fmt.Sprintf(`input(type="imdtls" address="127.0.0.1" port="0" listenPortFileName="$DIR/port" tls.authMode="name" tls.permittedPeer="client.example.net" %s)
if $syslogtag == "t:" then action(type="omfile" file="$DIR/out" template="msg")
`, files("server")))
	var port string
	if !until(func() bool {
		b, _ := os.ReadFile(filepath.Join(w.dir, "port"))
		port = string(b)
		return port != ""
	}) {
		t.Fatalf("no port\n%s", w.output())
	}
	udp, tcp := w.port(), w.port()
	w.server("s_server", "s_server", "-dtls1_2", "-accept", "127.0.0.1:"+udp, "-quiet", "-cert", "server.pem", "-key", "server.key", "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem")
	action := func(port, id, peer string) string {
		return fmt.Sprintf(`action(type="omdtls" target="127.0.0.1" port="%s" template="wire" tls.authMode="name" tls.permittedPeer="%s" %s queue.type="LinkedList" action.resumeInterval="1" action.resumeRetryCount="-1")`+"\n", port, peer, files(id))
	}
	s := w.relay("sender", dtlsHead+fmt.Sprintf("input(type=\"imtcp\" address=\"127.0.0.1\" port=\"%s\")\n", tcp)+
		action(port, "client", "server.example.net")+action(port, "other", "server.example.net")+
		action(port, "client", "other.example.net")+action(udp, "client", "server.example.net"))
	c := w.connect(tcp)
	fmt.Fprint(c, "<13>Nov 24 12:00:00 h t: one\n")
	w.says(w.processes["s_server"], "t: one")
	w.await("out", "one\n")
	w.says(r, "ended: DTLS handshake failed: ")
	w.says(r, "peer name not authorized - not permitted to talk to it. Names: DNSname: other.example.net; CN: other;")
	w.says(s, "peer name not authorized - not permitted to talk to it. Names: DNSname: server.example.net;")
	w.openssl(strings.NewReader("<13>Nov 24 12:00:00 h t: two\n"), "s_client", "-dtls1_2", "-connect", "127.0.0.1:"+port, "-quiet", "-no_ign_eof",
		"-CAfile", "ca.pem", "-verify_return_error", "-cert", "client.pem", "-key", "client.key")
	w.await("out", "one\ntwo\n")
	fmt.Fprint(c, "<13>Nov 24 12:00:00 h t: three\n")
	w.await("out", "one\ntwo\nthree\n")
	c.Close()
}
