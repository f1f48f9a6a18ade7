package message

import (
	"fmt"
	"slices"
)

// Names of the built-in templates that outputs use unless told otherwise.
const (
	TraditionalFileFormat    = "RSYSLOG_TraditionalFileFormat"
	FileFormat               = "RSYSLOG_FileFormat"
	TraditionalForwardFormat = "RSYSLOG_TraditionalForwardFormat"
	ForwardFormat            = "RSYSLOG_ForwardFormat"
	UserMessageFormat        = " StdUsrMsgFmt"
	WallFormat               = " WallFmt"
)

// DefaultTemplate is the built-in template that an output module uses unless
// told otherwise.
func DefaultTemplate(module string) string {
	switch module {
	case "omfwd", "omuxsock":
		return TraditionalForwardFormat
	case "omrelp":
		return ForwardFormat
	case "omusrmsg":
		return UserMessageFormat
	case "ommysql":
		return " StdDBFmt"
	case "ompgsql":
		return " StdPgSQLFmt"
	case "omelasticsearch", "omhttp":
		return " StdJSONFmt"
	}
	return FileFormat
}

type builtinTemplate struct {
	name, text string
	opts       TemplateOptions
}

// builtins are the texts of the built-in templates, as `$template` has them.
var builtins = []builtinTemplate{
	{name: TraditionalFileFormat, text: `%TIMESTAMP% %HOSTNAME% %syslogtag%%msg%\n`},
	{name: FileFormat, text: `%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag%%msg%\n`},
	{name: TraditionalForwardFormat, text: `<%PRI%>%TIMESTAMP% %HOSTNAME% %syslogtag:1:32%%msg%`},
	{name: ForwardFormat, text: `<%PRI%>%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag:1:32%%msg%`},
	{name: "RSYSLOG_SysklogdFileFormat", text: `%TIMESTAMP% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg%\n`},
	{name: "RSYSLOG_SyslogProtocol23Format", text: `<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% ` +
		`%PROCID% %MSGID% %STRUCTURED-DATA% %msg%\n`},
	{name: "RSYSLOG_SyslogRFC5424Format", text: `<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% ` +
		`%PROCID% %MSGID% %STRUCTURED-DATA% %msg%`},
	{name: "RSYSLOG_DebugFormat", text: `Debug line with all properties:\n` +
		`FROMHOST: '%FROMHOST%', fromhost-ip: '%fromhost-ip%', HOSTNAME: '%HOSTNAME%', PRI: %PRI%,\n` +
		`syslogtag '%syslogtag%', programname: '%programname%', APP-NAME: '%APP-NAME%', PROCID: '%PROCID%', ` +
		`MSGID: '%MSGID%',\nTIMESTAMP: '%TIMESTAMP%', STRUCTURED-DATA: '%STRUCTURED-DATA%',\n` +
		`msg: '%msg%'\nescaped msg: '%msg:::drop-cc%'\ninputname: %inputname% rawmsg: '%rawmsg%'\n` +
		`$!:%$!%\n$.:%$.%\n$/:%$/%\n\n`},
	{name: WallFormat, text: `\r\n\7Message from syslogd@%HOSTNAME% at %timegenerated% ...\r\n %syslogtag%%msg%\n\r`},
	{name: UserMessageFormat, text: ` %syslogtag%%msg%\n\r`},
	{name: " StdJSONFmt", text: `{"message":"%msg:::json%","fromhost":"%HOSTNAME:::json%",` +
		`"facility":"%syslogfacility-text%","priority":"%syslogpriority-text%",` +
		`"timereported":"%timereported:::date-rfc3339%","timegenerated":"%timegenerated:::date-rfc3339%"}`},
	{name: " FullJSONFmt", text: `{"message":"%msg:::json%","fromhost":"%HOSTNAME:::json%",` +
		`"programname":"%programname%","procid":"%PROCID%","msgid":"%MSGID%",` +
		`"facility":"%syslogfacility-text%","priority":"%syslogpriority-text%",` +
		`"timereported":"%timereported:::date-rfc3339%","timegenerated":"%timegenerated:::date-rfc3339%"}`},
	{name: "RSYSLOG_omudpspoofDfltSourceTpl", text: `%fromhost-ip%`},
	{name: "RSYSLOG_PerSourceKey", text: `%hostname%`},
	{name: " StdDBFmt", text: `insert into SystemEvents (Message, Facility, FromHost, Priority, DeviceReportedTime, ` +
		`ReceivedAt, InfoUnitID, SysLogTag) values ('%msg%', %syslogfacility%, '%HOSTNAME%', %syslogpriority%, ` +
		`'%timereported:::date-mysql%', '%timegenerated:::date-mysql%', %iut%, '%syslogtag%')`,
		opts: TemplateOptions{SQL: true}},
	{name: " StdPgSQLFmt", text: `insert into SystemEvents (Message, Facility, FromHost, Priority, DeviceReportedTime, ` +
		`ReceivedAt, InfoUnitID, SysLogTag) values ('%msg%', %syslogfacility%, '%HOSTNAME%', %syslogpriority%, ` +
		`'%timereported:::date-pgsql%', '%timegenerated:::date-pgsql%', %iut%, '%syslogtag%')`,
		opts: TemplateOptions{StdSQL: true}},
	{name: " StdClickHouseFmt", text: `INSERT INTO rsyslog.SystemEvents (severity, facility, timestamp, hostname, tag, message) ` +
		`VALUES (%syslogseverity%, %syslogfacility%, '%timereported:::date-unixtimestamp%', '%hostname%', ` +
		`'%syslogtag%', '%msg%')`, opts: TemplateOptions{StdSQL: true}},
}

// BuiltinTemplates makes the built-in templates.
func BuiltinTemplates(e *Env) []Template {
	templates := make([]Template, len(builtins))
	for i := range builtins {
		templates[i] = e.builtin(i, builtins[i].name)
	}
	return templates
}

// builtin makes the i-th built-in template under the given name.
func (e *Env) builtin(i int, name string) Template {
	b := &builtins[i]
	t, err := e.ParseTemplate(name, b.text, b.opts)
	if err != nil {
		panic(err) // the texts above are wrong
	}
	if slices.Contains(strgens, b.name) {
		t.(*textTemplate).makeStrict()
	}
	return t
}

// strgens are the formats that rsyslog has as plugins. They do what no text can
// say: cut TAG to 32 bytes, and put a blank before an MSG that does not begin
// with one, even if it is empty.
var strgens = []string{TraditionalFileFormat, FileFormat, TraditionalForwardFormat, ForwardFormat}

func (t *textTemplate) makeStrict() {
	for i := range t.segments {
		switch s := &t.segments[i]; {
		case s.kind == segMsg:
			s.kind = segSpaceMsg
		case s.kind == segReplaced && s.prop.id == propSyslogTag:
			s.kind = segTag32
		}
	}
}

// pluginTemplate makes a template of type plugin.
func (e *Env) pluginTemplate(name, plugin string) (Template, error) {
	if !slices.Contains(strgens, plugin) {
		return nil, fmt.Errorf("template %q: there is no plugin %q%s", name, plugin, didYouMean(plugin, strgens))
	}
	i := slices.IndexFunc(builtins, func(b builtinTemplate) bool { return b.name == plugin })
	return e.builtin(i, name), nil
}
