package message

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// receivedAt is the time of reception in these tests.
var receivedAt = time.Date(2026, 11, 21, 10, 0, 0, 123456000, time.UTC)

func parserEnv(t testing.TB) *Env {
	env := NewEnv("localhost")
	env.Location = zone(t, oracleZone)
	return env
}

func parsed(c ParserChain, text string, f Flags) *Message {
	m := &Message{Text: []byte(text), Received: receivedAt.UnixNano(), Flags: f}
	c.Parse(m)
	return m
}

// fields shows what is not empty of m, separated by '|'.
func fields(m *Message) string {
	var parts []string
	for i, s := range m.spans() {
		name := [10]string{"", "", "host", "tag", "prog", "app", "pid", "msgid", "sd", "msg"}[i]
		if name != "" && (s.Len() > 0 || name == "msg") {
			parts = append(parts, name+"="+string(s.Of(m.Text)))
		}
	}
	return string(AppendRFC3339(nil, &m.Time)) + "|" + strings.Join(parts, "|")
}

// What rsyslogd can be asked over UDP is in testdata/oracle.
func TestParseFlags(t *testing.T) {
	chain := DefaultChain(parserEnv(t))
	f := func(flags Flags, text, want string) {
		t.Helper()
		if got := fields(parsed(chain, text, flags)); got != want {
			t.Errorf("%q with flags %b:\ngot  %s\nwant %s", text, flags, got, want)
		}
	}
	const bsd, v1 = "<13>Oct 11 22:14:15 host tag[1]: text", "<13>1 2003-10-11T22:14:15.5Z host app 1 id - text"
	const now = "2026-11-21T11:00:00.123456+01:00"
	f(ParseHostname, bsd, "2026-10-11T22:14:15+01:00|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(0, bsd, "2026-10-11T22:14:15+01:00|tag=host|prog=host|msg= tag[1]: text")
	f(0, "<13>Oct 11 22:14:15 tag[1]: text", "2026-10-11T22:14:15+01:00|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(0, "<13>tag", now+"|tag=tag|prog=tag|msg=")
	f(Internal|ParseHostname, bsd, "2026-10-11T22:14:15+01:00|msg=host tag[1]: text")
	f(IgnoreTimestamp|ParseHostname, bsd, now+"|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(IgnoreTimestamp, v1, now+"|host=host|prog=app|app=app|pid=1|msgid=id|sd=-|msg=text")
	f(0, v1, "2003-10-11T22:14:15.5Z|host=host|prog=app|app=app|pid=1|msgid=id|sd=-|msg=text")

	f(ParseHostname|DefaultTZ(-210), bsd, "2026-10-11T22:14:15-03:30|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(ParseHostname|DefaultTZ(0), bsd, "2026-10-11T22:14:15+00:00|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(ParseHostname|DefaultTZ(1439), bsd, "2026-10-11T22:14:15+23:59|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(ParseHostname|DefaultTZ(1440), bsd, "2026-10-11T22:14:15+01:00|host=host|tag=tag[1]:|prog=tag|pid=1|msg= text")
	f(DefaultTZ(-1439), "<13>x", now+"|tag=x|prog=x|msg=")
	f(DefaultTZ(60), v1, "2003-10-11T22:14:15.5Z|host=host|prog=app|app=app|pid=1|msgid=id|sd=-|msg=text")
}

func TestParseOptions(t *testing.T) {
	env := parserEnv(t)
	f := func(p RFC3164Parser, text, want string) {
		t.Helper()
		m := parsed(NewParserChain(env, &p), text, ParseHostname)
		if got := fields(m); got != want {
			t.Errorf("%q with %+v:\ngot  %s\nwant %s", text, p, got, want)
		}
		if raw := string(m.Raw.Of(m.Text)); raw != text {
			t.Errorf("%q: rawmsg became %q", text, raw)
		}
	}
	const now = "2026-11-21T11:00:00.123456+01:00"
	f(RFC3164Parser{NoHostnameAndTag: true}, "<13>Oct 11 22:14:15 host tag: text", "2026-10-11T22:14:15+01:00|msg=host tag: text")
	f(RFC3164Parser{NoHostnameAndTag: true}, "<13>host tag: text", now+"|msg=host tag: text")

	f(RFC3164Parser{ForceTagEndingByColon: true}, "<13>host some text", now+"|host=host|tag=-|prog=-|msg= some text")

	headerless := RFC3164Parser{DetectHeaderless: true}
	f(headerless, "<13>some text: more", now+"|tag=headerless|prog=headerless|msg=some text: more")
	f(headerless, "some text", now+"|tag=headerless|prog=headerless|msg=some text")
	f(headerless, "<13>Oct 11 22:14:15 host tag: text", "2026-10-11T22:14:15+01:00|host=host|tag=tag:|prog=tag|msg= text")
	f(headerless, `<13>{"a":1}`, now+`|msg={"a":1}`)
	headerless.HeaderlessHostname, headerless.HeaderlessTag = "nobody", "app[7]:"
	f(headerless, "<13>some text", now+"|host=nobody|tag=app[7]:|prog=app|pid=7|msg=some text")
	headerless.RemoveMsgFirstSpace = true
	f(headerless, "<13> some text", now+"|host=nobody|tag=app[7]:|prog=app|pid=7|msg=some text")

	f(RFC3164Parser{PermitSlashInProgram: true}, "<13>host a/b[1]: x", now+"|host=host|tag=a/b[1]:|prog=a/b|pid=1|msg= x")
}

func TestParserChain(t *testing.T) {
	env := parserEnv(t)
	f := func(c ParserChain, text, name string, flags Flags, want string) {
		t.Helper()
		m := &Message{Text: []byte(text), Received: receivedAt.UnixNano(), Flags: ParseHostname}
		if got := c.Parse(m); got != name {
			t.Errorf("%q: parsed by %q, want %q", text, got, name)
		}
		if m.Flags != flags|Parsed|ParseHostname {
			t.Errorf("%q: flags %b", text, m.Flags)
		}
		if got := fields(m); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
	const now = "2026-11-21T11:00:00.123456+01:00"
	const v1 = "<13>1 2003-10-11T22:14:15Z h a p i - text"
	f(DefaultChain(env), v1, "rsyslog.rfc5424", RFC5424, "2003-10-11T22:14:15Z|host=h|prog=a|app=a|pid=p|msgid=i|sd=-|msg=text")
	f(DefaultChain(env), "<13>tag: x", "rsyslog.rfc3164", 0, now+"|tag=tag:|prog=tag|msg= x")
	f(DefaultChain(env), "<192>tag: x", "rsyslog.rfc3164", InvalidPRI, now+"|msg=<192>tag: x")
	f(NewParserChain(env, &RFC5424Parser{}), "<13>tag: x", "", ParseFailed, now+"|msg=tag: x")
	f(NewParserChain(env), "<13>tag: x", "", ParseFailed, now+"|msg=tag: x")
	f(ParserChain{}, "<13>tag: x", "", ParseFailed, "0000-00-00T00:00:00+00:00|msg=tag: x")

	strict := NewParserChain(env, &RFC5424Parser{Strict: true})
	f(strict, v1, "rsyslog.rfc5424", RFC5424, "2003-10-11T22:14:15Z|host=h|prog=a|app=a|pid=p|msgid=i|sd=-|msg=text")
	for _, bad := range []string{
		"1 2003-10-11T22:14:15Z h a p i - text",                // no PRI
		"<013>1 2003-10-11T22:14:15Z h a p i - text",           // leading zero
		"<13>1 2003-10-11 h a p i - text",                      // no time
		"<13>1 2003-02-30T22:14:15Z h a p i - text",            // no such day
		"<13>1 2003-10-11T22:14:15.1234567Z h a p i - text",    // seven digits
		"<13>1 2003-10-11T22:14:15Z h a p i text",              // no structured data
		"<13>1 2003-10-11T22:14:15Z h a p i [x text",           // unfinished
		"<13>1 2003-10-11T22:14:15Z h a p i [x][x] text",       // SD-ID twice
		"<13>1 2003-10-11T22:14:15Z h a p i - \xff",            // not UTF-8
		"<13>1 2003-10-11T22:14:15Z h\xc3\xa4 a p i - text",    // not ASCII
		"<13>1 2003-10-11T22:14:15Z  a p i - text",             // empty HOSTNAME
		"<13>1 - h " + strings.Repeat("a", 49) + " p i - text", // long APP-NAME
	} {
		if name := strict.Parse(&Message{Text: []byte(bad)}); name != "" {
			t.Errorf("%q: taken by %s", bad, name)
		}
	}
}

// CVE-2014-3634, CVE-2014-3683: PRI out of range.
func TestPRI(t *testing.T) {
	chain := DefaultChain(parserEnv(t))
	f := func(text string, pri uint16) {
		t.Helper()
		m := parsed(chain, text, ParseHostname)
		if m.PRI != pri || m.Facility() > 24 || (m.Flags&InvalidPRI != 0) != (pri == InvalidPRIValue) {
			t.Errorf("%.40q: PRI %d, flags %b, want PRI %d", text, m.PRI, m.Flags, pri)
		}
		if pri == InvalidPRIValue && string(m.Msg.Of(m.Text)) != text {
			t.Errorf("%.40q: MSG is %.40q", text, m.Msg.Of(m.Text))
		}
	}
	for pri := range 1000 {
		want := uint16(pri)
		if pri > 191 {
			want = InvalidPRIValue
		}
		f(fmt.Sprintf("<%d>x: y", pri), want)
	}
	for _, bad := range []string{"<", "<1", "<19", "<191", "<-1>", "<+1>", "< 1>", "<1 >", "<a>", "<1a>", "<\xb2>",
		"<4294967296>", "<18446744073709551616>", "<" + strings.Repeat("9", 1<<16) + ">"} {
		f(bad, InvalidPRIValue)
	}
	f("<>x", 0)
	f("<"+strings.Repeat("0", 1<<16)+"7>x", 7)
	f("", DefaultPRI)
	f("x", DefaultPRI)
}

// CVE-2022-38725: numbers of absurd length in timestamps.
func TestTimestampDigits(t *testing.T) {
	chain := DefaultChain(parserEnv(t))
	formats := []string{
		"<13>%s-10-11T22:14:15.5+02:00 host tag: x", "<13>2003-%s-11T22:14:15.5+02:00 host tag: x", "<13>2003-10-%sT22:14:15.5+02:00 host tag: x",
		"<13>2003-10-11T%s:14:15.5+02:00 host tag: x", "<13>2003-10-11T22:%s:15.5+02:00 host tag: x", "<13>2003-10-11T22:14:%s.5+02:00 host tag: x",
		"<13>2003-10-11T22:14:15.%s+02:00 host tag: x", "<13>2003-10-11T22:14:15.5+%s:00 host tag: x", "<13>2003-10-11T22:14:15.5-02:%s host tag: x",
		"<13>%s Oct 11 22:14:15 host tag: x", "<13>Oct %s 22:14:15 host tag: x", "<13>Oct 11 %s 22:14:15 host tag: x",
		"<13>Oct 11 %s:14:15 host tag: x", "<13>Oct 11 22:%s:15 host tag: x", "<13>Oct 11 22:14:%s host tag: x", "<13>Oct 11 22:14:15.%s host tag: x",
	}
	for _, format := range formats {
		for digits := range 101 {
			for _, d := range []string{"0", "1", "9"} {
				text := fmt.Sprintf(format, strings.Repeat(d, digits))
				for _, text := range []string{text, strings.Replace(text, "<13>", "<13>1 ", 1)} {
					m := parsed(chain, text, ParseHostname)
					if !m.Time.valid() || m.Time.Month == 0 || m.Time.Day == 0 {
						t.Errorf("%q: %+v", text, m.Time)
					}
				}
			}
		}
	}
}

// CVE-2011-3200: lengths around those of fixed buffers.
func TestFieldLengths(t *testing.T) {
	chain := DefaultChain(parserEnv(t))
	for _, n := range []int{0, 1, 31, 32, 33, 255, 256, 257, 509, 510, 511, 512, 513, 1 << 16} {
		x := strings.Repeat("x", n)
		tag := parsed(chain, "<13>Oct 11 22:14:15 host "+x+": text", ParseHostname)
		if want := min(n, maxTag); n <= maxTag && tag.Tag.Len() != want+1 || n > maxTag && tag.Tag.Len() != want {
			t.Errorf("TAG of %d bytes: %d", n, tag.Tag.Len())
		}
		if got := string(tag.Tag.Of(tag.Text)) + string(tag.Msg.Of(tag.Text)); got != x+": text" {
			t.Errorf("TAG of %d bytes: TAG and MSG are %.30q…", n, got)
		}
		host := parsed(chain, "<13>Oct 11 22:14:15 "+x+" tag: text", ParseHostname)
		want := n
		if n > maxHostname {
			want = 0
		}
		if host.Hostname.Len() != want {
			t.Errorf("HOSTNAME of %d bytes: %d", n, host.Hostname.Len())
		}
		v1 := parsed(chain, fmt.Sprintf("<13>1 - %s %[1]s %[1]s %[1]s [%[1]s] text", x), 0)
		for i, s := range []Span{v1.Hostname, v1.AppName, v1.ProcID, v1.MsgID} {
			if s.Len() != n {
				t.Errorf("field %d of %d bytes: %d", i, n, s.Len())
			}
		}
		if got := string(v1.Msg.Of(v1.Text)); got != "text" {
			t.Errorf("fields of %d bytes: MSG is %.30q", n, got)
		}
	}
}

func TestParseAllocates(t *testing.T) {
	chain := DefaultChain(parserEnv(t))
	for _, o := range ordinary {
		m := parsed(chain, o.text, ParseHostname)
		if n := testing.AllocsPerRun(100, func() {
			m.Flags = ParseHostname
			chain.Parse(m)
		}); n != 0 {
			t.Errorf("%s: %v allocations", o.name, n)
		}
	}
}

// addOracleInputs seeds f with every message of testdata/oracle.
func addOracleInputs(f *testing.F, add func(text string)) {
	f.Helper()
	paths, err := filepath.Glob("testdata/oracle/*.txt")
	if err != nil || len(paths) == 0 {
		f.Fatal("no oracle files", err)
	}
	for _, path := range paths {
		for _, c := range readOracle(f, path).cases {
			add(c.in)
		}
	}
}

func FuzzParse(f *testing.F) {
	addOracleInputs(f, func(text string) { f.Add([]byte(text), uint32(ParseHostname), uint8(0)) })
	env := parserEnv(f)
	f.Fuzz(func(t *testing.T, text []byte, flags uint32, options uint8) {
		bit := func(n int) bool { return options>>n&1 != 0 }
		chain := NewParserChain(env, &RFC5424Parser{PermitSlashInProgram: bit(7)}, &RFC3164Parser{
			DetectYearAfterTimestamp: bit(0), PermitSquareBracketsInHostname: bit(1), PermitSlashesInHostname: bit(2),
			PermitAtSignsInHostname: bit(3), ForceTagEndingByColon: bit(4), RemoveMsgFirstSpace: bit(5),
			DetectHeaderless: bit(6), HeaderlessHostname: "nobody", PermitSlashInProgram: bit(7),
		})
		original := string(text)
		m := &Message{Text: text, Received: receivedAt.UnixNano(), Flags: Flags(flags) &^ Parsed}
		if chain.Parse(m) == "" {
			t.Fatal("no parser wanted it")
		}
		if string(text) != original || string(m.Raw.Of(m.Text)) != original {
			t.Fatalf("%q became %q, rawmsg %q", original, text, m.Raw.Of(m.Text))
		}
		if !m.Time.valid() || m.Time.Month == 0 {
			t.Fatalf("time %+v", m.Time)
		}
		if m.PRI > maxPRI && (m.PRI != InvalidPRIValue || m.Flags&InvalidPRI == 0) {
			t.Fatalf("PRI %d", m.PRI)
		}
		// The spans lie within the text, or a frame would not be accepted.
		var b Batch
		if err := b.Load(AppendFrame(nil, m), 1); err != nil {
			t.Fatal(err)
		}
		if !equalMessages(b.All().At(0), m) {
			t.Fatalf("frame of %+v is %+v", m, b.All().At(0))
		}
	})
}
