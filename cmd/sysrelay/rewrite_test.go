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

func TestConvertCommand(t *testing.T) {
	included := config(t, "$UDPServerRun 514\n*.* @@host\n")
	main := config(t, "$ModLoad imudp\n$AllowedSender UDP, 127.0.0.1\n$IncludeConfig "+included+"\n*.* ~\n")
	want := "module(load=\"imudp\")\n$AllowedSender UDP, 127.0.0.1\ninclude(file=\"" + included + "\")\n*.* stop\n"
	code, out, errs := call("sysrelay", "convert", main)
	if code != 0 || out != want || !strings.HasSuffix(errs, "t.conf:2: $AllowedSender stays: it has no counterpart\n") {
		t.Errorf("exit code %d, %q, %s", code, out, errs)
	}
	if code, out, errs := call("sysrelay", "convert", "-q", "-r", "-d", main); code != 0 || errs != "" ||
		!strings.Contains(out, "+module(load=\"imudp\")") || !strings.Contains(out, "+input(type=\"imudp\" port=\"514\")") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if code, out, _ := call("sysrelay", "convert", "-w", "-r", main); code != 0 || out != "" {
		t.Errorf("exit code %d, %s", code, out)
	}
	if got, _ := os.ReadFile(main); string(got) != want {
		t.Errorf("wrote %q", got)
	}
	if got, _ := os.ReadFile(included); string(got) != "input(type=\"imudp\" port=\"514\")\n*.* @@host\n" {
		t.Errorf("wrote %q", got)
	}
	code, out, errs = call("sysrelay", "convert", config(t, "$UDPServerRun 514\n"))
	if code != 1 || out != "" || !strings.Contains(errs, "imudp, which is not loaded") {
		t.Errorf("a file with errors: exit code %d, %s%s", code, out, errs)
	}
}
