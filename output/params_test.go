package output

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sysrelay/conf"
)

// TestParameterNames: every parameter rsyslog 8.2608 knows is known.
func TestParameterNames(t *testing.T) {
	for _, c := range []struct {
		name   string
		params any
		want   string
	}{
		{"any action", &ActionParams{}, "name action.resumeretrycount action.resumeinterval action.resumeintervalmax " +
			"action.reportsuspension action.reportsuspensioncontinuation action.execonlywhenpreviousissuspended " +
			"action.execonlyeverynthtime action.execonlyeverynthtimetimeout action.execonlyonceeveryinterval " +
			"action.writeallmarkmessages action.repeatedmsgcontainsoriginalmsg action.errorfile action.errorfile.maxsize " +
			"action.externalstate.file action.copymsg action.ratelimit.name"},
		{"omfile module", &OMFileModule{}, "template addlf compression.driver compression.zstd.workers dircreatemode " +
			"filecreatemode dirowner dirownernum dirgroup dirgroupnum fileowner fileownernum filegroup " +
			"dynafile.donotsuspend followsymlinks dynafile.dangerouspermitpathescape dynafile.restricttemplatetype filegroupnum"},
		{"omfile action", &OMFileParams{}, "dynafilecachesize ziplevel flushinterval asyncwriting veryrobustzip " +
			"flushontxend iobuffersize dirowner dirownernum dirgroup dirgroupnum fileowner fileownernum filegroup " +
			"filegroupnum dircreatemode filecreatemode failonchownfailure createdirs sync file dynafile followsymlinks " +
			"sig.provider cry.provider closetimeout rotation.sizelimit rotation.sizelimitcommand " +
			"rotation.sizelimitcommandpassfilename template dynafile.dangerouspermitpathescape addlf"},
		{"omfwd module", &OMFwdModule{}, "iobuffer.maxsize template streamdriver.cafile streamdriver.crlfile " +
			"streamdriver.caextrafiles streamdriver.keyfile streamdriver.certfile"},
		{"omfwd action", &OMFwdParams{}, "target targetsrv address device port protocol networknamespace tcp_framing " +
			"tcp_framedelimiter ziplevel compression.mode compression.driver compression.stream.flushontxend ipfreebind " +
			"maxerrormessages rebindinterval keepalive keepalive.probes keepalive.time keepalive.interval " +
			"tcp_user_timeout conerrskip gnutlsprioritystring streamdriver streamdriver.name streamdrivermode " +
			"streamdriver.mode streamdriverauthmode streamdriver.authmode streamdriverpermittedpeers " +
			"streamdriver.permitexpiredcerts streamdriverremotesni streamdriver.remotesni " +
			"streamdriver.checkextendedkeypurpose streamdriver.prioritizesan streamdriver.tlsverifydepth " +
			"streamdriver.cafile streamdriver.crlfile streamdriver.caextrafiles streamdriver.keyfile " +
			"streamdriver.certfile resendlastmsgonreconnect extendedconnectioncheck udp.sendtoall udp.senddelay " +
			"udp.sendbuf template pool.resumeinterval ratelimit.interval ratelimit.burst ratelimit.name"},
		{"ompipe module", &OMPipeModule{}, "template"},
		{"ompipe action", &OMPipeParams{}, "pipe template tryresumereopen"},
		{"omusrmsg action", &OMUsrMsgParams{}, "users template ratelimit.interval ratelimit.burst ratelimit.name"},
		{"omprog action", &OMProgParams{}, "binary confirmmessages confirmtimeout reportfailures usetransactions " +
			"begintransactionmark committransactionmark forcesingleinstance hup.signal template signalonclose closetimeout " +
			"killunresponsive output filecreatemode"},
		{"omjournal action", &OMJournalParams{}, "template"},
		{"ommail action", &OMMailParams{}, "server port mailfrom mailto subject.template subject.text body.enable template " +
			"mode sendmail.binary"},
		{"omuxsock module", &OMUXSockModule{}, "template abstract socketname sockettype networknamespace"},
		{"omuxsock action", &OMUXSockParams{}, "template abstract socketname sockettype networknamespace"},
		{"omstdout action", &OMStdoutParams{}, "ensurelfending template"},
		{"omrelp module", &OMRELPModule{}, "tls.tlslib"},
		{"omrelp action", &OMRELPParams{}, "target tls tls.compression tls.prioritystring tls.cacert tls.mycert " +
			"tls.myprivkey tls.authmode tls.tlscfgcmd tls.permittedpeer tls.permanentfailuredisablesaction port " +
			"rebindinterval windowsize timeout conn.timeout keepalive keepalive.probes keepalive.time " +
			"keepalive.interval localclientip template"},
	} {
		known := map[string]bool{}
		for _, d := range conf.Describe(c.params) {
			for _, n := range append(slices.Clone(d.Aliases), d.Name) {
				if known[n] {
					t.Errorf("%s: %s is there twice", c.name, n)
				}
				known[n] = true
			}
			if d.Doc == "" || d.Status == "" {
				t.Errorf("%s: %s has no documentation or no status", c.name, d.Name)
			}
		}
		for _, n := range strings.Fields(c.want) {
			if !known[n] {
				t.Errorf("%s: %s is not known", c.name, n)
			}
		}
	}
}

// TestDefaults: the parameters the tests of this package begin with are those of
// an action that says nothing more.
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		text       string
		into, want any
	}{
		{`action(type="omfile" file="f" template="text")`, &OMFileParams{}, func() any {
			p := fileParams()
			p.File = "f"
			return &p
		}()},
		{`action(type="omfwd" target="h" protocol="tcp" template="text")`, &OMFwdParams{}, func() any {
			p := fwdParams(noAddr{})
			p.Target, p.Port, p.Dialing.FreeBind = []string{"h"}, nil, 2
			p.Compression, p.StreamFlush, p.RateLimitBurst, p.PoolMode = "zlib", true, 200, "roundrobin"
			return &p
		}()},
		{`action(type="omrelp" target="h" template="text" timeout="20")`, &OMRELPParams{}, func() any {
			p := relpParams(noAddr{})
			p.Target, p.Port = "h", "514"
			return &p
		}()},
		{`action(type="omfile")`, &ActionParams{}, func() any {
			p := defaultParams()
			return &p
		}()},
	} {
		cfg, err := conf.Parse("test", []byte(c.text))
		must(t, err)
		if err := cfg.Decode(cfg.Stmts[0].(*conf.Object), c.into); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if !reflect.DeepEqual(c.into, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.text, c.into, c.want)
		}
	}
}

// noAddr is no address.
type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "" }
