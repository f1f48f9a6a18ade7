package message

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// msgOf is a message whose MSG is text, whatever it holds.
func msgOf(text string) *Message {
	m := &Message{}
	m.SetText([]byte(text))
	return m
}

// render is text rendered for m.
func render(t testing.TB, e *Env, text string, m *Message) string {
	t.Helper()
	tpl, err := e.ParseTemplate("t", text, TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The result must not depend on what stands before it.
	const before = "before "
	got := string(tpl.Append([]byte(before), m))
	if !strings.HasPrefix(got, before) {
		t.Fatalf("%s wrote over what was there: %q", text, got)
	}
	return got[len(before):]
}

func TestReplacer(t *testing.T) {
	for _, c := range []struct{ options, in, want string }{
		// Substrings: bytes from 1, the last one included, exchanged if need be.
		{"1:3", "abcdef", "abc"}, {"2:4", "abcdef", "bcd"}, {"3:$", "abcdef", "cdef"}, {"4", "abcdef", "abcd"}, {"4:2", "abcdef", "bcd"},
		{"0:2", "abcdef", "ab"}, {"6:9", "abcdef", "f"}, {"7:9", "abcdef", ""}, {"1:3", "", ""}, {"99999999999999999999:$", "abc", ""},
		{"3:1:pos-end-relative", "abcdef", "def"}, {"1:3:pos-end-relative", "abcdef", "def"}, {"3:2:pos-end-relative", "abcdef", "de"},
		{"9:3:pos-end-relative", "abcdef", "abcd"}, {"9:8:pos-end-relative", "abcdef", "a"},
		{"1:6:fixed-width", "abc", "abc   "}, {"2:6:fixed-width", "abc", "bc   "}, {"1:2:fixed-width", "abc", "ab"}, {"5:6:fixed-width", "abc", ""},
		// Fields.
		{"F:2", "a\tb\tc", "b"}, {"F,44:3", "a,b,c", "c"}, {"F,44:1", "a,b,c", "a"}, {"F,44:2", "a,,c", ""}, {"F,44:2", "a,", ""},
		{"F,44:3", "a,", "**FIELD NOT FOUND**"}, {"F,44:4", "a,b,c", "**FIELD NOT FOUND**"}, {"F,44:1", "", ""}, {"F,44:2", "", "**FIELD NOT FOUND**"},
		{"F,44+:2", "a,,,b,,c", "b"}, {"F,44+:3", "a,,,b,,c", "c"}, {"F,44,2:2,3", "a,bcde,f", "cd"}, {"F,44:9:uppercase", "a,b", "**FIELD NOT FOUND**"},
		// Expressions.
		{"R,ERE:b+--end", "abbbc", "bbb"}, {"R,ERE,1:b+(c)--end", "abbbc", "c"}, {"R:b*--end", "bb", "bb"}, {"R,ERE:x--end", "abc", "**NO MATCH**"},
		{"R,ERE,0,BLANK:x--end", "abc", ""}, {"R,ERE,0,ZERO:x--end", "abc", "0"}, {"R,ERE,0,FIELD:x--end", "abc", "abc"},
		{"R,ERE,0,DFLT,1:[a-z]--end", "abc", "b"}, {"R,ERE,0,DFLT,3:[a-z]--end", "abc", "**NO MATCH**"}, {"R,ERE,1,FIELD:(x)?b--end", "abc", ""}, {"R,ERE,0,DFLT,9:x*--end", "abc", ""},
		{"R,ERE:x--end:lowercase", "abc", "**no match**"}, {"R,ERE:%|:--end", "50%", "%"},
		// sp-if-no-1st-sp comes before case and format.
		{"::sp-if-no-1st-sp", "abc", " "}, {"::sp-if-no-1st-sp", " abc", ""}, {"::sp-if-no-1st-sp", "", ""}, {"2:$:sp-if-no-1st-sp", "a b", ""},
		{"::sp-if-no-1st-sp,csv", "abc", `" "`},
		// Case: ASCII only.
		{"::uppercase", "aZ\xe9é1", "AZ\xe9é1"}, {"::lowercase", "aZÉ1", "azÉ1"}, {"::UpperCase", "a", "A"}, {"::lowercase,uppercase", "aB", "AB"},
		// Control characters.
		{"::drop-cc", "a\tb\x7f\x1fc\xff", "abc\xff"}, {"::space-cc", "a\tb\n", "a b "}, {"::escape-cc", "a\tb\x7fc", "a#009b#127c"},
		{"::escape-cc,space-cc,drop-cc", "a\tb", "ab"}, {"::escape-cc,space-cc", "a\tb", "a b"},
		// Paths.
		{"::secpath-drop", "/a//b/", "ab"}, {"::secpath-replace", "/a//b/", "_a__b_"}, {"::secpath-replace", ".", "_"}, {"::secpath-replace", "..", "_."},
		{"::secpath-replace", "../x", ".._x"}, {"::secpath-drop", "../", "_."}, {"::secpath-drop", "/", "_"}, {"::secpath-replace", "", "_"}, {"::secpath-drop", "...", "..."},
		{"2:$:secpath-replace", "x//y", "__y"}, {"::secpath-drop,secpath-replace", "a/b", "ab"}, {"::secpath-replace,secpath-drop", "a/b", "ab"},
		// drop-last-lf, compressspace.
		{"::drop-last-lf", "a\n\n", "a\n"}, {"::drop-last-lf", "a", "a"}, {"::drop-last-lf", "\n", ""}, {"::drop-last-lf,escape-cc", "a\n", "a#010"},
		{"::drop-last-lf,space-cc", "a\n", "a "}, {"::compressspace", "  a   b c  ", " a b c "}, {"::compressspace,space-cc", "a\t\tb", "a b"},
		// Formats.
		{"::csv", `a"b,c`, `"a""b,c"`}, {"::csv", "", `""`}, {"::json", "a\"/\\\b\f\n\r\t\x01\x1f\x7f\xff", `a\"\/\\\b\f\n\r\t\u0001\u001F` + "\x7f\xff"},
		{"::jsonr", `a\n\"\q\\ "/` + "\n", `a\n\"\\q\\ \"\/\n`}, {"::jsonr", `a\`, `a\\`}, {"::jsonr", `\u`, `\u`},
		{"::jsonf", "a\"b", `"msg":"a\"b"`}, {"::jsonf:other name", "x", `"other name":"x"`}, {"::jsonf:", "x", `"msg":"x"`}, {"::jsonfr:n", `a\n"`, `"n":"a\n\""`},
		{"::jsonf", "", `"msg":""`}, {"::mandatory-field", "x", "x"},
		// The order does not depend on how it is written.
		{"2:$:csv,lowercase,drop-cc", "xA\tB\"", `"ab"""`}, {"F,44:2:json,uppercase", `a,b"`, `B\"`},
		{"::date-rfc3339,date-utc", "not a date", "not a date"},
	} {
		text := "%msg:" + c.options + "%"
		if got := render(t, NewEnv("h"), text, msgOf(c.in)); got != c.want {
			t.Errorf("%s of %q is %q, want %q", text, c.in, got, c.want)
		}
	}
}

// TestReplacerComputed: steps work the same on values that are not a part of the
// message's text.
func TestReplacerComputed(t *testing.T) {
	e := testEnv()
	m := testMessage(e, bsdMessage)
	m.SetVar(mustPath(t, e, "$!v"), StringValue("a/b \"C\"\n"), false)
	for _, c := range []struct{ text, want string }{
		{"%$!v:2:3%", "/b"}, {"%$!v:::uppercase%", "A/B \"C\"\n"}, {"%$!v:::json%", `a\/b \"C\"\n`}, {"%$!v:::csv%", "\"a/b \"\"C\"\"\n\""},
		{"%$!v:::secpath-replace,drop-last-lf%", "a_b \"C\""}, {"%$!v:::escape-cc,jsonf%", `"v":"a\/b \"C\"#010"`}, {"%$!v:F,32:2%", "\"C\"\n"},
		{"%$!v:R,ERE:[A-Z]--end%", "C"}, {"%$!v:1:20:fixed-width%", "a/b \"C\"\n            "}, {"%$!v:::jsonfr:x%", `"x":"a\/b \"C\"\n"`},
		{"%$!none:::secpath-drop%", "_"}, {"%$!none:::jsonf%", `"none":""`}, {"%pri:1:1%", "3"}, {"%pri-text:F,46:2%", "crit"},
		{"%timestamp:1:3:uppercase%", "OCT"}, {"%timestamp:::date-rfc3339,jsonf:@t%", `"@t":"2026-10-11T22:14:15+05:30"`}, {"%timegenerated:12:19:date-rfc3339%", "20:46:17"},
	} {
		if got := render(t, e, c.text, m); got != c.want {
			t.Errorf("%s is %q, want %q", c.text, got, c.want)
		}
	}
}

func TestDateFormats(t *testing.T) {
	e := testEnv()
	m := testMessage(e, "<13>1 2024-12-30T01:02:03.045-03:30 h a - - - x")
	for _, c := range []struct{ format, want, utc string }{
		{"rfc3164", "Dec 30 01:02:03", "Dec 30 04:32:03"}, {"rfc3164-buggyday", "Dec 30 01:02:03", "Dec 30 04:32:03"},
		{"rfc3339", "2024-12-30T01:02:03.045-03:30", "2024-12-30T04:32:03.045000+00:00"}, {"mysql", "20241230010203", "20241230043203"},
		{"pgsql", "2024-12-30 01:02:03", "2024-12-30 04:32:03"}, {"unixtimestamp", "1735533123", "1735533123"}, {"subseconds", "045", "045000"},
		{"year", "2024", "2024"}, {"month", "12", "12"}, {"day", "30", "30"}, {"hour", "01", "04"}, {"minute", "02", "32"}, {"second", "03", "03"},
		{"wday", "1", "1"}, {"wdayname", "Mon", "Mon"}, {"week", "52", "52"}, {"iso-week", "01", "01"}, {"iso-week-year", "2025", "2025"}, {"ordinal", "365", "365"},
		{"tzoffshour", "03", "00"}, {"tzoffsmin", "30", "00"}, {"tzoffsdirection", "-", "+"},
	} {
		got := render(t, e, "%timereported:::date-"+c.format+"%|%timestamp:::date-utc,date-"+c.format+"%", m)
		if want := c.want + "|" + c.utc; got != want {
			t.Errorf("date-%s is %s, want %s", c.format, got, want)
		}
	}
	var known []string
	for _, f := range dateFormats[1:] { // the first is the default
		known = append(known, f.name)
	}
	tag, _ := reflect.TypeFor[PropertyPart]().FieldByName("DateFormat")
	if got := tag.Tag.Get("conf"); got != "dateformat,enum="+strings.Join(known, "|") {
		t.Errorf("the parameter is %s, known are %v", got, known)
	}
}

// TestPropertyParts: what list templates can do and strings cannot.
func TestPropertyParts(t *testing.T) {
	number := func(datatype, onempty string) PropertyPart {
		return PropertyPart{Name: "msg", Format: "jsonf", DataType: datatype, OnEmpty: onempty}
	}
	for _, c := range []struct {
		part     PropertyPart
		in, want string
	}{
		{PropertyPart{Name: "msg", Control: "escape-octal"}, "a\tb\x7f", "a#011b#177"},
		{PropertyPart{Name: "msg", From: 2}, "abc", "bc"}, {PropertyPart{Name: "msg", To: 2}, "abc", "ab"},
		{PropertyPart{Name: "msg", From: 1, To: -1}, "abcd", "abc"}, {PropertyPart{Name: "msg", From: 2, To: -9}, "abcd", ""},
		{PropertyPart{Name: "msg", Field: 2}, "a\tb", "b"}, {PropertyPart{Name: "msg", Field: 2, Delimiter: ','}, "a,b", "b"},
		{PropertyPart{Name: "msg", Field: 2, Delimiter: 255}, "a\xffb", "b"},
		{PropertyPart{Name: "msg", Expr: "(a)(b)(c)(d)(e)(f)(g)(h)(i)", ExprType: "ERE", Submatch: 9}, "abcdefghi", "i"},
		{number("number", ""), "42", `"msg":42`}, {number("number", ""), "", `"msg":0`}, {number("number", "null"), "", `"msg":null`}, {number("number", "skip"), "", ""},
		{number("bool", ""), "0", `"msg":false`}, {number("bool", ""), "x", `"msg":true`}, {number("bool", ""), "", `"msg":true`},
		{number("auto", ""), "007", `"msg":007`}, {number("auto", ""), "7x", `"msg":"7x"`}, {number("auto", ""), "", `"msg":""`},
		{number("string", "null"), "", `"msg":null`}, {number("", "keep"), "", `"msg":""`}, {number("", "skip"), "x", `"msg":"x"`},
		{PropertyPart{Name: "msg", Format: "jsonf", DataType: "number", OmitIfZero: true}, "0", ""},
		{PropertyPart{Name: "msg", Format: "jsonf", DataType: "number", OmitIfZero: true}, "42", `"msg":42`},
		{PropertyPart{Name: "msg", Format: "jsonf", DataType: "string", OmitIfZero: true}, "0", `"msg":"0"`},
		{PropertyPart{Name: "$!None", Format: "jsonf"}, "", `"none":""`}, {PropertyPart{Name: "$!None", Format: "jsonf", Outname: "N"}, "", `"n":""`},
		{PropertyPart{Name: "HostName", Format: "jsonf"}, "", `"HostName":""`},
	} {
		tpl, err := NewEnv("h").ListTemplate("t", []TemplatePart{c.part}, TemplateOptions{})
		if err != nil {
			t.Errorf("%+v: %v", c.part, err)
			continue
		}
		if got := string(tpl.Append(nil, msgOf(c.in))); got != c.want {
			t.Errorf("%+v of %q is %q, want %q", c.part, c.in, got, c.want)
		}
	}
}

func TestPropertyPartErrors(t *testing.T) {
	for _, c := range []struct {
		part PropertyPart
		want string
	}{
		{PropertyPart{Name: "mesg"}, `did you mean "msg"`},
		{PropertyPart{Name: "msg", DateFormat: "rfc3399"}, `dateformat cannot be "rfc3399"; did you mean "rfc3339"`},
		{PropertyPart{Name: "msg", Case: "uper"}, `did you mean "upper"`}, {PropertyPart{Name: "msg", Control: "dorp"}, `did you mean "drop"`},
		{PropertyPart{Name: "msg", SecurePath: "x"}, "securepath"}, {PropertyPart{Name: "msg", Format: "jason"}, `did you mean "json"`},
		{PropertyPart{Name: "msg", DataType: "int"}, "datatype"}, {PropertyPart{Name: "msg", OnEmpty: "drop"}, "onempty"},
		{PropertyPart{Name: "msg", Expr: "a", ExprType: "PCRE"}, "regex.type"}, {PropertyPart{Name: "msg", Expr: "a", NoMatch: "dflt"}, "regex.nomatchmode"},
		{PropertyPart{Name: "msg", Expr: "(", ExprType: "ERE"}, "parenthesis not closed"}, {PropertyPart{Name: "msg", Expr: "a", Submatch: 10}, "submatch 10"},
		{PropertyPart{Name: "msg", Expr: "a", Field: 1}, "exclude each other"}, {PropertyPart{Name: "msg", Field: -1}, "fields count from 1"},
		{PropertyPart{Name: "msg", Field: 1, Delimiter: 256}, "delimiter 256"}, {PropertyPart{Name: "msg", From: 5, To: 3}, "position.to=3 is lower than position.from=5"},
		{PropertyPart{Name: "msg", From: -1}, "position.from=-1 is negative"}, {PropertyPart{Name: "msg", From: 1, To: 3, FromEnd: true}, "count from the end"},
		{PropertyPart{Name: "msg", From: 1, FixedWidth: true}, "fixedwidth needs a position.to"}, {PropertyPart{Name: "msg", To: maxWidth + 1, FixedWidth: true}, "at most"},
	} {
		_, err := NewEnv("h").ListTemplate("t", []TemplatePart{ConstantPart{Value: "x"}, c.part}, TemplateOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `template "t", part 2: `) {
			t.Errorf("%+v: %v, want %q", c.part, err, c.want)
		}
	}
}

// TestReplacerAllocations: steps work in the result's own memory.
func TestReplacerAllocations(t *testing.T) {
	e := testEnv()
	m := testMessage(e, "<13>Oct 11 22:14:15 h app: some \"text\", with / and  blanks")
	m.SetVar(mustPath(t, e, "$!v"), StringValue("a/b \"C\"\n"), false)
	buf := make([]byte, 0, 4096)
	for _, property := range []string{"msg", "pri-text", "$!v"} {
		for _, options := range []string{"2:5", "F,32:2", "::uppercase", "::escape-cc", "::secpath-replace", "::compressspace", "::csv", "::json", "::jsonr",
			"::jsonf", "::sp-if-no-1st-sp", "1:50:fixed-width", "::drop-last-lf,uppercase,json"} {
			tpl, err := e.ParseTemplate("t", fmt.Sprintf("%%%s:%s%%", property, options), TemplateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(10, func() { tpl.Append(buf, m) }); n != 0 {
				t.Errorf("%s:%s: %v allocations", property, options, n)
			}
		}
	}
}
