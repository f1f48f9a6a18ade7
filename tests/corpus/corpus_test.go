package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCorpus: what rsyslogd accepts is accepted, what it faults is faulted in the
// same statement; where that is not so there is a reason, and tests/corpus.md says so.
func TestCorpus(t *testing.T) {
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := collection(root)
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("shared/rsyslog-confs is not beside the repository")
		}
		t.Skip("shared/rsyslog-confs is not beside the repository: real configurations are not read")
	}
	c, err := compareAll(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.files {
		for _, what := range f.unexplained() {
			t.Error(what)
		}
	}
	have, err := os.ReadFile(filepath.Join(root, "tests", "corpus.md"))
	if err != nil {
		t.Fatal(err)
	}
	if outcomes(string(have)) != outcomes(c.table()) {
		t.Error("tests/corpus.md is out of date; run: go run ./tests/corpus")
	}
}

// outcomes are the files and outcomes of a table. Which lines sysrelay faults, and
// what is not supported, changes as modules come.
func outcomes(table string) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, " | "); len(cells) > 4 {
			b.WriteString(cells[0] + cells[len(cells)-1])
		}
	}
	return b.String()
}

func TestVerdicts(t *testing.T) {
	got := verdictsIn("x.conf", `rsyslogd: version 8.2302.0, config validation run (level 1), master config /d/x.conf
rsyslogd: error during parsing file /d/x.conf, on or before line 31: warnings occurred in file '/d/x.conf' around line 31 [v8.2302.0 try https://www.rsyslog.com/e/2207 ]
rsyslogd: could not load module 'omhttp', errors: trying to load module /m/omhttp.so: /m/omhttp.so: No such file or directory [v8.2302.0 try https://www.rsyslog.com/e/2066 ]
rsyslogd: error: defaultnetstreamdrivercafile file '/x' could not be accessed: No such file or directory [v8.2302.0 try https://www.rsyslog.com/e/2039 ]
rsyslogd: End of config validation run. Bye.
`)
	want := []verdict{{"x.conf", 31, "warnings occurred"}, {"x.conf", 0, "could not load module 'omhttp'"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
