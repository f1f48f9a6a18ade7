package message

import (
	"crypto/rand"
	"strconv"
)

// facilityNames and severityNames are the names that the -text properties and
// pri-text show. as rsyslog: 24 is the facility of an invalid PRI.
var (
	facilityNames = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
		"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1",
		"local2", "local3", "local4", "local5", "local6", "local7", "invld"}
	severityNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
)

// text returns the value of a property that is a part of the message as it is.
// ok is false if the value has to be computed.
func (p *Property) text(m *Message) (v []byte, ok bool) {
	switch p.id {
	case propMsg:
		return m.Msg.Of(m.Text), true
	case propRawMsg:
		return m.Raw.Of(m.Text), true
	case propRawMsgAfterPRI:
		return m.AfterPRI.Of(m.Text), true
	case propHostname:
		return m.hostname(), true
	case propFromHost:
		return m.Origin.FromHost(), true
	case propFromHostIP:
		return m.Origin.FromHostIP(), true
	case propFromHostPort:
		return m.Origin.FromHostPort(), true
	case propInputName:
		return m.Origin.Input(), true
	case propSyslogTag:
		return m.tag()
	case propProgramName:
		return m.programName(p.env), !m.emptyAppName()
	case propAppName:
		return m.appName(p.env)
	case propProcID:
		return m.procID()
	case propMsgID:
		return m.MsgID.Of(m.Text), m.MsgID.Found()
	case propStructuredData:
		return m.StructuredData.Of(m.Text), m.StructuredData.Found()
	}
	return nil, false
}

// hostname falls back to the sender's name when the message has no HOSTNAME.
func (m *Message) hostname() []byte {
	if !m.Hostname.Found() {
		return m.Origin.FromHost()
	}
	return m.Hostname.Of(m.Text)
}

// tag is TAG. ok is false if it has to be composed of APP-NAME and PROCID.
func (m *Message) tag() (v []byte, ok bool) {
	if m.Tag.Len() > 0 || m.Flags&RFC5424 == 0 || !m.AppName.Found() {
		return m.Tag.Of(m.Text), true
	}
	return m.AppName.Of(m.Text), m.AppName.Len() > 0 && !m.hasProcID()
}

// emptyAppName says whether the APP-NAME of an RFC 5424 message is there but
// empty. as rsyslog: it counts as "-" then.
func (m *Message) emptyAppName() bool {
	return m.Flags&RFC5424 != 0 && m.AppName.Found() && m.AppName.Len() == 0
}

// hasProcID says whether an RFC 5424 message has a PROCID that is not the nil value.
func (m *Message) hasProcID() bool {
	id := m.ProcID.Of(m.Text)
	return m.ProcID.Found() && string(id) != "-"
}

// programName is the leading part of TAG, which is APP-NAME's for RFC 5424.
func (m *Message) programName(e *Env) []byte {
	if m.ProgramName.Len() > 0 || m.Flags&RFC5424 == 0 {
		return m.ProgramName.Of(m.Text)
	}
	app := m.AppName.Of(m.Text)
	return app[:programNameLen(app, e.Sanitize.PermitSlashInProgram)]
}

func (m *Message) appName(e *Env) (v []byte, ok bool) {
	if m.AppName.Len() > 0 || m.Flags&RFC5424 != 0 {
		return m.AppName.Of(m.Text), !m.emptyAppName()
	}
	v = m.programName(e)
	return v, len(v) > 0
}

// procID is "-" when there is none; in "app[]:" there is one, and it is empty.
func (m *Message) procID() (v []byte, ok bool) {
	return m.ProcID.Of(m.Text), m.ProcID != Span{}
}

// appendComputed appends the value of a property that text does not know, or
// has no value for.
func (p *Property) appendComputed(dst []byte, m *Message, now int64) []byte {
	switch p.id {
	case propAppName, propProgramName, propProcID, propMsgID, propStructuredData:
		return append(dst, '-') // NILVALUE of RFC 5424 §6
	case propSyslogTag:
		return m.composeTag(dst)
	case propPRI:
		return m.appendPRI(dst)
	case propPRIText:
		dst = append(dst, facilityNames[m.facility()]...)
		dst = append(dst, '.')
		return append(dst, severityNames[m.Severity()]...)
	case propFacility:
		if m.facility() == invalidFacility {
			return append(dst, "invld"...)
		}
		return strconv.AppendInt(dst, int64(m.facility()), 10)
	case propFacilityText:
		return append(dst, facilityNames[m.facility()]...)
	case propSeverity:
		return append(dst, '0'+byte(m.Severity()))
	case propSeverityText:
		return append(dst, severityNames[m.Severity()]...)
	case propIUT:
		return append(dst, '1')
	case propProtocolVersion:
		return append(dst, oneIf(m.Flags&RFC5424 != 0))
	case propParseSuccess:
		if m.Flags&ParseSuccess == 0 {
			return append(dst, "FAIL"...)
		}
		return append(dst, "OK"...)
	}
	return p.appendOther(dst, m, now)
}

// composeTag composes TAG from APP-NAME and PROCID.
func (m *Message) composeTag(dst []byte) []byte {
	if m.emptyAppName() {
		dst = append(dst, '-')
	}
	dst = append(dst, m.AppName.Of(m.Text)...)
	if !m.hasProcID() {
		return dst
	}
	dst = append(dst, '[')
	dst = append(dst, m.ProcID.Of(m.Text)...)
	return append(dst, ']')
}

// appendOther goes on with the properties that are rare or slow.
func (p *Property) appendOther(dst []byte, m *Message, now int64) []byte {
	switch p.id {
	case propTimeReported, propTimeGenerated:
		t := p.env.timeOf(p.id, m)
		return AppendRFC3164(dst, &t)
	case propVariable:
		return m.appendVar(dst, *p.path)
	case propAllJSON:
		return m.appendAllJSON(dst, JSONSpaced)
	case propAllJSONPlain:
		return m.appendAllJSON(dst, JSONPlain)
	case propJSONMesg:
		return p.env.appendJSONMesg(dst, m)
	case propUUID:
		return m.appendUUID(dst)
	case propMyHostname:
		return append(dst, p.env.Hostname()...)
	case propBOM:
		return append(dst, "\xef\xbb\xbf"...)
	case propUptime:
		return strconv.AppendInt(dst, int64(p.env.Uptime().Seconds()), 10)
	case propNone:
		return dst
	}
	if now == 0 {
		now = p.env.Now().UnixNano()
	}
	if p.id == propNowUnix {
		return strconv.AppendInt(dst, now/1e9, 10)
	}
	return p.appendNow(dst, now)
}

func oneIf(b bool) byte {
	if b {
		return '1'
	}
	return '0'
}

// invalidFacility is the facility of InvalidPRIValue.
const invalidFacility = InvalidPRIValue >> 3

// facility is the index of the facility's name, whatever PRI says.
func (m *Message) facility() int { return min(m.Facility(), invalidFacility) }

func (m *Message) appendPRI(dst []byte) []byte {
	if m.PRI > 191 {
		return append(dst, "invld"...)
	}
	return strconv.AppendUint(dst, uint64(m.PRI), 10)
}

// appendUUID appends the message's uuid, which is made when it is first asked for.
func (m *Message) appendUUID(dst []byte) []byte {
	if m.Vars == nil {
		m.Vars = new(Vars)
	}
	v := m.Vars
	if !v.hasUUID {
		rand.Read(v.uuid[:]) // never fails
		v.uuid[6] = v.uuid[6]&0x0f | 4<<4
		v.uuid[8] = v.uuid[8]&0x3f | 0x80
		v.hasUUID = true
	}
	for _, b := range v.uuid {
		dst = append(dst, upperHex[b>>4], upperHex[b&15])
	}
	return dst
}

func (m *Message) appendAllJSON(dst []byte, style JSONStyle) []byte {
	if m.Vars == nil || m.Vars.tree.kind == KindNull {
		return append(dst, "{}"...)
	}
	return m.Vars.tree.AppendJSON(dst, style)
}

// appendVar appends a variable as templates show it. Objects and arrays of $/
// are printed under its lock instead of being copied.
func (m *Message) appendVar(dst []byte, p Path) []byte {
	style := JSONSpaced
	if p.env.CompactJSON {
		style = JSONPlain
	}
	if p.root == '/' {
		g := &p.env.Global
		g.mu.RLock()
		defer g.mu.RUnlock()
		v, _ := p.lookup(g.tree)
		return v.appendText(dst, style)
	}
	if m.Vars == nil {
		return dst
	}
	v, _ := p.lookup(*m.Vars.root(p))
	return v.appendText(dst, style)
}

// appendJSONMesg appends the whole message as JSON: its properties as strings,
// and the variables. as rsyslog: uuid is null until it has been asked for.
func (e *Env) appendJSONMesg(dst []byte, m *Message) []byte {
	dst = append(dst, '{')
	for _, id := range [...]propertyID{propMsg, propRawMsg, propTimeReported, propHostname, propSyslogTag,
		propInputName, propFromHost, propFromHostIP, propPRI, propFacility, propSeverity,
		propTimeGenerated, propProgramName, propProtocolVersion, propStructuredData, propAppName,
		propProcID, propMsgID} {
		p := Property{env: e, id: id}
		dst = append(dst, ' ', '"')
		dst = append(dst, p.jsonMesgName()...)
		dst = append(dst, `": "`...)
		dst = p.appendJSONMesgValue(dst, m)
		dst = append(dst, '"', ',')
	}
	dst = append(dst, ` "uuid": `...)
	if m.Vars != nil && m.Vars.hasUUID {
		dst = append(dst, '"')
		dst = append(m.appendUUID(dst), '"')
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `, "$!": `...)
	if m.Vars == nil {
		dst = append(dst, "null"...)
	} else {
		dst = m.Vars.tree.AppendJSON(dst, JSONSpaced)
	}
	return append(dst, ' ', '}')
}

func (p *Property) jsonMesgName() string {
	if p.id == propTimeReported {
		return "timereported"
	}
	return p.String()
}

func (p *Property) appendJSONMesgValue(dst []byte, m *Message) []byte {
	if v, ok := p.text(m); ok {
		return appendJSONEscaped(dst, v, lowerHex)
	}
	if p.IsTime() {
		t := p.env.timeOf(p.id, m)
		return AppendRFC3339(dst, &t)
	}
	at := len(dst)
	dst = p.appendComputed(dst, m, 0)
	return expandTail(dst, at, func(dst, v []byte) []byte { return appendJSONEscaped(dst, v, lowerHex) })
}
