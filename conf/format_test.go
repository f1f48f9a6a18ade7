package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFormat reads testdata/format/*.txt: a file, and how it is laid out.
func TestFormat(t *testing.T) {
	rewrites(t, "testdata/format/layout.txt", func(source string) string {
		out, err := Format("t.conf", []byte(source))
		if err != nil {
			return "refused: " + err.Error() + "\n"
		}
		again, err := Format("t.conf", out)
		if err != nil || string(again) != string(out) {
			return "laid out again it is\n" + string(again)
		}
		return string(out)
	})
}

// rewrites runs golden cases: what the case shows, the text, what f makes of it.
func rewrites(t *testing.T, file string, f func(source string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, c := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(c, "\n")
		source, want, found := strings.Cut(rest, "--->\n")
		if !found {
			t.Fatalf("%s: %s has no --->", file, name)
		}
		got := strings.TrimRight(f(source), "\n")
		out.WriteString("=== " + name + "\n" + source + "--->\n" + got + "\n\n")
		if want = strings.TrimRight(want, "\n"); !*update && got != want {
			t.Errorf("%s: %s\n--- got\n%s\n--- want\n%s", file, name, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFormatRealConfigurations: every file that can be read is laid out, means the
// same, keeps its comments, and stays as it is when it is laid out again.
func TestFormatRealConfigurations(t *testing.T) {
	dir := realConfigs(t)
	laid := 0
	for _, row := range index(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Format(row[0], text)
		if err != nil {
			if _, wrong := ParseAlone(row[0], text); wrong == nil {
				t.Errorf("%s is refused: %v", row[0], err)
			}
			continue
		}
		laid++
		again, err := Format(row[0], out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%s is laid out differently the second time: %v", row[0], err)
		}
		if got, want := comments(t, out), comments(t, text); got != want {
			t.Errorf("%s: comments were\n%s\nand are\n%s", row[0], want, got)
		}
	}
	if laid < 235 {
		t.Errorf("only %d files were laid out", laid)
	}
}

// comments are the comments of a file, one after the other.
func comments(t *testing.T, text []byte) string {
	elems, err := elements("t", text)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range elems {
		if e.comment {
			all.WriteString(strings.Join(strings.Fields(e.text), " ") + "\n")
		}
	}
	return all.String()
}

func FuzzFormat(f *testing.F) {
	f.Add("000000/*")
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			source, _, _ := strings.Cut(c, "---\n")
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, "`") {
			t.Skip() // they read files
		}
		out, err := Format("t", []byte(source))
		if err != nil {
			return
		}
		again, err := Format("t", out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%q is laid out as\n%s\nand then as\n%s%v", source, out, again, err)
		}
	})
}
