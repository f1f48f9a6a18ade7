package message

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseStructuredData(t *testing.T) {
	f := func(sd string, want ...SDElement) {
		t.Helper()
		got, err := ParseStructuredData([]byte(sd))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, error %v, want %q", sd, got, err, want)
		}
	}
	p := func(nameValue ...string) (params []SDParam) {
		for i := 0; i < len(nameValue); i += 2 {
			params = append(params, SDParam{nameValue[i], nameValue[i+1]})
		}
		return params
	}
	f("")
	f("-")
	f("[a]", SDElement{ID: "a"})
	f("[b][a]", SDElement{ID: "b"}, SDElement{ID: "a"})
	f(`[ex@32473 iut="3" eventSource="Application" eventID="1011"]`,
		SDElement{"ex@32473", p("iut", "3", "eventSource", "Application", "eventID", "1011")})
	f(`[z b="1" a="2" b="3"][y]`, SDElement{"z", p("b", "1", "a", "2", "b", "3")}, SDElement{ID: "y"})
	f(`[a b=""]`, SDElement{"a", p("b", "")})
	f(`[a b="\] c=\"\\ ä"]`, SDElement{"a", p("b", `] c="\ ä`)})
	f(`[a\ b="\\"]`, SDElement{`a\`, p("b", `\`)})

	bad := func(sd string) {
		t.Helper()
		if got, err := ParseStructuredData([]byte(sd)); err == nil {
			t.Errorf("%q: got %q, want an error", sd, got)
		}
	}
	for _, sd := range []string{" ", "--", "- ", "[", "]", "[]", "[ ]", "[a", "[a ", "[a ]", "[a]x", "[a] ", "[a] x", "[a] [b]", "x",
		"[a b]", "[a b=]", "[a b=c]", `[a b="]`, `[a b="c]`, `[a b="c"d="e"]`, `[a b="c"`, `[a b="]"]`, `[a b="\x"]`, "[a][a]", "[a=b]", `[a b="` + "\xff" + `"]`,
		"[" + strings.Repeat("a", 33) + "]", "[\x00]", "[a\n]", "[ä]"} {
		bad(sd)
	}
	if _, err := ParseStructuredData([]byte("[" + strings.Repeat("x", 1<<20))); err == nil || len(err.Error()) > 400 {
		t.Errorf("error of %d bytes", len(fmt.Sprint(err)))
	}
}

func FuzzStructuredData(f *testing.F) {
	f.Add([]byte(`[ex@32473 iut="3" eventSource="App\]\"\\"][b][c d=""]`))
	f.Add([]byte(`[a\ b="\\"]`))
	addOracleInputs(f, func(text string) {
		if _, sd, ok := strings.Cut(text, "["); ok {
			f.Add([]byte("[" + sd))
		}
	})
	f.Fuzz(func(t *testing.T, sd []byte) {
		raw := append([]byte("<13>1 - h a p m "), sd...)
		_, whole := parseRFC5424(raw)
		if _, err := parseRFC5424(withoutEscapes(raw)); (err == nil) != (whole == nil) {
			t.Fatalf("%q: %v, without escapes %v", raw, whole, err)
		}
		elements, err := ParseStructuredData(sd)
		if err != nil || elements == nil {
			return
		}
		want, err := structuredDataMap(sd)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]map[string]string{}
		for _, e := range elements {
			got[e.ID] = map[string]string{}
			for _, p := range e.Params {
				got[e.ID][p.Name] = p.Value
			}
		}
		if len(got) != len(elements) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %q, go-syslog %q", sd, elements, want)
		}
	})
}
