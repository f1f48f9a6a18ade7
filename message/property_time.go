package message

import "time"

// timeOf is the value of timereported or timegenerated. A message without
// TIMESTAMP was reported when it was received.
func (e *Env) timeOf(id propertyID, m *Message) Timestamp {
	if id == propTimeReported && m.Time.Month != 0 {
		return m.Time
	}
	return e.Timestamp(m.Received)
}

// inUTC is t on the clock of UTC. as rsyslog: it is printed with microseconds and
// +00:00. Unlike rsyslog, which takes the digits of any fraction for microseconds.
func (t *Timestamp) inUTC() Timestamp {
	u := t.Time(time.UTC)
	return timestampAt(u.Unix(), int64(u.Nanosecond()), 0)
}

// appendNow appends one of the $now family.
func (p *Property) appendNow(dst []byte, now int64) []byte {
	id, t := p.id, Timestamp{}
	if id >= propNowUTC {
		id -= propUTC
		t = timestampAt(now/1e9, 0, 0)
	} else {
		t = p.env.Timestamp(now)
	}
	switch id {
	case propNow:
		return appendDate(dst, &t)
	case propYear:
		return append4(dst, t.Year)
	case propMonth:
		return append2(dst, t.Month)
	case propDay:
		return append2(dst, t.Day)
	case propHour:
		return append2(dst, t.Hour)
	case propHalfHour:
		return append2(dst, t.Minute/30)
	case propQuarterHour:
		return append2(dst, t.Minute/15)
	case propMinute:
		return append2(dst, t.Minute)
	}
	return append(dst, '0'+byte(t.weekday()))
}

// date is midnight of t's day, in UTC.
func (t *Timestamp) date() time.Time {
	return time.Date(int(t.Year), time.Month(t.Month), int(t.Day), 0, 0, 0, 0, time.UTC)
}

// weekday is 0 for Sunday to 6.
func (t *Timestamp) weekday() int { return int(t.date().Weekday()) }
