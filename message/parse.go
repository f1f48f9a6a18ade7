package message

// Parser reads one syntax. Parse fills in m and returns true, or leaves m
// untouched and returns false if the message is not in its syntax.
type Parser interface {
	Parse(m *Message) bool
	Name() string
}

// ParserChain tries its parsers in order. A message no parser wants is kept:
// its whole text is MSG and ParseFailed is set.
type ParserChain []Parser

// Parse parses m unless it is parsed already, and returns the name of the
// parser that did, or "".
func (c ParserChain) Parse(m *Message) string {
	if m.Flags&Parsed != 0 {
		return ""
	}
	for _, p := range c {
		if p.Parse(m) {
			m.Flags |= Parsed
			return p.Name()
		}
	}
	m.Flags |= Parsed | ParseFailed
	return ""
}
