package modify

import (
	"strconv"

	"sysrelay/message"
)

// setProperty sets a property of a message. as rsyslog: names are as they stand
// here.
func setProperty(env *message.Env, m *message.Message, name string, v message.Value) bool {
	s := string(v.AppendText(nil))
	number := func() int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return -1
		}
		return n
	}
	switch name {
	case "msg":
		m.ReplaceMsg([]byte(s))
	case "rawmsg":
		m.ReplaceRaw([]byte(s))
	case "hostname":
		m.SetHostname(s)
	case "syslogtag":
		env.SetTag(m, s)
	case "procid":
		m.SetProcID(s)
	case "msgid":
		m.SetMsgID(s)
	case "structured-data":
		m.SetStructuredData(s)
	case "fromhost":
		m.SetFrom(s, "")
	case "fromhost-ip":
		m.SetFrom("", s)
	case "pri":
		m.SetPRI(number())
	case "syslogfacility":
		m.SetPRI(number()<<3 | m.Severity())
	case "syslogseverity":
		if n := number(); 0 <= n && n <= 7 {
			m.SetPRI(m.Facility()<<3 | n)
		}
	case "$!":
		root, err := env.Path("$!")
		return err == nil && v.Kind() == message.KindObject && m.AddVar(root, v) == nil
	default:
		return false
	}
	return true
}
