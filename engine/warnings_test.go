package engine

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/conf"
)

// TestWarnings reads testdata/warnings.txt: a configuration, and what is found.
func TestWarnings(t *testing.T) {
	seen := map[string]bool{}
	golden(t, "testdata/warnings.txt", func(t *testing.T, parts []string) string {
		cfg, err := conf.Parse("t.conf", []byte(parts[0]))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Notices = append(cfg.Notices, Warnings(cfg)...)
		var out strings.Builder
		for _, f := range cfg.Findings(nil) {
			seen[f.ID] = true
			f.Write(&out, false)
		}
		if out.Len() == 0 {
			return "nothing"
		}
		return out.String()
	})
	for _, k := range WarningKinds() {
		if !seen[k.ID] {
			t.Errorf("no case has %s", k.ID)
		}
		if k.About == "" || k.Why == "" || k.Fix == "" {
			t.Errorf("%s is not explained", k.ID)
		}
	}
}

// TestManyRules: ten thousand rules take about four times as long to be read, built
// and looked at as a quarter of them; sixteen times would be each looking at all.
func TestManyRules(t *testing.T) {
	lookAt(t, 1_000) // what is done once is done
	quarter, all := lookAt(t, 2_500), lookAt(t, 10_000)
	t.Logf("2,500 rules in %v, 10,000 in %v", quarter, all)
	if all > 10*quarter {
		t.Errorf("2,500 rules take %v, 10,000 take %v", quarter, all)
	}
}

// lookAt returns the processor's time that a file of so many rules takes.
func lookAt(t *testing.T, rules int) time.Duration {
	t.Helper()
	var b strings.Builder
	b.WriteString("$ModLoad imudp\n$UDPServerRun 514\n")
	for i := range rules / 2 {
		fmt.Fprintf(&b, "$template T%d,\"/var/log/%%HOSTNAME%%/%d\"\n", i, i)
		fmt.Fprintf(&b, "if $programname == 'p%d' and $msg contains 'x' then { @@host%d\n stop\n }\nlocal%d.* ?T%d\n", i, i, i%8, i)
	}
	start := cpuTime(t)
	cfg, err := conf.Parse("t.conf", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, Options{Program: "sysrelay"}); err != nil {
		t.Fatal(err)
	}
	found := Warnings(cfg)
	Uses(cfg)
	took := cpuTime(t) - start
	if len(found) < 40 || len(found) > 200 {
		t.Errorf("%d findings in %d rules", len(found), rules)
	}
	return took
}

// cpuTime is what the process has used: other programs run, too.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestWarningsOfStockConfigurations: what distributions ship as it is gets no
// warning. The configurations lie beside the repository.
func TestWarningsOfStockConfigurations(t *testing.T) {
	dir := realConfigs(t)
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	stock := 0
	for _, row := range rows[1:] {
		text, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		cfg, _ := conf.ParseAlone(row[0], text)
		found := Warnings(cfg)
		if row[1] != "stock" || row[2] != "clean" {
			continue
		}
		stock++
		for _, e := range found {
			if e.Severity == conf.Warning {
				t.Errorf("%v", e)
			}
		}
	}
	if stock < 10 {
		t.Errorf("only %d stock configurations", stock)
	}
}

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

func FuzzWarnings(f *testing.F) {
	f.Add("mail.* stop\nif $x == 'a' and $x == ['b'] then { action(type=\"omfwd\" target=\"x\") }\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "`") || strings.Contains(strings.ToLower(text), "include") {
			t.Skip() // they read files
		}
		cfg, _ := conf.Parse("t.conf", []byte(text))
		Warnings(cfg)
		Uses(cfg)
	})
}
