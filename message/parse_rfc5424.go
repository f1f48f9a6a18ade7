package message

import "bytes"

// RFC5424Parser reads RFC 5424 messages: those that have "1 " after the PRI.
type RFC5424Parser struct {
	Strict bool `conf:"strict" doc:"Leave messages that break the rules of RFC 5424 to the next parser." status:"full"`
	// PermitSlashInProgram is global(parser.permitSlashInProgramName=).
	PermitSlashInProgram bool
}

// Name is the name configurations know the parser by.
func (p *RFC5424Parser) Name() string { return "rsyslog.rfc5424" }

// Parse parses m.
//
// as rsyslog: whatever has the version is taken. Fields may be empty or missing;
// what follows a TIMESTAMP that is none is all MSG.
func (p *RFC5424Parser) Parse(m *Message) bool {
	t, at := m.Text, int(m.Msg.Start)
	if len(t) < at+2 || t[at] != '1' || t[at+1] != ' ' {
		return false
	}
	if p.Strict && !conformsRFC5424(m.Raw.Of(t)) {
		return false
	}
	m.Flags |= RFC5424
	at += 2
	if len(t) >= at+2 && t[at] == '-' && t[at+1] == ' ' {
		at += 2
	} else {
		ts := m.Time
		n, ok := parseRFC3339(t[at:], &ts)
		if at += n; !ok {
			m.Msg = m.span(at, len(t))
			return true
		}
		if m.Flags&IgnoreTimestamp == 0 {
			m.Time = ts
		}
	}
	m.Hostname, at = m.field(at)
	m.AppName, at = m.field(at)
	m.ProcID, at = m.field(at)
	m.MsgID, at = m.field(at)
	m.ProgramName = m.AppName
	m.ProgramName.End = m.AppName.Start +
		uint32(programNameLen(m.AppName.Of(t), p.PermitSlashInProgram))
	m.StructuredData, at = m.structuredData(at)
	m.Msg = m.span(at, len(t))
	return true
}

// field returns the text from at up to the next space, and where the text
// goes on after that.
func (m *Message) field(at int) (f Span, next int) {
	t := m.Text
	for next = at; next < len(t); next++ {
		if t[next] == ' ' {
			return m.span(at, next), next + 1
		}
	}
	return m.span(at, next), next
}

// structuredData returns the STRUCTURED-DATA that begins at at, and where MSG
// begins.
//
// as rsyslog: it ends with the first ']' that is followed by a space or by the end
// of the text and is not preceded by a backslash. Of one that does not end, the
// last character is MSG. What begins with neither '[' nor '-' is MSG, and MSGID is
// STRUCTURED-DATA, too.
func (m *Message) structuredData(at int) (sd Span, next int) {
	t := m.Text
	if at == len(t) || t[at] != '[' && t[at] != '-' {
		return m.MsgID, at
	}
	end := at + 1
	if t[at] == '[' {
		end = sdEnd(t, at)
	}
	if next = end; next < len(t) && t[next] == ' ' {
		next++
	}
	return m.span(at, end), next
}

// sdEnd returns where the structured data that begins at at ends.
func sdEnd(t []byte, at int) int {
	end := at
	for {
		n := bytes.IndexByte(t[end:], ']')
		if n < 0 {
			break
		}
		end += n + 1
		if t[end-2] != '\\' && (end == len(t) || t[end] == ' ') {
			return end
		}
	}
	if end == len(t) {
		return end // ends with an escaped bracket
	}
	return len(t) - 1
}
