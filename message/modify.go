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
