package message

import (
	"fmt"
	"strings"
	"testing"
)

func templateGroups() []templateGroup {
	return []templateGroup{propertiesGroup(), replacerGroup(), listGroup(), controlGroup(), datesGroup(), buggyDayGroup(), variablesGroup(), expressionsGroup()}
}

// legacies are templates of one property each.
func legacies(properties ...string) (o []templateCase) {
	for _, p := range properties {
		o = append(o, templateCase{legacy: "%" + p + "%"})
	}
	return o
}

// differing says why templates give another result than rsyslog's.
func differing(o []templateCase, why string) []templateCase {
	for i := range o {
		o[i].differs = why
	}
	return o
}

const (
	utcFraction = "rsyslog takes the digits of any fraction for microseconds when it converts to UTC"
	pathLeft    = "rsyslog leaves a slash behind a slash when the value is not a part of the message as it came"
	offsetTwice = "rsyslog subtracts the zone's offset twice before it counts the days of the year"
	subtreeText = "rsyslog 8.2302 prints nothing; later versions print the JSON"
)

// lists are list templates of one property() each.
func lists(parts ...PropertyPart) (o []templateCase) {
	for _, p := range parts {
		o = append(o, templateCase{parts: []TemplatePart{p}})
	}
	return o
}

// messages of every kind the parsers tell apart.
var templateMessages = []string{
	"<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed for lonvick on /dev/pts/8",
	"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
	"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 12 ID47 [ex@32473 iut=\"3\" e=\"A \\\"q\\\"\"] BOM'An app\\ event",
	"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 my/prog - - - no tag \"quoted\"",
	"<0>1 - - - - - -",
	"<191>Jan 31 23:59:59 h averyverylongtagthatislongerthanthirtytwobytes[1234567890]:nospace",
	"<5>Mar  1 01:00:00 host tag:",
	"<5>Mar  1 01:00:00 host tag: ",
	"<999>bad pri",
	"no pri at all",
	"<14>{\"json\": [1, 2]}",
	"<14>Dec 31 12:00:00 host a/b:c[]: x  y   z",
	"<46>2021-06-01T10:00:00.5+02:00 host prog[x y: msg with \xff\xfe bytes and \xc3\xa9",
}

func propertiesGroup() templateGroup {
	g := templateGroup{name: "properties", messages: templateMessages}
	g.templates = legacies("msg", "rawmsg", "rawmsg-after-pri", "hostname", "HOSTNAME", "source", "fromhost",
		"fromhost-ip", "syslogtag", "programname", "pri", "pri-text", "iut", "syslogfacility",
		"syslogfacility-text", "syslogseverity", "syslogseverity-text", "syslogpriority",
		"syslogpriority-text", "timegenerated", "timestamp", "timereported", "TIMESTAMP",
		"protocol-version", "structured-data", "app-name", "procid", "msgid", "inputname", "jsonmesg",
		"parsesuccess", "$now", "$year", "$month", "$day", "$hour", "$hhour", "$qhour",
		"$minute", "$wday", "$now-utc", "$now-unixtimestamp", "$year-utc", "$month-utc", "$day-utc", "$hour-utc", "$hhour-utc",
		"$qhour-utc", "$minute-utc", "$wday-utc", "$myhostname", "$bom", "$!", "$.", "$/",
		"$!all-json", "$!all-json-plain", "$!none", "$.none", "$/none")
	for _, b := range builtins {
		switch {
		case b.name == "RSYSLOG_PerSourceKey": // later than 8.2302
		case b.name[0] != ' ':
			g.templates = append(g.templates, templateCase{builtin: b.name})
		case b.opts.SQL: // configurations cannot name those that begin with a blank
			g.templates = append(g.templates, templateCase{legacy: b.text, options: ",sql"})
		case b.opts.StdSQL:
			g.templates = append(g.templates, templateCase{legacy: b.text, options: ",stdsql"})
		default:
			g.templates = append(g.templates, templateCase{legacy: strings.ReplaceAll(b.text, `"`, `\"`)})
		}
	}
	return g
}

func replacerGroup() templateGroup {
	g := templateGroup{name: "replacer", messages: templateMessages}
	g.templates = legacies(
		// substrings
		"msg:1:5", "msg:2:5", "msg:3:$", "msg:5", "msg:5:", "msg:0:3", "msg:5:2", "msg:40:50", "msg:1:1",
		"msg:1:100", "syslogtag:1:32", "hostname:2:2",
		"msg:5:1:pos-end-relative", "msg:1:5:pos-end-relative", "msg:5:2:pos-end-relative", "msg:100:1:pos-end-relative",
		"msg:3:3:pos-end-relative", "hostname:4:1:pos-end-relative",
		"msg:1:40:fixed-width", "msg:3:40:fixed-width", "hostname:1:20:fixed-width", "hostname:30:40:fixed-width",
		"msg:1:5:fixed-width", "hostname:1:20:fixed-width,uppercase",
		"msg:x:", "msg:2x:3y", "timegenerated::fulltime", "msg: 2:3", "msg:-2:3", "msg:F,32:2x",
		// fields
		"msg:F:1", "msg:F,32:1", "msg:F,32:2", "msg:F,32:3", "msg:F,32:99", "msg:F,58:1", "msg:F,58:2", "msg:F,32,2:2,3",
		"msg:F,32:2:uppercase", "rawmsg:F,62:2", "procid:F,32:1", "procid:F,32:2", "hostname:F,46:2", "msg:F,32,2:3,4:uppercase",
		// sp-if-no-1st-sp and case
		"msg:::sp-if-no-1st-sp", "msg:2:$:sp-if-no-1st-sp", "msg:2:$:sp-if-no-1st-sp,uppercase", "hostname:::sp-if-no-1st-sp",
		"msg:::uppercase", "msg:::lowercase", "syslogtag:::UPPERCASE", "rawmsg:::lowercase,uppercase",
		// paths
		"msg:::secpath-drop", "msg:::secpath-replace", "syslogtag:::secpath-replace", "syslogtag:::secpath-drop",
		"procid:::secpath-drop", "rawmsg:::secpath-replace", "msg:2:1:secpath-drop", "syslogtag:::secpath-replace,lowercase",
		// blanks
		"msg:::compressspace", "rawmsg:::compressspace", "msg:::compressspace,uppercase", "msg:::drop-last-lf",
		"msg:2:$:drop-last-lf", "msg:::drop-cc", "msg:::space-cc", "msg:::escape-cc",
		// formats
		"msg:::csv", "rawmsg:::csv", "procid:::csv", "msg:::json", "rawmsg:::json", "structured-data:::json",
		"msg:::jsonr", "structured-data:::jsonr", "rawmsg:::jsonr", "msg:::jsonf", "msg:::jsonf:text", "hostname:::jsonf:a.b",
		"structured-data:::jsonf:sd", "rawmsg:::jsonfr", "structured-data:::jsonfr:x", "HostName:::jsonf", "procid:::jsonf",
		"msg:2:4:jsonf:m", "msg:::mandatory-field", "msg:::uppercase,csv", "msg:::json,lowercase", "msg:F,32:2:jsonf:second",
		"timestamp:::date-rfc3339,jsonf:@timestamp", "syslogfacility:::jsonf:fac", "pri:::jsonf", "timestamp:1:3",
		"timestamp:::uppercase", "timegenerated:1:10:date-rfc3339", "timereported:8:9:date-mysql",
		"timereported:::date-mysql", "timereported:::date-pgsql", "timereported:::date-rfc3164", "timereported:::date-rfc3339",
		"timereported:::date-unixtimestamp", "timereported:::date-subseconds", "timereported:::date-utc", "timegenerated:::date-utc", "timegenerated:::date-rfc3339",
		"timegenerated:::date-unixtimestamp", "timegenerated:::date-subseconds", "timegenerated:::date-mysql",
		"timegenerated:::date-pgsql", "timegenerated:::date-tzoffshour", "timegenerated:::date-tzoffsmin",
		"timegenerated:::date-tzoffsdirection", "timereported:::date-unixtimestamp,date-utc")
	g.templates = append(g.templates, differing(legacies("timereported:::date-rfc3339,date-utc", "timereported:::date-subseconds,date-utc"), utcFraction)...)
	g.templates = append(g.templates,
		templateCase{legacy: `a\n\r\\\%\"\t\7\65x\300\x41%msg%\%`},
		templateCase{legacy: `%msg%%hostname%x%pri%`},
		templateCase{text: `%msg`},
		templateCase{text: `%msg:1:3`},
		templateCase{legacy: `insert '%msg%'`, options: ",sql"},
		templateCase{legacy: `insert '%msg%'`, options: ",stdsql"},
		templateCase{legacy: `{\"%msg%\"}`, options: ",json"},
		templateCase{text: "a\\n\n\t%msg%\\"},
		templateCase{text: `'"%rawmsg%`, opts: TemplateOptions{SQL: true}},
		templateCase{text: `'"%rawmsg%`, opts: TemplateOptions{StdSQL: true}},
		templateCase{text: `'"%rawmsg%`, opts: TemplateOptions{JSON: true}},
		templateCase{text: `%msg:::jsonf%%hostname:::jsonf:host%x`, opts: TemplateOptions{JSONF: true}},
		templateCase{text: `%rawmsg:::json%`, opts: TemplateOptions{JSON: true}},
	)
	return g
}

func listGroup() templateGroup {
	g := templateGroup{name: "lists", messages: templateMessages}
	g.templates = lists(
		PropertyPart{Name: "msg"},
		PropertyPart{Name: "MSG", Outname: "x", Format: "jsonf"},
		PropertyPart{Name: "msg", From: 2}, PropertyPart{Name: "msg", From: 2, To: 4}, PropertyPart{Name: "msg", To: 4},
		PropertyPart{Name: "msg", From: 1, To: -1}, PropertyPart{Name: "msg", From: 2, To: -3}, PropertyPart{Name: "hostname", To: -4},
		PropertyPart{Name: "msg", From: 5, To: 2, FromEnd: true}, PropertyPart{Name: "hostname", From: 3, To: 1, FromEnd: true},
		PropertyPart{Name: "hostname", From: 2, To: 12, FixedWidth: true},
		PropertyPart{Name: "msg", Field: 2, Delimiter: 32}, PropertyPart{Name: "msg", Field: 1}, PropertyPart{Name: "msg", Field: 3, Delimiter: 32, From: 2},
		PropertyPart{Name: "msg", Case: "lower"}, PropertyPart{Name: "msg", Case: "upper", SPIfNo1stSP: true},
		PropertyPart{Name: "msg", SPIfNo1stSP: true}, PropertyPart{Name: "msg", DropLastLF: true}, PropertyPart{Name: "msg", CompressSpace: true},
		PropertyPart{Name: "syslogtag", SecurePath: "drop"}, PropertyPart{Name: "rawmsg", SecurePath: "replace"},
		PropertyPart{Name: "msg", Control: "escape"}, PropertyPart{Name: "msg", Control: "space"}, PropertyPart{Name: "msg", Control: "drop"},
		PropertyPart{Name: "rawmsg", Format: "csv"}, PropertyPart{Name: "rawmsg", Format: "json"}, PropertyPart{Name: "rawmsg", Format: "jsonf"},
		PropertyPart{Name: "rawmsg", Format: "jsonr"}, PropertyPart{Name: "rawmsg", Format: "jsonfr", Outname: "r"},
		PropertyPart{Name: "timestamp", DateFormat: "rfc3339"},
		PropertyPart{Name: "timestamp", DateFormat: "unixtimestamp"}, PropertyPart{Name: "timestamp", DateInUTC: true},
		PropertyPart{Name: "timestamp", DateFormat: "rfc3339", Format: "jsonf", Outname: "@timestamp"},
		PropertyPart{Name: "pri", Format: "jsonf", DataType: "number"}, PropertyPart{Name: "msg", Format: "jsonf", DataType: "number"},
		PropertyPart{Name: "syslogseverity", Format: "jsonf", DataType: "bool"}, PropertyPart{Name: "msg", Format: "jsonf", DataType: "bool"},
		PropertyPart{Name: "pri", Format: "jsonf", DataType: "auto"}, PropertyPart{Name: "msg", Format: "jsonf", DataType: "auto"},
		PropertyPart{Name: "msg", Format: "jsonf", DataType: "string", OnEmpty: "null"}, PropertyPart{Name: "msg", Format: "jsonf", OnEmpty: "skip"},
		PropertyPart{Name: "msg", Format: "jsonf", OnEmpty: "keep"}, PropertyPart{Name: "msg", Format: "jsonf", DataType: "number", OnEmpty: "null"},
		PropertyPart{Name: "msg", Format: "jsonf", DataType: "auto", OnEmpty: "keep"},
		PropertyPart{Name: "msg", Mandatory: true}, PropertyPart{Name: "$!all-json"}, PropertyPart{Name: "$!none", Format: "jsonf"},
	)
	g.templates = append(g.templates, differing(lists(PropertyPart{Name: "timestamp", DateFormat: "rfc3339", DateInUTC: true}), utcFraction)...)
	fields := []TemplatePart{
		ConstantPart{Value: "1", Outname: "@version", Format: "jsonf"},
		PropertyPart{Name: "hostname", Format: "jsonf", Outname: "host"},
		PropertyPart{Name: "msg", Format: "jsonf", OnEmpty: "skip"},
		PropertyPart{Name: "pri", Format: "jsonf", DataType: "number"},
		PropertyPart{Name: "$!nothing", Format: "jsonf", OnEmpty: "skip"},
	}
	g.templates = append(g.templates,
		templateCase{parts: fields},
		templateCase{parts: fields, opts: TemplateOptions{JSONF: true}},
		templateCase{parts: fields[2:3], opts: TemplateOptions{JSONF: true}},
		templateCase{parts: append([]TemplatePart{ConstantPart{Value: "plain"}}, fields[1:2]...), opts: TemplateOptions{JSONF: true}},
		templateCase{parts: []TemplatePart{ConstantPart{Value: "a\\n\\\\\\x41\\q\n"}, PropertyPart{Name: "msg"}, ConstantPart{Value: "end\n", Outname: "unused"}}},
		templateCase{parts: []TemplatePart{ConstantPart{Value: "va\"l/ue", Outname: "na\"me/", Format: "jsonf"}}},
		templateCase{parts: []TemplatePart{ConstantPart{Value: "'"}, PropertyPart{Name: "rawmsg"}}, opts: TemplateOptions{SQL: true}},
		templateCase{parts: []TemplatePart{ConstantPart{Value: "'"}, PropertyPart{Name: "rawmsg"}}, opts: TemplateOptions{StdSQL: true}},
		templateCase{parts: []TemplatePart{ConstantPart{Value: "\""}, PropertyPart{Name: "rawmsg"}}, opts: TemplateOptions{JSON: true}},
	)
	return g
}

func controlGroup() templateGroup {
	g := templateGroup{name: "control", keepCC: true, global: `parser.escapeControlCharactersOnReceive="off"`}
	all := make([]byte, 0, 255)
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	g.messages = []string{
		"<34>Oct 11 22:14:15 host app: a\tb\x01c\x7fd\x1fe",
		"<34>Oct 11 22:14:15 host app: line one\nline two\n\n",
		"<34>Oct 11 22:14:15 host app:\n",
		"<34>Oct 11 22:14:15 host app: /../a//b/",
		"<34>Oct 11 22:14:15 host app: " + string(all),
		"<34>Oct 11 22:14:15 host app: esc \\n \\\" \\u0041 \\x \\/ \\\\ end\\",
		"<34>Oct 11 22:14:15 host .: .",
		"<34>Oct 11 22:14:15 host ..",
		"<34>Oct 11 22:14:15 host tab:\tfield\tsecond\t\tfourth",
	}
	g.templates = legacies("msg", "msg:::drop-cc", "msg:::space-cc", "msg:::escape-cc", "msg:::drop-last-lf",
		"msg:::escape-cc,drop-last-lf", "msg:::space-cc,drop-last-lf", "msg:::drop-cc,compressspace", "msg:::drop-cc,space-cc", "msg:::escape-cc,space-cc",
		"msg:::secpath-drop", "msg:::secpath-replace", "msg:2:$:secpath-drop", "syslogtag:::secpath-drop",
		"programname:::secpath-replace", "msg:2:2:secpath-replace", "msg:2:3:secpath-drop", "msg:::json", "msg:::jsonr", "msg:::jsonf", "msg:::jsonfr", "msg:::csv",
		"msg:::uppercase", "msg:::lowercase", "msg:::escape-cc,json", "msg:F:1", "msg:F:2", "msg:F:3", "msg:F:4", "msg:F:5", "msg:F,9:2:escape-cc",
		"msg:::space-cc,compressspace", "jsonmesg", "syslogtag:::secpath-replace", "msg:::space-cc,drop-cc", "msg:::space-cc,escape-cc", "msg:::secpath-drop,secpath-replace", "msg:::secpath-replace,secpath-drop")
	g.templates = append(g.templates, differing(legacies("msg:2:$:secpath-replace"), pathLeft)...)
	g.templates = append(g.templates, lists(
		PropertyPart{Name: "msg", Control: "escape"}, PropertyPart{Name: "msg", Control: "space", CompressSpace: true},
		PropertyPart{Name: "msg", Control: "drop", DropLastLF: true}, PropertyPart{Name: "msg", SecurePath: "replace"},
		PropertyPart{Name: "msg", Control: "escape", Format: "csv"}, PropertyPart{Name: "msg", Format: "jsonr"},
	)...)
	return g
}

func datesGroup() templateGroup {
	g := templateGroup{name: "dates"}
	for _, year := range []int{1970, 1999, 2000, 2004, 2015, 2016, 2020, 2021, 2023, 2024, 2026, 2037, 2099} {
		for _, day := range []string{"01-01T00:00:00Z", "01-03T23:59:59.900000-12:00", "02-29T12:30:45.123456+05:30", "03-01T01:02:03.000001+00:00", "07-04T04:05:06-00:30", "12-31T23:59:59.999999+14:00"} {
			if strings.HasPrefix(day, "02-29") && (year%4 != 0) {
				day = strings.Replace(day, "29", "28", 1)
			}
			g.messages = append(g.messages, fmt.Sprintf("<13>1 %d-%s host app - - - x", year, day))
		}
	}
	var formats []string
	for _, f := range dateFormats {
		switch f.value {
		case dateDefault, dateISOWeek, dateISOWeekYear: // the latter are later than 8.2302
		case dateRFC3164BuggyDay: // see buggyDayGroup
		case dateOrdinal, dateWeek:
			g.templates = append(g.templates, differing(legacies("timereported:::date-"+f.name), offsetTwice)...)
			formats = append(formats, "timereported:::date-utc,date-"+f.name)
		default:
			formats = append(formats, "timereported:::date-"+f.name, "timereported:::date-utc,date-"+f.name)
		}
	}
	g.templates = append(g.templates, legacies(formats...)...)
	return g
}

// buggyDayGroup is on its own because rsyslog keeps a message's RFC 3164 time in
// one place for either form: what is asked for first is given to all.
func buggyDayGroup() templateGroup {
	return templateGroup{name: "buggyday", messages: datesGroup().messages[:6], templates: legacies("timereported:::date-rfc3164-buggyday")}
}

// templateVariables are set for every message of the group.
var templateVariables = []struct{ path, text string }{
	{"$!set", "text with \"quotes\", / and \\"},
	{"$!empty", ""},
	{"$!obj!a", "A"},
	{"$!obj!B!c", "deep"},
	{"$.local", "l"},
	{"$.tree!x", "y"},
	{"$/glob!g", "global"},
	{"$!obj", "refused"},
	{"$!set!below", "refused"},
	{"$!SET", "replaced/"},
}

func variablesGroup() templateGroup {
	g := templateGroup{name: "variables"}
	g.messages = []string{
		`<34>Oct 11 22:14:15 host app: plain`,
		`<34>Oct 11 22:14:15 host app: @cee: {"x":1, "Y":1.50, "nul":null,"t":true,"f":false,"b":{"arr":[1,"two",{"k":"v"}], "u":"\u00e9/\u0001"}, "big":12345678901234567890, "exp":1e3, "e":"", "eo":{}, "ea":[] }`,
		`<34>Oct 11 22:14:15 host app: @cee: {"A":1,"a":2,"set":"from json","obj":{"new":[[1,[]],{}]}, "b":{"ARR":[[0,1],2], "arr[1]":"literal"}, "x":"str", "t":"a\tb\\\/\"" }`,
		`<34>Oct 11 22:14:15 host app: @cee: {'q': 'single', /* c */ "n": -0.0, "m": -5, "f": 0.1, "x":"0", "t": "\ud83d\ude00 \ud83d x",}`,
	}
	var b strings.Builder
	b.WriteString("if $msg startswith \" @cee:\" then action(type=\"mmjsonparse\")\n")
	for _, v := range templateVariables {
		fmt.Fprintf(&b, "set %s = %s;\n", v.path, scriptQuote(v.text))
	}
	b.WriteString("set $!moved = $!b; set $.copy = $!; set $!num = 42; unset $!set; set $!late = \"fills the hole\"; set $!moved = $!obj;\n")
	g.script = b.String()
	g.prepare = prepareVariables
	g.templates = legacies("$!", "$.", "$/", "$!all-json", "$!all-json-plain", "$!set", "$!empty", "$!obj", "$!obj!a", "$!OBJ!b!C", "$.local", "$.tree!x",
		"$.tree", "$/glob", "$/glob!g", "$!x", "$!y", "$!nul", "$!t", "$!f", "$!b", "$!b!arr", "$!b!arr[0]", "$!b!arr[1]", "$!b!arr[2]!k", "$!b!arr[2]", "$!b!arr[9]", "$!b!u",
		"$!big", "$!exp", "$!e", "$!eo", "$!ea", "$!num", "$!late", "$!moved", "$.copy", "$.copy!f", "$.copy!exp", "$!x:::json", "$!b:::json", "$!x:::jsonf", "$!B:::jsonf", "$!obj!B!c:::jsonf", "$!obj!B!c:::jsonf:Deep",
		"$!x:::jsonf:Name", "$.local:::jsonf", "$/glob!g:::jsonf", "$!set:::csv", "$!t:::jsonr", "$!late:1:5:uppercase", "$!q", "$!n", "$!m", "$!b!arr[x]", "jsonmesg")
	g.templates = append(g.templates, differing([]templateCase{{subtree: "$!"}, {subtree: "$!obj"}, {subtree: "$!none"}, {subtree: "$!x"}}, subtreeText)...)
	g.templates = append(g.templates, templateCase{legacy: "%$!OBJ!B!c:::jsonf%", options: ",casesensitive"})
	g.templates = append(g.templates, lists(
		PropertyPart{Name: "$!x", Format: "jsonf", DataType: "number"}, PropertyPart{Name: "$!x", Format: "jsonf", DataType: "bool"},
		PropertyPart{Name: "$!x", Format: "jsonf", DataType: "auto"}, PropertyPart{Name: "$!b", Format: "jsonf", Outname: "Container"},
		PropertyPart{Name: "$!b!arr", Format: "jsonf"}, PropertyPart{Name: "$.local", Format: "jsonf"}, PropertyPart{Name: "$.Local", Format: "jsonf", Outname: "OUT"},
		PropertyPart{Name: "$!t", Format: "jsonfr"}, PropertyPart{Name: "$!nul", Format: "jsonf", OnEmpty: "null"},
	)...)
	return g
}

// prepareVariables does what variablesGroup's script does.
func prepareVariables(t *testing.T, e *Env, m *Message) {
	path := func(name string) Path {
		p, err := e.Path(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	msg := string(m.Msg.Of(m.Text))
	if text, ok := strings.CutPrefix(msg, " @cee:"); ok {
		v, _, err := e.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.AddVar(path("$!"), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range templateVariables {
		err := m.SetVar(path(v.path), StringValue(v.text), false)
		if (err != nil) != (v.text == "refused") {
			t.Errorf("set %s: %v", v.path, err)
		}
	}
	set := func(to, from string) {
		if v, ok := m.Var(path(from)); ok {
			m.SetVar(path(to), v, false)
		} else {
			m.SetVar(path(to), StringValue(""), false)
		}
	}
	set("$!moved", "$!b")
	set("$.copy", "$!")
	m.SetVar(path("$!num"), IntValue(42), false)
	m.UnsetVar(path("$!set"))
	m.SetVar(path("$!late"), StringValue("fills the hole"), false)
	set("$!moved", "$!obj")
}

func expressionsGroup() templateGroup {
	g := templateGroup{name: "expressions"}
	g.messages = []string{
		"<34>Oct 11 22:14:15 host app: user=alice id=17 user=bob id=4 [x] a.b*c+d?e{2}(f|g) ^$ end",
		"<34>Oct 11 22:14:15 host app: abcabcabc aaa abab foobar foo_bar 2024-01-02 10.0.0.1",
		"<34>Oct 11 22:14:15 host app: ",
		"<34>Oct 11 22:14:15 host app: \\back\\slash ]bracket[ -dash- 'x' ABC xyz\xc3\xa9",
	}
	for _, kind := range []string{"BRE", "ERE"} {
		for _, expr := range []string{
			"a", "user=\\([a-z]*\\)", "user=([a-z]*)", "a*", "ab*c", "^ user", " $", "end$", "^user", "[0-9]+", "[0-9][0-9]*", "[0-9]\\+", "[0-9]\\{2\\}",
			"[0-9]{2}", "\\(ab\\)*", "(ab)*", "(abc){2}", "(a|ab)(c|bcd)?", "foo\\|bar", "foo|bar", "[]x]", "[^]x ]*", "[[:upper:]]+", "[[:digit:]]*",
			"[a-c-]*", "a\\.b", "a.b", "\\*c", "*c", "[.]", "\\[x\\]", "{2}", "a?b", "a\\?b", "x*y", "\\w*", "\\w\\+", "\\bfoo\\b", "\\<foo\\>", "[[.a.]]b", "[[=a=]]b",
			"\\\\", "[\\]", "(f|g)", "^$", "\\^\\$", "a\\{,2\\}", "a{,2}", "a{2,}", "a\\{2,\\}", "", "()", "(^| )a", "a\\(b\\)\\(c\\)", "(a)(b)?(c)?", "[a-z]+=([a-z0-9]+)",
			"=([^ ]+) ", "(a*)*", "(a*)+", "b|c|d", "x\\(y\\|z\\)*", "a+b+", "\\(^a\\)", "a^b", "a$b", "[-a]", "[a-]", "\\d", "\\n", "\\.", "\\-", "[[:alpha:]_]+", "^ *[a-z]*",
		} {
			g.templates = append(g.templates, g.expression(kind, expr)...)
		}
	}
	g.templates = append(g.templates, legacies(
		"msg:R:=[a-z]*--end", "msg:R,ERE:[0-9]+--end", "msg:R,ERE,1:id=([0-9]+)--end", "msg:R,ERE,1,BLANK:id=([a-z]+)--end", "msg:R,ERE,1,ZERO:idx=([a-z]+)--end",
		"msg:R,ERE,1,FIELD:idx=([a-z]+)--end", "msg:R,ERE,1,DFLT:idx=([a-z]+)--end", "msg:R,ERE,1,DFLT,1:id=([0-9]+)--end", "msg:R,ERE,0,DFLT,1:user--end",
		"msg:R,ERE,1,BLANK,2:id=([0-9]+)--end", "msg:R,ERE,2,FIELD:id=([0-9]+)--end", "msg:R,BRE,1:user=\\([a-z]*\\)--end:uppercase", "msg:R,BRE,1,BLANK:user=\\([a-z]*\\)--end:jsonf:user",
		"msg:R,ERE,0,BLANK:nomatch--end:uppercase", "msg:R,ERE:nomatch--end:lowercase", "msg:R,ERE,,BLANK:x--end", "msg:R,ERE,1,,1:id=([0-9]+)--end")...)
	g.templates = append(g.templates, lists(
		PropertyPart{Name: "msg", Expr: "user=([a-z]+)", ExprType: "ERE", Submatch: 1}, PropertyPart{Name: "msg", Expr: "user=([a-z]+)", ExprType: "ERE", Submatch: 1, Match: 1},
		PropertyPart{Name: "msg", Expr: "nope", NoMatch: "BLANK"}, PropertyPart{Name: "msg", Expr: "nope", NoMatch: "FIELD"}, PropertyPart{Name: "msg", Expr: "nope", NoMatch: "ZERO"},
		PropertyPart{Name: "msg", Expr: "nope", NoMatch: "DFLT"}, PropertyPart{Name: "msg", Expr: "user=[a-z]*", From: 6}, PropertyPart{Name: "msg", Expr: "user=[a-z]*", From: 6, To: 7, Case: "upper"},
		PropertyPart{Name: "msg", Expr: "nope", Case: "lower"}, PropertyPart{Name: "msg", Expr: "a", ExprType: "ERE", Match: 3},
	)...)
	return g
}

// expression is a template for expr if it is one in both worlds.
func (g *templateGroup) expression(kind, expr string) []templateCase {
	if _, err := map[string]func(string) (any, error){
		"BRE": func(s string) (any, error) { return CompileBRE(s) },
		"ERE": func(s string) (any, error) { return CompileERE(s) },
	}[kind](expr); err != nil || expr == "" {
		return nil
	}
	return []templateCase{
		{legacy: fmt.Sprintf("%%msg:R,%s,0:%s--end%%", kind, expr)},
		{legacy: fmt.Sprintf("%%msg:R,%s,1,DFLT,1:%s--end%%", kind, expr)},
	}
}
