package message

import (
	"bytes"
	"strings"
)

// The parsers in this file parse nothing: they mend what devices send, so that
// the next parser of the chain can read it. They return false always.

// splice replaces n bytes of the raw message by s, in a copy of the text. It is
// for messages of which nothing has been found yet but PRI.
func (m *Message) splice(at, n int, s string) {
	n = min(n, len(m.Text)-at)
	text := make([]byte, 0, len(m.Text)-n+len(s))
	text = append(append(append(text, m.Text[:at]...), s...), m.Text[at+n:]...)
	m.Text = text
	end := uint32(len(text))
	m.Raw.End, m.AfterPRI.End, m.Msg.End = end, end, end
}

// bsdLength is how much of a message the timestamp of RFC 3164 takes, with the
// space behind it. as rsyslog: that it is one is not checked here.
const bsdLength = len("Oct 11 22:14:15 ")

// foldPrefix says whether t begins with prefix, in whatever case.
func foldPrefix(t []byte, prefix string) bool {
	return len(t) >= len(prefix) && strings.EqualFold(string(t[:len(prefix)]), prefix)
}

// CiscoNamesParser removes what Cisco devices with "logging device-id" or names
// put between HOSTNAME and TAG: "Oct 11 22:14:15 host : %ASA-6-…".
type CiscoNamesParser struct{}

// Name is the name configurations know the parser by.
func (CiscoNamesParser) Name() string { return "rsyslog.cisconames" }

// Parse mends m.
func (CiscoNamesParser) Parse(m *Message) bool {
	const shortest = 34
	at := int(m.Msg.Start)
	if len(m.Text)-at < shortest {
		return false
	}
	if n, ok := parseBSD(m.Text[at:], &Timestamp{}, false); ok {
		at += n
	} else {
		at += bsdLength
	}
	n := bytes.IndexByte(m.Text[at:], ' ')
	if n < 0 {
		return false
	}
	if at += n + 1; bytes.HasPrefix(m.Text[at:], []byte(": %")) {
		m.splice(at, 2, "")
	}
	return false
}

// AIXForwardedFromParser removes "Message forwarded from " and "From " in front
// of HOSTNAME, and the colon behind it, which AIX's syslogd adds.
type AIXForwardedFromParser struct{}

// Name is the name configurations know the parser by.
func (AIXForwardedFromParser) Name() string { return "rsyslog.aixforwardedfrom" }

// Parse mends m.
func (AIXForwardedFromParser) Parse(m *Message) bool {
	const shortest = 24
	at := int(m.Msg.Start)
	if len(m.Text)-at < shortest {
		return false
	}
	at += bsdLength
	skip := 0
	for _, s := range []string{"Message forwarded from ", "From "} {
		if foldPrefix(m.Text[at:], s) {
			skip = len(s)
			break
		}
	}
	if skip == 0 || len(m.Text)-at-skip < 2 {
		return false
	}
	m.splice(at, skip, "")
	if n := bytes.IndexAny(m.Text[at:], " :"); n >= 0 && m.Text[at+n] == ':' {
		m.splice(at+n, 1, "")
	}
	return false
}

// SnareParser replaces the tabs around the tags of Snare agents by spaces.
type SnareParser struct {
	// Tab is what a tab becomes on reception.
	Tab string
}

// Name is the name configurations know the parser by.
func (p *SnareParser) Name() string { return "rsyslog.snare" }

// Parse mends m.
func (p *SnareParser) Parse(m *Message) bool {
	const shortest = 30
	start := int(m.Msg.Start)
	t := m.Text[start:]
	if len(t) < shortest {
		return false
	}
	at := bytes.IndexAny(t, " \t"+p.Tab[:1])
	if at >= 0 && len(t)-at > len(p.Tab) && foldPrefix(t[at:], p.Tab) {
		// Without a syslog header: the host's name, a tab, the tag, a tab.
		if n := snareTag(t[at+len(p.Tab):]); n > 0 {
			m.splice(start+at, len(p.Tab), " ")
			m.splice(start+at+1+n, len(p.Tab), " ")
		}
		return false
	}
	n := bytes.IndexByte(t[bsdLength:], ' ')
	if n < 0 {
		return false
	}
	at = bsdLength + n + 1
	if n := snareTag(t[at:]); n > 0 && at+n < len(t) {
		m.splice(start+at+n, len(p.Tab), " ")
	}
	return false
}

// snareTag is the length of the tag t begins with.
func snareTag(t []byte) int {
	for _, tag := range []string{"MSWinEventLog", "LinuxKAudit"} {
		if foldPrefix(t, tag) {
			return len(tag)
		}
	}
	return 0
}

// PANNGFWParser makes the fields of Palo Alto Networks firewalls, which are
// separated by commas and may be quoted, separated by tabs.
type PANNGFWParser struct{}

// Name is the name configurations know the parser by.
func (PANNGFWParser) Name() string { return "rsyslog.panngfw" }

// Parse mends m. as rsyslog: the fourth field tells such a message from others,
// and a quote in the wrong place leaves the message as it is.
func (PANNGFWParser) Parse(m *Message) bool {
	start := int(m.Msg.Start)
	t := m.Text[start:]
	fields := bytes.SplitN(t, []byte{','}, 4)
	if len(fields) < 4 || !isPANType(fields[3]) {
		return false
	}
	head := bytes.Join(fields[:3], []byte{'\t'})
	rest, ok := unquoteCSV(fields[3])
	if ok {
		m.splice(start, len(t), string(head)+"\t"+string(rest))
	}
	return false
}

func isPANType(t []byte) bool {
	const shortest = 8
	for _, name := range []string{"TRAFFIC,", "THREAT,", "CONFIG,", "SYSTEM,"} {
		if len(t) >= shortest && bytes.HasPrefix(t, []byte(name)) {
			return true
		}
	}
	return false
}

// unquoteCSV makes comma-separated fields tab-separated.
func unquoteCSV(t []byte) (out []byte, ok bool) {
	out = make([]byte, 0, len(t))
	const (
		start = iota
		plain
		quoted
		afterQuote
	)
	state := start
	for _, c := range t {
		switch {
		case state == quoted && c == '"':
			state = afterQuote
		case state == quoted:
			out = append(out, c)
		case c == ',':
			out, state = append(out, '\t'), start
		case state == start && c == '"':
			state = quoted
		case state == afterQuote && c == '"':
			out, state = append(out, c), quoted
		case state == afterQuote:
			return nil, false
		default:
			out, state = append(out, c), plain
		}
	}
	return out, true
}
