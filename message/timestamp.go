package message

import "math"

// scanner walks over a text. Beyond the end there are only NULs, which are not
// part of any clean text.
type scanner struct {
	t  []byte
	at int
}

func (s *scanner) peek() byte {
	if s.at < len(s.t) {
		return s.t[s.at]
	}
	return 0
}

// skip moves past c if it is next.
func (s *scanner) skip(c byte) bool {
	if s.at < len(s.t) && s.t[s.at] == c {
		s.at++
		return true
	}
	return false
}

// number reads digits.
//
// as rsyslog: there may be none, for 0, or any number of leading zeros; it stops
// where an int could overflow, so that what is left spoils the timestamp.
func (s *scanner) number() (n int) {
	for s.at < len(s.t) && isDigit(s.t[s.at]) && n < math.MaxInt32/10-1 {
		n = 10*n + int(s.t[s.at]-'0')
		s.at++
	}
	return n
}

// field reads a number into f, which must lie in lo..hi.
func (s *scanner) field(f *uint8, lo, hi int) bool {
	n := s.number()
	*f = uint8(n)
	return lo <= n && n <= hi
}

// clock reads "hh:mm:ss".
func (s *scanner) clock(ts *Timestamp) bool {
	return s.field(&ts.Hour, 0, 23) && s.skip(':') &&
		s.field(&ts.Minute, 0, 59) && s.skip(':') && s.field(&ts.Second, 0, 60)
}

// fraction reads a fraction, if there is one. A Timestamp holds nine digits of it.
func (s *scanner) fraction(ts *Timestamp) {
	ts.Frac, ts.Precision = 0, 0
	if !s.skip('.') {
		return
	}
	start := s.at
	frac := s.number()
	digits := s.at - start
	for ; digits > 9; digits-- {
		frac /= 10
	}
	ts.Frac, ts.Precision = uint32(frac), uint8(digits)
}

// end accepts the end of the text or a space, which it skips.
func (s *scanner) end() bool { return s.at == len(s.t) || s.skip(' ') }

// ParseRFC3339 reads the RFC 3339 timestamp at the start of t into ts and returns
// the length it takes, the space after it included. Without one, ts does not
// change.
func ParseRFC3339(t []byte, ts *Timestamp) (n int, ok bool) { return parseRFC3339(t, ts) }

// ParseRFC3164 does the same with a BSD timestamp, "Oct  5 22:14:15". If that has
// no year, ts keeps its own.
func ParseRFC3164(t []byte, ts *Timestamp) (n int, ok bool) { return parseBSD(t, ts, false) }

// parseRFC3339 reads the RFC 3339 timestamp at the start of t into ts and returns
// the length it takes, the space after it included. Without one, ts does not
// change.
//
// as rsyslog: numbers may have any number of digits, 2003-9-1T1:0:0Z is good.
func parseRFC3339(t []byte, ts *Timestamp) (n int, ok bool) {
	s := scanner{t: t}
	year := s.number()
	if !s.skip('-') || year >= 2100 {
		return 0, false
	}
	r := Timestamp{Year: uint16(year)}
	ok = s.field(&r.Month, 1, 12) && s.skip('-') &&
		s.field(&r.Day, 1, 31) && s.skip('T') && s.clock(&r)
	if !ok {
		return 0, false
	}
	s.fraction(&r)
	if !s.offset(&r) || !s.end() {
		return 0, false
	}
	*ts = r
	return s.at, true
}

func (s *scanner) offset(ts *Timestamp) bool {
	if ts.OffsetZ = s.skip('Z'); ts.OffsetZ {
		return true
	}
	minus := s.peek() == '-'
	if !minus && s.peek() != '+' {
		return false
	}
	s.at++
	var hour, minute uint8
	if !s.field(&hour, 0, 23) || !s.skip(':') || !s.field(&minute, 0, 59) {
		return false
	}
	ts.OffsetMinute = 60*int16(hour) + int16(minute)
	if minus {
		ts.OffsetMinus = ts.OffsetMinute == 0
		ts.OffsetMinute = -ts.OffsetMinute
	}
	return true
}

// parseBSD reads the timestamp at the start of t into ts as parseRFC3339 does:
//
//	[yyyy ]Mmm [ ]d [yyyy ]hh:mm:ss[.frac][ yyyy][:]
//
// The last year is read only if yearAfter is set. What is not there, year and
// offset, keeps the value it has in ts.
//
// as rsyslog: the extra year, fraction and colon are sent by Brocade and Cisco
// devices.
func parseBSD(t []byte, ts *Timestamp, yearAfter bool) (n int, ok bool) {
	return parseBSDForm(t, ts, bsdForm{yearAfter: yearAfter})
}

// bsdForm says what else may be a part of a BSD timestamp.
type bsdForm struct {
	yearAfter bool // a year behind the time
	zone      bool // a time zone's name behind the time, and then something else
	zones     map[string]int16
}

func parseBSDForm(t []byte, ts *Timestamp, form bsdForm) (n int, ok bool) {
	s, r, year := scanner{t: t}, *ts, 0
	if isDigit(s.peek()) {
		if year = s.number(); year < 1970 || year > 2100 || !s.skip(' ') {
			return 0, false
		}
	}
	if r.Month = s.month(); r.Month == 0 || !s.skip(' ') {
		return 0, false
	}
	s.skip(' ')
	if !s.field(&r.Day, 1, 31) || !s.skip(' ') {
		return 0, false
	}
	if year == 0 {
		year = s.yearBeforeClock()
	}
	if !s.clock(&r) {
		return 0, false
	}
	s.fraction(&r)
	if form.yearAfter && year == 0 {
		year = s.yearAfterClock()
	}
	if form.zone && s.peek() == ' ' && len(s.t)-s.at > 2 {
		if offset, known := form.zones[s.zoneName()]; known {
			r.OffsetMinute, r.OffsetZ, r.OffsetMinus = offset, false, false
		}
	}
	s.skip(':')
	if !s.end() || form.zone && s.at == len(s.t) {
		return 0, false
	}
	if year > 0 {
		r.Year = uint16(year)
	}
	*ts = r
	return s.at, true
}

// zoneName reads a space and a name that a colon or a space ends. as rsyslog: what
// is longer than a name can be spoils the timestamp.
func (s *scanner) zoneName() string {
	const longest = 15
	s.at++
	start := s.at
	for s.at < len(s.t) && s.at-start < longest && s.t[s.at] != ':' && s.t[s.at] != ' ' {
		s.at++
	}
	return string(s.t[start:s.at])
}

// month reads the three letters of a month in any case; 0 is none.
func (s *scanner) month() uint8 {
	if len(s.t)-s.at < 3 {
		return 0
	}
	a, b, c := s.t[s.at]|0x20, s.t[s.at+1]|0x20, s.t[s.at+2]|0x20
	s.at += 3
	switch uint32(a)<<16 | uint32(b)<<8 | uint32(c) {
	case 'j'<<16 | 'a'<<8 | 'n':
		return 1
	case 'f'<<16 | 'e'<<8 | 'b':
		return 2
	case 'm'<<16 | 'a'<<8 | 'r':
		return 3
	case 'a'<<16 | 'p'<<8 | 'r':
		return 4
	case 'm'<<16 | 'a'<<8 | 'y':
		return 5
	case 'j'<<16 | 'u'<<8 | 'n':
		return 6
	case 'j'<<16 | 'u'<<8 | 'l':
		return 7
	case 'a'<<16 | 'u'<<8 | 'g':
		return 8
	case 's'<<16 | 'e'<<8 | 'p':
		return 9
	case 'o'<<16 | 'c'<<8 | 't':
		return 10
	case 'n'<<16 | 'o'<<8 | 'v':
		return 11
	case 'd'<<16 | 'e'<<8 | 'c':
		return 12
	}
	return 0
}

// yearBeforeClock reads a year followed by a space, or nothing.
func (s *scanner) yearBeforeClock() int {
	ahead := *s
	if y := ahead.number(); 1970 < y && y < 2100 && ahead.skip(' ') {
		*s = ahead
		return y
	}
	return 0
}

// yearAfterClock reads a space and the year 2000..2099 if a space or just one
// more character follows, or nothing.
func (s *scanner) yearAfterClock() int {
	r := s.t[s.at:]
	if len(r) < 6 || r[0] != ' ' || len(r) > 6 && r[5] != ' ' {
		return 0
	}
	y := 0
	for _, c := range r[1:5] {
		if !isDigit(c) {
			return 0
		}
		y = 10*y + int(c-'0')
	}
	if y < 2000 || y > 2099 {
		return 0
	}
	s.at += 5
	return y
}
