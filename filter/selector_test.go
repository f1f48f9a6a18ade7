package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sysrelay/message"
)

const selectorGolden = "testdata/selectors.txt"

// TestSelectorGolden compares selectors with rsyslogd for all 192 PRIs and an
// invalid one. A line of the golden file is a selector and, for every facility,
// its severities as two hexadecimal digits; "error" if rsyslogd refuses it.
func TestSelectorGolden(t *testing.T) {
	lines := goldenLines(t, selectorGolden)
	if *rsyslogd != "" {
		lines = askSelectors(t, lines)
		writeGolden(t, selectorGolden, lines)
	}
	n := 0
	for _, line := range lines {
		text, ok := goldenInput(line)
		if !ok {
			continue
		}
		n++
		_, want, _ := strings.Cut(line, "\t")
		got := "error"
		if s, err := ParseSelector(text); err == nil {
			s[facilities-1] &= 1 << 7 // no other severity goes with an invalid PRI
			got = fmt.Sprintf("%x", s[:])
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if n < 60 {
		t.Errorf("only %d selectors in %s", n, selectorGolden)
	}
}

// askSelectors uses prifilt(), because the lexer keeps some texts from being
// selector lines at all.
func askSelectors(t *testing.T, lines []string) []string {
	var rules strings.Builder
	rules.WriteString(`template(name="pri" type="string" string="%syslogfacility% %syslogseverity%\n")` + "\n")
	for i, line := range lines {
		if text, ok := goldenInput(line); ok {
			fmt.Fprintf(&rules, "if prifilt(%q) then action(type=\"omfile\" file=\"@DIR@/s%d\" template=\"pri\")\n", text, i)
		}
	}
	messages := []string{"<999>invalid"}
	for pri := range 192 {
		messages = append(messages, fmt.Sprintf("<%d>Jan  1 00:00:00 host tag: message", pri))
	}
	dir := oracle(t, rules.String(), messages)
	for i, line := range lines {
		text, ok := goldenInput(line)
		if !ok {
			continue
		}
		if strings.Contains(oracleCheck(t, fmt.Sprintf("if prifilt(%q) then stop\n", text)), ": unknown ") {
			lines[i] = text + "\terror"
			continue
		}
		out, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("s%d", i)))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		var mask [facilities]uint8
		for l := range strings.Lines(string(out)) {
			var f, sev int
			if _, err := fmt.Sscan(strings.Replace(l, "invld", "24", 1), &f, &sev); err != nil {
				t.Fatal(err)
			}
			mask[f] |= 1 << sev
		}
		lines[i] = fmt.Sprintf("%s\t%x", text, mask[:])
	}
	return lines
}

// goldenInput is the part of a golden line before the TAB, unless it is a comment.
func goldenInput(line string) (string, bool) {
	text, _, _ := strings.Cut(line, "\t")
	return text, text != "" && text[0] != '#'
}

func goldenLines(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func writeGolden(t *testing.T, file string, lines []string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSelectorMatchesAnyPRI(t *testing.T) {
	s, err := ParseSelector("*.*")
	if err != nil {
		t.Fatal(err)
	}
	for pri := range 1 << 16 {
		if !s.Match(&message.Message{PRI: uint16(pri)}) {
			t.Fatalf("*.* does not select PRI %d", pri)
		}
	}
}

// Selectors rsyslogd 8.2302 does not know, or reads past their end.
func TestSelectorBeyondRsyslogd(t *testing.T) {
	for in, want := range map[string]string{
		"audit.*": "104.*", "alert.*": "112.*", "clock.*": "120.*", "mail.err;": "mail.err", "mail.err,": "mail.err", "": "*.none",
	} {
		got, err := ParseSelector(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if w, err := ParseSelector(want); err != nil || got != w {
			t.Errorf("%s: got %x, want %x (%v)", in, got, w, err)
		}
	}
}

func TestSelectorErrors(t *testing.T) {
	tests := []struct {
		in      string
		offset  int
		msg     string
		suggest string
	}{
		{"mail.inof", 5, `unknown priority name "inof"`, `did you mean "info"?`},
		{"mail.!=wran", 7, `unknown priority name "wran"`, `did you mean "warn"?`},
		{"mial.*", 0, `unknown facility name "mial"`, `did you mean "mail"?`},
		{"*.*;user,loacl0.none", 9, `unknown facility name "loacl0"`, `did you mean "local0"?`},
		{"mail", 0, `"mail" is not facility.priority`, "write facility.priority, such as mail.info or mail.*"},
		{"mail.err;news", 9, `"news" is not facility.priority`, "write facility.priority, such as mail.info or mail.*"},
		{"mail.", 5, `unknown priority name ""`, ""},
		{"200.*", 0, "facility number 200 is too large", "a number stands for itself divided by 8: 128 is local0, 184 is local7"},
		// rsyslogd accepts these in prifilt() and selects nothing.
		{".err", 0, `".err" is not facility.priority`, "write facility.priority, such as mail.info or mail.*"},
		{";mail.err", 0, `unknown facility name ""`, ""},
	}
	for _, tt := range tests {
		_, err := ParseSelector(tt.in)
		e, ok := err.(*SelectorError)
		if !ok || e.Offset != tt.offset || e.Msg != tt.msg || e.Suggest != tt.suggest {
			t.Errorf("%s: got %#v", tt.in, err)
		}
	}
}

// as rsyslog: a semicolon separates facilities, too.
func TestSemicolonBetweenFacilities(t *testing.T) {
	with, err := ParseSelector("*.*;auth;authpriv.none")
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := ParseSelector("*.*;auth,authpriv.none"); with != want {
		t.Errorf("got %v, want %v", with, want)
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"*.*", "mail,news.=info;*.!err", "kern.none;;.;", "24.9", "local7.!=*", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := ParseSelector(text)
		if e, ok := err.(*SelectorError); ok && (e.Offset < 0 || e.Offset > len(text)) {
			t.Errorf("%q: offset %d outside the text", text, e.Offset)
		}
	})
}
