package message

// textTemplate is a template as a flat run of segments.
type textTemplate struct {
	name     string
	env      *Env
	segments []segment
	usesNow  bool // a segment needs the present time
	escape   func(dst, text []byte) []byte
	fields   Template // see Structured
}

// Fields implements Structured.
func (t *textTemplate) Fields() Template { return t.fields }

// Prefix is the text the template begins with, whatever the message.
func (t *textTemplate) Prefix() string {
	if len(t.segments) == 0 || t.segments[0].kind != segConstant {
		return ""
	}
	return t.segments[0].constant
}

// Suffix is the text the template ends in, whatever the message.
func (t *textTemplate) Suffix() string {
	if n := len(t.segments); n > 0 && t.segments[n-1].kind == segConstant {
		return t.segments[n-1].constant
	}
	return ""
}

// segment is a constant or a property of a template.
type segment struct {
	kind     segmentKind
	constant string
	prop     Property
	repl     *replacer
}

// segmentKind picks out what nearly every template consists of, so that it is
// rendered without going through tables.
type segmentKind uint8

const (
	segConstant segmentKind = iota
	segMsg
	segSpaceMsg // a blank unless MSG begins with one, then MSG
	segHostname
	segTag
	segTag32 // the first 32 bytes of TAG
	segTime3164
	segTime3339
	segProperty // any property as it is
	segReplaced // a property with a replacer
)

func (t *textTemplate) Name() string { return t.name }

func (t *textTemplate) Append(dst []byte, m *Message) []byte {
	var now int64
	if t.usesNow {
		now = t.env.Now().UnixNano()
	}
	for i := range t.segments {
		s := &t.segments[i]
		if s.kind == segConstant {
			dst = append(dst, s.constant...)
			continue
		}
		if t.escape == nil {
			dst = s.append(dst, m, now)
			continue
		}
		at := len(dst)
		dst = s.append(dst, m, now)
		dst = expandTail(dst, at, t.escape)
	}
	return dst
}

func (s *segment) append(dst []byte, m *Message, now int64) []byte {
	switch s.kind {
	case segConstant:
		return append(dst, s.constant...)
	case segMsg:
		return append(dst, m.Msg.Of(m.Text)...)
	case segSpaceMsg:
		msg := m.Msg.Of(m.Text)
		if len(msg) == 0 || msg[0] != ' ' {
			dst = append(dst, ' ')
		}
		return append(dst, msg...)
	case segHostname:
		return append(dst, m.hostname()...)
	case segTag:
		return m.appendTag(dst)
	case segTag32:
		at := len(dst)
		dst = m.appendTag(dst)
		return dst[:min(len(dst), at+32)]
	case segTime3164:
		t := s.prop.env.timeOf(propTimeReported, m)
		return AppendRFC3164(dst, &t)
	case segTime3339:
		t := s.prop.env.timeOf(propTimeReported, m)
		return AppendRFC3339(dst, &t)
	case segProperty:
		return s.prop.appendTo(dst, m, now)
	}
	return s.repl.append(dst, &s.prop, m, now)
}

func (m *Message) appendTag(dst []byte) []byte {
	if tag, ok := m.tag(); ok {
		return append(dst, tag...)
	}
	return m.composeTag(dst)
}

// kindOf picks the segment's kind.
func (s *segment) kindOf() segmentKind {
	date := dateDefault
	if s.repl != nil {
		if s.prop.id != propTimeReported || !s.repl.plain() || s.repl.utc {
			return segReplaced
		}
		date = s.repl.date
	}
	switch s.prop.id {
	case propMsg:
		return segMsg
	case propHostname:
		return segHostname
	case propSyslogTag:
		return segTag
	case propTimeReported:
		switch date {
		case dateDefault, dateRFC3164:
			return segTime3164
		case dateRFC3339:
			return segTime3339
		}
		return segReplaced
	}
	return segProperty
}

// Escapes of a whole template's values.

// appendEscapedSQL puts a backslash before quotes and backslashes.
func appendEscapedSQL(dst, text []byte) []byte {
	for _, c := range text {
		if c == '\'' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

// appendEscapedStdSQL doubles quotes.
func appendEscapedStdSQL(dst, text []byte) []byte {
	for _, c := range text {
		if c == '\'' {
			dst = append(dst, '\'')
		}
		dst = append(dst, c)
	}
	return dst
}

// appendEscapedQuotes puts a backslash before double quotes and backslashes.
func appendEscapedQuotes(dst, text []byte) []byte {
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}
