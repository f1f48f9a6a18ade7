package message

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame is one message as bytes; memory form and disk form are the same.
// All integers are little-endian.
//
//	 0  u32  size of the whole frame, these four bytes included
//	 4  u32  Flags
//	 8  i64  Received
//	16  u16  length of Origin
//	18  u16  PRI
//	20  u32  length of Text
//	24  u32  length of Vars
//	28       if Parsed: Timestamp (16 bytes), ten spans (8 bytes each)
//	         Origin, Text, Vars
const (
	frameHeader = 28
	frameParsed = 16 + 10*8
)

// FrameVersion changes whenever the layout above does; stores write it down.
const FrameVersion = 1

// ErrFrame is the cause of every error about bytes that are not a frame.
var ErrFrame = errors.New("not a message frame")

// AppendFrame appends m as a frame.
func AppendFrame(dst []byte, m *Message) []byte {
	at := len(dst)
	dst = appendHeader(dst, m)
	if m.Flags&Parsed != 0 {
		dst = appendTimestamp(dst, &m.Time)
		for _, s := range m.spans() {
			dst = binary.LittleEndian.AppendUint32(dst, s.Start)
			dst = binary.LittleEndian.AppendUint32(dst, s.End)
		}
	}
	dst = append(dst, m.Origin...)
	dst = append(dst, m.Text...)
	if m.Vars != nil {
		n := len(dst)
		dst = m.Vars.appendBinary(dst)
		binary.LittleEndian.PutUint32(dst[at+24:], uint32(len(dst)-n))
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

func appendHeader(dst []byte, m *Message) []byte {
	var h [frameHeader]byte
	binary.LittleEndian.PutUint32(h[4:], uint32(m.Flags))
	binary.LittleEndian.PutUint64(h[8:], uint64(m.Received))
	binary.LittleEndian.PutUint16(h[16:], uint16(len(m.Origin)))
	binary.LittleEndian.PutUint16(h[18:], m.PRI)
	binary.LittleEndian.PutUint32(h[20:], textLen(m.Text))
	return append(dst, h[:]...)
}

// FrameSize returns the size of the first frame in b, which may be cut short.
func FrameSize(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("%w: %d bytes left", ErrFrame, len(b))
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < frameHeader || n > len(b) {
		return 0, fmt.Errorf("%w: size %d with %d bytes left", ErrFrame, n, len(b))
	}
	return n, nil
}

// decodeFrame reads the first frame of b into m, which then points into b, and
// returns the rest of b. It trusts nothing: what a decoded message says of itself
// is in range.
func decodeFrame(b []byte, m *Message) (rest []byte, err error) {
	n, err := FrameSize(b)
	if err != nil {
		return nil, err
	}
	f, rest := b[:n:n], b[n:]
	origin := int(binary.LittleEndian.Uint16(f[16:]))
	text := binary.LittleEndian.Uint32(f[20:])
	vars := binary.LittleEndian.Uint32(f[24:])
	m.Flags = Flags(binary.LittleEndian.Uint32(f[4:]))
	m.Received = int64(binary.LittleEndian.Uint64(f[8:]))
	m.PRI = binary.LittleEndian.Uint16(f[18:])
	at := frameHeader
	if m.Flags&Parsed != 0 {
		at += frameParsed
	}
	if uint64(at)+uint64(origin)+uint64(text)+uint64(vars) != uint64(n) {
		return nil, fmt.Errorf("%w: parts do not add up to its size %d", ErrFrame, n)
	}
	if m.PRI > maxPRI && m.PRI != InvalidPRIValue {
		return nil, fmt.Errorf("%w: bad PRI %d", ErrFrame, m.PRI)
	}
	m.Origin = Origin(f[at : at+origin : at+origin])
	if !m.Origin.valid() {
		return nil, fmt.Errorf("%w: bad origin", ErrFrame)
	}
	at += origin
	m.Text = f[at : at+int(text) : at+int(text)]
	if m.Flags&Parsed != 0 {
		err = decodeParsed(f[frameHeader:], m)
	} else {
		m.setUnparsed()
	}
	m.Vars = nil
	if err == nil && vars > 0 {
		m.Vars, err = decodeVars(f[at+int(text):])
	}
	if err != nil {
		return nil, err
	}
	return rest, nil
}

// setUnparsed makes m what it is before it is parsed: all MSG.
func (m *Message) setUnparsed() {
	all := Span{0, uint32(len(m.Text))}
	m.Time = Timestamp{}
	m.setSpans(&[10]Span{0: all, 1: all, 9: all})
}

func decodeParsed(p []byte, m *Message) error {
	if m.Time = decodeTimestamp(p); !m.Time.valid() {
		return fmt.Errorf("%w: bad timestamp", ErrFrame)
	}
	var spans [10]Span
	limit := uint32(len(m.Text))
	for i := range spans {
		both := binary.LittleEndian.Uint64(p[16+8*i:])
		s := Span{uint32(both), uint32(both >> 32)}
		if s.Start > s.End || s.End > limit {
			return fmt.Errorf("%w: span %d outside the text", ErrFrame, i)
		}
		spans[i] = s
	}
	m.setSpans(&spans)
	return nil
}

func (m *Message) spans() [10]Span {
	return [10]Span{m.Raw, m.AfterPRI, m.Hostname, m.Tag, m.ProgramName,
		m.AppName, m.ProcID, m.MsgID, m.StructuredData, m.Msg}
}

func (m *Message) setSpans(s *[10]Span) {
	m.Raw, m.AfterPRI, m.Hostname, m.Tag, m.ProgramName = s[0], s[1], s[2], s[3], s[4]
	m.AppName, m.ProcID, m.MsgID, m.StructuredData, m.Msg = s[5], s[6], s[7], s[8], s[9]
}

func (o Origin) valid() bool {
	if len(o) == 0 {
		return true
	}
	return len(o) >= 4 && 4+int(o[0])+int(o[1])+int(o[2])+int(o[3]) == len(o)
}

func appendTimestamp(dst []byte, t *Timestamp) []byte {
	z := byte(0)
	if t.OffsetZ {
		z = 1
	}
	if t.OffsetMinus {
		z |= 2
	}
	dst = binary.LittleEndian.AppendUint16(dst, t.Year)
	dst = append(dst, t.Month, t.Day, t.Hour, t.Minute, t.Second, t.Precision)
	dst = binary.LittleEndian.AppendUint32(dst, t.Frac)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(t.OffsetMinute))
	return append(dst, z, 0)
}

func decodeTimestamp(b []byte) Timestamp {
	return Timestamp{
		Year:  binary.LittleEndian.Uint16(b),
		Month: b[2], Day: b[3], Hour: b[4], Minute: b[5], Second: b[6], Precision: b[7],
		Frac:         binary.LittleEndian.Uint32(b[8:]),
		OffsetMinute: int16(binary.LittleEndian.Uint16(b[12:])),
		OffsetZ:      b[14]&1 != 0,
		OffsetMinus:  b[14]&2 != 0,
	}
}

// valid says whether t is no time or one that a parser can have read.
func (t *Timestamp) valid() bool {
	return t.Month <= 12 && t.Day <= 31 && t.Hour <= 23 && t.Minute <= 59 && t.Second <= 60 &&
		t.Precision <= 9 && -tzBias < t.OffsetMinute && t.OffsetMinute < tzBias
}
