package input

import (
	"bytes"
	"fmt"
	"regexp"

	"sysrelay/message"
)

// Framing says how a byte stream is split into messages.
type Framing struct {
	OctetCounting    bool           // a frame may start with its length: RFC 6587 §3.4.1
	LF               bool           // LF ends a frame: RFC 6587 §3.4.2
	Delimiter        int            // a further byte that ends a frame; negative is none
	SkipSpace        bool           // a space before a frame is not part of it (Cisco ASA)
	MultiLine        bool           // a delimiter ends a frame only if '<' follows
	DiscardTruncated bool           // what is beyond MaxMessage is discarded, not split off
	SplitCounted     bool           // the same for counted frames: imtcp splits, imptcp cuts
	Start            *regexp.Regexp // a line that matches starts a frame; replaces all of the above
	Strict           bool           // one framing per connection, decided by its first byte
	MaxMessage       int            // bytes of one message
	MaxFrame         int            // largest octet count that is believed
}

// FaultKind is the kind of a framing error.
type FaultKind uint8

// The framing errors. Those under strict framing end the connection; after the
// others the stream goes on.
const (
	NotSpace     FaultKind = iota // octet count not followed by a space; Value is the byte
	ZeroCount                     // octet count 0
	OversizeMsg                   // octet count Value is larger than MaxMessage
	FrameTooBig                   // octet count Value is larger than MaxFrame
	LongLine                      // a line is longer than MaxMessage
	NoStart                       // two MaxMessage without a line that starts a frame
	Incomplete                    // the stream ended inside a counted frame
	StrictCount                   // strict framing: no octet count where one must be; Value is the byte
	StrictTooBig                  // strict framing: octet count Value is larger than MaxFrame
)

// Fault is a framing error.
type Fault struct {
	Kind  FaultKind
	Value int
}

func (f Fault) Error() string {
	switch f.Kind {
	case NotSpace:
		return fmt.Sprintf("delimiter is not SP but has ASCII value %d", f.Value)
	case ZeroCount:
		return fmt.Sprintf("invalid octet count %d", f.Value)
	case FrameTooBig:
		return fmt.Sprintf("frame too large: %d, change to octet stuffing", f.Value)
	case StrictCount:
		return fmt.Sprintf("octet count expected, found %q", []byte{byte(f.Value)})
	case StrictTooBig:
		return fmt.Sprintf("octet count %d is larger than maxFrameSize", f.Value)
	case NoStart:
		return fmt.Sprintf("%d bytes without a line that starts a message", f.Value)
	}
	return fmt.Sprintf("message of at least %d bytes", f.Value)
}

type frameState uint8

const (
	atStart     frameState = iota
	inCount                // digits of an octet count
	inCounted              // a counted frame of which remain bytes are to come
	skipCounted            // the rest of a counted frame that was cut
	inLine                 // a frame that ends at a delimiter
	skipLine               // the rest of a line that was cut
	inLines                // framing by regular expression
)

// Framer splits one connection's bytes into messages. It holds positions only:
// the bytes are its owner's, who calls Next until it yields nothing and then
// presents the bytes not consumed again, followed by new ones. The messages do
// not depend on how the stream was cut into calls.
type Framer struct {
	cfg     *Framing
	onFault func(Fault)
	state   frameState
	decided bool // strict: the framing of the connection is known
	counted bool // strict: and it is octet counting
	count   int  // octet count so far
	remain  int  // bytes of the counted frame to come
	scanned int  // bytes of the frame looked at before
	line    int  // inLines: where the last line starts
}

// NewFramer returns a Framer. onFault is told of errors after which the stream goes on.
func NewFramer(cfg *Framing, onFault func(Fault)) *Framer {
	f := &Framer{cfg: cfg, onFault: onFault}
	if cfg.Start != nil {
		f.state = inLines
	}
	return f
}

// Bound is the number of bytes a Framer leaves unconsumed at most.
func (c *Framing) Bound() int {
	if c.Start != nil {
		return 2 * c.MaxMessage
	}
	return c.MaxMessage + 1
}

// Next returns the first message in b, how many bytes of b are done with, and
// flags for the message. A nil message means that more bytes are needed. An
// error means that the stream cannot be read on. Next may move bytes within b.
func (f *Framer) Next(b []byte) (n int, msg []byte, flags message.Flags, err error) {
	for {
		rest := b[n:]
		var took int
		switch f.state {
		case atStart:
			took, err = f.start(rest)
			if f.state == atStart || err != nil {
				return n + took, nil, 0, err
			}
		case inCount:
			took, err = f.octetCount(rest)
			if f.state == inCount || err != nil {
				return n + took, nil, 0, err
			}
		case inCounted:
			took, msg, flags = f.body(rest)
			return n + took, msg, flags, nil
		case inLine:
			took, msg, flags = f.lineEnd(rest)
			if len(msg) == 0 && took > 0 { // as rsyslog: an empty line is no message
				break
			}
			return n + took, msg, flags, nil
		case inLines:
			took, msg, flags = f.startLine(rest)
			if len(msg) == 0 && took > 0 {
				break
			}
			return n + took, msg, flags, nil
		case skipCounted, skipLine:
			took = f.skip(rest)
			if f.state != atStart {
				return n + took, nil, 0, nil
			}
		}
		n += took
	}
}

// underWay tells whether a message has begun to come, b being what was not
// consumed. Where only what follows a message shows that it is complete, there is
// no telling.
func (f *Framer) underWay(b []byte) bool {
	if f.cfg.Start != nil || f.cfg.MultiLine {
		return false
	}
	return len(b) > 0 || f.state != atStart && f.state != inLine
}

// start decides what kind of frame begins with b[0].
func (f *Framer) start(b []byte) (int, error) {
	took := 0
	if f.cfg.SkipSpace {
		for took < len(b) && b[took] == ' ' {
			took++
		}
	}
	if took == len(b) {
		return took, nil
	}
	c := b[took]
	digit := c >= '0' && c <= '9'
	f.count, f.scanned = 0, 0
	switch {
	case f.cfg.Strict && f.decided && f.counted && (!digit || c == '0'):
		return took, Fault{StrictCount, int(c)}
	case f.cfg.Strict && f.decided && !f.counted:
		f.state = inLine
	case digit && f.cfg.OctetCounting && !(f.cfg.Strict && c == '0'):
		f.state, f.counted = inCount, true
	default:
		f.state = inLine
	}
	f.decided = true
	return took, nil
}

// octetCount reads digits and the space behind them.
func (f *Framer) octetCount(b []byte) (int, error) {
	i := f.scanned
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if f.count <= 200_000_000 { // as rsyslog: further digits change nothing
			f.count = f.count*10 + int(b[i]-'0')
		}
		if f.cfg.Strict && f.count > f.cfg.MaxFrame {
			return 0, Fault{StrictTooBig, f.count}
		}
	}
	keep := min(i, f.cfg.MaxMessage)
	if i == len(b) {
		copy(b[i-keep:i], b[:keep])
		f.scanned = keep
		return i - keep, nil
	}
	if c := b[i]; c != ' ' {
		if f.cfg.Strict {
			return 0, Fault{StrictCount, int(c)}
		}
		f.onFault(Fault{NotSpace, int(c)})
	}
	f.scanned, f.remain, f.state = 0, f.count, inCounted
	switch {
	case f.count < 1:
		f.onFault(Fault{ZeroCount, f.count})
		f.state = inLine
	case f.count > f.cfg.MaxMessage:
		f.onFault(Fault{OversizeMsg, f.count})
	}
	if f.count > f.cfg.MaxFrame {
		// as rsyslog: the digits are text after all, the byte after them is lost.
		f.onFault(Fault{FrameTooBig, f.count})
		f.state, f.scanned = inLine, keep
		copy(b[i+1-keep:i+1], b[:keep])
		return i + 1 - keep, nil
	}
	return i + 1, nil
}

// body returns the counted frame, or a piece of it of MaxMessage bytes.
func (f *Framer) body(b []byte) (int, []byte, message.Flags) {
	n := min(f.remain, f.cfg.MaxMessage)
	if len(b) < n {
		return 0, nil, 0
	}
	f.remain -= n
	switch {
	case f.remain == 0:
		f.state = atStart
		return n, b[:n:n], 0
	case !f.cfg.SplitCounted || f.cfg.DiscardTruncated || f.cfg.Strict:
		f.state = skipCounted
	}
	return n, b[:n:n], message.Truncated
}

// lineEnd returns the line, or its first MaxMessage bytes if it is longer.
func (f *Framer) lineEnd(b []byte) (int, []byte, message.Flags) {
	limit := min(len(b), f.cfg.MaxMessage+1)
	for f.scanned < limit {
		i := f.delimiter(b[f.scanned:limit])
		if i < 0 {
			f.scanned = limit
			break
		}
		end := f.scanned + i
		if f.cfg.MultiLine {
			if end+1 == len(b) {
				f.scanned = end
				return 0, nil, 0
			}
			if b[end+1] != '<' {
				f.scanned = end + 1
				continue
			}
		}
		f.state = atStart
		return end + 1, b[:end:end], 0
	}
	n := f.cfg.MaxMessage
	if len(b) <= n {
		return 0, nil, 0
	}
	f.onFault(Fault{LongLine, len(b)})
	f.scanned = 0
	if f.cfg.DiscardTruncated || f.cfg.Strict {
		f.state = skipLine
	}
	return n, b[:n:n], message.Truncated
}

// delimiter is where the first delimiter in b is, or negative.
func (f *Framer) delimiter(b []byte) int {
	i := -1
	if f.cfg.LF {
		i = bytes.IndexByte(b, '\n')
	}
	if f.cfg.Delimiter >= 0 {
		if i >= 0 {
			b = b[:i]
		}
		if j := bytes.IndexByte(b, byte(f.cfg.Delimiter)); j >= 0 {
			return j
		}
	}
	return i
}

// skip consumes what is left of a frame that was cut.
func (f *Framer) skip(b []byte) int {
	if f.state == skipCounted {
		n := min(len(b), f.remain)
		if f.remain -= n; f.remain == 0 {
			f.state = atStart
		}
		return n
	}
	i := f.delimiter(b)
	if i < 0 {
		return len(b)
	}
	f.state = atStart
	return i + 1
}

// startLine returns the lines up to the one that starts the next frame, which
// can be told only once that one is complete.
func (f *Framer) startLine(b []byte) (int, []byte, message.Flags) {
	limit := min(len(b), 2*f.cfg.MaxMessage)
	for f.scanned < limit {
		i := bytes.IndexByte(b[f.scanned:limit], '\n')
		if i < 0 {
			f.scanned = limit
			break
		}
		line, end := f.line, f.scanned+i
		f.scanned, f.line = end+1, end+1
		if line > 0 && f.cfg.Start.Match(b[line:end]) {
			f.scanned, f.line = end+1-line, end+1-line
			return line, b[: line-1 : line-1], 0
		}
	}
	if len(b) < 2*f.cfg.MaxMessage {
		return 0, nil, 0
	}
	f.onFault(Fault{NoStart, limit + 1})
	f.scanned, f.line = 0, 0
	return limit, b[:limit:limit], message.Truncated
}

// Close ends the stream; b is what was not consumed. Like Next it is called
// until it yields nothing: the stream may end without a delimiter. An error
// means that a counted frame is not complete.
func (f *Framer) Close(b []byte) (n int, msg []byte, err error) {
	if len(b) == 0 && f.state != skipCounted && f.state != inCounted {
		return 0, nil, nil
	}
	switch f.state {
	case inLine:
		end := len(b)
		if f.cfg.MultiLine && f.delimiter(b[end-1:]) == 0 {
			end-- // a delimiter that waited for what follows
		}
		return len(b), b[:end], nil
	case inLines:
		if line := f.line; line > 0 && f.cfg.Start.Match(b[line:]) {
			f.line = 0
			return line, b[:line-1], nil
		}
		return len(b), bytes.TrimSuffix(b, []byte{'\n'}), nil
	case inCount, inCounted, skipCounted:
		f.state = atStart
		return len(b), nil, Fault{Incomplete, len(b)}
	}
	return 0, nil, nil
}
