package message

import (
	"strconv"
	"time"
)

// Time is the moment t names, in loc. Days a month does not have, and second
// 60, count on into what follows.
func (t *Timestamp) Time(loc *time.Location) time.Time {
	nsec, digits := int(t.Frac), t.Precision
	for ; digits < 9; digits++ {
		nsec *= 10
	}
	return time.Date(int(t.Year), time.Month(t.Month), int(t.Day), int(t.Hour),
		int(t.Minute)-int(t.OffsetMinute), int(t.Second), nsec, time.UTC).In(loc)
}

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

func monthName(m uint8) string {
	if m < 1 || m > 12 {
		m = 1
	}
	return monthNames[3*m-3 : 3*m]
}

func append2(dst []byte, n uint8) []byte { return append(dst, '0'+n/10%10, '0'+n%10) }

func append4(dst []byte, n uint16) []byte {
	return append2(append2(dst, uint8(n/100%100)), uint8(n%100))
}

func appendDate(dst []byte, t *Timestamp) []byte {
	dst = append(append4(dst, t.Year), '-')
	dst = append(append2(dst, t.Month), '-')
	return append2(dst, t.Day)
}

func appendClock(dst []byte, t *Timestamp) []byte {
	dst = append(append2(dst, t.Hour), ':')
	dst = append(append2(dst, t.Minute), ':')
	return append2(dst, t.Second)
}

// appendFrac appends exactly Precision digits.
func appendFrac(dst []byte, t *Timestamp) []byte {
	var d [9]byte
	n, frac := min(int(t.Precision), len(d)), t.Frac
	for i := n - 1; i >= 0; i-- {
		d[i] = '0' + byte(frac%10)
		frac /= 10
	}
	return append(dst, d[:n]...)
}

// AppendRFC3339 appends t as RFC 3339 has it, with as many digits of the
// fraction and the same form of offset as it was read with.
//
// Unlike rsyslog, which prints wrong digits when there are more than six.
func AppendRFC3339(dst []byte, t *Timestamp) []byte {
	dst = append(appendDate(dst, t), 'T')
	dst = appendClock(dst, t)
	if t.Precision > 0 {
		dst = appendFrac(append(dst, '.'), t)
	}
	if t.OffsetZ {
		return append(dst, 'Z')
	}
	return appendOffset(dst, t)
}

func appendOffset(dst []byte, t *Timestamp) []byte {
	sign, m := byte('+'), t.OffsetMinute
	if m < 0 || t.OffsetMinus {
		sign, m = '-', max(m, -m)
	}
	dst = append2(append(dst, sign), uint8(m/60))
	return append2(append(dst, ':'), uint8(m%60))
}

// AppendRFC3164 appends t as "Jan  2 15:04:05".
func AppendRFC3164(dst []byte, t *Timestamp) []byte { return appendBSD(dst, t, ' ') }

// AppendRFC3164BuggyDay appends t as "Jan 02 15:04:05".
func AppendRFC3164BuggyDay(dst []byte, t *Timestamp) []byte { return appendBSD(dst, t, '0') }

func appendBSD(dst []byte, t *Timestamp, pad byte) []byte {
	dst = append(append(dst, monthName(t.Month)...), ' ')
	if tens := t.Day / 10 % 10; tens > 0 {
		pad = '0' + tens
	}
	dst = append(dst, pad, '0'+t.Day%10, ' ')
	return appendClock(dst, t)
}

// AppendMySQL appends t as "20060102150405".
func AppendMySQL(dst []byte, t *Timestamp) []byte {
	dst = append2(append2(append4(dst, t.Year), t.Month), t.Day)
	return append2(append2(append2(dst, t.Hour), t.Minute), t.Second)
}

// AppendPgSQL appends t as "2006-01-02 15:04:05".
func AppendPgSQL(dst []byte, t *Timestamp) []byte {
	return appendClock(append(appendDate(dst, t), ' '), t)
}

// AppendUnix appends t as whole seconds since 1970.
//
// as rsyslog: years before 1970 and after 2100 give 0. Unlike rsyslog, the hours
// before 1970 that 1970 has east of UTC are negative, not 4 billion.
func AppendUnix(dst []byte, t *Timestamp) []byte {
	if t.Year < 1970 || t.Year > 2100 {
		return append(dst, '0')
	}
	return strconv.AppendInt(dst, t.Time(time.UTC).Unix(), 10)
}

// AppendSubseconds appends the digits of the fraction as it was read, 0 if there
// was none.
func AppendSubseconds(dst []byte, t *Timestamp) []byte {
	if t.Precision == 0 {
		return append(dst, '0')
	}
	return appendFrac(dst, t)
}
