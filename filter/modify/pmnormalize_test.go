package modify

import (
	"testing"

	"sysrelay/message"
)

// rsyslogd 8.2302 does not come up with a pmnormalize of Debian's.
func TestNormalizeParser(t *testing.T) {
	d := testDeps(t)
	n, err := NewNormalizeParser(PMNormalizeParams{Rule: []string{`rule=:%hostname:ipv4% %syslogtag:char-to:\x3a%: %msg:rest%`,
		`rule=:pri %pri:number% %other:word%`}, UndefinedError: true}, d)
	if err != nil {
		t.Fatal(err)
	}
	f := func(in, host, tag, msg, pri string) {
		t.Helper()
		var b message.Batch
		b.Add([]byte(in), message.NewOrigin("imudp", "sender", "127.0.0.1", ""), 0, message.ParseHostname)
		m := b.All().At(0)
		message.NewParserChain(d.Env, n, &message.RFC3164Parser{}).Parse(m)
		for name, want := range map[string]string{"hostname": host, "syslogtag": tag, "msg": msg, "pri": pri} {
			p, err := d.Env.Property(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.Value(m, nil)); got != want {
				t.Errorf("%q: %s is %q, want %q", in, name, got, want)
			}
		}
	}
	f("<14>1.2.3.4 tag: the text", "1.2.3.4", "tag", "the text", "14")
	f("<14>Oct 11 22:14:15 host tag: x", "host", "tag:", " x", "14")
	f("pri 15 x", "sender", "", "pri 15 x", "15")
}
