package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// verdict is one thing rsyslogd says about a file.
type verdict struct {
	file string
	line int // 0 if it does not say
	msg  string
}

// aboutHost is what rsyslogd says of the host it runs on, not of the configuration.
var aboutHost = regexp.MustCompile(`could not be accessed|can not be accessed|could not be opened|No such file|` +
	`ID for (user|group)|DNS error|to ACL|adding allowed sender|no working or state file directory|no files configured|` +
	`rulebase|no active actions|run failed with error|no listeners|could not interpret|End of config|version 8`)

var (
	onOrBefore = regexp.MustCompile(`^error during parsing file (\S+), on or before line (\d+): (.*)$`)
	tail       = regexp.MustCompile(`\s*\[v8\.[^]]*\]\s*$`)
	aroundLine = regexp.MustCompile(` in file '.*$`)
)

// recordVerdicts runs rsyslogd on every file of the collection, with no files in
// /etc/rsyslog.d.
func recordVerdicts(dir, to, modules string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(files) == 0 {
		return errors.Join(err, fmt.Errorf("no configurations in %q", dir))
	}
	empty, err := os.MkdirTemp("", "corpus")
	if err != nil {
		return err
	}
	defer os.RemoveAll(empty)
	script := `mount --bind "$0" /etc/rsyslog.d; cd "$0"; exec rsyslogd -N1 "$@"`
	rows := [][]string{{"file", "line", "message"}}
	for _, file := range files {
		args := []string{"-m", "sh", "-c", script, empty, "-f", file}
		if modules != "" {
			args = append(args, "-M", modules)
		}
		out, err := exec.Command("unshare", args...).CombinedOutput()
		if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
			return err
		}
		for _, v := range verdictsIn(filepath.Base(file), string(out)) {
			rows = append(rows, []string{v.file, strconv.Itoa(v.line), v.msg})
		}
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(f).WriteAll(rows), f.Close())
}

// verdictsIn reads what rsyslogd has written.
func verdictsIn(file, out string) (all []verdict) {
	host := false // what was said last was about the host, and costs a statement
	for line := range strings.Lines(out) {
		msg, ours := strings.CutPrefix(strings.TrimSpace(line), "rsyslogd: ")
		if !ours {
			continue
		}
		if aboutHost.MatchString(msg) && !strings.Contains(msg, "could not load module") {
			host = strings.Contains(msg, "cannot activate action") || strings.Contains(msg, "ID for ")
			continue
		}
		if host && strings.Contains(msg, "errors occurred in file") {
			continue // because of it
		}
		host = false
		v := verdict{file: file, msg: strings.TrimSpace(tail.ReplaceAllString(msg, ""))}
		if m := onOrBefore.FindStringSubmatch(v.msg); m != nil && filepath.Base(m[1]) == file {
			v.line, _ = strconv.Atoi(m[2])
			v.msg = aroundLine.ReplaceAllString(m[3], "")
		}
		v.msg, _, _ = strings.Cut(v.msg, ", errors: trying")
		all = append(all, v)
	}
	return all
}

func readVerdicts(file string) (map[string][]verdict, error) {
	rows, err := readCSV(file)
	all := map[string][]verdict{}
	for _, r := range rows {
		line, err := strconv.Atoi(r[1])
		if err != nil {
			return nil, err
		}
		all[r[0]] = append(all[r[0]], verdict{r[0], line, r[2]})
	}
	return all, err
}

// readCSV reads a file's rows without the head.
func readCSV(file string) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s: %d rows, %w", file, len(rows), err)
	}
	return rows[1:], nil
}
