package message

import "time"

// Local describes a message that was made here and needs no parsing: the
// daemon's own, the kernel's, marks.
type Local struct {
	Origin Origin
	Host   string
	Tag    string // with its colon
	Text   string // MSG is this with a blank before it
	PRI    int
	At     time.Time
}

// Message returns the message, parsed.
func (l Local) Message() *Message {
	host, tag := uint32(len(l.Host)), uint32(len(l.Tag))
	text := l.Host + l.Tag + " " + l.Text
	end := textLen([]byte(text))
	raw := Span{host + tag + 1, end}
	program := Span{host, host + tag}
	if tag > 0 && l.Tag[tag-1] == ':' {
		program.End--
	}
	return &Message{
		Text: []byte(text), Origin: l.Origin, Received: l.At.UnixNano(), Time: TimestampOf(l.At),
		Flags: Parsed, PRI: uint16(l.PRI), Raw: raw, AfterPRI: raw, Hostname: Span{0, host},
		Tag: Span{host, host + tag}, ProgramName: program, AppName: program, Msg: Span{host + tag, end},
	}
}
