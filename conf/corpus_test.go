package conf

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
)

// realConfigs finds the collection of real configurations, which lies beside the
// repository in shared/rsyslog-confs.
func realConfigs(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		confs := filepath.Join(dir, "shared", "rsyslog-confs")
		if _, err := os.Stat(filepath.Join(confs, "index.csv")); err == nil {
			return confs
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("shared/rsyslog-confs is not beside the repository, and CI must not pass without it")
	}
	t.Skip("shared/rsyslog-confs is not beside the repository: real configurations are not read")
	return ""
}

// TestRealConfigurations: what is printed of every configuration of the collection
// reads back as the same tree. (tests/corpus compares what is found in them with what
// rsyslogd finds.)
func TestRealConfigurations(t *testing.T) {
	dir := realConfigs(t)
	for _, row := range index(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		cfg, _ := ParseAlone(row[0], text)
		if msg := readBackTree(cfg); msg != "" {
			t.Errorf("%s: %s", row[0], msg)
		}
	}
}

func index(t *testing.T, dir string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("index.csv: %d rows, %v", len(rows), err)
	}
	return rows[1:]
}
