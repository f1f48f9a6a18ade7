package conf

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConvert reads testdata/format/convert.txt: a file, and what it is converted to.
func TestConvert(t *testing.T) {
	rewrites(t, "testdata/format/convert.txt", func(source string) string {
		out, kept, err := convertText("t.conf", []byte(source))
		if err != nil {
			return "refused: " + err.Error() + "\n"
		}
		again, _, err := convertText("t.conf", out)
		if err != nil || string(again) != string(out) {
			return string(out) + "converted again it is\n" + string(again)
		}
		for _, e := range kept {
			out = append(out, "## "+strings.SplitN(e.Error(), "\n", 2)[0]+"\n"...)
		}
		return string(out)
	})
}

// convertText converts a file whose includes are left out.
func convertText(name string, text []byte) ([]byte, []*Error, error) {
	c, err := ConvertAlone(name, text)
	return c.Text, c.Kept, err
}

// TestConvertRealConfigurations: every file without errors is converted, means the
// same, keeps its comments, and stays as it is when it is converted again.
func TestConvertRealConfigurations(t *testing.T) {
	dir := realConfigs(t)
	converted, changed, left := 0, 0, map[string]int{}
	for _, row := range index(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		out, kept, err := convertText(row[0], text)
		if err != nil {
			if _, bad := ParseAlone(row[0], text); bad == nil {
				t.Errorf("%s is refused: %v", row[0], err)
			}
			continue
		}
		converted++
		if string(out) != string(text) {
			changed++
		}
		was, _ := ParseAlone(row[0], text)
		is, err := ParseAlone(row[0], out)
		if err != nil || Meaning(was) != Meaning(is) {
			t.Errorf("%s means something else: %v", row[0], err)
		}
		again, _, err := convertText(row[0], out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%s is converted differently the second time: %v", row[0], err)
		}
		if lost := lostComment(t, text, out); lost != "" {
			t.Errorf("%s: the comment %s is lost", row[0], lost)
		}
		for _, k := range kept {
			left[k.Msg]++
		}
	}
	t.Logf("%d converted, %d of them changed; left: %v", converted, changed, left)
	if converted < 230 || changed < 140 {
		t.Errorf("only %d files were converted, %d of them changed", converted, changed)
	}
}

// TestRsyslogdReadsConverted: what a converted file says to rsyslogd is no worse than
// what it said before. It notes that stateFile is deprecated, as the directive is.
func TestRsyslogdReadsConverted(t *testing.T) {
	dir := realConfigs(t)
	read := 0
	for _, row := range index(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := convertText(row[0], text)
		if row[2] != "clean" || err != nil || string(out) == string(text) {
			continue
		}
		read++
		if was, is := complaints(t, text), complaints(t, out); len(is) > len(was) {
			t.Errorf("%s: rsyslogd said %q, and says %q", row[0], was, is)
		}
	}
	if read < 80 {
		t.Errorf("only %d converted files were read", read)
	}
}

// complaints are rsyslogd's about a configuration.
func complaints(t *testing.T, text []byte) (all []string) {
	file := filepath.Join(t.TempDir(), "c.conf")
	// Not what this host happens to include.
	text = bytes.ReplaceAll(text, []byte("/etc/rsyslog.d"), []byte("/nonexistent"))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("rsyslogd", "-N1", "-f", file).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "error") && !strings.Contains(line, "deprecated but accepted") {
			all = append(all, line)
		}
	}
	return all
}

// lostComment returns a comment of a that does not come, in its turn, in b. Comments
// behind directives are a part of them for the lexer.
func lostComment(t *testing.T, a, b []byte) string {
	have := strings.Split(comments(t, b), "\n")
	elems, err := elements("t", a)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elems {
		text := e.text
		if e.tok.kind == tDirective && !strings.Contains(text, `"`) {
			if i := strings.Index(text, " #"); i >= 0 {
				text, e.comment = text[i:], true
			}
		}
		if !e.comment {
			continue
		}
		text = strings.Join(strings.Fields(text), " ")
		i := slices.Index(have, text)
		if i < 0 && strings.Contains(strings.Join(strings.Fields(string(b)), " "), text) {
			continue // behind a directive that stays
		}
		if i < 0 {
			return text
		}
		have = have[i+1:]
	}
	return ""
}

// TestConvertEachFileByItself: of a configuration of several files any of them may be
// converted, and it means what it meant.
func TestConvertEachFileByItself(t *testing.T) {
	for name, files := range map[string][]string{
		"settings and modules": {
			"$ModLoad imuxsock\n$ModLoad imudp\n$WorkDirectory /spool\n$FileOwner root\n$ActionFileDefaultTemplate T\n$template T,\"%msg%\\n\"\n" +
				"$ActionQueueType LinkedList\n$IncludeConfig DIR/a.conf\n$IncludeConfig DIR/b.conf\n*.* /var/log/main\n*.* @@late\n",
			"$SystemLogRateLimitInterval 0\n*.* @@a\n$ActionResumeInterval 10\nmail.* /var/log/mail\n",
			"$UDPServerRun 514\n*.* ?T\n$FileCreateMode 0600\nmail.* /var/log/mail2\n*.* action(type=\"omfwd\" target=\"b\")\n$ActionQueueFileName q\n",
		},
		"main queue in two files": {
			"$MainMsgQueueSize 1000\n$IncludeConfig DIR/a.conf\n*.* /var/log/main\n",
			"$MainMsgQueueType LinkedList\n$RuleSet x\n*.* /var/log/x\n",
			"",
		},
		"a ruleset over an include": {
			"$RuleSet x\n$IncludeConfig DIR/a.conf\n*.* /var/log/x\n$RuleSet y\n*.* /var/log/y\n",
			"mail.* /var/log/mail\n",
			"",
		},
	} {
		dir := t.TempDir()
		names := []string{"main.conf", "a.conf", "b.conf"}
		write := func(i int, text string) {
			if err := os.WriteFile(filepath.Join(dir, names[i]), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for i := range files {
			files[i] = strings.ReplaceAll(files[i], "DIR", dir)
			write(i, files[i])
		}
		main := filepath.Join(dir, "main.conf")
		was, err := Load(main)
		if err != nil {
			t.Fatal(err)
		}
		converted, err := Convert(main)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for subset := range 1 << len(converted) {
			for i, text := range files {
				if i < len(converted) && subset>>i&1 != 0 {
					text = string(converted[i].Text)
				}
				write(i, text)
			}
			is, err := Load(main)
			if err != nil || Meaning(is) != Meaning(was) {
				t.Errorf("%s: with files %03b converted: %v; it was\n%s\nand is\n%s", name, subset, err, Meaning(was), Meaning(is))
			}
		}
	}
}

func FuzzConvert(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			source, _, _ := strings.Cut(c, "---\n")
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, "`") {
			t.Skip() // they read files
		}
		out, _, err := convertText("t", []byte(source))
		if err != nil {
			return
		}
		again, _, err := convertText("t", out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%q is converted to\n%s\nand then to\n%s%v", source, out, again, err)
		}
	})
}
