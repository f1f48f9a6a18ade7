package message

import "encoding/binary"

// Frames returns the selected messages as the frames they are held in, without
// copying. ok is false if they are not held so: AppendFrames encodes them.
func (v View) Frames() (frames []byte, ok bool) {
	if v.b == nil || v.b.decoded || !v.whole() {
		return nil, false
	}
	return v.b.buf, true
}

// FrameOrigin returns the origin of the first frame in b, which is known to be one.
func FrameOrigin(b []byte) Origin {
	at := frameText(b)
	n := int(binary.LittleEndian.Uint16(b[16:]))
	return Origin(b[at-n : at : at])
}

// FrameSeverity returns the severity of the first frame in b, which is known to
// be one. If the message is not parsed yet its PRI is read from the text.
func FrameSeverity(b []byte) int {
	flags := Flags(binary.LittleEndian.Uint32(b[4:]))
	if flags&Parsed != 0 {
		return int(binary.LittleEndian.Uint16(b[18:]) & 7)
	}
	at := frameText(b)
	return SeverityOf(b[at : at+int(binary.LittleEndian.Uint32(b[20:]))])
}

// SeverityOf returns the severity that the PRI at the start of a message's text says.
func SeverityOf(text []byte) int {
	if len(text) == 0 || text[0] != '<' {
		return DefaultPRI & 7
	}
	pri, i := 0, 1
	for ; i < len(text) && i < 4 && '0' <= text[i] && text[i] <= '9'; i++ {
		pri = pri*10 + int(text[i]-'0')
	}
	if i == 1 || i == len(text) || text[i] != '>' || pri > 191 {
		return InvalidPRIValue & 7
	}
	return pri & 7
}

// frameText is where the text of the first frame in b begins.
func frameText(b []byte) int {
	at := frameHeader + int(binary.LittleEndian.Uint16(b[16:]))
	if Flags(binary.LittleEndian.Uint32(b[4:]))&Parsed != 0 {
		at += frameParsed
	}
	return at
}
