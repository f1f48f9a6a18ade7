package conf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load writes files of the form "name: text" into a directory and loads the first;
// DIR in a text is the directory. It returns the tree, and the errors' first lines.
func load(t *testing.T, files ...[2]string) (tree string, errs []string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f[0]), []byte(strings.ReplaceAll(f[1], "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Load(filepath.Join(dir, files[0][0]))
	var b bytes.Buffer
	if err := cfg.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, e := range errorsOf(err) {
		first, _, _ := strings.Cut(e.Error(), "\n")
		errs = append(errs, strings.ReplaceAll(first, dir+"/", ""))
	}
	return strings.ReplaceAll(b.String(), dir, "DIR"), errs
}

// Both forms include one another, in the order of the text.
func TestYAMLIncludes(t *testing.T) {
	tree, errs := load(t,
		[2]string{"a.conf", "$ModLoad one\ninclude(file=\"DIR/b.yaml\")\n$ModLoad four\n*.* /x\n"},
		[2]string{"b.yaml", "modules: [{load: two}]\ninclude:\n  - path: DIR/c.d/*\n  - path: DIR/c.conf\n  - path: DIR/a.conf\nrulesets:\n  - name: r\n    script: |\n      include(file=\"DIR/d.conf\")\n      nonsense here\n"},
		[2]string{"c.conf", "$ModLoad three\nmail.* {\n  stop\n  bad bad\n}\n"},
		[2]string{"d.conf", "stop\nworse worse\n"},
	)
	want := `/* legacy */ module(load="one")
module(load="two")
/* legacy */ module(load="three")
mail.* {
    stop
}
ruleset(name="r") {
    stop
}
/* legacy */ module(load="four")
*.* {
    /* legacy */ action(type="omfile" file="/x")
}
`
	if tree != want {
		t.Errorf("got\n%swant\n%s", tree, want)
	}
	got := strings.Join(errs, "\n")
	for _, want := range []string{
		"c.conf:4:3: unknown object", "b.yaml:5:11: a.conf includes itself", "d.conf:2:1: unknown object", "b.yaml:10:7: unknown object",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestYAMLDocuments(t *testing.T) {
	_, errs := load(t, [2]string{"a.yaml", "global: {umask: \"0022\"}\n---\nglobal: {}\n"})
	if len(errs) != 1 || !strings.HasPrefix(errs[0], "a.yaml:2:1: a configuration is one YAML document") {
		t.Errorf("%q", errs)
	}
}

// A file of the YAML form is not YAML for long: aliases that would unfold to
// billions of values are not followed, and depth is bounded.
func TestYAMLHostile(t *testing.T) {
	bomb := "version: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "]\n"
	}
	deep := "rulesets:\n  - name: r\n    statements: " + strings.Repeat("[{if: 1, then: ", 9000) + strings.Repeat("}]", 9000)
	for _, text := range []string{bomb, deep, strings.Repeat("- ", 5000), strings.Repeat("{", 5000), "a: \x00", "? {a: b}\n: c"} {
		if _, errs := load(t, [2]string{"a.yaml", text}); len(errs) == 0 {
			t.Errorf("%.40q is taken", text)
		}
	}
}

// -o writes a configuration of both forms as RainerScript.
func TestYAMLDump(t *testing.T) {
	cfg, err := Parse("t.yaml", []byte("modules: [{load: imudp}]\n"))
	var b bytes.Buffer
	if err := cfg.Dump(&b); err != nil {
		t.Fatal(err)
	}
	if want := "module(load=\"imudp\")\n"; err != nil || b.String() != want {
		t.Errorf("%v, %q", err, b.String())
	}
}
