package message

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPOSIX compares with testdata/posix.txt: what glibc 2.36 makes of expressions
// in the C locale. A line holds the kind, the expression, the text, and where the
// match and its submatches are, "none", or "error".
func TestPOSIX(t *testing.T) {
	text, err := os.ReadFile("testdata/posix.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var kind, expr, in string
		if _, err := fmt.Sscanf(line, "%s %q %q", &kind, &expr, &in); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := line[len(fmt.Sprintf("%s %s %s ", kind, quoted(line, 1), quoted(line, 2))):]
		compile := CompileBRE
		if kind == "ERE" {
			compile = CompileERE
		}
		if re, err := compile(expr); want == "error" {
			if err == nil {
				t.Errorf("%s %q is accepted", kind, expr)
			}
		} else if err != nil {
			t.Error(err)
		} else if got := spans(re, in); got != want {
			t.Errorf("%s %q in %q: %s, want %s", kind, expr, in, got, want)
		}
	}
}

// quoted is the n-th string of a line, with its quotes.
func quoted(line string, n int) string {
	return regexp.MustCompile(`"(\\.|[^"\\])*"`).FindAllString(line, -1)[n-1]
}

// spans are the places of a match and its submatches, as far as there are any.
func spans(re *regexp.Regexp, in string) string {
	loc := re.FindStringSubmatchIndex(in)
	if loc == nil {
		return "none"
	}
	for len(loc) > 2 && loc[len(loc)-1] < 0 {
		loc = loc[:len(loc)-2]
	}
	var s []string
	for i := 0; i < len(loc); i += 2 {
		s = append(s, fmt.Sprintf("%d,%d", loc[i], loc[i+1]))
	}
	return strings.Join(s, " ")
}

func TestPOSIXErrors(t *testing.T) {
	for _, c := range []struct{ kind, expr, want string }{
		{"ERE", `(a)\1`, `byte 3: back-references (\1) are not supported`}, {"BRE", `\(a\)\9`, `byte 5: back-references (\9)`},
		{"ERE", "a(b", "byte 3: parenthesis not closed"}, {"BRE", `a\)`, `byte 1: \) without \(`}, {"ERE", "a[b", "[ not closed"},
		{"ERE", "ab*|+", "byte 4: nothing before + to repeat"}, {"ERE", "a{1001}", "more than 1000 repetitions"}, {"ERE", "a{2,1}", "two ascending numbers"},
		{"ERE", "a{-1}", "does not hold numbers"}, {"ERE", "[[:alhpa:]]", `no character class is named "alhpa"`}, {"ERE", "[z-a]", "range z-a ends before it begins"},
		{"ERE", "[[.ab.]]", "must hold one character"}, {"ERE", `a\`, "byte 1: backslash at the end"}, {"ERE", "a\xff", "not valid UTF-8"},
		{"ERE", "((a{900}){900}){900}", "invalid repeat count"},
	} {
		compile := CompileBRE
		if c.kind == "ERE" {
			compile = CompileERE
		}
		if _, err := compile(c.expr); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %q", c.kind, c.expr, err, c.want)
		}
	}
}

func TestCompileEREFold(t *testing.T) {
	re, err := CompileEREFold("[a-c]+X")
	if err != nil {
		t.Fatal(err)
	}
	if got := re.FindString("zABcx"); got != "ABcx" {
		t.Errorf("found %q", got)
	}
}
