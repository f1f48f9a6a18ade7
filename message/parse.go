package message

// Parser reads one syntax. It is given a message whose text is clean, whose PRI
// has been read, whose Time is that of reception, and whose Msg is everything
// after the PRI. Parse takes what it knows out of Msg and returns true, or returns
// false if the message is not in its syntax and leaves it to the next parser: as
// it was, or mended so that the next one can read it. It may be
// called from many goroutines.
type Parser interface {
	Parse(m *Message) bool
	Name() string
}

// ParserChain tries its parsers in order. A message no parser wants is kept:
// its whole text is MSG and ParseFailed is set. The zero value wants nothing and
// leaves Time unset.
type ParserChain struct {
	env     *Env
	parsers []Parser
}

// NewParserChain returns the chain of the given parsers.
func NewParserChain(env *Env, parsers ...Parser) ParserChain {
	return ParserChain{env: env, parsers: parsers}
}

// DefaultChain is rsyslog's default: RFC 5424, then RFC 3164, which wants
// everything.
func DefaultChain(env *Env) ParserChain {
	slash := env.Sanitize.PermitSlashInProgram
	return NewParserChain(env, &RFC5424Parser{PermitSlashInProgram: slash}, &RFC3164Parser{PermitSlashInProgram: slash})
}

// Parse parses m unless it is parsed already, and returns the name of the
// parser that did, or "".
func (c ParserChain) Parse(m *Message) string {
	if m.Flags&Parsed != 0 {
		return ""
	}
	m.readPRI()
	if c.env != nil {
		m.Time = c.env.Timestamp(m.Received)
	}
	m.Flags |= Parsed
	for _, p := range c.parsers {
		if p.Parse(m) {
			return p.Name()
		}
	}
	m.Flags |= ParseFailed
	return ""
}

// Elsewhere is the ruleset for messages marked so; "" if none are.
func (c ParserChain) Elsewhere() string {
	for _, p := range c.parsers {
		if p, ok := p.(*RFC3164Parser); ok && p.DetectHeaderless && !p.HeaderlessDrop && p.HeaderlessRuleset != "" {
			return p.HeaderlessRuleset
		}
	}
	return ""
}

// readPRI reads the PRI at the start of the text and makes everything after it MSG.
//
// as rsyslog: leading zeros and no digits at all are accepted, text that does
// not begin with '<' is user.notice, and a PRI that is out of range or not
// closed leaves a message that is not parsed further.
func (m *Message) readPRI() {
	t, pri, at := m.Text, DefaultPRI, 0
	if len(t) > 0 && t[0] == '<' {
		pri, at = 0, 1
		for ; at < len(t) && isDigit(t[at]) && pri <= maxPRI; at++ {
			pri = 10*pri + int(t[at]-'0')
		}
		if at < len(t) && t[at] == '>' && pri <= maxPRI {
			at++
		} else {
			pri, at = InvalidPRIValue, 0
			m.Flags |= InvalidPRI
		}
	}
	m.PRI = uint16(pri)
	m.Raw, m.AfterPRI, m.Msg = m.span(0, len(t)), m.span(afterPRI(t), len(t)), m.span(at, len(t))
	m.Hostname, m.Tag, m.ProgramName, m.AppName = Span{}, Span{}, Span{}, Span{}
	m.ProcID, m.MsgID, m.StructuredData = Span{}, Span{}, Span{}
}

// afterPRI returns where the property rawmsg-after-pri begins.
//
// as rsyslog: behind '<', one to three characters and '>', whether or not they
// are a PRI.
func afterPRI(t []byte) int {
	if len(t) > 0 && t[0] == '<' {
		for at := 2; at <= 4 && at < len(t); at++ {
			if t[at] == '>' {
				return at + 1
			}
		}
	}
	return 0
}

// maxPRI is local7.debug.
const maxPRI = 23<<3 | 7

func (m *Message) span(start, end int) Span { return Span{uint32(start), uint32(end)} }

// appendText makes s a part of the text, for what a parser sets without having
// found it in the message. Raw does not change.
func (m *Message) appendText(s string) Span {
	start := len(m.Text)
	m.Text = append(m.Text[:start:start], s...)
	return m.span(start, len(m.Text))
}

// setTag sets Tag and what rsyslog takes from it: the program name is its
// leading part, PROCID what the first pair of brackets holds.
func (m *Message) setTag(tag Span, permitSlash bool) {
	m.Tag = tag
	t := tag.Of(m.Text)
	n := programNameLen(t, permitSlash)
	m.ProgramName = Span{tag.Start, tag.Start + uint32(n)}
	for open := n; open < len(t); open++ {
		if t[open] != '[' {
			continue
		}
		for end := open + 1; end < len(t); end++ {
			if t[end] == ']' {
				m.ProcID = Span{tag.Start + uint32(open) + 1, tag.Start + uint32(end)}
				return
			}
		}
		return
	}
}

// programNameLen returns how much of tag is the program name: up to the first
// character that is not printable ASCII, ':', '[' or '/'.
func programNameLen(tag []byte, permitSlash bool) int {
	for i, c := range tag {
		if class[c]&endsProgram != 0 && (c != '/' || !permitSlash) {
			return i
		}
	}
	return len(tag)
}

// class tells what a character may be a part of.
var class = func() (c [256]uint8) {
	for i := range c {
		b := byte(i)
		alnum := isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z'
		if alnum {
			c[i] |= isAlnum
		}
		if alnum || b == '.' || b == '_' || b == '-' {
			c[i] |= inHostname
		}
		if b < ' ' || b > '~' || b == ':' || b == '[' || b == '/' {
			c[i] |= endsProgram
		}
	}
	return c
}()

const (
	isAlnum = 1 << iota
	inHostname
	endsProgram
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
