package message

// dateFormat is what the date- options of the property replacer choose.
type dateFormat uint8

const (
	dateDefault dateFormat = iota // as RFC 3164
	dateRFC3164
	dateRFC3164BuggyDay
	dateRFC3339
	dateMySQL
	datePgSQL
	dateUnix
	dateSubseconds
	dateYear
	dateMonth
	dateDay
	dateHour
	dateMinute
	dateSecond
	dateWeekday
	dateWeekdayName
	dateWeek
	dateISOWeek
	dateISOWeekYear
	dateOrdinal
	dateOffsetHour
	dateOffsetMinute
	dateOffsetDirection
)

// dateFormats are their names: dateFormat="rfc3339", and date-rfc3339 as an
// option in a string.
var dateFormats = names[dateFormat]{
	{"", dateDefault},
	{"rfc3164", dateRFC3164}, {"rfc3164-buggyday", dateRFC3164BuggyDay}, {"rfc3339", dateRFC3339},
	{"mysql", dateMySQL}, {"pgsql", datePgSQL}, {"unixtimestamp", dateUnix}, {"subseconds", dateSubseconds},
	{"year", dateYear}, {"month", dateMonth}, {"day", dateDay}, {"hour", dateHour},
	{"minute", dateMinute}, {"second", dateSecond}, {"wday", dateWeekday}, {"wdayname", dateWeekdayName},
	{"week", dateWeek}, {"iso-week", dateISOWeek}, {"iso-week-year", dateISOWeekYear},
	{"ordinal", dateOrdinal}, {"tzoffshour", dateOffsetHour}, {"tzoffsmin", dateOffsetMinute},
	{"tzoffsdirection", dateOffsetDirection},
}

// append appends t in the format.
func (f dateFormat) append(dst []byte, t *Timestamp) []byte {
	switch f {
	case dateDefault, dateRFC3164:
		return AppendRFC3164(dst, t)
	case dateRFC3164BuggyDay:
		return AppendRFC3164BuggyDay(dst, t)
	case dateRFC3339:
		return AppendRFC3339(dst, t)
	case dateMySQL:
		return AppendMySQL(dst, t)
	case datePgSQL:
		return AppendPgSQL(dst, t)
	case dateUnix:
		return AppendUnix(dst, t)
	case dateSubseconds:
		return AppendSubseconds(dst, t)
	case dateYear:
		return append4(dst, t.Year)
	case dateMonth:
		return append2(dst, t.Month)
	case dateDay:
		return append2(dst, t.Day)
	case dateHour:
		return append2(dst, t.Hour)
	case dateMinute:
		return append2(dst, t.Minute)
	case dateSecond:
		return append2(dst, t.Second)
	}
	return f.appendDerived(dst, t)
}

const weekdayNames = "SunMonTueWedThuFriSat"

// appendDerived appends what has to be computed from the date.
func (f dateFormat) appendDerived(dst []byte, t *Timestamp) []byte {
	switch f {
	case dateWeekday:
		return append(dst, '0'+byte(t.weekday()))
	case dateWeekdayName:
		d := 3 * t.weekday()
		return append(dst, weekdayNames[d:d+3]...)
	case dateOrdinal:
		n := t.date().YearDay()
		return append2(append(dst, '0'+byte(n/100)), uint8(n%100))
	case dateWeek:
		return append2(dst, uint8(t.week()))
	case dateISOWeek:
		_, week := t.date().ISOWeek()
		return append2(dst, uint8(week))
	case dateISOWeekYear:
		year, _ := t.date().ISOWeek()
		return append4(dst, uint16(year))
	case dateOffsetDirection:
		if t.OffsetMinute < 0 || t.OffsetMinus || t.OffsetZ { // as rsyslog: also for Z
			return append(dst, '-')
		}
		return append(dst, '+')
	}
	offset := max(t.OffsetMinute, -t.OffsetMinute)
	if f == dateOffsetHour {
		return append2(dst, uint8(offset/60))
	}
	return append2(dst, uint8(offset%60))
}

// week counts weeks. as rsyslog: January 1st is in week 0, and a week more is
// counted on days of the week before that of January 1st.
func (t *Timestamp) week() int {
	first := Timestamp{Year: t.Year, Month: 1, Day: 1}
	n := (t.date().YearDay() + 5) / 7
	if t.weekday() < first.weekday() {
		n++
	}
	return n
}
