package message

import "bytes"

// CiscoIOSParser reads what Cisco IOS sends:
//
//	sequence: [origin: ][*|.]timestamp[ zone]: %TAG: text
//
// The fields are the parameters of rsyslog's pmciscoios.
type CiscoIOSParser struct {
	PresentOrigin bool `conf:"present.origin" doc:"The sender's name stands behind the sequence number; it becomes HOSTNAME." status:"full"`
	PresentXR     bool `conf:"present.xr" doc:"IOS XR: a card's name stands before the timestamp, a process before the TAG." status:"full"`

	// Zones are the offsets, in minutes, of the zones that timezone() objects name.
	Zones map[string]int16
	// PermitSlashInProgram is global(parser.permitSlashInProgramName=).
	PermitSlashInProgram bool
}

// Name is the name configurations know the parser by.
func (p *CiscoIOSParser) Name() string { return "rsyslog.ciscoios" }

// Parse parses m. as rsyslog: a timestamp that was read stays, even if what
// follows it is not IOS's.
func (p *CiscoIOSParser) Parse(m *Message) bool {
	s := scanner{t: m.Text, at: int(m.Msg.Start)}
	for isDigit(s.peek()) {
		s.at++
	}
	var origin Span
	if !s.skipText(": ") || p.PresentOrigin && !s.origin(&origin) || p.PresentXR && !s.past(':') {
		return false
	}
	if c := s.peek(); c == '*' || c == '.' {
		s.at++
	}
	ts := m.Time
	n, ok := parseBSDForm(s.t[s.at:], &ts, bsdForm{zone: true, zones: p.Zones})
	if !ok {
		return false
	}
	if z, given := m.Flags.defaultTZ(); given {
		ts.OffsetMinute, ts.OffsetZ, ts.OffsetMinus = z, false, false
	}
	m.Time = ts
	if s.at += n; p.PresentXR {
		tag := bytes.IndexByte(s.t[s.at:], '%')
		if tag < 0 {
			return false
		}
		s.at += tag
	}
	return p.tag(m, &s, origin)
}

// tag reads the TAG, which is all that is left to tell that m is IOS's.
func (p *CiscoIOSParser) tag(m *Message, s *scanner, origin Span) bool {
	start := s.at
	if s.peek() != '%' {
		return false
	}
	for s.at < len(s.t) && s.t[s.at] != ':' && s.t[s.at] != ' ' && s.at-start < maxTag {
		s.at++
	}
	end := s.at
	if p.PresentXR {
		s.at++
	}
	if !s.skipText(": ") {
		return false
	}
	if p.PresentXR {
		m.setTag(m.appendText(string(s.t[start:end])+":"), p.PermitSlashInProgram)
	} else {
		m.setTag(m.span(start, end+1), p.PermitSlashInProgram)
	}
	if p.PresentOrigin {
		m.Hostname = origin
	}
	m.Msg = m.span(s.at-1, int(m.Raw.End))
	return true
}

// skipText moves past text if it is next.
func (s *scanner) skipText(text string) bool {
	if !bytes.HasPrefix(s.t[min(s.at, len(s.t)):], []byte(text)) {
		return false
	}
	s.at += len(text)
	return true
}

// origin reads a host's name up to ": ".
func (s *scanner) origin(name *Span) bool {
	n := bytes.Index(s.t[s.at:], []byte(": "))
	if n < 0 || n > maxHostname {
		return false
	}
	*name = Span{uint32(s.at), uint32(s.at + n)}
	s.at += n + 2
	return true
}

// past moves behind the next c.
func (s *scanner) past(c byte) bool {
	n := bytes.IndexByte(s.t[s.at:], c)
	if n < 0 || s.at+n+1 >= len(s.t) {
		return false
	}
	s.at += n + 1
	return true
}

// LastMsgParser takes "last message repeated n times", which has no header.
type LastMsgParser struct{}

// Name is the name configurations know the parser by.
func (LastMsgParser) Name() string { return "rsyslog.lastline" }

// Parse parses m.
func (LastMsgParser) Parse(m *Message) bool {
	t := bytes.TrimLeft(m.Text[m.Msg.Start:m.Raw.End], " ")
	const before, behind = "last message repeated ", " times"
	if !foldPrefix(t, before) {
		return false
	}
	t = t[len(before):]
	digits := 0
	for digits < len(t) && isDigit(t[digits]) {
		digits++
	}
	return digits > 0 && len(t)-digits == len(behind) && foldPrefix(t[digits:], behind)
}

// NullParser parses nothing and takes everything: all of the raw message is MSG.
// The fields are the parameters of rsyslog's pmnull.
type NullParser struct {
	Tag      string `conf:"tag" doc:"TAG of the messages." status:"full"`
	Facility int    `conf:"syslogfacility,type=facility" default:"1" doc:"Their facility." status:"full"`
	Severity int    `conf:"syslogseverity,type=severity" default:"5" doc:"Their severity." status:"full"`
}

// Name is the name configurations know the parser by.
func (p *NullParser) Name() string { return "rsyslog.pmnull" }

// Parse parses m.
func (p *NullParser) Parse(m *Message) bool {
	m.PRI = uint16(p.Facility<<3 | p.Severity)
	m.Flags &^= InvalidPRI
	m.Msg = m.Raw
	if p.Tag != "" {
		m.setTag(m.appendText(p.Tag), false)
	}
	return true
}
