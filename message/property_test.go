package message

import (
	"strings"
	"testing"
	"time"
)

// testMessage parses raw as if it had come from the network.
func testMessage(e *Env, raw string) *Message {
	received := time.Date(2026, 7, 4, 15, 16, 17, 123456789, time.UTC)
	m := &Message{Text: []byte(raw), Origin: NewOrigin("imudp", "sender.example", "192.0.2.7", "514"),
		Received: received.UnixNano(), Flags: ParseHostname}
	DefaultChain(e).Parse(m)
	return m
}

// testEnv is in a zone five and a half hours east of UTC on July 4th, 2026.
func testEnv() *Env {
	e := NewEnv("relay")
	e.Location = time.FixedZone("", 5*3600+30*60)
	e.Now = func() time.Time { return time.Date(2026, 7, 4, 20, 45, 6, 7, time.UTC) }
	e.Uptime = func() time.Duration { return 4711*time.Second + 999*time.Millisecond }
	return e
}

const (
	bsdMessage = "<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed"
	rfcMessage = `<165>1 2003-10-11T22:14:15.003Z host.example app/x 12 ID47 [a@1 b="c"] text`
)

func TestPropertyValue(t *testing.T) {
	e := testEnv()
	for _, c := range []struct{ name, raw, want string }{
		{"fromhost-port", bsdMessage, "514"}, {"FromHost", bsdMessage, "sender.example"}, {"inputname", bsdMessage, "imudp"},
		{"msg", bsdMessage, " 'su root' failed"}, {"timereceived", bsdMessage, "Jul  4 20:46:17"}, {"timereported", bsdMessage, "Oct 11 22:14:15"},
		{"hostname", "<13>no hostname?", "no"}, {"source", "<13>{}", "sender.example"}, {"hostname", rfcMessage, "host.example"},
		{"syslogtag", rfcMessage, "app/x[12]"}, {"programname", rfcMessage, "app"}, {"app-name", rfcMessage, "app/x"},
		{"procid", rfcMessage, "12"}, {"procid", "<13>Oct 11 22:14:15 h a: x", "-"}, {"procid", "<13>Oct 11 22:14:15 h a[]: x", ""},
		{"app-name", "<13>{}", "-"}, {"msgid", bsdMessage, "-"}, {"structured-data", bsdMessage, "-"}, {"structured-data", rfcMessage, `[a@1 b="c"]`},
		{"pri", "<999>x", "invld"}, {"pri-text", rfcMessage, "local4.notice"}, {"syslogfacility", rfcMessage, "20"},
		{"syslogpriority", rfcMessage, "5"}, {"syslogpriority-text", rfcMessage, "notice"}, {"protocol-version", rfcMessage, "1"},
		{"$now", bsdMessage, "2026-07-05"}, {"$NOW-utc", bsdMessage, "2026-07-04"}, {"$year", bsdMessage, "2026"}, {"$month", bsdMessage, "07"},
		{"$day", bsdMessage, "05"}, {"$day-utc", bsdMessage, "04"}, {"$hour", bsdMessage, "02"}, {"$hour-utc", bsdMessage, "20"},
		{"$minute", bsdMessage, "15"}, {"$hhour", bsdMessage, "00"}, {"$hhour-utc", bsdMessage, "01"}, {"$qhour", bsdMessage, "01"},
		{"$qhour-utc", bsdMessage, "03"}, {"$wday", bsdMessage, "0"}, {"$wday-utc", bsdMessage, "6"},
		{"$now-unixtimestamp", bsdMessage, "1783197906"}, {"$uptime", bsdMessage, "4711"}, {"$myhostname", bsdMessage, "relay"},
	} {
		p, err := e.Property(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.Value(testMessage(e, c.raw), nil)); got != c.want {
			t.Errorf("%s of %q is %q, want %q", c.name, c.raw, got, c.want)
		}
	}
}

// TestPropertyUnparsed: properties of a message that nobody has parsed.
func TestPropertyUnparsed(t *testing.T) {
	e := testEnv()
	var b Batch
	b.Receive(&e.Sanitize, []byte("<34>raw"), NewOrigin("in", "host", "ip", ""), time.Unix(0, 0).UnixNano(), 0)
	m := b.All().At(0)
	for _, c := range []struct{ name, want string }{
		{"msg", "<34>raw"}, {"rawmsg", "<34>raw"}, {"hostname", "host"}, {"syslogtag", ""}, {"timereported", "Jan  1 05:30:00"}, {"pri", "13"},
	} {
		p, err := e.Property(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.Value(m, nil)); got != c.want {
			t.Errorf("%s is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestParseSuccess(t *testing.T) {
	e := testEnv()
	p, _ := e.Property("parsesuccess")
	m := testMessage(e, bsdMessage)
	before := string(p.Value(m, nil))
	m.Flags |= ParseSuccess
	if after := string(p.Value(m, nil)); before != "FAIL" || after != "OK" {
		t.Errorf("is %s, then %s", before, after)
	}
}

func TestPropertyUnknown(t *testing.T) {
	for _, c := range []struct{ name, suggestion string }{
		{"mesg", `"msg"`}, {"HostNam", `"hostname"`}, {"now", `"$now"`}, {"myhostname", `"$myhostname"`},
		{"syslog-tag", `"syslogtag"`}, {"$tiemstamp", `"timestamp"`}, {"", ""}, {"$", ""}, {"something else", ""},
	} {
		_, err := testEnv().Property(c.name)
		if err == nil || c.suggestion != "" && !strings.HasSuffix(err.Error(), "; did you mean "+c.suggestion+"?") ||
			c.suggestion == "" && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("Property(%q): %v, want %s suggested", c.name, err, c.suggestion)
		}
	}
	if _, err := testEnv().Property("$!a!!b"); err == nil {
		t.Error("a variable with an empty part is accepted")
	}
}

func TestPropertyString(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"MSG", "msg"}, {"source", "hostname"}, {"timereported", "timestamp"}, {"$NOW-UTC", "$now-utc"}, {"!a!B", "$!a!B"}, {"$/x", "$/x"},
	} {
		p, err := testEnv().Property(c.name)
		if path, variable := p.Path(); err != nil || p.String() != c.want || variable != strings.ContainsAny(c.want, "!/") || variable && path.String() != c.want {
			t.Errorf("Property(%q) is %q, %v, path %q", c.name, p, err, path)
		}
	}
}

// TestPropertyAllocations: reading a property of an ordinary message takes no
// memory, whichever it is.
func TestPropertyAllocations(t *testing.T) {
	e := testEnv()
	buf := make([]byte, 0, 1000)
	for _, raw := range []string{bsdMessage, rfcMessage} {
		m := testMessage(e, raw)
		for _, n := range propertyNames {
			p, err := e.Property(n.name)
			if err != nil {
				t.Fatal(err)
			}
			p.Value(m, buf) // makes the uuid
			if got := testing.AllocsPerRun(10, func() { p.Value(m, buf) }); got != 0 {
				t.Errorf("%s of %q: %v allocations", n.name, raw, got)
			}
		}
	}
}

// TestUUID: a message keeps its uuid, another has another, and jsonmesg shows it
// once it is there.
func TestUUID(t *testing.T) {
	e := testEnv()
	m := testMessage(e, bsdMessage)
	p, _ := e.Property("uuid")
	j, _ := e.Property("jsonmesg")
	if got := string(j.Value(m, nil)); !strings.Contains(got, `, "uuid": null, "$!": null }`) {
		t.Errorf("jsonmesg before: %s", got)
	}
	first := string(p.Value(m, nil))
	second := string(p.Value(m, nil))
	other := string(p.Value(testMessage(e, bsdMessage), nil))
	if first != second || first == other || len(first) != 32 || strings.Trim(first, "0123456789ABCDEF") != "" || first[12] != '4' {
		t.Errorf("uuid is %s, then %s; of another message %s", first, second, other)
	}
	if got := string(j.Value(m, nil)); !strings.Contains(got, `, "uuid": "`+first+`", `) {
		t.Errorf("jsonmesg after: %s", got)
	}
}

func TestCompactJSON(t *testing.T) {
	e := testEnv()
	e.CompactJSON = true
	m := testMessage(e, bsdMessage)
	m.SetVar(mustPath(t, e, "$!a!b"), IntValue(1), false)
	for _, c := range []struct{ name, want string }{{"$!", `{"a":{"b":1}}`}, {"$!a", `{"b":1}`}, {"$!all-json", `{ "a": { "b": 1 } }`}} {
		p, _ := e.Property(c.name)
		if got := string(p.Value(m, nil)); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
}
