package message

import "testing"

// What devices send is anybody's guess: whatever it is, spans stay within the
// text and rawmsg begins with PRI.
func FuzzDeviceParsers(f *testing.F) {
	for _, s := range []string{
		"<189>123: *Nov 21 10:20:30.123 EST: %SYS-5-CONFIG_I: Configured",
		"<189>12: host: RP/0:Nov 21 10:20:30 EST: SSHD_[65]: %S-6-INFO : x",
		"<189>Nov 21 10:20:30 fw01 : %ASA-6-302013: Built inbound TCP",
		"<13>Nov 21 10:20:30 Message forwarded from aix01: sshd[12]: hello",
		"<14>other.lab.home#011MSWinEventLog#0111#011Security",
		"<14>May 17 02:25:10 syslog.lab.home MSWinEventLog#0111#011Security",
		"<14>May 17 02:25:10 syslog.lab.home MSWinEventLog",
		"<14>May 17 02:25:10 host MSWinEventLog: x",
		"<13>last message repeated 5 times",
		"<14>1,2012/04/10 04:39:55,001606001116,THREAT,url,1,\"a \"\"b\"\", c\",d",
	} {
		f.Add(s)
	}
	env := NewEnv("localhost")
	parsers := []Parser{&CiscoIOSParser{}, &CiscoIOSParser{PresentOrigin: true, PresentXR: true}, CiscoNamesParser{},
		AIXForwardedFromParser{}, &SnareParser{Tab: "#011"}, &SnareParser{Tab: "\t"}, PANNGFWParser{}, LastMsgParser{}}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range parsers {
			var b Batch
			b.Add([]byte(s), NewOrigin("imudp", "h", "127.0.0.1", ""), 0, ParseHostname)
			m := b.All().At(0)
			NewParserChain(env, p, &RFC5424Parser{}, &RFC3164Parser{}).Parse(m)
			var again Batch
			again.AddMessage(m)
			if err := again.decode(); err != nil {
				t.Fatalf("%s: %q: %v", p.Name(), s, err)
			}
			if m.Raw.Start != 0 || m.Msg.End > m.Raw.End {
				t.Fatalf("%s: %q: raw %v, msg %v", p.Name(), s, m.Raw, m.Msg)
			}
		}
	})
}

// rsyslogd on Debian has no pmnull and no pmpanngfw.
func TestNullAndPANNGFW(t *testing.T) {
	f := func(p Parser, in, pri, tag, msg, raw string) {
		t.Helper()
		env := NewEnv("localhost")
		var b Batch
		b.Add([]byte(in), NewOrigin("imudp", "h", "127.0.0.1", ""), 0, ParseHostname)
		m := b.All().At(0)
		NewParserChain(env, p, &RFC5424Parser{}, &RFC3164Parser{}).Parse(m)
		for name, want := range map[string]string{"pri": pri, "syslogtag": tag, "msg": msg, "rawmsg": raw} {
			if got := oracleValue(t, env, m, name); got != want {
				t.Errorf("%s: %q: %s is %q, want %q", p.Name(), in, name, got, want)
			}
		}
	}
	f(&NullParser{Facility: 1, Severity: 5}, "<191>Nov 21 10:20:30 h t: x", "13", "", "<191>Nov 21 10:20:30 h t: x", "<191>Nov 21 10:20:30 h t: x")
	f(&NullParser{Facility: 3, Severity: 1, Tag: "mytag"}, "any<thing", "25", "mytag", "any<thing", "any<thing")
	f(&NullParser{Facility: 3, Severity: 1}, "<999>x", "25", "", "<999>x", "<999>x")
	f(PANNGFWParser{}, `<14>Nov 21 10:20:30 h 1,2012/04/10,0016,THREAT,url,"a ""b"", c",d`, "14", "1\t2012/04/10\t0016\tTHREAT\turl\ta",
		` "b", c`+"\td", "<14>Nov 21 10:20:30 h 1\t2012/04/10\t0016\tTHREAT\turl\ta \"b\", c\td")
	f(PANNGFWParser{}, `<14>Nov 21 10:20:30 h 1,2,3,OTHER,"url"`, "14", `1,2,3,OTHER,"url"`, "", `<14>Nov 21 10:20:30 h 1,2,3,OTHER,"url"`)
	f(PANNGFWParser{}, `<14>Nov 21 10:20:30 h 1,2,3,SYSTEM,"url"x`, "14", `1,2,3,SYSTEM,"url"x`, "", `<14>Nov 21 10:20:30 h 1,2,3,SYSTEM,"url"x`)
	// rsyslogd ends with a segmentation fault.
	f(&SnareParser{Tab: "#011"}, "<14>May 17 02:25:10 host MSWinEventLog: x", "14", "MSWinEventLog", " ", "<14>May 17 02:25:10 host MSWinEventLog ")
}
