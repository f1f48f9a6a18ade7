// Command corpus compares what sysrelay finds in a collection of real
// configurations with what rsyslogd finds, and writes the table corpus.md.
//
//	go run ./tests/corpus                     write tests/corpus.md
//	go run ./tests/corpus -record [-M DIR]    ask rsyslogd anew, which writes tests/corpus/verdicts.csv
//
// The collection lies beside the repository, in shared/rsyslog-confs; its texts are
// not part of the repository, rsyslogd's verdicts are. Included files are those of
// other hosts and are left out.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	record := flag.Bool("record", false, "run rsyslogd on every file")
	modules := flag.String("M", "", "directory with rsyslogd's modules")
	flag.Parse()
	if err := run(*record, *modules); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(record bool, modules string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	dir := collection(root)
	here := filepath.Join(root, "tests", "corpus")
	if record {
		return recordVerdicts(dir, filepath.Join(here, "verdicts.csv"), modules)
	}
	c, err := compareAll(dir, here)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "tests", "corpus.md"), []byte(c.table()+c.modules()), 0o644)
}

// repository is the directory of go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("this is not inside the repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// collection is where the configurations are, "" if they are not there.
func collection(root string) string {
	for dir := root; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		confs := filepath.Join(filepath.Dir(dir), "shared", "rsyslog-confs")
		if _, err := os.Stat(filepath.Join(confs, "index.csv")); err == nil {
			return confs
		}
	}
	return ""
}
