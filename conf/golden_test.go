package conf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden reads testdata/*.txt. Each holds cases of the form
//
//	=== what the case shows
//	configuration
//	---
//	the tree, and the errors and notices
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	t.Setenv("SYSRELAY_TEST", "value")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			name, rest, _ := strings.Cut(c, "\n")
			source, want, _ := strings.Cut(rest, "---\n")
			got := render(goldenName(file), source)
			fmt.Fprintf(&out, "=== %s\n%s---\n%s", name, source, got)
			if !*update && got != want {
				t.Errorf("%s: %s\n%s--- got\n%s--- want\n%s", file, name, source, got, want)
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// goldenName is the name of the configurations in a golden file.
func goldenName(file string) string {
	if strings.HasPrefix(filepath.Base(file), "yaml") {
		return "t.yaml"
	}
	return "t"
}

// render parses a configuration and writes what came of it.
func render(as, source string) string {
	cfg, err := Parse(as, []byte(source))
	var b bytes.Buffer
	if err := cfg.Print(&b); err != nil {
		return err.Error()
	}
	for _, e := range errorsOf(err) {
		kind := "error: "
		switch {
		case e.Fatal:
			kind = "fatal: "
		case e.Syntax:
			kind = "syntax: "
		}
		b.WriteString(kind + e.Error() + "\n")
	}
	for _, n := range cfg.Notices {
		b.WriteString("notice: " + n.Error() + "\n")
	}
	return b.String() + "\n"
}

// errorsOf returns the errors in err.
func errorsOf(err error) []*Error {
	var all *multierror.Error
	if !errors.As(err, &all) {
		return nil
	}
	var list []*Error
	for _, e := range all.Errors {
		list = append(list, e.(*Error))
	}
	return list
}

// TestPrintReadsBack: what Print writes is read as the same tree.
func TestPrintReadsBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			name, rest, _ := strings.Cut(c, "\n")
			source, _, _ := strings.Cut(rest, "---\n")
			if msg := readBack(goldenName(file), []byte(source)); msg != "" {
				t.Errorf("%s: %s: %s", file, name, msg)
			}
		}
	}
}

// readBack says how the printed tree differs when it is read again, "" if not.
func readBack(as string, source []byte) string {
	cfg, _ := Parse(as, source)
	return readBackTree(cfg)
}

func readBackTree(cfg *Config) string {
	var first, second bytes.Buffer
	if err := cfg.Print(&first); err != nil {
		return err.Error()
	}
	again, err := Parse("printed", first.Bytes())
	if err != nil {
		return fmt.Sprintf("printed tree:\n%s\ncannot be read: %v", &first, err)
	}
	if err := again.Print(&second); err != nil {
		return err.Error()
	}
	want := strings.ReplaceAll(first.String(), "/* legacy */ ", "")
	if second.String() != want {
		return fmt.Sprintf("printed:\n%s\nread again:\n%s", want, &second)
	}
	return ""
}
