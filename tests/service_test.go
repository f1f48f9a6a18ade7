package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unitFile is the unit, less what systemd-analyze looks for on this machine.
func unitFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../cmd/package/files/sysrelay.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.ReplaceAll(string(text), "/usr/sbin/sysrelay", sysrelay)
	unit = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(unit, "")
	file := filepath.Join(t.TempDir(), "sysrelay.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func analyze(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is missing; `bash tests/run` installs what the tests need")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestUnitIsValid(t *testing.T) {
	if got := analyze(t, "verify", unitFile(t)); strings.Contains(got, "sysrelay.service") {
		t.Errorf("systemd-analyze verify:\n%s", got)
	}
}

// The exposure systemd computes is far below that of Debian's rsyslog.service, 9.6.
func TestUnitIsHardened(t *testing.T) {
	out := analyze(t, "security", "--offline=true", unitFile(t))
	found := regexp.MustCompile(`exposure level for sysrelay.service: ([\d.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("systemd-analyze security:\n%s", out)
	}
	if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > 4 {
		t.Errorf("the exposure level is %s, more than 4.0", found[1])
	}
}
