package conf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInclude reads small trees of files. In configurations and results @ stands
// for the directory they are in.
func TestInclude(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // the files written to, in the order of the tree
		err   string // of the only error, "" if there is none
	}{
		{name: "one file", files: map[string]string{
			"main":   "*.* /1\n$IncludeConfig @/a.conf # comment\n*.* /3\n",
			"a.conf": "*.* /2\n",
		}, want: "/1 /2 /3"},
		{name: "what the pattern finds, sorted, without hidden files", files: map[string]string{
			"main":     "$IncludeConfig @/d/*.conf\n*.* /4",
			"d/b.conf": "*.* /2", "d/a.conf": "*.* /1\n", "d/c.conf": "*.* /3", "d/.x.conf": "*.* /no", "d/x.bak": "*.* /no",
		}, want: "/1 /2 /3 /4"},
		{name: "a hidden file if it is asked for", files: map[string]string{
			"main": "$IncludeConfig @/.*.conf\n", ".x.conf": "*.* /1",
		}, want: "/1"},
		{name: "all files of a directory", files: map[string]string{
			"main": "$IncludeConfig @/d\n*.* /3", "d/b": "*.* /2", "d/a": "*.* /1", "d.not/x": "*.* /no",
		}, want: "/1 /2 /3"},
		{name: "and those of the directories in it", files: map[string]string{
			"main": "include(file=\"@/d/\")\n", "d/b": "*.* /3", "d/a/x": "*.* /1", "d/a/y": "*.* /2",
		}, want: "/1 /2 /3"},
		{name: "a pattern may find nothing", files: map[string]string{
			"main": "$IncludeConfig @/none/*.conf\n*.* /1",
		}, want: "/1"},
		{name: "a name has to be there", files: map[string]string{
			"main": "$IncludeConfig @/none.conf\n*.* /1",
		}, want: "/1", err: "@/main:1:16: cannot include @/none.conf: @/none.conf: no such file or directory"},
		{name: "unless it is optional", files: map[string]string{
			"main": "include(file=\"@/none.conf\" mode=\"optional\")\n*.* /1",
		}, want: "/1"},
		{name: "abort-if-missing", files: map[string]string{
			"main": "include(file=\"@/none.conf\" mode=\"abort-if-missing\")\n*.* /1",
		}, want: "/1", err: "@/main:1:14: cannot include @/none.conf: @/none.conf: no such file or directory"},
		{name: "in a block", files: map[string]string{
			"main": "if $a then {\n *.* /1\n include(file=\"@/a\")\n *.* /3 \n}\n", "a": "*.* /2\n",
		}, want: "/1 /2 /3"},
		{name: "a block begun in one file and ended in another", files: map[string]string{
			"main": "include(file=\"@/a\") include(file=\"@/b\")", "a": "if $a then {\n*.* /1\n", "b": "*.* /2\n}\n*.* /3",
		}, want: "/1 /2 /3"},
		{name: "settings are handed on", files: map[string]string{
			"main": "$ActionName x\n$IncludeConfig @/a\n", "a": "*.* /1\n",
		}, want: "/1:x"},
		{name: "a file that includes itself", files: map[string]string{
			"main": "*.* /1\n$IncludeConfig @/main\n*.* /2\n",
		}, want: "/1 /2", err: "@/main:2:16: @/main includes itself; it is not read again"},
		{name: "two that include each other", files: map[string]string{
			"main": "include(file=\"@/a\")\n*.* /2", "a": "*.* /1\ninclude(file=\"@/main\")",
		}, want: "/1 /2", err: "@/a:2:14: @/main includes itself; it is not read again"},
		{name: "the same file twice is no loop", files: map[string]string{
			"main": "$IncludeConfig @/a\n$IncludeConfig @/a\n", "a": "*.* /1\n",
		}, want: "/1 /1"},
		{name: "a file of the directory includes another", files: map[string]string{
			"main": "$IncludeConfig @/d/*\n", "d/a": "include(file=\"@/d/b\")", "d/b": "*.* /1\n",
		}, want: "/1 /1"},
		{name: "text", files: map[string]string{
			"main": "include(text=\"*.* /1\\n*.* /2\")\n*.* /3",
		}, want: "/1 /2 /3"},
		{name: "an error in text", files: map[string]string{
			"main": "include(text=\"*.* /1\\n)\")\n",
		}, want: "/1", err: `@/main:1:text:2:1: unexpected ")" where a statement is expected`},
		{name: "an error in an included file", files: map[string]string{
			"main": "$IncludeConfig @/a\n*.* /1\n", "a": "\n\n  )\n",
		}, want: "/1", err: `@/a:3:3: unexpected ")" where a statement is expected`},
		{name: "wrong parameters", files: map[string]string{
			"main": "include(flie=\"x\" text=\"*.* /1\")",
		}, want: "/1", err: "@/main:1:9: include() has no parameter flie"},
		{name: "an unknown mode", files: map[string]string{
			"main": "include(text=\"*.* /1\" mode=\"must\")",
		}, want: "/1", err: `@/main:1:28: unknown include mode "must"`},
		{name: "file and text", files: map[string]string{
			"main": "include(text=\"*.* /1\" file=\"x\")\n*.* /1",
		}, want: "/1", err: "@/main:1:1: include() has both file and text"},
		{name: "neither", files: map[string]string{
			"main": "include()\n*.* /1",
		}, want: "/1", err: "@/main:1:1: include() needs a file or a text"},
	} {
		dir := t.TempDir()
		write(t, dir, c.files)
		cfg, err := Load(filepath.Join(dir, "main"))
		if got := strings.Join(targets(cfg.Stmts), " "); got != c.want {
			t.Errorf("%s: writes to %q, want %q", c.name, got, c.want)
		}
		var got []string
		for _, e := range errorsOf(err) {
			first, _, _ := strings.Cut(e.Error(), "\n")
			got = append(got, strings.ReplaceAll(first, dir, "@"))
		}
		if all := strings.Join(got, "; "); all != c.err {
			t.Errorf("%s: error %q, want %q", c.name, all, c.err)
		}
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "@", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// targets lists the files that statements write to, with the names of the actions.
func targets(all []Stmt) []string {
	var list []string
	for _, s := range all {
		switch s := s.(type) {
		case *PRIFilter:
			list = append(list, targets(s.Then)...)
		case *If:
			list = append(list, targets(s.Then)...)
		case *Object:
			name := s.Value("name")
			if name != "" {
				name = ":" + name
			}
			list = append(list, s.Value("file")+name)
		}
	}
	return list
}

// TestIncludeMany: the number of files is no depth.
func TestIncludeMany(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"main": "$IncludeConfig @/d/*.conf\n"}
	for i := range 3 * maxInclude {
		files[fmt.Sprintf("d/%03d.conf", i)] = fmt.Sprintf("*.* /%d\n", i)
	}
	write(t, dir, files)
	cfg, err := Load(filepath.Join(dir, "main"))
	if err != nil || len(targets(cfg.Stmts)) != 3*maxInclude {
		t.Errorf("%d actions, %v", len(targets(cfg.Stmts)), err)
	}
}

// TestIncludeDepth: a chain of files ends somewhere.
func TestIncludeDepth(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 2 * maxInclude {
		files[fmt.Sprint(i)] = fmt.Sprintf("include(file=\"@/%d\")\n*.* /%d\n", i+1, i)
	}
	write(t, dir, files)
	cfg, err := Load(filepath.Join(dir, "0"))
	if errs := errorsOf(err); len(errs) != 1 || !strings.Contains(errs[0].Msg, "include one another") {
		t.Errorf("got %v", err)
	}
	if n := len(targets(cfg.Stmts)); n != maxInclude+1 {
		t.Errorf("%d files were read", n)
	}
}

// TestIncludeTooMuch: neither the number of files nor their size is without bounds.
func TestIncludeTooMuch(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"big":   strings.Repeat("# a line of a comment\n", maxText/22/4),
		"small": "*.* /1\n",
		"bytes": strings.Repeat("include(file=\"@/big\")\n", 5) + "*.* /2\n",
		"files": strings.Repeat("include(file=\"@/small\")\n", maxFiles+1) + "*.* /2\n",
	})
	for file, want := range map[string]string{
		"bytes": fmt.Sprintf("the configuration is larger than %d bytes", maxText),
		"files": fmt.Sprintf("more than %d files are included", maxFiles),
	} {
		cfg, err := Load(filepath.Join(dir, file))
		if errs := errorsOf(err); len(errs) == 0 || errs[0].Msg != want {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
		if all := targets(cfg.Stmts); len(all) == 0 || all[len(all)-1] != "/2" {
			t.Errorf("%s: what follows is not read", file)
		}
	}
}

// TestLoadUnreadable: what is no regular file is not read.
func TestLoadUnreadable(t *testing.T) {
	for _, file := range []string{"/dev/zero", t.TempDir(), "/nonexistent"} {
		cfg, err := Load(file)
		errs := errorsOf(err)
		if cfg == nil || len(errs) != 1 || !errs[0].Fatal || !strings.Contains(errs[0].Msg, "cannot read the configuration file: "+file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestDump: includes are expanded; those alone on their lines become comments.
func TestDump(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main":     "# first\n$IncludeConfig @/d/*.conf # all\nmail.* \\\n   /3  \nif $a then { include(file=\"@/d/a.conf\")\n stop }\ninclude(\n  text=\"*.* /5\"\n)\n*.* /6",
		"d/a.conf": "*.* /1\n", "d/b.conf": "*.* /2\n",
	})
	want := `##### BEGIN CONFIG: @/main (put on stack)
# first
# $IncludeConfig @/d/*.conf # all
##### BEGIN CONFIG: @/d/a.conf (put on stack)
*.* /1
##### END   CONFIG: @/d/a.conf
##### BEGIN CONFIG: @/d/b.conf (put on stack)
*.* /2
##### END   CONFIG: @/d/b.conf
mail.* /3
if $a then { include(file="@/d/a.conf")
##### BEGIN CONFIG: @/d/a.conf (put on stack)
*.* /1
##### END   CONFIG: @/d/a.conf
 stop }
# include(
#   text="*.* /5"
# )
##### BEGIN CONFIG: @/main:7:text (put on stack)
*.* /5
##### END   CONFIG: @/main:7:text
*.* /6
##### END   CONFIG: @/main
`
	cfg, err := Load(filepath.Join(dir, "main"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := cfg.Dump(&b); err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(b.String(), dir, "@"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
