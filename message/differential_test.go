package message

import (
	"strings"
	"testing"

	"github.com/influxdata/go-syslog/v3/rfc3164"
	"github.com/influxdata/go-syslog/v3/rfc5424"
)

// FuzzDifferential5424 compares with go-syslog whatever go-syslog accepts.
//
// We differ, as rsyslog does, for
//   - versions other than 1, which are not RFC 5424 to rsyslog;
//   - years from 2100 on, which are no timestamp to rsyslog;
//   - an SD-ID that ends with a backslash, which escapes the bracket for rsyslog.
func FuzzDifferential5424(f *testing.F) {
	addOracleInputs(f, func(text string) { f.Add([]byte(text)) })
	f.Add([]byte("<0>999 2100-01-01T00:00:00Z - - - - [a\\] x"))
	chain := DefaultChain(parserEnv(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		theirs, err := parseRFC5424(text)
		if err != nil {
			return
		}
		if theirs.Version != 1 || theirs.Timestamp != nil && theirs.Timestamp.Year() >= 2100 {
			return
		}
		m := &Message{Text: text, Received: receivedAt.UnixNano(), Flags: ParseHostname}
		if name := chain.Parse(m); name != "rsyslog.rfc5424" {
			t.Fatalf("%q: parsed by %q", text, name)
		}
		if int(m.PRI) != int(*theirs.Priority) {
			t.Errorf("%q: PRI %d, go-syslog %d", text, m.PRI, *theirs.Priority)
		}
		if ts := theirs.Timestamp; ts != nil {
			ours := m.Time.Time(ts.Location())
			_, offset := ts.Zone()
			if !ours.Equal(*ts) || int(m.Time.OffsetMinute)*60 != offset {
				t.Errorf("%q: time %+v, go-syslog %v", text, m.Time, ts)
			}
		} else if ours := m.Time.Time(receivedAt.Location()); !ours.Equal(receivedAt) {
			t.Errorf("%q: time %v, want that of reception", text, ours)
		}
		compareField(t, text, "HOSTNAME", m.Hostname.Of(text), theirs.Hostname)
		compareField(t, text, "APP-NAME", m.AppName.Of(text), theirs.Appname)
		compareField(t, text, "PROCID", m.ProcID.Of(text), theirs.ProcID)
		compareField(t, text, "MSGID", m.MsgID.Of(text), theirs.MsgID)
		compareStructuredData(t, m, theirs)
	})
}

func compareField(t *testing.T, text []byte, name string, ours []byte, theirs *string) {
	t.Helper()
	want := "-"
	if theirs != nil {
		want = *theirs
	}
	if string(ours) != want {
		t.Errorf("%q: %s %q, go-syslog %q", text, name, ours, want)
	}
}

func compareStructuredData(t *testing.T, m *Message, theirs *rfc5424.SyslogMessage) {
	t.Helper()
	if theirs.StructuredData != nil {
		for id := range *theirs.StructuredData {
			if strings.HasSuffix(id, `\`) {
				return
			}
		}
	}
	elements, err := ParseStructuredData(m.StructuredData.Of(m.Text))
	if err != nil {
		t.Fatalf("%q: %v", m.Text, err)
	}
	if theirs.StructuredData == nil && len(elements) > 0 || theirs.StructuredData != nil && len(elements) != len(*theirs.StructuredData) {
		t.Errorf("%q: %q, go-syslog %q", m.Text, elements, theirs.StructuredData)
	}
	msg := ""
	if theirs.Message != nil {
		msg = *theirs.Message
	}
	if got := string(m.Msg.Of(m.Text)); got != msg {
		t.Errorf("%q: MSG %q, go-syslog %q", m.Text, got, msg)
	}
}

// FuzzDifferential3164 compares with go-syslog what go-syslog accepts and finds a
// TAG in. HOSTNAMEs rsyslog does not know, and anything go-syslog finds between the
// brackets of a TAG that ends the TAG for rsyslog, are left out.
func FuzzDifferential3164(f *testing.F) {
	addOracleInputs(f, func(text string) { f.Add([]byte(text)) })
	f.Add([]byte("<34>Oct 11 22:14:15 mymachine su[.12]: 'su root' failed"))
	chain := DefaultChain(parserEnv(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := rfc3164.NewMachine().Parse(text)
		theirs, ok := parsed.(*rfc3164.SyslogMessage) // nil without an error, sometimes
		if err != nil || !ok {
			return
		}
		if theirs.Hostname == nil || theirs.Appname == nil || theirs.Message == nil {
			return
		}
		p := RFC3164Parser{}
		if _, _, ok := p.hostname([]byte(*theirs.Hostname+" "), 0); !ok {
			return
		}
		tag := *theirs.Appname
		if theirs.ProcID != nil {
			tag += "[" + *theirs.ProcID + "]"
		}
		end := *theirs.Hostname + " " + tag + ": " + *theirs.Message
		if strings.ContainsAny(tag, " :") || !strings.HasSuffix(string(text), end) {
			return
		}
		m := &Message{Text: text, Received: receivedAt.UnixNano(), Flags: ParseHostname}
		chain.Parse(m)
		ts := theirs.Timestamp
		if int(m.PRI) != int(*theirs.Priority) || int(m.Time.Month) != int(ts.Month()) || int(m.Time.Day) != ts.Day() ||
			int(m.Time.Hour) != ts.Hour() || int(m.Time.Minute) != ts.Minute() || int(m.Time.Second) != ts.Second() {
			t.Errorf("%q: PRI %d %+v, go-syslog %d %v", text, m.PRI, m.Time, *theirs.Priority, ts)
		}
		compareField(t, text, "HOSTNAME", m.Hostname.Of(text), theirs.Hostname)
		tag += ":"
		compareField(t, text, "TAG", m.Tag.Of(text), &tag)
		msg := " " + *theirs.Message
		compareField(t, text, "MSG", m.Msg.Of(text), &msg)
	})
}
