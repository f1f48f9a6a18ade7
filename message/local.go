package message

import "time"

// Local describes a message that was made here and needs no parsing: the
// daemon's own, the kernel's, marks.
type Local struct {
	Origin Origin
	Host   string
	Tag    string // with its colon
	Text   string // MSG is this with a blank before it
	Bare   bool   // no blank
	PRI    int
	At     time.Time
}

// Message returns the message, parsed.
func (l Local) Message() *Message {
	host, tag := uint32(len(l.Host)), uint32(len(l.Tag))
	text := l.Host + l.Tag
	msg := uint32(len(text))
	if !l.Bare {
		text += " "
	}
	raw := Span{uint32(len(text)), 0}
	text += l.Text
	end := textLen([]byte(text))
	raw.End = end
	m := &Message{
		Text: []byte(text), Origin: l.Origin, Received: l.At.UnixNano(), Time: TimestampOf(l.At),
		Flags: Parsed, PRI: uint16(l.PRI), Raw: raw, AfterPRI: raw, Hostname: Span{0, host}, Msg: Span{msg, end},
	}
	m.setTag(Span{host, host + tag}, false)
	m.AppName = m.ProgramName
	return m
}
