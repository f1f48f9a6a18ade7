// Package relp is the wire format of RELP, the Reliable Event Logging Protocol:
// frames, responses and offers. It knows nothing of connections; the RELP input
// and output are built on it.
//
//	FRAME   = TXNR SP COMMAND SP DATALEN [SP DATA] LF
//	TXNR    = 1*9DIGIT     0 for hints, which are not answered
//	COMMAND = 1*32ALPHA
//	DATALEN = 1*9DIGIT     without DATA if 0
//	RSP     = STATUS [SP TEXT] [LF DATA]     DATA of the command "rsp"
//
// The package imports nothing of this project.
package relp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// The commands.
const (
	Open        = "open"
	Syslog      = "syslog"
	Close       = "close"
	Response    = "rsp"
	ServerClose = "serverclose" // a hint: the server is about to close the connection
)

// MaxTxnr is the largest transaction number; 1 follows it.
const MaxTxnr = 999_999_999

// NextTxnr is the transaction number after n.
func NextTxnr(n uint32) uint32 {
	if n >= MaxTxnr {
		return 1
	}
	return n + 1
}

// HeaderMax is the length of the longest header, with the space before DATA.
const HeaderMax = 9 + 1 + 32 + 1 + 9 + 1

// Frame is one frame. Command and Data point into the buffer it was read from.
type Frame struct {
	Txnr      uint32
	Command   []byte
	Data      []byte
	Size      int  // DATALEN as sent
	Truncated bool // Data is the beginning only
}

// ErrFrame is the cause of every error about bytes that are not a frame. The
// connection cannot be read on after one.
var ErrFrame = errors.New("not a RELP frame")

// ErrTooLong is the cause of the error about a frame with more than MaxData bytes.
var ErrTooLong = errors.New("frame too long")

// Decoder reads the frames of one connection. It holds positions only: the bytes
// are its owner's, who calls Next until it yields nothing and then presents the
// bytes not consumed again, followed by new ones. It leaves at most
// HeaderMax+MaxData bytes unconsumed.
type Decoder struct {
	MaxData  int  // longest data
	Truncate bool // cut longer data instead of failing

	skip  int  // of a frame that is being cut: bytes to come that are not kept
	head  int  // and the length of its header
	frame bool // head and skip are set
}

// Next returns the first frame in b and how many bytes of b are done with. ok is
// false if more bytes are needed. Next may move bytes within b.
func (d *Decoder) Next(b []byte) (n int, f Frame, ok bool, err error) {
	head, f, err := parseHeader(b)
	if err != nil || head == 0 {
		return 0, f, false, err
	}
	if f.Size > d.MaxData && !d.Truncate {
		return 0, f, false, fmt.Errorf("%w: size %d, at most %d are accepted", ErrTooLong, f.Size, d.MaxData)
	}
	keep := f.Size
	if f.Size > d.MaxData {
		keep, f.Truncated = d.MaxData, true
		if !d.frame {
			d.frame, d.head, d.skip = true, head, f.Size-keep
		}
		n = d.drop(b, keep)
		b = b[n:]
	}
	if len(b) < head+keep+1 || d.skip > 0 {
		return n, f, false, nil
	}
	if c := b[head+keep]; c != '\n' {
		return n, f, false, fmt.Errorf("%w: %q where the frame must end", ErrFrame, []byte{c})
	}
	if n > 0 { // the header has been moved
		_, moved, _ := parseHeader(b)
		f.Command = moved.Command
	}
	f.Data = b[head : head+keep : head+keep]
	d.frame = false
	return n + head + keep + 1, f, true, nil
}

// drop removes bytes of the current frame that are not kept, by moving what is
// kept towards them. It returns how many bytes of b that makes unused.
func (d *Decoder) drop(b []byte, keep int) int {
	kept := d.head + keep
	n := min(d.skip, max(len(b)-kept, 0))
	copy(b[n:], b[:min(kept, len(b))])
	d.skip -= n
	return n
}

// parseHeader reads a header with the space before the data. head is 0 if b
// ends before that is complete.
func parseHeader(b []byte) (head int, f Frame, err error) {
	txnr, i, err := number(b, 0, "transaction number")
	if err != nil || i == 0 {
		return 0, f, err
	}
	if i == len(b) {
		return 0, f, nil
	}
	if b[i] != ' ' {
		return 0, f, fmt.Errorf("%w: %q after the transaction number", ErrFrame, b[i:i+1])
	}
	start := i + 1
	for i = start; i < len(b) && isAlpha(b[i]); i++ {
		if i-start == 32 {
			return 0, f, fmt.Errorf("%w: command %q is too long", ErrFrame, b[start:i])
		}
	}
	if i == len(b) {
		return 0, f, nil
	}
	if b[i] != ' ' || i == start {
		return 0, f, fmt.Errorf("%w: %q where the command is", ErrFrame, b[start:i+1])
	}
	f.Txnr, f.Command = uint32(txnr), b[start:i:i]
	size, i, err := number(b, i+1, "data length")
	if err != nil || i == 0 || i == len(b) {
		return 0, f, err
	}
	f.Size = size
	switch {
	case size == 0:
		return i, f, nil
	case b[i] != ' ':
		return 0, f, fmt.Errorf("%w: %q after the data length", ErrFrame, b[i:i+1])
	}
	return i + 1, f, nil
}

// number reads up to nine digits from b[i:]. It returns the position behind
// them, or 0 if there are no bytes.
func number(b []byte, i int, what string) (v, next int, err error) {
	start := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if i-start == 9 {
			return 0, 0, fmt.Errorf("%w: %s has more than nine digits", ErrFrame, what)
		}
		v = v*10 + int(b[i]-'0')
	}
	if i == start && i < len(b) {
		return 0, 0, fmt.Errorf("%w: %q where the %s is", ErrFrame, b[i:min(len(b), i+8)], what)
	}
	if i == start {
		return 0, 0, nil
	}
	return v, i, nil
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// AppendFrame appends a frame.
func AppendFrame(dst []byte, txnr uint32, command string, data []byte) []byte {
	dst = AppendHeader(dst, txnr, command, len(data))
	dst = append(dst, data...)
	return append(dst, '\n')
}

// AppendHeader appends the header of a frame with size bytes of data, which are
// to follow, and a line feed after them.
func AppendHeader(dst []byte, txnr uint32, command string, size int) []byte {
	dst = strconv.AppendUint(dst, uint64(txnr), 10)
	dst = append(dst, ' ')
	dst = append(dst, command...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(size), 10)
	if size > 0 {
		dst = append(dst, ' ')
	}
	return dst
}

// OK is the status of success; everything else is failure.
const OK = 200

// AppendOK appends the answer that a command was carried out.
func AppendOK(dst []byte, txnr uint32) []byte {
	dst = strconv.AppendUint(dst, uint64(txnr), 10)
	return append(dst, " rsp 6 200 OK\n"...)
}

// AppendResponse appends an answer. data is what follows the first line, if anything.
func AppendResponse(dst []byte, txnr uint32, status int, text string, data []byte) []byte {
	r := fmt.Appendf(nil, "%d %s", status, text)
	if len(data) > 0 {
		r = append(append(r, '\n'), data...)
	}
	return AppendFrame(dst, txnr, Response, r)
}

// ParseResponse reads the data of a "rsp" frame. The answer to "close" may be empty.
func ParseResponse(data []byte) (status int, text, rest []byte, err error) {
	line, rest, _ := bytes.Cut(data, []byte{'\n'})
	code, text, _ := bytes.Cut(line, []byte{' '})
	if len(code) != 3 {
		return 0, nil, nil, fmt.Errorf("%w: %.20q is no response", ErrFrame, data)
	}
	if status, _, err = number(code, 0, "status"); err != nil {
		return 0, nil, nil, err
	}
	return status, text, rest, nil
}
