package lognorm

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sysrelay/message"
)

// scan recognises a motif at the start of t and says how long it is; 0 is not at
// all, unless the motif may be empty.
type scan func(t []byte) (n int, ok bool)

// plain are the motifs without parameters whose value is the text itself, with
// their priorities.
func plainMotifs() map[string]struct {
	scan scan
	prio int
} {
	type m = struct {
		scan scan
		prio int
	}
	return map[string]m{
		"word":             {word, 32},
		"alpha":            {alpha, 32},
		"rest":             {func(t []byte) (int, bool) { return len(t), true }, 255},
		"whitespace":       {whitespace, 4},
		"date-iso":         {dateISO, 8},
		"time-24hr":        {time24, 8},
		"time-12hr":        {time12, 8},
		"duration":         {duration, 16},
		"ipv4":             {ipv4, 4},
		"ipv6":             {ipv6, 4},
		"mac48":            {mac48, 16},
		"kernel-timestamp": {kernelTimestamp, 16},
	}
}

// motif makes the matcher of a field and says what its priority is.
func (l *loader) motif(s *spec, where string) (matcher, int, error) {
	if name, ok := strings.CutPrefix(s.typ, "@"); ok {
		return typed(l.typeNode(name, where)), userTypePriority, nil
	}
	if l.v1 && s.typ == "rest" {
		return textOf(func(t []byte) (int, bool) { return len(t), len(t) > 0 }), 255, nil
	}
	if p, ok := plainMotifs()[s.typ]; ok {
		return textOf(p.scan), p.prio, nil
	}
	switch s.typ {
	case "literal":
		text := param(s.params, "text")
		return textOf(func(t []byte) (int, bool) { return len(text), bytes.HasPrefix(t, []byte(text)) }), 4, nil
	case "number", "float", "hexnumber":
		return numeric(s)
	case "date-rfc3164", "date-rfc5424":
		return date(s)
	case "char-to", "char-sep", "string-to":
		return upTo(s)
	case "quoted-string":
		if l.v1 {
			return unquoted, 64, nil
		}
		return quoted, 64, nil
	case "op-quoted-string":
		return optionallyQuoted, 64, nil
	case "string":
		return stringMotif(s)
	case "json":
		skip := param(s.params, "skipempty") == "true"
		return func(x *run, at int) (message.Value, int, bool) { return jsonAt(x, at, skip) }, 4, nil
	case "cee-syslog":
		return ceeSyslog, 4, nil
	case "name-value-list":
		return nameValueList(s)
	case "v2-iptables":
		return func(x *run, at int) (message.Value, int, bool) { return iptables(x.t[at:], message.Value{}) }, 4, nil
	case "iptables":
		s.name = "." // as liblognorm: the fields belong to the event
		return func(x *run, at int) (message.Value, int, bool) {
			return iptables(x.t[at:], message.StringValue("[*PRESENT*]"))
		}, 4, nil
	case "cef":
		return cef, 4, nil
	case "checkpoint-lea":
		end := param(s.params, "terminator")
		return func(x *run, at int) (message.Value, int, bool) { return checkpointLEA(x.t[at:], end) }, 4, nil
	case "cisco-interface-spec":
		return ciscoInterface, 4, nil
	case "repeat":
		return l.repeat(s, where)
	}
	return nil, 0, fmt.Errorf("field %s: there is no type %q", s.name, s.typ)
}

// userTypePriority is that of types the rule base defines.
const userTypePriority = 255

// textOf makes a matcher whose value is the text.
func textOf(f scan) matcher {
	return func(x *run, at int) (v message.Value, n int, ok bool) {
		if n, ok = f(x.t[at:]); !ok {
			return v, 0, false
		}
		return message.StringValue(string(x.t[at : at+n])), n, true
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// span is how many bytes at the start of t are so.
func span(t []byte, is func(byte) bool) int {
	n := 0
	for n < len(t) && is(t[n]) {
		n++
	}
	return n
}

func digits(t []byte) int { return span(t, isDigit) }

func word(t []byte) (int, bool) {
	n := span(t, func(c byte) bool { return c != ' ' })
	return n, n > 0
}

func alpha(t []byte) (int, bool) {
	n := span(t, isAlpha)
	return n, n > 0
}

func whitespace(t []byte) (int, bool) {
	n := span(t, isSpace)
	return n, n > 0
}

// like matches a form in which 0 stands for a digit and everything else for itself.
func like(t []byte, form string) bool {
	if len(t) < len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && !isDigit(t[i]) || form[i] != '0' && form[i] != t[i] {
			return false
		}
	}
	return true
}

func two(t []byte) int { return int(t[0]-'0')*10 + int(t[1]-'0') }

func dateISO(t []byte) (int, bool) {
	if !like(t, "0000-00-00") {
		return 0, false
	}
	m, d := two(t[5:]), two(t[8:])
	return 10, 1 <= m && m <= 12 && 1 <= d && d <= 31
}

func time24(t []byte) (int, bool) {
	return 8, like(t, "00:00:00") && two(t) < 24 && two(t[3:]) < 60 && two(t[6:]) < 60
}

func time12(t []byte) (int, bool) {
	return 8, like(t, "00:00:00") && two(t) <= 12 && two(t[3:]) < 60 && two(t[6:]) < 60
}

// duration is hours, minutes and seconds: 0:00:42.
func duration(t []byte) (int, bool) {
	h := digits(t)
	return h + 6, 0 < h && h <= 2 && like(t[h:], ":00:00") && two(t[h+1:]) < 60 && two(t[h+4:]) < 60
}

func ipv4(t []byte) (int, bool) {
	at := 0
	for part := range 4 {
		if part > 0 {
			if at == len(t) || t[at] != '.' {
				return 0, false
			}
			at++
		}
		n := digits(t[at:min(at+3, len(t))])
		if v, err := strconv.Atoi(string(t[at : at+n])); err != nil || v > 255 {
			return 0, false
		}
		at += n
	}
	return at, true
}

// ipv6 is an address in any of the forms of RFC 4291 §2.2.
func ipv6(t []byte) (n int, ok bool) {
	groups, gap, at := 0, false, 0
	for at < len(t) && groups < 8 {
		if bytes.HasPrefix(t[at:], []byte("::")) && !gap {
			gap = true
			at += 2
		} else if groups > 0 && !(gap && bytes.HasSuffix(t[:at], []byte("::"))) {
			if t[at] != ':' || at+1 == len(t) || !hexDigit(t[at+1]) {
				break
			}
			at++
		}
		if size, ok := ipv4(t[at:]); ok && groups <= 6 {
			return at + size, groups == 6 || gap
		}
		size := span(t[at:], hexDigit)
		if size > 4 {
			return 0, false
		}
		if size == 0 {
			break
		}
		groups++
		at += size
	}
	// as liblognorm: fewer groups will do, but the address must end here.
	return at, (groups > 0 || gap) && (at == len(t) || t[at] != ':' && t[at] != '%')
}

func mac48(t []byte) (int, bool) {
	const size = 17
	if len(t) < size || t[2] != ':' && t[2] != '-' {
		return 0, false
	}
	for i, c := range t[:size] {
		if i%3 == 2 && c != t[2] || i%3 != 2 && !hexDigit(c) {
			return 0, false
		}
	}
	return size, true
}

// kernelTimestamp is [12345.123456]: 5 to 12 digits and 6.
func kernelTimestamp(t []byte) (int, bool) {
	if len(t) == 0 || t[0] != '[' {
		return 0, false
	}
	n := digits(t[1:])
	return n + 9, 5 <= n && n <= 12 && like(t[1+n:], ".000000]")
}

// numeric are number, float and hexnumber.
func numeric(s *spec) (matcher, int, error) {
	asNumber := param(s.params, "format") == "number"
	limit := int64(0)
	if text := param(s.params, "maxval"); text != "" {
		var err error
		if limit, err = strconv.ParseInt(text, 0, 64); err != nil {
			return nil, 0, fmt.Errorf("field %s: maxval: %w", s.name, err)
		}
	}
	return func(x *run, at int) (v message.Value, n int, ok bool) {
		t := x.t[at:]
		var whole int64
		switch s.typ {
		case "number":
			n = digits(t)
			whole, _ = strconv.ParseInt(string(t[:n]), 10, 64) // the nearest, if it is too large
			v, ok = message.IntValue(whole), n > 0
		case "hexnumber":
			if !bytes.HasPrefix(t, []byte("0x")) {
				return v, 0, false
			}
			n = 2 + span(t[2:], hexDigit)
			whole, _ = strconv.ParseInt(string(t[2:n]), 16, 64)
			v, ok = message.IntValue(whole), n < len(t) && isSpace(t[n])
		default:
			if n, ok = float(t); ok {
				v = number(x, t[:n])
			}
		}
		if !ok || limit > 0 && whole > limit {
			return v, 0, false
		}
		if !asNumber {
			v = message.StringValue(string(t[:n]))
		}
		return v, n, true
	}, 16, nil
}

// number is text as a number that is printed as it is written, if that is a number
// in JSON, too.
func number(x *run, t []byte) message.Value {
	if v, _, err := x.env.ParseJSON(append(t[:len(t):len(t)], ' ')); err == nil {
		return v
	}
	f, _ := strconv.ParseFloat(string(t), 64)
	return message.FloatValue(f)
}

// float is digits with a sign and a point. as liblognorm: any of them may be missing.
func float(t []byte) (n int, ok bool) {
	if len(t) > 0 && t[0] == '-' {
		n++
	}
	point := false
	for n < len(t) && (isDigit(t[n]) || t[n] == '.' && !point) {
		point = point || t[n] == '.'
		n++
	}
	return n, n > 0
}

// date are date-rfc3164 and date-rfc5424.
func date(s *spec) (matcher, int, error) {
	format := param(s.params, "format")
	if format != "" && format != "string" && format != "timestamp-unix" && format != "timestamp-unix-ms" {
		return nil, 0, fmt.Errorf("field %s: format must be string, timestamp-unix or timestamp-unix-ms, not %q", s.name, format)
	}
	return func(x *run, at int) (v message.Value, n int, ok bool) {
		var ts message.Timestamp
		t := x.t[at:]
		if s.typ == "date-rfc3164" {
			ts = x.env.Timestamp(x.env.Now().UnixNano())
			n, ok = message.ParseRFC3164(t, &ts)
		} else {
			n, ok = message.ParseRFC3339(t, &ts)
		}
		if !ok {
			return v, 0, false
		}
		if t[n-1] == ' ' {
			n-- // it is a part of the rule
		}
		switch format {
		case "timestamp-unix":
			return message.IntValue(unix(&ts).Unix()), n, true
		case "timestamp-unix-ms":
			return message.IntValue(unix(&ts).UnixMilli()), n, true
		}
		return message.StringValue(string(t[:n])), n, true
	}, 8, nil
}

func unix(ts *message.Timestamp) time.Time {
	nanos := int64(ts.Frac)
	for range 9 - int(ts.Precision) {
		nanos *= 10
	}
	return time.Date(int(ts.Year), time.Month(ts.Month), int(ts.Day), int(ts.Hour), int(ts.Minute), int(ts.Second),
		int(nanos), time.FixedZone("", 60*int(ts.OffsetMinute)))
}

// upTo are char-to, char-sep and string-to.
func upTo(s *spec) (matcher, int, error) {
	end := param(s.params, "extradata")
	if end == "" {
		return nil, 0, fmt.Errorf("field %s: %s needs to be told where to end, as in %%%s:%s:,%%", s.name, s.typ, s.name, s.typ)
	}
	switch s.typ {
	case "string-to":
		return textOf(func(t []byte) (int, bool) {
			n := bytes.Index(t, []byte(end))
			return n, n > 0
		}), 32, nil
	case "char-sep":
		return textOf(func(t []byte) (int, bool) {
			if n := bytes.IndexAny(t, end); n >= 0 {
				return n, true
			}
			return len(t), true
		}), 32, nil
	}
	return textOf(func(t []byte) (int, bool) {
		n := span(t, func(c byte) bool { return strings.IndexByte(end, c) < 0 })
		return n, n > 0 && n < len(t)
	}), 32, nil
}
