package message

import (
	"math"
	"sync/atomic"
	"time"
)

// TimestampOf returns t as a Timestamp: microseconds, and the offset of t's own
// location.
func TimestampOf(t time.Time) Timestamp {
	_, offset := t.Zone()
	return timestampAt(t.Unix(), int64(t.Nanosecond()), int64(offset))
}

// timestampAt returns the time sec seconds and nsec nanoseconds after 1970 as
// shown offset seconds east of UTC.
func timestampAt(sec, nsec, offset int64) Timestamp {
	days, second := floorDiv(sec+offset, secondsPerDay)
	return dateOf(days).at(second, nsec, offset)
}

const secondsPerDay = 24 * 60 * 60

// floorDiv is division that rounds down, and its remainder.
func floorDiv(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+b
	}
	return quotient, remainder
}

// date is a calendar day: year, month, day from the highest bits down.
type date uint32

// dateOf is the day that many days after 1970-01-01.
func dateOf(days int64) date {
	y, m, d := time.Unix(days*secondsPerDay, 0).UTC().Date()
	return date(uint16(y))<<16 | date(m)<<8 | date(d)
}

// at is the given second of the day.
func (d date) at(second, nsec, offset int64) Timestamp {
	s := uint32(second)
	return Timestamp{Year: uint16(d >> 16), Month: uint8(d >> 8), Day: uint8(d),
		Hour: uint8(s / 3600), Minute: uint8(s / 60 % 60), Second: uint8(s % 60),
		Precision: 6, Frac: uint32(nsec / 1000),
		OffsetMinute: int16(offset / 60), OffsetMinus: -60 < offset && offset < 0}
}

// localClock converts times to one time zone. It remembers the zone's offset and
// the day of the last conversion, so that it neither allocates nor calculates
// dates while messages are of one day. Its methods may be called from any
// goroutine.
type localClock struct {
	zone atomic.Pointer[zoneSpan]
	day  atomic.Uint64 // days since 1970, plus one, in the high half; its date in the low
}

// Timestamp returns a time given in nanoseconds since 1970, such as
// Message.Received, in the local time zone with microseconds. It is cheap enough
// for every message.
func (e *Env) Timestamp(unixNano int64) Timestamp {
	sec, nsec := floorDiv(unixNano, 1e9)
	z := e.clock.zone.Load()
	if z == nil || sec < z.start || sec >= z.end {
		z = zoneSpanAt(sec, e.Location)
		e.clock.zone.Store(z)
	}
	days, second := floorDiv(sec+z.offset, secondsPerDay)
	key := uint64(uint32(days + 1))
	known := e.clock.day.Load()
	if known>>32 != key {
		known = key<<32 | uint64(dateOf(days))
		e.clock.day.Store(known)
	}
	return date(known).at(second, nsec, z.offset)
}

// zoneSpan is a time during which a zone has one offset: start <= t < end. It is
// not changed once it is published.
type zoneSpan struct{ start, end, offset int64 }

func zoneSpanAt(sec int64, loc *time.Location) *zoneSpan {
	if loc == nil {
		loc = time.Local
	}
	t := time.Unix(sec, 0).In(loc)
	_, offset := t.Zone()
	z := &zoneSpan{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		z.start = start.Unix()
	}
	if !end.IsZero() {
		z.end = end.Unix()
	}
	return z
}
