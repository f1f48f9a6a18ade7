package conf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeds are the configurations of the golden files.
func seeds(f *testing.F) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			_, rest, _ := strings.Cut(c, "\n")
			source, _, _ := strings.Cut(rest, "---\n")
			all = append(all, source)
		}
	}
	return all
}

// FuzzParse: nothing makes the parser panic or run for ever, errors point into
// the text, and what is printed reads back as the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if reachesOut(text) {
			t.Skip("reads files")
		}
		cfg, err := Parse("fuzz", text)
		lines := bytes.Count(text, []byte{'\n'}) + 1
		for _, e := range append(errorsOf(err), cfg.Notices...) {
			if e.File == "fuzz" && (e.Pos.Line < 1 || e.Pos.Line > lines || e.Col < 1) {
				t.Errorf("%d lines, error in %d:%d: %s", lines, e.Pos.Line, e.Col, e.Msg)
			}
		}
		if err := cfg.Dump(new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
		if msg := readBackTree(cfg); msg != "" {
			t.Error(msg)
		}
	})
}

// FuzzYAML: the same for the YAML form.
func FuzzYAML(f *testing.F) {
	text, err := os.ReadFile("testdata/yaml.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split(string(text), "=== ")[1:] {
		_, rest, _ := strings.Cut(c, "\n")
		source, _, _ := strings.Cut(rest, "---\n")
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if reachesOut(text) {
			t.Skip("reads files")
		}
		cfg, err := Parse("fuzz.yaml", text)
		lines := bytes.Count(text, []byte{'\n'}) + 2
		for _, e := range append(errorsOf(err), cfg.Notices...) {
			if e.File == "fuzz.yaml" && (e.Pos.Line < 1 || e.Pos.Line > lines || e.Col < 1) {
				t.Errorf("%d lines, error in %d:%d: %s", lines, e.Pos.Line, e.Col, e.Msg)
			}
		}
		if msg := readBackTree(cfg); msg != "" {
			t.Error(msg)
		}
	})
}

// reachesOut says whether a configuration may read files of this machine.
func reachesOut(text []byte) bool {
	low := bytes.ToLower(text)
	return bytes.Contains(low, []byte("include")) || bytes.Contains(low, []byte("cat "))
}

// FuzzExpr: an expression that is read is printed so that it reads as the same.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{
		`$a == 1 and not $b or $c`, `($a + 1) * -2 & "x" contains ['a', "b"]`, `re_match($msg, '^a.*\n')`,
		`f(g(), $!a!b, 0x1f, 017) != $$now`, "`echo $HOME` == ''", `"\x41\101\$"`, `$.x-1 - 1`, `((((1))))`, `not -not 1`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if reachesOut([]byte(text)) || strings.Contains(text, "\n") {
			t.Skip()
		}
		cfg, err := Parse("fuzz", []byte("set $.x = "+text+";\n"))
		if err != nil || len(cfg.Stmts) != 1 {
			return
		}
		set, ok := cfg.Stmts[0].(*Set)
		if !ok {
			return
		}
		first := ExprString(set.Value)
		again, err := Parse("printed", []byte("set $.x = "+first+";\n"))
		if err != nil {
			t.Fatalf("%s is printed as %s: %v", text, first, err)
		}
		if second := ExprString(again.Stmts[0].(*Set).Value); second != first {
			t.Errorf("%s is printed as %s, then as %s", text, first, second)
		}
	})
}

// FuzzDecode: no parameters make the decoder panic, and what it reports points
// into the text.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`name="n" on="off" number="3" big="1k" mode="0644"`, `name="n" user="root" group="nosuch" severity="err" facility="99"`,
		`many=["a","b"] numbers=["1","2"] maybe="on" number2="1E" list=[""]`, `small="256" choice="disk" word=" " nothing="" zzz="1"`,
		`big="9223372036854775807k" number="-0" mode="07777777777"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, params string) {
		if reachesOut([]byte(params)) {
			t.Skip()
		}
		cfg, _ := Parse("fuzz", []byte("action("+params+")"))
		for _, s := range cfg.Stmts {
			o, ok := s.(*Object)
			if !ok {
				continue
			}
			var got sample
			for _, e := range errorsOf(cfg.DecodeOver(o, o, &got)) {
				if e.Pos.Line < 1 || e.Col < 1 || e.Msg == "" {
					t.Errorf("%+v", e)
				}
			}
			if got.Number < 0 || got.Number > 10 {
				t.Errorf("number %d is out of its bounds", got.Number)
			}
		}
	})
}
