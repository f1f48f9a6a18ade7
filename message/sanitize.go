package message

import (
	"encoding/binary"
	"math/bits"
)

// Sanitizer cleans raw text as it is received, before it is parsed. The fields
// are rsyslog's global parser.* parameters.
type Sanitizer struct {
	MaxSize              int  // maxMessageSize in bytes; longer text is cut; 0 is no limit
	DropTrailingLF       bool // parser.dropTrailingLFOnReception
	DropTrailingCR       bool // parser.dropTrailingCROnReception
	EscapeControl        bool // parser.escapeControlCharactersOnReceive
	EscapeTab            bool // parser.escapeControlCharacterTab
	EscapeCStyle         bool // parser.escapeControlCharactersCStyle
	Escape8Bit           bool // parser.escape8BitCharactersOnReceive
	SpaceLF              bool // parser.spaceLFOnReceive
	EscapePrefix         byte // parser.controlCharacterEscapePrefix
	SupportsCompression  bool // parser.supportCompressionExtension
	PermitSlashInProgram bool // parser.permitSlashInProgramName

	Oversize   Oversize                       // oversizemsg.input.mode
	OnOversize func(text []byte, from Origin) // is told of text beyond MaxSize; may be nil
}

// Oversize is what is done about text that is longer than MaxSize.
type Oversize uint8

const (
	Truncate Oversize = iota // the rest is lost
	Split                    // the rest is messages of its own
	Accept                   // the message stays as it is
)

// Room is how much of a message inputs have to take that do not know its length
// before they have read it.
func (s *Sanitizer) Room() int {
	if s.Oversize == Truncate {
		return s.MaxSize
	}
	return max(s.MaxSize, datagramMax)
}

// datagramMax is the longest datagram.
const datagramMax = 64 << 10

// DefaultSanitizer is rsyslog's default: 8096 bytes, control characters escaped
// as #ooo.
func DefaultSanitizer() Sanitizer {
	return Sanitizer{MaxSize: 8096, DropTrailingLF: true, EscapeControl: true,
		EscapeTab: true, EscapePrefix: '#', SupportsCompression: true}
}

// Receive appends an unparsed message as Add does, its text cleaned by s: what
// was received, less its framing. It does not allocate once the batch's buffer
// is large enough. Text that is cut gets the flag Truncated. If it is split,
// several messages are appended.
func (b *Batch) Receive(s *Sanitizer, raw []byte, o Origin, received int64, f Flags) {
	if s.SupportsCompression && isCompressed(raw) {
		raw = b.inflate(raw, s.MaxSize)
	}
	if s.MaxSize > 0 && len(raw) > s.MaxSize && len(s.trim(raw)) > s.MaxSize {
		b.oversize(s, raw, o, received, f)
		return
	}
	b.receive(s, raw, o, received, f)
}

// oversize receives text beyond MaxSize.
// as rsyslog: what is split off is text without a header.
func (b *Batch) oversize(s *Sanitizer, raw []byte, o Origin, received int64, f Flags) {
	if s.OnOversize != nil {
		s.OnOversize(raw, o)
	}
	switch s.Oversize {
	case Split:
		for len(raw) > s.MaxSize {
			b.receive(s, raw[:s.MaxSize], o, received, f)
			raw = raw[s.MaxSize:]
		}
	case Accept:
		longer := *s
		longer.MaxSize = len(raw)
		s = &longer
	}
	b.receive(s, raw, o, received, f)
}

func (b *Batch) receive(s *Sanitizer, raw []byte, o Origin, received int64, f Flags) {
	at := len(b.buf)
	m := Message{Origin: o, Received: received, PRI: DefaultPRI}
	buf := append(appendHeader(b.buf, &m), o...)
	text := len(buf)
	buf, cut := s.Append(buf, raw)
	if f &^= Parsed; cut {
		f |= Truncated
	}
	binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at))
	binary.LittleEndian.PutUint32(buf[at+4:], uint32(f))
	binary.LittleEndian.PutUint32(buf[at+20:], textLen(buf[text:]))
	b.buf = buf
	b.n++
	b.decoded = false
}

// Append appends raw, cleaned, to dst and says whether something of it had to be
// cut off to keep MaxSize.
//
// as rsyslog: one NUL at the very end goes, then one LF, then one CR; control
// characters that remain are escaped. The limit is one of the cleaned text.
//
// Unlike rsyslog: spaceLFOnReceive does not switch off the escaping of other
// characters, and what EscapeControl=false lets through is not lost when the
// same message has a NUL, which is always escaped.
func (s *Sanitizer) Append(dst, raw []byte) (out []byte, cut bool) {
	all := raw
	if raw = s.trim(all); s.MaxSize > 0 && len(raw) > s.MaxSize {
		raw, cut = s.trim(all[:s.MaxSize]), true
	}
	first := s.firstSpecial(raw)
	if first == len(raw) {
		return append(dst, raw...), cut
	}
	limit := len(dst) + 4*len(raw)
	if s.MaxSize > 0 {
		// as rsyslog: the last three bytes are kept for an escape sequence; what
		// was found clean before the first special character is not cut.
		limit = len(dst) + max(s.MaxSize-3, first-1)
	}
	for len(raw) > 0 && len(dst) < limit {
		run := min(s.firstSpecial(raw), limit-len(dst))
		dst = append(dst, raw[:run]...)
		if raw = raw[run:]; len(raw) > 0 && len(dst) < limit {
			dst = s.appendSpecial(dst, raw[0])
			raw = raw[1:]
		}
	}
	return dst, cut || len(raw) > 0
}

func (s *Sanitizer) trim(raw []byte) []byte {
	if n := len(raw) - 1; n >= 0 && raw[n] == 0 {
		raw = raw[:n]
	}
	if n := len(raw) - 1; n >= 0 && s.DropTrailingLF && raw[n] == '\n' {
		raw = raw[:n]
	}
	if n := len(raw) - 1; n >= 0 && s.DropTrailingCR && raw[n] == '\r' {
		raw = raw[:n]
	}
	return raw
}

const (
	eachByte  = 0x0101010101010101
	eachHigh  = 0x80 * eachByte
	eachSpace = ' ' * eachByte
)

// firstSpecial returns the index of the first byte that appendSpecial must see,
// len(p) if there is none. It looks at eight bytes at a time.
func (s *Sanitizer) firstSpecial(p []byte) int {
	high := uint64(0)
	if s.Escape8Bit {
		high = eachHigh
	}
	i := 0
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		// A byte below ' ' borrows into its top bit, which it did not have. A
		// borrow can spoil only bytes above the first such.
		if x := (w-eachSpace)&^w&eachHigh | w&high; x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for ; i < len(p); i++ {
		if p[i] < ' ' || p[i] > 127 && s.Escape8Bit {
			return i
		}
	}
	return i
}

func (s *Sanitizer) appendSpecial(dst []byte, c byte) []byte {
	switch {
	case c == '\n' && s.SpaceLF:
		return append(dst, ' ')
	case c == '\t' && !s.EscapeTab:
		return append(dst, c)
	case c == 0, c < ' ' && s.EscapeControl, c > 127:
		return s.appendEscaped(dst, c)
	}
	return append(dst, c)
}

// cStyle are the letters of C's escapes, indexed by character.
const cStyle = "0\x00\x00\x00\x00\x00\x00abtnvfr\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00e\x00\x00\x00\x00"

func (s *Sanitizer) appendEscaped(dst []byte, c byte) []byte {
	if !s.EscapeCStyle {
		return append(dst, s.EscapePrefix, '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	}
	if int(c) < len(cStyle) && cStyle[c] != 0 {
		return append(dst, '\\', cStyle[c])
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '\\', 'x', digits[c>>4], digits[c&15])
}
