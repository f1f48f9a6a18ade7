package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFmtCommand(t *testing.T) {
	const text, laid = "mail.*\t/x\n*.*   /y\n", "mail.* /x\n*.*    /y\n"
	file := config(t, text)
	if code, out, errs := call("sysrelay", "fmt", file); code != 0 || out != laid || errs != "" {
		t.Errorf("exit code %d, %q, %s", code, out, errs)
	}
	if code, out, _ := call("sysrelay", "fmt", "-d", file); code != 0 || !strings.Contains(out, "-mail.*\t/x\n") || !strings.Contains(out, "+mail.* /x\n") {
		t.Errorf("exit code %d, difference %s", code, out)
	}
	if got, _ := os.ReadFile(file); string(got) != text {
		t.Error("the file was written without -w")
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call("sysrelay", "fmt", "-w", link); code != 0 || out != "" || errs != "" {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	got, _ := os.ReadFile(file)
	info, err := os.Lstat(file)
	if string(got) != laid || err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("wrote %q, mode %v, %v", got, info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".sysrelay-*")); left != nil {
		t.Errorf("left %v behind", left)
	}
	bad := config(t, "if $a == then stop\n")
	if code, _, errs := call("sysrelay", "fmt", "-w", bad); code != 1 || !strings.Contains(errs, "t.conf:1:") {
		t.Errorf("a file that cannot be read: exit code %d, %s", code, errs)
	}
}
