package conf

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// knownErrors are the errors in real configurations: the lines we report, and
// what rsyslogd 8.2302 says. A file that is not here has no errors.
var knownErrors = map[string]string{
	"016-stock.conf":     "14 33: BSD blocks, which rsyslogd refuses too",
	"027-other.conf":     "84: a line of prose; rsyslogd drops the quotes and takes the words for users",
	"050-stock.conf":     "47: $OmitLocalLogging after module(load=\"imuxsock\"), which rsyslogd does not permit",
	"073-other.conf":     "16: an action( that is not closed; rsyslogd stops at line 28, where the next object begins",
	"076-other.conf":     "11: an action( that is not closed; rsyslogd stops at the end of the file",
	"083-collector.conf": "30 36 37: a line of shell, which rsyslogd takes for a user; as 050; a module that is not loaded",
	"088-other.conf":     "13 14: a module that is not loaded, as rsyslogd says",
	"125-collector.conf": "21: :omfwd: is no action, as rsyslogd says",
	"128-app.conf":       "17: a stray ), as rsyslogd says",
	"175-other.conf":     "2 5 6 7 8 9: a module that is not loaded, as rsyslogd says",
	"176-app.conf":       "2 5 6 7 8 9 10 11 14 15 16 17 18 19 20: a module that is not loaded, as rsyslogd says",
	"194-other.conf":     "27: a module that is not loaded, as rsyslogd says",
	"198-collector.conf": "38: an input( that is not closed; rsyslogd stops at the end of the file",
	"281-other.conf":     "51 52: a module that is not loaded, as rsyslogd says",
	"287-collector.conf": "45 66: as 050; :omjournal: is no action, as rsyslogd says",
	"340-vendor.conf":    "26: $KLogPermitNonKernelFacility after module(load=\"imklog\"), which rsyslogd does not permit",
	"344-other.conf":     "57: @ and a blank before the host; rsyslogd accepts it and then cannot resolve the host's name",
	"362-other.conf":     "1 2: a module that is not loaded, as rsyslogd says",
	"483-other.conf":     "26: as 340",
}

// TestRealConfigurations reads every configuration of the collection, whose index
// holds rsyslogd's verdict. Included files are those of other hosts and are left out.
func TestRealConfigurations(t *testing.T) {
	dir := realConfigs(t)
	verdicts := map[string]int{}
	silent := map[string]int{}
	for _, row := range index(t, dir) {
		file, verdict := row[0], row[2]
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		p := newParser()
		p.expand = func(string) ([]string, error) { return nil, nil }
		p.push(includer{}, []*Source{{Name: file, Text: text}})
		cfg, err := p.parse()
		var got []string
		for _, e := range errorsOf(err) {
			got = append(got, fmt.Sprint(e.Pos.Line))
		}
		verdicts[verdict]++
		if len(got) == 0 {
			silent[verdict]++
		}
		want, _, _ := strings.Cut(knownErrors[file], ":")
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s (%s): errors in lines %q, want %q: %v", file, verdict, g, want, err)
		}
		if msg := readBackTree(cfg); msg != "" {
			t.Errorf("%s: %s", file, msg)
		}
	}
	// The others of these have errors the parser does not see: unknown modules,
	// parameters, templates, rulesets, users and facilities.
	want := map[string]int{"clean": 182, "warn-only": 17, "module-not-packaged-by-Debian": 14, "needs-context(fragment)": 12, "statement-ignored": 3, "fatal": 2}
	if !maps.Equal(silent, want) {
		t.Errorf("files without an error: %v, want %v", silent, want)
	}
	for _, verdict := range slices.Sorted(maps.Keys(verdicts)) {
		t.Logf("%-32s %d of %d without an error", verdict, silent[verdict], verdicts[verdict])
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
