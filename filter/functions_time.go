package filter

import (
	"strings"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// timeFormats are the formats format_time and is_time know.
var timeFormats = []string{"date-rfc3164", "date-rfc3339", "date-unix"}

// timeFormat checks the second argument, if it is a constant.
func (c *compiler) timeFormat(f *conf.Func) {
	s, ok := f.Args[1].(*conf.Str)
	if !ok {
		return
	}
	for _, t := range timeFormats {
		if s.Value == t {
			return
		}
	}
	c.errorf(s.Pos, suggestName(s.Value, timeFormats), "%s(): format %q is not one of %s",
		f.Name, s.Value, strings.Join(timeFormats, ", "))
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// formatTime compiles format_time(seconds, format). The times are UTC. What is no
// number, or no time, is left as it is.
func formatTime(c *compiler, f *conf.Func, a []expr) expr {
	c.timeFormat(f)
	v, format := a[0].asValue(), a[1].asText()
	return textExpr(func(e *eval, m *message.Message) []byte {
		x := v(e, m)
		n, ok := x.number()
		if !ok || n < -62135596800 || n > maxUnix {
			return x.string(e)
		}
		ts := message.TimestampOf(time.Unix(n, 0).UTC())
		ts.Precision, ts.OffsetZ = 0, true
		at := len(e.buf)
		switch f := format(e, m); string(f) {
		case "date-rfc3164":
			e.buf = message.AppendRFC3164(e.buf, &ts)
		case "date-rfc3339":
			e.buf = message.AppendRFC3339(e.buf, &ts)
		default:
			return x.string(e)
		}
		return e.since(at)
	}).dependingOn(a...)
}

// parseTime compiles parse_time(s): seconds since 1970, 0 and script_error() for
// what is no time. A time without offset is UTC.
func parseTime(c *compiler, _ *conf.Func, a []expr) expr { return c.parsedTime(a[0], time.UTC) }

// parseTimeLocal is parse_time for local times.
func parseTimeLocal(c *compiler, _ *conf.Func, a []expr) expr {
	return c.parsedTime(a[0], c.deps.Env.Location)
}

func (c *compiler) parsedTime(x expr, zone *time.Location) expr {
	t, now := x.asText(), c.deps.Env.Now
	return numberExpr(func(e *eval, m *message.Message) int64 {
		text := t(e, m)
		var ts message.Timestamp
		if _, ok := message.ParseRFC3339(text, &ts); ok {
			e.fail(false)
			return ts.Time(time.UTC).Unix()
		}
		if _, ok := message.ParseRFC3164(text, &ts); ok {
			e.fail(false)
			today := now().UTC()
			year := yearOf(time.Month(ts.Month), today)
			return time.Date(year, time.Month(ts.Month), int(ts.Day), int(ts.Hour), int(ts.Minute),
				int(ts.Second), 0, zone).Unix()
		}
		e.fail(true)
		return 0
	})
}

// yearOf is the year a month without one probably belongs to. as rsyslog: one
// more than a month ahead is last year's, January is next year's in December.
func yearOf(month time.Month, today time.Time) int {
	switch ahead := month - today.Month(); {
	case today.Month() == time.December && month == time.January:
		return today.Year() + 1
	case ahead > 1:
		return today.Year() - 1
	}
	return today.Year()
}

// isTime compiles is_time(s[, format]).
func isTime(c *compiler, f *conf.Func, a []expr) expr {
	format := fixedText("").text
	if len(a) == 2 {
		c.timeFormat(f)
		format = a[1].asText()
	}
	v := a[0].asValue()
	return boolExpr(func(e *eval, m *message.Message) bool {
		x := v(e, m)
		is := hasTimeFormat(e, &x, format(e, m))
		e.fail(!is)
		return is
	})
}

func hasTimeFormat(e *eval, x *value, format []byte) bool {
	var ts message.Timestamp
	if len(format) == 0 || string(format) == "date-rfc3164" {
		if _, ok := message.ParseRFC3164(x.string(e), &ts); ok {
			return true
		}
	}
	if len(format) == 0 || string(format) == "date-rfc3339" {
		if _, ok := message.ParseRFC3339(x.string(e), &ts); ok {
			return true
		}
	}
	if len(format) == 0 || string(format) == "date-unix" {
		_, ok := x.number()
		return ok
	}
	return false
}
