package message

import (
	"bytes"
	"strconv"
)

// ParseLocal parses what syslog(3) writes to the system's log socket: PRI,
// TIMESTAMP and TAG, no HOSTNAME. The time stays that of reception if
// IgnoreTimestamp is set. Unless pid is 0, it becomes the PROCID, whatever the
// sender says.
//
// as rsyslog's special parser: TAG ends at a blank only. Unlike it, a message
// without PRI keeps its first characters.
func (e *Env) ParseLocal(m *Message, pid int) {
	m.readPRI()
	m.Time = e.Timestamp(m.Received)
	m.Flags |= Parsed
	if m.Flags&InvalidPRI != 0 {
		return
	}
	var skip RFC3164Parser
	at, _ := skip.timestamp(m, int(m.Msg.Start))
	end := min(len(m.Text), at+maxTag)
	if n := bytes.IndexByte(m.Text[at:end], ' '); n >= 0 {
		end = at + n
	}
	msg := m.span(end, len(m.Text))
	tag := m.span(at, end)
	if pid > 0 {
		tag = m.appendText(tagWithPID(tag.Of(m.Text), pid))
	}
	m.setTag(tag, e.Sanitize.PermitSlashInProgram)
	m.Msg = msg
}

// tagWithPID puts pid in the place of what a tag has in brackets.
func tagWithPID(tag []byte, pid int) string {
	if open := bytes.IndexByte(tag, '['); open >= 0 {
		tag = tag[:open]
	}
	return string(bytes.TrimSuffix(tag, []byte(":"))) + "[" + strconv.Itoa(pid) + "]:"
}
