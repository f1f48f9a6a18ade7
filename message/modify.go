package message

// ReplaceMsg makes b the message's MSG. It copies b.
//
// as rsyslog: rawmsg and rawmsg-after-pri end with the new MSG, too.
func (m *Message) ReplaceMsg(b []byte) {
	m.replaceRawTail(m.Msg.Start, b)
}

// replaceRawTail makes the raw message end with b from at on, and MSG be from
// there on. Text behind the raw message, where parsers have put what they made up,
// moves.
func (m *Message) replaceRawTail(at uint32, b []byte) {
	old := m.Raw.End
	if at < m.Raw.Start || at > old {
		at = old // MSG is no part of what was received
	}
	text := make([]byte, 0, int(at)+len(b)+len(m.Text)-int(old))
	text = append(append(append(text, m.Text[:at]...), b...), m.Text[old:]...)
	end := at + textLen(b)
	move := func(s Span) Span {
		switch {
		case s.Start >= old && s.End > old:
			return Span{s.Start - old + end, s.End - old + end}
		case s.End > end && s.End <= old:
			// What was found in the part that is replaced is cut.
			return Span{min(s.Start, end), end}
		}
		return s
	}
	spans := m.spans()
	for i, s := range spans {
		spans[i] = move(s)
	}
	m.Text = text
	m.setSpans(&spans)
	m.Raw.End, m.Msg = end, Span{at, end}
	if m.AfterPRI.Start <= end {
		m.AfterPRI.End = end
	}
}

// TrimMsg drops the first n bytes of MSG and leaves everything else, rawmsg
// included, as it is.
func (m *Message) TrimMsg(n int) { m.Msg.Start += uint32(n) }

// ReplaceRaw makes b the raw message; what has been found in the old one stays.
// as rsyslog: MSG is what is there behind the place where MSG began.
func (m *Message) ReplaceRaw(b []byte) {
	n := textLen(b)
	at := min(m.Msg.Start, n)
	text := append(append(make([]byte, 0, len(b)+len(m.Text)), b...), m.Text...)
	spans := m.spans()
	for i, s := range spans {
		if s.Found() {
			spans[i] = Span{s.Start + n, s.End + n}
		}
	}
	m.setSpans(&spans)
	m.Text = text
	m.Raw, m.AfterPRI, m.Msg = Span{0, n}, Span{uint32(afterPRI(b)), n}, Span{at, n}
}

// SetTag makes s the TAG, and its leading part the program name.
func (e *Env) SetTag(m *Message, s string) {
	if m.Flags&RFC5424 == 0 {
		m.ProcID = Span{}
	}
	m.setTag(m.appendText(s), e.Sanitize.PermitSlashInProgram)
}

// Setters of what else a program may change. The values become a part of the text.
func (m *Message) SetHostname(s string)       { m.Hostname = m.appendText(s) }
func (m *Message) SetProcID(s string)         { m.ProcID = m.appendText(s) }
func (m *Message) SetMsgID(s string)          { m.MsgID = m.appendText(s) }
func (m *Message) SetStructuredData(s string) { m.StructuredData = m.appendText(s) }

// SetFrom changes the host or address the message came from; "" leaves it.
func (m *Message) SetFrom(host, ip string) {
	o := m.Origin
	if host == "" {
		host = string(o.FromHost())
	}
	if ip == "" {
		ip = string(o.FromHostIP())
	}
	m.Origin = NewOrigin(string(o.Input()), host, ip, string(o.FromHostPort()))
}

// SetPRI changes facility and severity. as rsyslog: what is out of range makes the
// facility invalid.
func (m *Message) SetPRI(pri int) {
	m.PRI = InvalidPRIValue
	if 0 <= pri && pri <= maxPRI {
		m.PRI = uint16(pri)
	}
}
