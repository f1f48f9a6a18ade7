package input

import "fmt"

// reference splits a stream one byte at a time, in the plainest way: the oracle
// of the Framer's fuzz test. Faults are written as text among the messages.
type reference struct {
	cfg     *Framing
	out     []string
	mode    string // "start", "count", "counted", "line", "skip counted", "skip line", "dead"
	msg     []byte // bytes of the frame so far
	count   int
	remain  int
	held    bool // multi-line: a delimiter waits for the byte behind it
	heldAs  byte
	framing string // strict: "counted" or "lines" once decided
	line    int    // regular expression: where the last line of msg starts
}

func referenceSplit(cfg *Framing, stream []byte) []string {
	r := &reference{cfg: cfg, mode: "start"}
	for _, c := range stream {
		if cfg.Start != nil {
			r.byteOfLines(c)
		} else if r.mode != "dead" {
			r.byte(c)
		}
	}
	r.close()
	return r.out
}

func (r *reference) emit() {
	if len(r.msg) > 0 {
		r.out = append(r.out, string(r.msg))
	}
	r.msg = nil
}

func (r *reference) fault(k FaultKind, value int) {
	if k == LongLine {
		value = 0 // depends on what has been read when it is noticed
	}
	r.out = append(r.out, fmt.Sprintf("fault %d %d", k, value))
}

func (r *reference) die(k FaultKind, value int) { r.fault(k, value); r.mode = "dead" }

func (r *reference) byte(c byte) {
	if r.held {
		r.held = false
		if c == '<' {
			r.emit()
			r.mode = "start"
		} else {
			r.lineByte(r.heldAs)
		}
	}
	if r.mode == "start" {
		if r.cfg.SkipSpace && c == ' ' {
			return
		}
		if !r.begin(c) {
			return
		}
	}
	switch r.mode {
	case "count":
		r.countByte(c)
	case "counted":
		r.msg = append(r.msg, c)
		r.remain--
		if r.remain == 0 {
			r.emit()
			r.mode = "start"
		} else if len(r.msg) == r.cfg.MaxMessage {
			r.emit()
			if !r.cfg.SplitCounted || r.cfg.DiscardTruncated || r.cfg.Strict {
				r.mode = "skip counted"
			}
		}
	case "skip counted":
		if r.remain--; r.remain == 0 {
			r.mode = "start"
		}
	case "line":
		if r.isDelimiter(c) {
			if r.cfg.MultiLine && len(r.msg) <= r.cfg.MaxMessage {
				r.held, r.heldAs = true, c
				return
			}
			r.emit()
			r.mode = "start"
			return
		}
		r.lineByte(c)
	case "skip line":
		if r.isDelimiter(c) {
			r.mode = "start"
		}
	}
}

// begin decides the frame that c begins; false if c ends the connection.
func (r *reference) begin(c byte) bool {
	digit := c >= '0' && c <= '9'
	if r.cfg.Strict {
		if r.framing == "" {
			r.framing = "lines"
			if digit && c != '0' && r.cfg.OctetCounting {
				r.framing = "counted"
			}
		}
		if r.framing == "counted" && (!digit || c == '0') {
			r.die(StrictCount, int(c))
			return false
		}
		digit = r.framing == "counted"
	}
	r.mode = "line"
	if digit && r.cfg.OctetCounting {
		r.mode, r.count = "count", 0
	}
	return true
}

func (r *reference) countByte(c byte) {
	if c >= '0' && c <= '9' {
		if r.count <= 200000000 {
			r.count = r.count*10 + int(c-'0')
		}
		if r.cfg.Strict && r.count > r.cfg.MaxFrame {
			r.die(StrictTooBig, r.count)
			return
		}
		if len(r.msg) < r.cfg.MaxMessage {
			r.msg = append(r.msg, c)
		}
		return
	}
	if c != ' ' {
		if r.cfg.Strict {
			r.die(StrictCount, int(c))
			return
		}
		r.fault(NotSpace, int(c))
	}
	r.mode, r.remain = "counted", r.count
	if r.count == 0 {
		r.fault(ZeroCount, 0)
		r.mode = "line"
	} else if r.count > r.cfg.MaxMessage {
		r.fault(OversizeMsg, r.count)
	}
	if r.count > r.cfg.MaxFrame {
		r.fault(FrameTooBig, r.count)
		r.mode = "line"
		return
	}
	r.msg = nil
}

func (r *reference) lineByte(c byte) {
	if len(r.msg) == r.cfg.MaxMessage {
		r.fault(LongLine, 0)
		r.emit()
		if r.cfg.DiscardTruncated || r.cfg.Strict {
			r.mode = "skip line"
			if r.isDelimiter(c) { // one that did not end a multi-line message ends the rest of it
				r.mode = "start"
			}
			return
		}
	}
	r.msg = append(r.msg, c)
}

func (r *reference) isDelimiter(c byte) bool {
	return r.cfg.LF && c == '\n' || int(c) == r.cfg.Delimiter
}

func (r *reference) byteOfLines(c byte) {
	r.msg = append(r.msg, c)
	if c == '\n' {
		if r.line > 0 && r.cfg.Start.Match(r.msg[r.line:len(r.msg)-1]) {
			next := append([]byte(nil), r.msg[r.line:]...)
			r.msg = r.msg[:r.line-1]
			r.emit()
			r.msg = next
		}
		r.line = len(r.msg)
	}
	if len(r.msg) == 2*r.cfg.MaxMessage {
		r.fault(NoStart, len(r.msg)+1)
		r.emit()
		r.line = 0
	}
}

func (r *reference) close() {
	switch {
	case r.cfg.Start != nil:
		if n := len(r.msg); n > 0 && r.msg[n-1] == '\n' {
			r.msg = r.msg[:n-1]
		} else if n > 0 {
			if last := r.msg[r.line:]; r.line > 0 && r.cfg.Start.Match(last) {
				r.msg = r.msg[:r.line-1]
				r.emit()
				r.msg = last
			}
		}
		r.emit()
	case r.mode == "line":
		r.emit()
	case r.mode == "count" || r.mode == "counted" || r.mode == "skip counted":
		r.fault(Incomplete, 0)
	}
}
