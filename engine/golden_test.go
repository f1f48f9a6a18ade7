package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden runs the cases of a file, which have the form
//
//	=== what the case shows
//	first part
//	--- next part
//	what is expected
//
// f is given all parts but the last.
func golden(t *testing.T, file string, f func(t *testing.T, parts []string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, c := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(c, "\n")
		parts := strings.Split(strings.TrimRight(rest, "\n")+"\n", "---\n")
		last := len(parts) - 1
		if last == 0 {
			t.Fatalf("%s: %s has no ---", file, name)
		}
		got := strings.TrimRight(f(t, parts[:last]), "\n") + "\n"
		fmt.Fprintf(&out, "=== %s\n%s---\n%s\n", name, strings.Join(parts[:last], "---\n"), got)
		if want := parts[last]; !*update && got != want {
			t.Errorf("%s: %s\n--- got\n%s--- want\n%s", file, name, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
