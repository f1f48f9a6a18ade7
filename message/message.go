// Package message is the syslog message and everything that is a function of
// one message: its frame, its parsers, its properties, its templates and its
// variables.
//
// A Message is a set of spans into one text; a Batch is a bounded run of
// messages in one buffer; a View selects messages of a Batch; a Handler is
// given a View. Every stage of the relay is a Handler or is given one, and one
// rule holds between them:
//
//	A Handler copies what it keeps.
//	Returning nil means: the messages are now this Handler's responsibility.
//
// The return value is therefore the acknowledgement. A View, its Batch and its
// Messages belong to the caller and are reused as soon as Handle returns.
//
// The package imports nothing of this project.
package message

import "math"

// Span is a half-open byte range of a message's Text.
type Span struct{ Start, End uint32 }

// Of returns the bytes of text that s covers.
func (s Span) Of(text []byte) []byte { return text[s.Start:s.End:s.End] }

// Len is the length of s in bytes.
func (s Span) Len() int { return int(s.End - s.Start) }

// Found says whether s is something that was found, even if it is empty.
func (s Span) Found() bool { return s.End > 0 }

// Flags say how a message came in and what has been done to it.
type Flags uint32

const (
	// Parsed is set once PRI, Time and the spans below are valid. A message
	// without it is parsed by the ruleset it reaches first.
	Parsed Flags = 1 << iota
	// ParseHostname lets the RFC 3164 parser look for HOSTNAME; network inputs set it.
	ParseHostname
	// Internal marks the daemon's own messages.
	Internal
	// Mark marks `-- MARK --` messages.
	Mark
	// ParseFailed is set by the parser chain when no parser wanted the message.
	ParseFailed
	// InvalidPRI is set when the text began with '<' but held no valid PRI.
	// as rsyslog: such a message has facility "invld" and is not parsed further.
	InvalidPRI
	// RFC5424 is set when the message was parsed as RFC 5424 (protocol-version 1).
	RFC5424
	// IgnoreTimestamp makes the parser skip TIMESTAMP and use the time of reception.
	IgnoreTimestamp
	// Truncated is set when the input cut the message to the maximum size.
	Truncated
	// ParseSuccess is set by modules that parsed what the message holds, such as
	// mmjsonparse: the property parsesuccess.
	ParseSuccess
	// Discard is set by a parser that wants the message discarded.
	Discard
	// Elsewhere is set by a parser that wants the message in the ruleset that
	// ParserChain.Elsewhere names instead.
	Elsewhere
)

// DefaultTZ returns Flags that tell the RFC 3164 parser which zone, in minutes
// east of UTC, the sender's timestamps are in: the inputs' parameter defaultTZ.
// Combine it with other flags by |. Offsets of a day or more are ignored.
func DefaultTZ(minutes int) Flags {
	if minutes <= -tzBias || minutes >= tzBias {
		return 0
	}
	return Flags(minutes+tzBias) << tzShift
}

// defaultTZ is the inverse of DefaultTZ.
func (f Flags) defaultTZ() (minutes int16, ok bool) {
	z := int16(f >> tzShift)
	return z - tzBias, z != 0
}

// The zone takes the twelve highest bits of Flags, as minutes + tzBias.
const (
	tzShift = 20
	tzBias  = 24 * 60
)

// Message is one syslog message. All spans refer to Text. A span that was not
// found is zero; one that was found empty has an End. The property accessors know
// the fall-backs (HOSTNAME falls back to fromhost, APP-NAME to the program
// name, …).
//
// Modifying a message means replacing Text (or appending to a copy of it) and
// the spans; the bytes Text points at are never written to.
type Message struct {
	Text     []byte
	Origin   Origin
	Received int64     // nanoseconds since 1970, time of reception
	Time     Timestamp // TIMESTAMP as reported by the sender
	Flags    Flags
	PRI      uint16 // facility<<3 | severity; 0..191, or InvalidPRIValue

	Raw            Span // rawmsg, sanitised
	AfterPRI       Span // rawmsg-after-pri
	Hostname       Span
	Tag            Span // RFC 3164 only; RFC 5424 composes it from AppName and ProcID
	ProgramName    Span // RFC 3164: leading part of Tag
	AppName        Span
	ProcID         Span
	MsgID          Span
	StructuredData Span
	Msg            Span

	Vars *Vars // $! and $. of this message; nil until first used
}

// InvalidPRIValue is the PRI of a message whose PRI could not be read.
// as rsyslog: LOG_INVLD, facility 24 ("invld"), severity 7.
const InvalidPRIValue = 24<<3 | 7

// DefaultPRI is user.notice, the PRI of a message without one (RFC 3164 §4.3.3).
const DefaultPRI = 1<<3 | 5

// Facility is 0 (kern) to 23 (local7), or 24 for an invalid PRI.
func (m *Message) Facility() int { return int(m.PRI >> 3) }

// Severity is 0 (emergency) to 7 (debug).
func (m *Message) Severity() int { return int(m.PRI & 7) }

// SetText replaces the whole text by b, which the message may keep only as long
// as its batch; every span is cleared, Raw and Msg cover b.
func (m *Message) SetText(b []byte) {
	all := Span{0, textLen(b)}
	*m = Message{Text: b, Origin: m.Origin, Received: m.Received, Time: m.Time,
		Flags: m.Flags, PRI: m.PRI, Raw: all, Msg: all, Vars: m.Vars}
}

func textLen(b []byte) uint32 {
	if len(b) > math.MaxUint32 {
		panic("message: text longer than 4 GiB")
	}
	return uint32(len(b))
}

// Timestamp is a broken-down syslog time as the sender wrote it. It is kept
// broken down, because what was read is what must be written again: precision,
// offset and all. The zero value is "no time".
type Timestamp struct {
	Year         uint16
	Month        uint8 // 1..12
	Day          uint8 // 1..31
	Hour         uint8
	Minute       uint8
	Second       uint8  // 0..60
	Precision    uint8  // digits of Frac that were given, 0..9
	Frac         uint32 // fraction as written: 3 digits "012" is Frac 12, Precision 3
	OffsetMinute int16  // minutes east of UTC
	OffsetZ      bool   // written as 'Z'
	OffsetMinus  bool   // written as "-00:00", RFC 3339 §4.3
}

// Origin says where a message came from. It is encoded once per connection or
// sender, copied into every frame, and immutable.
//
// Layout: four length bytes (input name, fromhost, fromhost-ip, fromhost-port),
// then the four strings. Parts longer than 255 bytes are cut.
type Origin []byte

// NewOrigin encodes an origin. For local inputs host is the local host name, ip
// 127.0.0.1 and port empty.
func NewOrigin(input, host, ip, port string) Origin {
	parts := [4]string{input, host, ip, port}
	o := make(Origin, 4, 4+len(input)+len(host)+len(ip)+len(port))
	for i, p := range parts {
		if len(p) > 255 {
			p = p[:255]
		}
		o[i] = byte(len(p))
		o = append(o, p...)
	}
	return o
}

// Input is the property inputname.
func (o Origin) Input() []byte { return o.part(0) }

// FromHost is the property fromhost.
func (o Origin) FromHost() []byte { return o.part(1) }

// FromHostIP is the property fromhost-ip.
func (o Origin) FromHostIP() []byte { return o.part(2) }

// FromHostPort is the property fromhost-port.
func (o Origin) FromHostPort() []byte { return o.part(3) }

func (o Origin) part(n int) []byte {
	if len(o) < 4 {
		return nil
	}
	at := 4
	for i := range n {
		at += int(o[i])
	}
	return o[at : at+int(o[n]) : at+int(o[n])]
}
