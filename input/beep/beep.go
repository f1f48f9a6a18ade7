// Package beep is the wire format of BEEP over TCP (RFC 3080 §2.2, RFC 3081): data
// frames and SEQ frames. It knows nothing of connections.
//
//	DATA = HEADER CRLF payload "END" CRLF
//	HEADER = ("MSG" | "RPY" | "ERR" | "NUL") SP channel SP msgno SP more SP seqno SP size
//	       | "ANS" SP channel SP msgno SP more SP seqno SP size SP ansno
//	SEQ  = "SEQ" SP channel SP ackno SP window CRLF
//
// The package imports nothing of this project.
package beep

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Kind is the keyword of a frame.
type Kind string

// The kinds of frames.
const (
	MSG Kind = "MSG"
	RPY Kind = "RPY"
	ERR Kind = "ERR"
	ANS Kind = "ANS"
	NUL Kind = "NUL"
	SEQ Kind = "SEQ"
)

// FirstWindow is how much each side of a new channel may send. RFC 3081 §3.1.4
const FirstWindow = 4096

// HeaderMax is the length of the longest header with its CRLF; Trailer ends a
// data frame.
const (
	HeaderMax = len("ANS 2147483647 2147483647 * 4294967295 2147483647 2147483647\r\n")
	Trailer   = "END\r\n"
)

// Frame is one frame. Payload points into the buffer it was read from.
type Frame struct {
	Kind    Kind
	Channel uint32
	Msgno   uint32
	More    bool // further frames of the message follow
	Seqno   uint32
	Ansno   uint32
	Payload []byte

	Ackno, Window uint32 // of SEQ
}

// ErrFrame is the cause of every error about bytes that are not a frame. The
// connection cannot be read on after one.
var ErrFrame = errors.New("not a BEEP frame")

// Next reads the frame b begins with and returns its length; 0 is that it is not
// there whole. A payload longer than most is an error before it has come.
func Next(b []byte, most int) (n int, f Frame, err error) {
	header, _, whole := bytes.Cut(b[:min(len(b), HeaderMax)], []byte("\r\n"))
	if !whole {
		if len(b) >= HeaderMax || !startsKind(b) {
			return 0, f, fmt.Errorf("%w: it begins with %.20q", ErrFrame, b)
		}
		return 0, f, nil
	}
	size, err := f.parse(header)
	if err != nil {
		return 0, f, err
	}
	n = len(header) + 2
	if f.Kind == SEQ {
		return n, f, nil
	}
	if size > most {
		return 0, f, fmt.Errorf("%w: %d octets of payload where the window has %d", ErrFrame, size, most)
	}
	if len(b) < n+size+len(Trailer) {
		return 0, f, nil
	}
	f.Payload = b[n : n+size]
	if n += size; string(b[n:n+len(Trailer)]) != Trailer {
		return 0, f, fmt.Errorf("%w: no END after %d octets of payload", ErrFrame, size)
	}
	return n + len(Trailer), f, nil
}

var kinds = []Kind{MSG, RPY, ERR, ANS, NUL, SEQ}

// startsKind tells whether b may be the beginning of a frame.
func startsKind(b []byte) bool {
	n := min(len(b), 3)
	for _, k := range kinds {
		if string(b[:n]) == string(k[:n]) {
			return true
		}
	}
	return false
}

// parse reads a header without its CRLF.
func (f *Frame) parse(header []byte) (size int, err error) {
	bad := fmt.Errorf("%w: header %.70q", ErrFrame, header)
	words := bytes.Split(header, []byte{' '})
	if len(words[0]) != 3 || !startsKind(words[0]) {
		return 0, bad
	}
	f.Kind = Kind(words[0])
	var length uint32
	var into []*uint32
	switch f.Kind {
	case SEQ:
		into = []*uint32{&f.Channel, &f.Ackno, &f.Window}
	case ANS:
		into = []*uint32{&f.Channel, &f.Msgno, nil, &f.Seqno, &length, &f.Ansno}
	default:
		into = []*uint32{&f.Channel, &f.Msgno, nil, &f.Seqno, &length}
	}
	if len(words) != len(into)+1 {
		return 0, bad
	}
	for i, word := range words[1:] {
		switch {
		case into[i] == nil && (string(word) == "." || string(word) == "*"):
			f.More = word[0] == '*'
		case into[i] == nil || !number(word, into[i], into[i] == &f.Seqno || into[i] == &f.Ackno):
			return 0, bad
		}
	}
	if f.Kind == NUL && (f.More || length > 0) { // RFC 3080 §2.2.1.1
		return 0, fmt.Errorf("%w: a NUL frame with content", ErrFrame)
	}
	return int(length), nil
}

// number reads up to ten digits: to 2147483647, or to 4294967295 if wide.
func number(word []byte, into *uint32, wide bool) bool {
	if len(word) == 0 || word[0] < '0' || word[0] > '9' { // ParseUint takes no sign, either
		return false
	}
	n, err := strconv.ParseUint(string(word), 10, 32)
	*into = uint32(n)
	return err == nil && (wide || n <= math.MaxInt32)
}

// Append appends a data frame.
func Append(dst []byte, f Frame) []byte {
	more := '.'
	if f.More {
		more = '*'
	}
	dst = fmt.Appendf(dst, "%s %d %d %c %d %d", f.Kind, f.Channel, f.Msgno, more, f.Seqno, len(f.Payload))
	if f.Kind == ANS {
		dst = fmt.Appendf(dst, " %d", f.Ansno)
	}
	dst = append(dst, "\r\n"...)
	dst = append(dst, f.Payload...)
	return append(dst, Trailer...)
}

// AppendSEQ appends a SEQ frame: the other side may send up to ackno + window.
func AppendSEQ(dst []byte, channel, ackno, window uint32) []byte {
	return fmt.Appendf(dst, "SEQ %d %d %d\r\n", channel, ackno, window)
}
