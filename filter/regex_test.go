package filter

import (
	"regexp"
	"strings"
	"testing"

	"sysrelay/message"
)

func TestRequired(t *testing.T) {
	tests := []struct {
		in, want string
		exact    bool
	}{
		{"abc", "abc", true},
		{"(abc)", "abc", true},
		{"abc|def", "abc|def", true},
		{"(abc|def)x", "abc|def", false},
		{"[0-9]+ bytes", " bytes", false},
		{"a+bcd", "bcd", false},
		{"(abc)+", "abc", false},
		{"(abc){2,3}", "abc", false},
		{"(abc){0,3}", "", false},
		{"(abc)*x", "x", false},
		{"(abc)?", "", false},
		{"abc|[0-9]", "", false},
		{"^abc$", "abc", false},
		{"", "", false},
		{".", "", false},
		{"aa|bb|cc|dd|ee|ff|gg", "", false},
	}
	for _, tt := range tests {
		re, err := message.CompileERE(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		texts, exact := requiredOf(re)
		var got []string
		for _, s := range texts {
			got = append(got, string(s))
		}
		if g := strings.Join(got, "|"); g != tt.want || exact != tt.exact {
			t.Errorf("%s: got %q exact=%v, want %q exact=%v", tt.in, g, exact, tt.want, tt.exact)
		}
	}
}

// FuzzMatchRegex: looking for required texts changes no outcome.
func FuzzMatchRegex(f *testing.F) {
	for _, s := range [][2]string{{"(a|b)c", "xac"}, {"a{2,3}b?", "aab"}, {"^x|y$", "zy"}, {"(ab|cd)+ef", "abcdef"},
		{"[[:digit:]]+x", "12x"}, {"A.c", "abc"}, {"\\bfoo", "a foo"}, {"é|ü", "ü"}, {"a||b", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, expression, text string) {
		for _, compile := range []regexCompiler{message.CompileERE, message.CompileBRE, message.CompileEREFold} {
			re, err := compile(expression)
			if err != nil {
				continue
			}
			if got, want := matchRegex(re)([]byte(text)), re.MatchString(text); got != want {
				t.Errorf("%q on %q: got %v, want %v", expression, text, got, want)
			}
		}
	})
}

func TestContainsFold(t *testing.T) {
	for _, tt := range []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true}, {"a", "", true}, {"", "a", false}, {"abc", "ABC", true}, {"xxabc", "Bc", true},
		{"aab", "AB", true}, {"aAaB", "aab", true}, {"ab", "abc", false}, {"a_b", "A_B", true},
		{"a-b", "a_b", false}, {"[", "{", false}, {"@", "`", false}, {"1a", "1A", true}, {"\xc4", "\xe4", false},
	} {
		if got := containsFold([]byte(tt.text), []byte(tt.pattern)); got != tt.want {
			t.Errorf("containsFold(%q, %q) = %v", tt.text, tt.pattern, got)
		}
	}
}

func FuzzContainsFold(f *testing.F) {
	f.Add("Hello World", "WORLD")
	f.Add("aaab", "AAB")
	lower := func(s string) string {
		b := []byte(s)
		for i := range b {
			b[i] = fold(b[i])
		}
		return string(b)
	}
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if got, want := containsFold([]byte(text), []byte(pattern)), strings.Contains(lower(text), lower(pattern)); got != want {
			t.Errorf("containsFold(%q, %q) = %v", text, pattern, got)
		}
	})
}

func requiredOf(re *regexp.Regexp) ([][]byte, bool) {
	tree, err := parseRegex(re)
	if err != nil {
		return nil, false
	}
	return required(tree)
}
