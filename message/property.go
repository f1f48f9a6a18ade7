package message

import (
	"fmt"
	"strings"
)

// Property names one property of a message, resolved once when the
// configuration is read. The zero value is not a property.
type Property struct {
	env  *Env
	id   propertyID
	path *Path // of a variable
}

type propertyID uint8

const (
	propNone propertyID = iota
	propMsg
	propRawMsg
	propRawMsgAfterPRI
	propHostname
	propFromHost
	propFromHostIP
	propFromHostPort
	propSyslogTag
	propProgramName
	propPRI
	propPRIText
	propIUT
	propFacility
	propFacilityText
	propSeverity
	propSeverityText
	propTimeGenerated
	propTimeReported
	propProtocolVersion
	propStructuredData
	propAppName
	propProcID
	propMsgID
	propInputName
	propJSONMesg
	propParseSuccess
	propUUID
	propMyHostname
	propBOM
	propUptime
	propAllJSON
	propAllJSONPlain
	propVariable
	propNowUnix
	// The properties of the present time follow; the same in UTC are propUTC apart.
	propNow
	propYear
	propMonth
	propDay
	propHour
	propHalfHour
	propQuarterHour
	propMinute
	propWeekday
	propNowUTC
)

const propUTC = propNowUTC - propNow

// propertyNames are the names of rsyslog's properties in lower case. Where a
// property has several names the first is the one it is called by.
var propertyNames = [...]struct {
	name string
	id   propertyID
}{
	{"msg", propMsg},
	{"rawmsg", propRawMsg},
	{"rawmsg-after-pri", propRawMsgAfterPRI},
	{"hostname", propHostname}, {"source", propHostname},
	{"fromhost", propFromHost},
	{"fromhost-ip", propFromHostIP},
	{"fromhost-port", propFromHostPort},
	{"syslogtag", propSyslogTag},
	{"programname", propProgramName},
	{"pri", propPRI},
	{"pri-text", propPRIText},
	{"iut", propIUT},
	{"syslogfacility", propFacility},
	{"syslogfacility-text", propFacilityText},
	{"syslogseverity", propSeverity}, {"syslogpriority", propSeverity},
	{"syslogseverity-text", propSeverityText}, {"syslogpriority-text", propSeverityText},
	{"timegenerated", propTimeGenerated}, {"timereceived", propTimeGenerated},
	{"timestamp", propTimeReported}, {"timereported", propTimeReported},
	{"protocol-version", propProtocolVersion},
	{"structured-data", propStructuredData},
	{"app-name", propAppName},
	{"procid", propProcID},
	{"msgid", propMsgID},
	{"inputname", propInputName},
	{"jsonmesg", propJSONMesg},
	{"parsesuccess", propParseSuccess},
	{"uuid", propUUID},
	{"$myhostname", propMyHostname},
	{"$bom", propBOM},
	{"$uptime", propUptime},
	{"$!all-json", propAllJSON},
	{"$!all-json-plain", propAllJSONPlain},
	{"$now-unixtimestamp", propNowUnix},
	{"$now", propNow}, {"$now-utc", propNow + propUTC},
	{"$year", propYear}, {"$year-utc", propYear + propUTC},
	{"$month", propMonth}, {"$month-utc", propMonth + propUTC},
	{"$day", propDay}, {"$day-utc", propDay + propUTC},
	{"$hour", propHour}, {"$hour-utc", propHour + propUTC},
	{"$hhour", propHalfHour}, {"$hhour-utc", propHalfHour + propUTC},
	{"$qhour", propQuarterHour}, {"$qhour-utc", propQuarterHour + propUTC},
	{"$minute", propMinute}, {"$minute-utc", propMinute + propUTC},
	{"$wday", propWeekday}, {"$wday-utc", propWeekday + propUTC},
}

// Properties are the names of the properties that a message has by itself:
// neither those of the present time nor of the host, nor what is made of others.
func Properties() (names []string) {
	last := propNone
	for _, p := range propertyNames {
		if p.id != last && p.id <= propParseSuccess && p.id != propJSONMesg {
			names = append(names, p.name)
		}
		last = p.id
	}
	return names
}

// Property resolves a name as configurations write it: "msg", "fromhost-ip",
// "$now", "$!usr!name", "$.x", "$/y"; case-insensitive, aliases included.
func (e *Env) Property(name string) (Property, error) {
	lower := toLowerASCII(name)
	for _, p := range propertyNames {
		if p.name == lower {
			return Property{env: e, id: p.id}, nil
		}
	}
	if variable := strings.TrimPrefix(name, "$"); variable != "" && strings.IndexByte("!./", variable[0]) >= 0 {
		path, err := e.Path(name)
		if err != nil {
			return Property{}, err
		}
		return Property{env: e, id: propVariable, path: &path}, nil
	}
	names := make([]string, len(propertyNames))
	for i, p := range propertyNames {
		names[i] = p.name
	}
	return Property{}, fmt.Errorf("there is no property %q%s", name, didYouMean(lower, names))
}

// String is the property's name; of several the first one.
func (p Property) String() string {
	if p.path != nil {
		return p.path.text
	}
	for _, n := range propertyNames {
		if n.id == p.id {
			return n.name
		}
	}
	return ""
}

// Path is the variable p stands for, if it stands for one. Filters read
// variables by it, because a variable's type matters there.
func (p Property) Path() (Path, bool) {
	if p.path == nil {
		return Path{}, false
	}
	return *p.path, true
}

// IsTime says whether p is a time, which date formats apply to.
func (p Property) IsTime() bool { return p.id == propTimeReported || p.id == propTimeGenerated }

// FromSender says whether the sender of a message chooses the property's value
// freely, a slash included. The program name ends at a slash.
func (p Property) FromSender() bool {
	switch p.id {
	case propMsg, propRawMsg, propRawMsgAfterPRI, propHostname, propSyslogTag, propStructuredData,
		propAppName, propProcID, propMsgID, propVariable, propAllJSON, propAllJSONPlain:
		return true
	}
	return false
}

// Value returns the property's value. It is either a part of the message's text
// or appended to buf[:0], and good until the message or buf changes. Times have
// the form of RFC 3164.
func (p Property) Value(m *Message, buf []byte) []byte {
	if v, ok := p.text(m); ok {
		return v
	}
	return p.appendComputed(buf[:0], m, 0)
}

// appendTo appends the value. now is the present time in nanoseconds since 1970
// for the properties that need it; 0 makes them ask for it.
func (p *Property) appendTo(dst []byte, m *Message, now int64) []byte {
	if v, ok := p.text(m); ok {
		return append(dst, v...)
	}
	return p.appendComputed(dst, m, now)
}

// usesNow says whether the property depends on the present time.
func (p *Property) usesNow() bool { return p.id >= propNowUnix }

// didYouMean is the end of an error about name: a suggestion, if one of the
// candidates is like it.
func didYouMean(name string, candidates []string) string {
	best, least := "", len(name)/2+1
	for _, c := range candidates {
		if d := editDistance(name, c); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is the number of bytes to insert, delete or replace in a to get b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
