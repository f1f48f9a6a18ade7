package filter

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"sysrelay/conf"
	"sysrelay/message"
)

// fiftyRules is a ruleset of 50 selectors, property filters and expressions.
func fiftyRules() string {
	var b strings.Builder
	facilities := []string{"mail", "cron", "auth,authpriv", "daemon", "local0", "local7", "kern", "user", "news", "*"}
	for i := range 15 {
		fmt.Fprintf(&b, "%s.=%d /f%d\n", facilities[i%len(facilities)], i%8, i)
	}
	for i, f := range []string{
		`:msg, contains, "Failed password"`, `:msg, !contains, "session"`, `:programname, isequal, "sshd"`,
		`:hostname, startswith, "web"`, `:msg, regex, "[0-9][0-9]* bytes"`, `:msg, ereregex, "(error|fail)"`,
		`:syslogtag, startswith, "post"`, `:fromhost-ip, isequal, "192.0.2.1"`, `:msg, isempty, ""`,
		`:app-name, isequal, "nginx"`, `:rawmsg, contains, "kernel:"`, `:syslogfacility-text, isequal, "mail"`,
		`:procid, isequal, "1"`, `:msg, startswith, " GET"`, `:msg, contains, "zzz"`,
	} {
		fmt.Fprintf(&b, "%s /p%d\n", f, i)
	}
	for i, c := range []string{
		`$msg contains "error"`, `$syslogseverity <= 4`, `$syslogfacility-text == "mail" and $msg contains "from"`,
		`$programname == "sshd" or $programname == "su"`, `not ($hostname startswith "db")`,
		`$programname == ["postfix","dovecot","sshd","nginx"]`, `$msg contains_i "FAILED"`,
		`strlen($msg) > 60`, `tolower($hostname) == "web1"`, `$procid > 1000`, `$msg contains ["alpha","beta","port"]`,
		`re_match($msg, "port [0-9]+")`, `field($msg, 32, 3) == "password"`, `$fromhost-ip startswith "192.0.2."`,
		`cnum($procid) % 2 == 0`, `$hostname & "/" & $programname == "web1/sshd"`, `replace($msg, " ", "") contains "Failed"`,
		`substring($msg, 1, 6) == "Failed"`, `prifilt("*.info") and $msg != ""`, `$timereported startswith "Oct"`,
	} {
		fmt.Fprintf(&b, "if %s then /e%d\n", c, i)
	}
	return b.String()
}

// traffic is a parsed batch of 256 messages.
func traffic() *message.Batch {
	texts := []string{
		"<38>Oct 11 22:14:15 web1 sshd[4711]: Failed password for root from 203.0.113.9 port 51122 ssh2",
		"<22>Oct 11 22:14:15 mx1 postfix/smtpd[815]: connect from unknown[192.0.2.77]",
		"<30>1 2023-10-11T22:14:15.003Z db2 nginx 42 - - GET /index.html 200 1234 bytes",
		"<78>Oct 11 22:14:15 web1 CRON[99]: (root) CMD (/usr/bin/true)",
		"<6>Oct 11 22:14:15 db1 kernel: error on device sda1",
	}
	b := &message.Batch{}
	s := message.DefaultSanitizer()
	origin := message.NewOrigin("imtcp", "web1", "192.0.2.1", "514")
	for i := range 256 {
		b.Receive(&s, []byte(texts[i%len(texts)]), origin, 1697062455000000000, message.ParseHostname)
	}
	return b
}

func compileText(t testing.TB, text string) *Ruleset {
	t.Helper()
	stmts, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	deps := fullDeps(t)
	sink := &sinkAction{}
	deps.Action = func(*conf.Object) (Action, error) { return sink, nil }
	r, err := Compile(deps, "main", stmts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Link(); err != nil {
		t.Fatal(err)
	}
	return r
}

// sinkAction counts.
type sinkAction struct{ n atomic.Int64 }

func (s *sinkAction) Handle(_ context.Context, v message.View) error {
	s.n.Add(int64(v.Len()))
	return nil
}
func (s *sinkAction) Suspended() bool   { return false }
func (s *sinkAction) FailoverFor() bool { return false }
func (s *sinkAction) HasFailover()      {}

// TestHandleDoesNotAllocate: rules cost no memory per message, nor per batch.
func TestHandleDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	b := traffic()
	for name, text := range map[string]string{
		"fifty rules": fiftyRules(),
		"stops":       "mail.* stop\n:msg, contains, \"error\" stop\n*.* /all",
		"functions": `if hash64mod($msg, 7) == 3 or tocef("0", "v", $programname, "1", "c", $msg, 5, cef_ext_escape($msg)) contains "x" then /x
if lookup("regex", $msg) == "x" and 5 == ["4", "5"] and $syslogseverity == ["1", "2"] then /x
if dyn_inc("b", $programname) == 1 or percentile_observe("b", $hostname, strlen($msg)) != 0 or is_in_subnet($fromhost-ip, "10.0.0.0/8") then /x
if wrap(rtrim(ltrim($msg)), "'", "\\'") == b64_decode($programname) or int2hex($procid) == num2ipv4($procid) or cbool($msg) == is_time($msg) then /x`,
		"variables": `if exists($!a) or $.x == "y" or $!a!b > 5 then /x`,
	} {
		t.Run(name, func(t *testing.T) {
			r := compileText(t, text)
			ctx := context.Background()
			handle := func() {
				if err := r.Handle(ctx, b.All()); err != nil {
					t.Fatal(err)
				}
			}
			handle() // parses, and lets the buffers grow
			if n := testing.AllocsPerRun(50, handle); n >= 1 {
				t.Errorf("%.1f allocations per batch of 256 messages, want none", n)
			}
		})
	}
}

func BenchmarkFiftyRules(b *testing.B) {
	r, batch := compileText(b, fiftyRules()), traffic()
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Handle(context.Background(), batch.All()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*256), "ns/message")
}

func BenchmarkSelectors(b *testing.B) {
	r, batch := compileText(b, "*.info;mail.none;authpriv.none;cron.none /messages\nauthpriv.* /secure\nmail.* -/maillog\ncron.* /cron\n*.emerg /emerg\nuucp,news.crit /spooler\nlocal7.* /boot.log"), traffic()
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Handle(context.Background(), batch.All()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*256), "ns/message")
}
