// Package tests holds the tests that need real processes or look at the project
// as a whole.
package tests

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows are the imports between the project's packages that DESIGN.md allows.
var arrows = map[string][]string{
	"message":        {},
	"conf":           {},
	"queue":          {"message"},
	"queue/disk":     {"message", "queue"},
	"filter":         {"conf", "message"},
	"filter/lognorm": {"message"},
	"filter/modify":  {"filter/lognorm", "message"},
	"input":          {"conf", "message", "input/beep", "input/relp"},
	"input/beep":     {},
	"input/relp":     {},
	"input/dtls":     {"conf", "input", "message"},
	"output/dtls":    {"conf", "message", "output"},
	"output":         {"conf", "message", "queue", "input/relp"},
	"engine":         {"conf", "message", "queue", "queue/disk", "filter", "filter/modify", "input", "input/dtls", "output/dtls", "output"},
	"cmd/package":    {},
	"cmd/sysrelay":   {"conf", "engine", "message", "queue", "queue/disk"},
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "sysrelay/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(words[0], "sysrelay/")
		allowed, known := arrows[pkg]
		if !known && !strings.HasPrefix(pkg, "tests") {
			t.Errorf("package %s has no place in the design", pkg)
			continue
		}
		if strings.HasPrefix(pkg, "tests") {
			continue
		}
		for _, imported := range words[1:] {
			to, ours := strings.CutPrefix(imported, "sysrelay/")
			if ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: an arrow the design does not have", pkg, to)
			}
		}
	}
}
