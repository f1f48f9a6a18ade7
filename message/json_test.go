package message

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseJSON(t *testing.T) {
	// What libfastjson 1.2304 prints for what it parsed, without regard to case.
	for _, c := range []struct{ in, want string }{
		{`{}`, `{ }`}, {`[]`, `[ ]`}, {` 5 `, `5`}, {`"x"`, `"x"`}, {"true\n", `true`},
		{`{"a":1,"b":[1,"two",null,true,false,{"c":{}}]}`, `{ "a": 1, "b": [ 1, "two", null, true, false, { "c": { } } ] }`},
		{`{"a":1,}`, `{ "a": 1 }`}, {`[1,]`, `[ 1 ]`}, {`{'a':'b'}`, `{ "a": "b" }`},
		{`{"A":1,"b":3,"a":2}`, `{ "A": 2, "b": 3 }`},
		{`[nan,NULL,True,FALSE,nAn,infinity,-Infinity]`, `[ NaN, null, true, false, NaN, Infinity, -Infinity ]`},
		{`/*c*/[1/**/,2]//x` + "\n", `[ 1, 2 ]`}, {"[\v1\f]\r", `[ 1 ]`},
		// Numbers: whole ones are cut to 64 bits, others keep their form.
		{`[01,-0,00,-01]`, `[ 1, 0, 0, -1 ]`}, {`[1+1]`, `[ 1 ]`},
		{`[99999999999999999999,-99999999999999999999]`, `[ 9223372036854775807, -9223372036854775808 ]`},
		{`[1.50,1e3,1E+5,1e-7,-0.0,1e400,1.,1e]`, `[ 1.50, 1e3, 1E+5, 1e-7, -0.0, 1e400, 1., 1e ]`},
		// Strings.
		{`["\"\\\/\b\f\n\r\t"]`, `[ "\"\\\/\b\f\n\r\t" ]`}, {`{"a/b":"/"}`, `{ "a\/b": "\/" }`},
		{"[\"a\x01b\x7f\xc3\xa9\xff\"]", "[ \"a\\u0001b\x7f\xc3\xa9\xff\" ]"},
		{`["\u0041\u00e9\u20ac"]`, `[ "Aé€" ]`}, {`["\ud83d\ude00"]`, `[ "😀" ]`},
		{`["\ud83d","\udc00","\ud83dx","\ud83d\u0041","\ud83d\ud83d\ude00"]`, "[ \"\ufffd\", \"\ufffd\", \"\ufffdx\", \"\ufffdA\", \"\ufffd\ufffd\ufffd\" ]"},
		{`["\u0000x","a\u0000"]`, `[ "", "a" ]`}, {`{"a\u0000b":1}`, `{ "a": 1 }`},
	} {
		v, n, err := NewEnv("h").ParseJSON([]byte(c.in))
		if got := string(v.AppendJSON(nil, JSONSpaced)); err != nil || got != c.want || n != len(c.in) {
			t.Errorf("ParseJSON(%q) = %s, %d, %v, want %s", c.in, got, n, err, c.want)
		}
	}
}

// TestParseJSONDepth: as many levels as libfastjson allows; one more is rejected below.
func TestParseJSONDepth(t *testing.T) {
	v := mustJSON(t, NewEnv("h"), strings.Repeat("[", maxJSONDepth)+strings.Repeat("]", maxJSONDepth))
	if got := v.depth(maxDepth); got != maxJSONDepth {
		t.Errorf("%d levels", got)
	}
}

func TestParseJSONRejects(t *testing.T) {
	for _, in := range []string{"", "5", "-5", "1.5", "null", "nul", "truth ", "[", "[1", `["x`, `{"a"`, `{"a":`, `{"a":1`,
		`[-]`, `[+1]`, `[.5]`, `[1.2.3]`, `[1-2]`, `[--1]`, `[1e1e1]`, `[1--2]`, `[0x10]`, `[5x]`, `[5infinity]`, `[-x]`, `[nullx]`, `[1 2]`, `[,1]`, `[1,,2]`,
		`{,}`, `{a:1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":}`, `["\x"]`, `["\u12"]`, `["\u12G4"]`, `["\ud83d\ude`, `["\ud83d\`, `["a\'b"]`,
		`{}/`, `{}/*`, `{}//`, "[\x001]", "[\"\x00\"]", strings.Repeat("[", maxJSONDepth+1) + strings.Repeat("]", maxJSONDepth+1)} {
		if v, _, err := NewEnv("h").ParseJSON([]byte(in)); !errors.Is(err, ErrJSON) {
			t.Errorf("ParseJSON(%q) = %s, %v, want an error", in, v.AppendJSON(nil, JSONPlain), err)
		}
	}
}

func TestParseJSONLength(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int
	}{{`{} `, 3}, {`{"a":1} trailing`, 8}, {`[1]]`, 3}, {`{}/* c */x`, 9}, {`5 x`, 2}} {
		if _, n, err := NewEnv("h").ParseJSON([]byte(c.in)); n != c.want || err != nil {
			t.Errorf("ParseJSON(%q) took %d bytes, %v, want %d", c.in, n, err, c.want)
		}
	}
}

func TestParseJSONCaseSensitive(t *testing.T) {
	e := NewEnv("h")
	e.VarsCaseSensitive = true
	v, _, err := e.ParseJSON([]byte(`{"A":1,"a":2,"A":3}`))
	if got := string(v.AppendJSON(nil, JSONPlain)); err != nil || got != `{"A":3,"a":2}` {
		t.Errorf("%s, %v", got, err)
	}
}

// TestParseJSONManyMembers: equal names are found among many members, too.
func TestParseJSONManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	const members = 1000
	for i := range members {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	b.WriteString(`"N7":1,"N999":2}`)
	v := mustJSON(t, NewEnv("h"), b.String())
	seven, _ := v.Member("n7", true)
	last, _ := v.Member("n999", true)
	if v.Len() != members || seven.Int() != 1 || last.Int() != 2 {
		t.Errorf("%d members, n7 is %d, n999 is %d", v.Len(), seven.Int(), last.Int())
	}
}

func TestAppendJSON(t *testing.T) {
	object := NewObject()
	object.SetMember("s", StringValue("a/\"b\\\x1f"), false)
	object.SetMember("n", Value{}, false)
	array := NewArray(IntValue(-7), BoolValue(true), FloatValue(0.1), FloatValue(1000), FloatValue(1e300), NewObject(), NewArray())
	object.SetMember("a", array, false)
	for _, c := range []struct {
		style JSONStyle
		want  string
	}{
		{JSONSpaced, `{ "s": "a\/\"b\\\u001f", "n": null, "a": [ -7, true, 0.10000000000000001, 1000.0, 1.0000000000000001e+300, { }, [ ] ] }`},
		{JSONPlain, `{"s":"a\/\"b\\\u001f","n":null,"a":[-7,true,0.10000000000000001,1000.0,1.0000000000000001e+300,{},[]]}`},
	} {
		if got := string(object.AppendJSON(nil, c.style)); got != c.want {
			t.Errorf("style %d is  %s\nwant %s", c.style, got, c.want)
		}
	}
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{Value{}, ""}, {StringValue("a/b\n"), "a/b\n"}, {IntValue(42), "42"}, {BoolValue(false), "false"},
		{NewArray(StringValue("x")), `[ "x" ]`}, {NewObject(), "{ }"},
	} {
		if got := string(c.v.AppendText([]byte("-"))); got != "-"+c.want {
			t.Errorf("%v is %q, want %q", c.v, got, c.want)
		}
	}
}
