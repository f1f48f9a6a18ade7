package message

import (
	"strings"
	"testing"
	"time"
)

func TestParseTemplate(t *testing.T) {
	e := testEnv()
	m := testMessage(e, bsdMessage)
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"constant", "constant"}, {`\n\r\\\%\"\t\7\65x\300`, "\n\r\\%\"t\aAx,"}, {`ends\`, "ends"}, {"%hostname%%pri%", "mymachine34"},
		{"<%PRI%> %HostName:1:2%!", "<34> my!"}, {"%msg:::drop-last-lf:name%", " 'su root' failed"}, {"%$!a%|%$.b%|%$/c%", "||"},
	} {
		if got := render(t, e, c.text, m); got != c.want {
			t.Errorf("%q is %q, want %q", c.text, got, c.want)
		}
	}
}

func TestParseTemplateErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"abc %mesg%", `byte 6: there is no property "mesg"; did you mean "msg"?`},
		{"%%", "byte 2: no property between two percent signs"},
		{"%msg", "byte 5: no percent sign behind the property"},
		{"%msg:::upercase%", `byte 8: there is no option "upercase"; did you mean "uppercase"?`},
		{"%msg:::csv,date-foo%", `byte 12: date- cannot be "foo"`},
		{"%msg:::csv,json%", "byte 12: csv and json exclude each other"},
		{"%msg:R:a--endx%", "byte 14: nothing but options can follow --end"}, {"%msg:2:$x%", "byte 9: nothing but options can follow $"},
		{"%msg:F,x:1%", "byte 8: field: F, needs the delimiter's decimal code"}, {"%msg:F,256:1%", "256 is more than 255"}, {"%msg:F,44x:1%", "byte 10: the number of the field"},
		{"%msg:F%", "byte 7: the number of the field"}, {"%msg:F:%", "fields count from 1"}, {"%msg:F:0%", "fields count from 1"},
		{"%msg:RX:a--end%", "R is followed by"}, {"%msg:R,PCRE:a--end%", "regex.type"}, {"%msg:R,ERE,x:a--end%", "are one digit"}, {"%msg:R,ERE,10:a--end%", "are one digit"},
		{"%msg:R,ERE,0,NONE:a--end%", "regex.nomatchmode"}, {"%msg:R,ERE,0,DFLT,0,9:a--end%", "R is followed by"}, {"%msg:R,ERE%", "the regular expression must follow"},
		{"%msg:R,ERE:abc%", "the regular expression has no --end"}, {`%msg:R,ERE:(a--end%`, "parenthesis not closed"}, {`%msg:R:\1--end%`, `back-references (\1) are not supported`},
		{"%msg:::csv:name:x%", "nothing can follow the name"}, {"%$!a!!b%", "empty part"}, {"%msg:1:9999999:fixed-width%", "fixedwidth needs a position.to"},
	} {
		tpl, err := NewEnv("h").ParseTemplate("tpl", c.text, TemplateOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `template "tpl": byte `) {
			t.Errorf("%q: %v, %v, want %q", c.text, tpl, err, c.want)
		}
	}
}

func TestTemplateOptions(t *testing.T) {
	const in = `'a' "b" \c`
	for _, c := range []struct {
		opts TemplateOptions
		want string
	}{
		{TemplateOptions{}, `'"\'a' "b" \c`}, {TemplateOptions{SQL: true}, `'"\\'a\' "b" \\c`}, {TemplateOptions{StdSQL: true}, `'"\''a'' "b" \c`},
		{TemplateOptions{JSON: true}, `'"\'a' \"b\" \\c`},
	} {
		tpl, err := NewEnv("h").ParseTemplate("t", `'\"\\%msg%`, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(tpl.Append(nil, msgOf(in))); got != c.want {
			t.Errorf("%+v: %s, want %s", c.opts, got, c.want)
		}
	}
	if _, err := NewEnv("h").ParseTemplate("t", "x", TemplateOptions{SQL: true, JSON: true}); err == nil {
		t.Error("two options that exclude each other are accepted")
	}
}

func TestNewTemplate(t *testing.T) {
	e := testEnv()
	m := testMessage(e, bsdMessage)
	m.SetVar(mustPath(t, e, "$!a!b"), IntValue(1), false)
	part := []TemplatePart{PropertyPart{Name: "pri"}}
	for _, c := range []struct {
		params TemplateParams
		parts  []TemplatePart
		want   string // or the error
	}{
		{TemplateParams{Type: "string", String: `\n%pri%`}, nil, `\n34`}, {TemplateParams{Type: "string", String: `\n%pri%`, Legacy: true}, nil, "\n34"},
		{TemplateParams{Type: "string", String: `%pri:1:1`}, nil, "3"}, {TemplateParams{Type: "string", String: `%pri:::csv:name`}, nil, `"34"`}, {TemplateParams{Type: "string"}, nil, ""},
		{TemplateParams{Type: "list"}, part, "34"}, {TemplateParams{Type: "subtree", Subtree: "$!a"}, nil, `{ "b": 1 }`},
		{TemplateParams{Type: "plugin", Plugin: TraditionalForwardFormat}, nil, "<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed"},
		{TemplateParams{Type: "list"}, nil, `needs parts in braces`}, {TemplateParams{Type: "subtree"}, nil, "needs the parameter subtree"},
		{TemplateParams{Type: "plugin"}, nil, "needs the parameter plugin"}, {TemplateParams{Type: "plugin", Plugin: "RSYSLOG_FileFromat"}, nil, `did you mean "RSYSLOG_FileFormat"`},
		{TemplateParams{Type: "string", String: "x"}, part, `has no use for parts in braces`}, {TemplateParams{Type: "list", String: "x"}, part, "has no use for the parameter string"},
		{TemplateParams{Type: "subtree", Subtree: "$.a"}, nil, "a subtree begins with $!"}, {TemplateParams{Type: "subtree", Subtree: "msg"}, nil, "is no variable"},
		{TemplateParams{Type: "strnig", String: "x"}, nil, "has no use"}, {TemplateParams{Type: "strnig"}, nil, `there is no type "strnig"`},
	} {
		c.params.Name = "name"
		tpl, err := e.NewTemplate(&c.params, c.parts)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || c.want == "" || !strings.HasPrefix(err.Error(), `template "name": `) {
				t.Errorf("%+v: %v, want %q", c.params, err, c.want)
			}
			continue
		}
		if got := string(tpl.Append(nil, m)); got != c.want || tpl.Name() != "name" {
			t.Errorf("%+v: %q is %q, want %q", c.params, tpl.Name(), got, c.want)
		}
	}
}

func TestConstantPart(t *testing.T) {
	for _, c := range []struct {
		part ConstantPart
		want string // or the error
	}{
		// What conf has unescaped already is unescaped once more.
		{ConstantPart{Value: `\aa\n\t\x41\'\"\?\\\q\x4\xzz\`}, "\aa\n\tA'\"?\\\\q\\x4\\xzz\\"}, {ConstantPart{Value: "x", Outname: "n"}, "x"},
		{ConstantPart{Value: "v/\"", Outname: "n\"", Format: "jsonf"}, `"n\"": "v\/\""`},
		{ConstantPart{Value: "x", Format: "jsonf"}, "needs an outname"}, {ConstantPart{Value: "x", Format: "json"}, "only jsonf"},
	} {
		tpl, err := NewEnv("h").ListTemplate("t", []TemplatePart{c.part}, TemplateOptions{})
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%+v: %v, want %q", c.part, err, c.want)
		case err == nil && string(tpl.Append(nil, msgOf(""))) != c.want:
			t.Errorf("%+v is %q, want %q", c.part, tpl.Append(nil, msgOf("")), c.want)
		}
	}
}

func TestFieldTemplates(t *testing.T) {
	field := func(outname string) PropertyPart { return PropertyPart{Name: "msg", Outname: outname, Format: "jsonf"} }
	skip := func(outname string) PropertyPart {
		return PropertyPart{Name: "$!none", Outname: outname, Format: "jsonf", OnEmpty: "skip"}
	}
	constant := func(outname, value string) ConstantPart {
		return ConstantPart{Value: value, Outname: outname, Format: "jsonf"}
	}
	for _, c := range []struct {
		parts      []TemplatePart
		flat, tree string
	}{
		{[]TemplatePart{field("a"), constant("b", "x")}, `{"a":"M", "b": "x"}`, `{"a":"M", "b": "x"}`},
		{[]TemplatePart{constant("host.name", "h"), field("host.ip"), constant("event.dataset.name", "s"), field("event.original")},
			`{"host.name": "h", "host.ip":"M", "event.dataset.name": "s", "event.original":"M"}`,
			`{"host":{"name": "h", "ip":"M"}, "event":{"dataset":{"name": "s"}, "original":"M"}}`},
		{[]TemplatePart{skip("a"), field("b"), skip("c"), field("d"), skip("e")}, `{"b":"M", "d":"M"}`, `{"b":"M", "d":"M"}`},
		{[]TemplatePart{skip("a.b.c"), skip("a.d"), field("x.y"), skip("x.z")}, `{"x.y":"M"}`, `{"x":{"y":"M"}}`},
		{[]TemplatePart{PropertyPart{Name: "msg", Outname: "a.b", Format: "jsonfr"}}, `{"a.b":"M"}`, `{"a":{"b":"M"}}`},
		{[]TemplatePart{PropertyPart{Name: "msg", Outname: "a.b", Format: "json"}}, `{M}`, `{M}`},
		{[]TemplatePart{skip("a")}, `{}`, `{}`},
		// A name that is a value and an object: nothing is nested.
		{[]TemplatePart{constant("a", "A"), constant("a.b", "B")}, `{"a": "A", "a.b": "B"}`, `{"a": "A", "a.b": "B"}`},
		{[]TemplatePart{constant("a.b", "B"), constant("a", "A")}, `{"a.b": "B", "a": "A"}`, `{"a.b": "B", "a": "A"}`},
		{[]TemplatePart{ConstantPart{Value: "plain"}, field("a")}, `{plain, "a":"M"}`, `{plain, "a":"M"}`},
	} {
		for opts, want := range map[TemplateOptions]string{{JSONF: true}: c.flat, {JSONFTree: true}: c.tree} {
			tpl, err := NewEnv("h").ListTemplate("t", c.parts, opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(tpl.Append([]byte("-"), msgOf("M"))); got != "-"+want+"\n" || tpl.Name() != "t" {
				t.Errorf("%+v with %+v\nis   %s\nwant %s", c.parts, opts, got, want)
			}
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"/var/log/%hostname%/x", "/var/log/"}, {"%hostname%", ""}, {"", ""}, {`/a\\b`, `/a\b`}, {"/x%pri%/y%pri%", "/x"},
	} {
		tpl, err := NewEnv("h").ParseTemplate("t", c.text, TemplateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tpl.(Prefixed).Prefix(); got != c.want {
			t.Errorf("%q begins with %q, want %q", c.text, got, c.want)
		}
	}
}

// TestNowOnce: one template shows one time, however long rendering takes.
func TestNowOnce(t *testing.T) {
	e := testEnv()
	asked := 0
	now := e.Now()
	e.Now = func() time.Time { asked++; return now }
	render(t, e, "%$year%%$month%%$day-utc%%$now-unixtimestamp%", msgOf(""))
	if asked != 1 {
		t.Errorf("the clock was read %d times", asked)
	}
	if render(t, e, "%msg%", msgOf("")); asked != 1 {
		t.Error("the clock was read for a template that shows no present time")
	}
}

// TestBuiltinTemplates: they render without taking memory, whatever the message.
func TestBuiltinTemplates(t *testing.T) {
	e := testEnv()
	buf := make([]byte, 0, 4096)
	seen := map[string]bool{}
	for _, tpl := range BuiltinTemplates(e) {
		seen[tpl.Name()] = true
		for _, raw := range []string{bsdMessage, rfcMessage, "<999>x", ""} {
			m := testMessage(e, raw)
			if n := testing.AllocsPerRun(10, func() { tpl.Append(buf, m) }); n != 0 {
				t.Errorf("%q for %q: %v allocations", tpl.Name(), raw, n)
			}
		}
	}
	for _, module := range []string{"omfile", "ompipe", "omprog", "omstdout", "omfwd", "omuxsock", "omrelp", "omusrmsg", "ommysql", "ompgsql", "omhttp", "any"} {
		if !seen[DefaultTemplate(module)] {
			t.Errorf("%s uses %q, which is not built in", module, DefaultTemplate(module))
		}
	}
	if !seen[WallFormat] || len(seen) != len(builtins) {
		t.Errorf("built in are %v", seen)
	}
}

func TestDefaultTemplate(t *testing.T) {
	for module, want := range map[string]string{"omfile": "RSYSLOG_FileFormat", "omfwd": "RSYSLOG_TraditionalForwardFormat",
		"omrelp": "RSYSLOG_ForwardFormat", "omusrmsg": " StdUsrMsgFmt"} {
		if got := DefaultTemplate(module); got != want {
			t.Errorf("%s uses %q, want %q", module, got, want)
		}
	}
}
