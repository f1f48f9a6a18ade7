package output

import (
	"bytes"
	"compress/zlib"
	"strconv"

	"sysrelay/message"
)

// NewOMFwd makes the output of action(type="omfwd"). It opens no connection.
func NewOMFwd(m OMFwdModule, p OMFwdParams, d Deps) (Output, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	tpl, err := d.template(p.Template, m.Template, "RSYSLOG_TraditionalForwardFormat")
	if err != nil {
		return nil, err
	}
	w := wire{tpl: tpl, limit: d.Env.Sanitize.MaxSize, digits: 3, quota: errorQuota{skip: p.ConErrSkip, most: p.MaxErrors}}
	if w.rate, err = p.limit(d); err != nil {
		return nil, err
	}
	if level := p.zip(); level > 0 {
		// The level is the only thing that can be wrong, and it has been checked.
		w.zlib, _ = zlib.NewWriterLevel(&w.zipped, level)
	}
	secure, err := p.tls(m, d)
	if err != nil {
		return nil, err
	}
	if p.Protocol != "tcp" {
		w.framing = noFraming
		return newUDPForward(p, d, w), nil
	}
	if p.Framing == "octet-counted" {
		w.framing = octetCounting
	}
	w.delimiter = byte(p.FrameDelimiter)
	w.several = w.wants(tpl)
	return newTCPForward(p, secure, d, w), nil
}

// framing is how messages are told apart (RFC 6587 §3.4).
type framing uint8

const (
	delimited framing = iota
	octetCounting
	noFraming // a datagram each
)

// wire turns messages into what is sent.
type wire struct {
	tpl       message.Template
	limit     int // bytes of a rendered message
	framing   framing
	delimiter byte
	several   bool // the template itself makes several frames of a message
	digits    int  // of the last octet count; the next is likely to have as many

	rate  RateLimit // nil: none
	quota errorQuota

	zlib   *zlib.Writer // nil: no compression
	zipped bytes.Buffer
}

// compressFrom is the size from which rsyslog tries compression.
const compressFrom = 60

// append adds a message to l.
func (w *wire) append(l *lines, m *message.Message) {
	start := len(l.buf)
	at := start
	if w.framing == octetCounting {
		for range w.digits + 1 {
			l.buf = append(l.buf, ' ')
		}
		at = len(l.buf)
	}
	l.buf = w.tpl.Append(l.buf, m)
	// as rsyslog: what goes over maxMessageSize is not sent, header included.
	if w.limit > 0 && len(l.buf)-at > w.limit {
		l.buf = l.buf[:at+w.limit]
	}
	if w.zlib != nil && len(l.buf)-at > compressFrom {
		w.compress(l, at)
	}
	w.frame(l, start, at)
	l.ends = append(l.ends, len(l.buf))
}

// RateLimit implements Limited.
func (w *wire) RateLimit() RateLimit { return w.rate }

func (w *wire) errorQuota() errorQuota { return w.quota }

// Render shows what would be sent, for the error file.
func (w *wire) Render(dst []byte, m *message.Message) []byte { return w.tpl.Append(dst, m) }

// compress replaces a message by z and its zlib stream if that is shorter.
func (w *wire) compress(l *lines, at int) {
	w.zipped.Reset()
	w.zipped.WriteByte('z')
	w.zlib.Reset(&w.zipped)
	// Writing to a bytes.Buffer does not fail.
	_, _ = w.zlib.Write(l.buf[at:])
	_ = w.zlib.Close()
	if w.zipped.Len() < len(l.buf)-at {
		l.buf = append(l.buf[:at], w.zipped.Bytes()...)
	}
}

// frame frames the message that begins at at, with room from start on.
// as rsyslog: a message that begins with z is counted in any case, because what
// follows may hold delimiters.
func (w *wire) frame(l *lines, start, at int) {
	size := len(l.buf) - at
	switch {
	case w.framing == noFraming:
	case w.framing == octetCounting || size > 0 && l.buf[at] == 'z':
		w.count(l, start, at)
	case size == 0 || l.buf[len(l.buf)-1] != w.delimiter:
		w.clean(l.buf[at:])
		l.buf = append(l.buf, w.delimiter)
	default:
		w.clean(l.buf[at : len(l.buf)-1])
	}
}

// clean replaces delimiters inside a message by blanks: what follows one would be
// a message of its own to whoever receives it, and a sender could so make up
// messages of others. They get here when parser.escapeControlCharactersOnReceive
// is off. Unlike rsyslog; tcp_framing=octet-counted keeps them.
func (w *wire) clean(b []byte) {
	if w.several {
		return
	}
	for {
		i := bytes.IndexByte(b, w.delimiter)
		if i < 0 {
			return
		}
		b[i] = ' '
		b = b[i+1:]
	}
}

// wants tells whether the constants of a template hold delimiters, besides one at
// its end: then that is what the configuration asks for.
func (w *wire) wants(tpl message.Template) bool {
	b := tpl.Append(nil, message.Local{}.Message())
	return len(b) > 0 && bytes.IndexByte(b[:len(b)-1], w.delimiter) >= 0
}

// count puts the octet count in front of a message, moving the message if the
// room is not what it takes.
func (w *wire) count(l *lines, start, at int) {
	var b [24]byte
	n := append(strconv.AppendInt(b[:0], int64(len(l.buf)-at), 10), ' ')
	w.digits = len(n) - 1
	if need := len(n) - (at - start); need != 0 {
		size := len(l.buf) - at
		if need > 0 {
			l.buf = append(l.buf, n[:need]...)
		}
		copy(l.buf[start+len(n):], l.buf[at:at+size])
		l.buf = l.buf[:start+len(n)+size]
	}
	copy(l.buf[start:], n)
}
