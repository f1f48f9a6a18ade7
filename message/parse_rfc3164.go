package message

// RFC3164Parser reads what RFC 3164 describes and everything else: it never refuses a
// message. The fields are the parameters of rsyslog's pmrfc3164.
type RFC3164Parser struct {
	DetectYearAfterTimestamp       bool   `conf:"detect.yearAfterTimestamp" doc:"Take a number from 2000 to 2099 after the timestamp for its year." status:"full"`
	PermitSquareBracketsInHostname bool   `conf:"permit.squareBracketsInHostname" doc:"Take \"[2001:db8::1]\" and the like for a HOSTNAME." status:"full"`
	PermitSlashesInHostname        bool   `conf:"permit.slashesInHostname" doc:"Let HOSTNAME contain '/'." status:"full"`
	PermitAtSignsInHostname        bool   `conf:"permit.atSignsInHostname" doc:"Let HOSTNAME contain '@'." status:"full"`
	ForceTagEndingByColon          bool   `conf:"force.tagEndingByColon" doc:"Take for TAG only what a colon ends; the TAG of other messages is '-'." status:"full"`
	RemoveMsgFirstSpace            bool   `conf:"remove.msgFirstSpace" doc:"Drop one space from the start of MSG." status:"full"`
	DetectHeaderless               bool   `conf:"detect.headerless" doc:"Take a message without a timestamp for one without any header: all of it is MSG." status:"full"`
	HeaderlessHostname             string `conf:"headerless.hostname" doc:"HOSTNAME of messages without a header; the sender if not given." status:"full"`
	HeaderlessTag                  string `conf:"headerless.tag" default:"headerless" doc:"TAG of messages without a header." status:"full"`
	HeaderlessRuleset              string `conf:"headerless.ruleset" doc:"Ruleset for messages without a header." status:"full"`
	HeaderlessErrorFile            string `conf:"headerless.errorFile" doc:"File to which messages without a header are appended as they came." status:"full"`
	HeaderlessDrop                 bool   `conf:"headerless.drop" doc:"Discard messages without a header, once they are in the file." status:"full"`

	// Headerless is told the raw text of each message without a header; may be nil.
	Headerless func(raw []byte)
	// PermitSlashInProgram is global(parser.permitSlashInProgramName=).
	PermitSlashInProgram bool
	// NoHostnameAndTag is global(parser.parseHostnameAndTag="off").
	NoHostnameAndTag bool
}

// Name is the name configurations know the parser by.
func (p *RFC3164Parser) Name() string { return "rsyslog.rfc3164" }

// Parse parses m and returns true.
func (p *RFC3164Parser) Parse(m *Message) bool {
	at := int(m.Msg.Start)
	if m.Flags&InvalidPRI == 0 && !isJSONLike(m.Text[at:]) {
		at = p.parseHeader(m, at)
	}
	if p.RemoveMsgFirstSpace && at < len(m.Text) && m.Text[at] == ' ' {
		at++
	}
	m.Msg = m.span(at, int(m.Raw.End))
	return true
}

// isJSONLike says whether t is an object or an array and therefore has no header.
func isJSONLike(t []byte) bool {
	for _, c := range t {
		if c != ' ' && c != '\t' {
			return c == '{' || c == '['
		}
	}
	return false
}

// parseHeader reads what is there of TIMESTAMP, HOSTNAME and TAG and returns
// where MSG begins.
func (p *RFC3164Parser) parseHeader(m *Message, at int) int {
	next, found := p.timestamp(m, at)
	if !found && p.DetectHeaderless {
		return p.headerless(m, at)
	}
	at = next
	if p.NoHostnameAndTag || m.Flags&Internal != 0 {
		return at
	}
	if m.Flags&ParseHostname != 0 {
		if h, next, ok := p.hostname(m.Text, at); ok {
			m.Hostname, at = m.span(at, h), next
		}
	}
	return p.tag(m, at)
}

// timestamp reads a timestamp at at, if there is one, and returns where the text
// goes on.
func (p *RFC3164Parser) timestamp(m *Message, at int) (next int, found bool) {
	t, ts := m.Text[at:], m.Time
	n, ok := parseRFC3339(t, &ts)
	if !ok {
		if n, ok = parseBSD(t, &ts, p.DetectYearAfterTimestamp); ok {
			if z, given := m.Flags.defaultTZ(); given {
				ts.OffsetMinute, ts.OffsetZ, ts.OffsetMinus = z, false, false
			}
		} else if len(t) > 1 && t[0] == ' ' {
			// as rsyslog: HP ProCurve switches send a space before the timestamp.
			if n, ok = parseBSD(t[1:], &ts, p.DetectYearAfterTimestamp); ok {
				n++
			}
		}
	}
	if !ok {
		return at, false
	}
	if m.Flags&IgnoreTimestamp == 0 {
		m.Time = ts
	}
	return at + n, true
}

// Longest HOSTNAME and TAG, as rsyslog has them.
const (
	maxHostname = 511
	maxTag      = 510 // and a colon
)

// hostname reads a HOSTNAME at at; it ends before end.
//
// as rsyslog: it must be followed by a space or the end of the text, and in the
// first case end with a letter or digit. Anything else is a TAG.
func (p *RFC3164Parser) hostname(t []byte, at int) (end, next int, ok bool) {
	end = at
	bracket := p.PermitSquareBracketsInHostname && at < len(t) && t[at] == '['
	if bracket {
		if end++; end < len(t) && t[end] == ']' {
			end++ // as rsyslog: the closing bracket cannot follow at once
		}
	}
	for ; end < len(t) && end-at < maxHostname && p.inHostname(t[end]); end++ {
	}
	switch {
	case end == len(t):
		return end, end, end > at
	case end == at:
		return 0, 0, false
	case bracket:
		if t[end] != ']' {
			return 0, 0, false
		}
		end++
	case class[t[end-1]]&isAlnum == 0:
		return 0, 0, false
	}
	if end == len(t) || t[end] != ' ' {
		return 0, 0, false
	}
	return end, end + 1, true
}

func (p *RFC3164Parser) inHostname(c byte) bool {
	return class[c]&inHostname != 0 || c == '@' && p.PermitAtSignsInHostname ||
		c == '/' && p.PermitSlashesInHostname
}

// tag reads the TAG at at and returns where MSG begins.
//
// as rsyslog: it ends with a colon, which is a part of it, or before a space,
// which is a part of MSG.
func (p *RFC3164Parser) tag(m *Message, at int) int {
	t, end := m.Text, at
	stop := min(len(t), at+maxTag)
	for end < stop && t[end] != ':' && t[end] != ' ' {
		end++
	}
	switch {
	case end < len(t) && t[end] == ':':
		end++
	case p.ForceTagEndingByColon:
		if at > 0 && t[at-1] == ' ' {
			at-- // as rsyslog: the space before it is a part of MSG again
		}
		m.setTag(m.appendText("-"), p.PermitSlashInProgram)
		return at
	}
	m.setTag(m.span(at, end), p.PermitSlashInProgram)
	return end
}

func (p *RFC3164Parser) headerless(m *Message, at int) int {
	if p.Headerless != nil {
		p.Headerless(m.Raw.Of(m.Text))
	}
	switch {
	case p.HeaderlessDrop:
		m.Flags |= Discard
	case p.HeaderlessRuleset != "":
		m.Flags |= Elsewhere
	}
	if p.HeaderlessHostname != "" {
		m.Hostname = m.appendText(p.HeaderlessHostname)
	}
	tag := p.HeaderlessTag
	if tag == "" {
		tag = "headerless"
	}
	m.setTag(m.appendText(tag), p.PermitSlashInProgram)
	return at
}
