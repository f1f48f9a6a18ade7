package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/engine"
)

// comparison is of the whole collection.
type comparison struct{ files []*fileComparison }

// fileComparison is of one file.
type fileComparison struct {
	name, kind string
	rsyslogd   []verdict
	sysrelay   []conf.Finding
	// onlyThere and onlyHere are what one finds and the other does not.
	onlyThere []verdict
	onlyHere  []conf.Finding
	reasons   map[string]string // why that is so, by "there 12" or "here 12"

	text   []string
	starts []int // lines on which statements begin
}

// hostHere is what sysrelay says of the host it runs on.
var hostHere = regexp.MustCompile(`no such file or directory|there is no (user|group) |not a directory|permission denied|no active actions|cannot be resolved|no such host`)

func compareAll(dir, here string) (*comparison, error) {
	rows, err := readCSV(filepath.Join(dir, "index.csv"))
	if err != nil {
		return nil, err
	}
	verdicts, err := readVerdicts(filepath.Join(here, "verdicts.csv"))
	if err != nil {
		return nil, err
	}
	reasons, err := readReasons(filepath.Join(here, "reasons.csv"))
	if err != nil {
		return nil, err
	}
	c := &comparison{}
	for _, r := range rows {
		text, err := os.ReadFile(filepath.Join(dir, r[0]))
		if err != nil {
			return nil, err
		}
		f := &fileComparison{name: r[0], kind: r[1], rsyslogd: verdicts[r[0]], reasons: reasons[r[0]], text: strings.Split(string(text), "\n")}
		f.check(text)
		f.compare()
		c.files = append(c.files, f)
	}
	return c, nil
}

// readReasons reads reasons.csv: file, which side and line, reason.
func readReasons(file string) (map[string]map[string]string, error) {
	rows, err := readCSV(file)
	all := map[string]map[string]string{}
	for _, r := range rows {
		if all[r[0]] == nil {
			all[r[0]] = map[string]string{}
		}
		all[r[0]][r[1]] = r[2]
	}
	return all, err
}

// check asks sysrelay.
func (f *fileComparison) check(text []byte) {
	cfg, unread := conf.ParseAlone(f.name, text)
	_, unclean := engine.New(cfg, engine.Options{Program: "sysrelay", Version: "corpus"})
	var errs []error
	for _, err := range []error{unread, unclean} {
		if m := (*multierror.Error)(nil); errors.As(err, &m) {
			errs = append(errs, m.Errors...)
		}
	}
	f.sysrelay = slices.DeleteFunc(cfg.Findings(errs), func(x conf.Finding) bool { return hostHere.MatchString(x.Message) })
	f.begin(cfg.Stmts)
	slices.Sort(f.starts)
}

// begin notes where statements begin.
func (f *fileComparison) begin(all []conf.Stmt) {
	for _, s := range all {
		if at := s.Position(); at.File == f.name {
			f.starts = append(f.starts, at.Line)
		}
		switch s := s.(type) {
		case *conf.Object:
			f.begin(s.Body)
		case *conf.If:
			f.begin(s.Then)
			f.begin(s.Else)
		case *conf.PRIFilter:
			f.begin(s.Then)
		case *conf.PropertyFilter:
			f.begin(s.Then)
		case *conf.Foreach:
			f.begin(s.Body)
		}
	}
}

// compare finds what has no counterpart. rsyslogd says where it was when a
// statement had ended, which may be at the beginning of the next one; sysrelay says
// where in the statement the fault is.
func (f *fileComparison) compare() {
	for _, v := range f.rsyslogd {
		if !slices.ContainsFunc(f.sysrelay, func(x conf.Finding) bool { return f.same(v, x) }) && !f.notPackaged(v) {
			f.onlyThere = append(f.onlyThere, v)
		}
	}
	for _, x := range f.sysrelay {
		if x.Severity == conf.Wrong && !slices.ContainsFunc(f.rsyslogd, func(v verdict) bool { return f.same(v, x) }) {
			f.onlyHere = append(f.onlyHere, x)
		}
	}
}

var quotedName = regexp.MustCompile(`['"]([^'"]+)['"]`)

// same says whether the two are about the same.
func (f *fileComparison) same(v verdict, x conf.Finding) bool {
	if v.line > 0 {
		return x.Line <= v.line && x.Line >= f.first(v.line)
	}
	for _, m := range quotedName.FindAllStringSubmatch(v.msg, -1) {
		name := strings.ToLower(strings.TrimSuffix(filepath.Base(m[1]), ".so"))
		if strings.Contains(strings.ToLower(x.Message), name) {
			return true
		}
	}
	return false
}

// first is the first line of the statement that rsyslogd has read when it is in the
// line.
func (f *fileComparison) first(line int) int {
	begin := f.start(line)
	if begin == line {
		begin = f.start(line - 1)
	}
	return begin
}

// start is the line on which the statement that goes on in line begins.
func (f *fileComparison) start(line int) int {
	n, here := slices.BinarySearch(f.starts, line)
	switch {
	case here:
		return line
	case n == 0:
		return 1
	}
	return f.starts[n-1]
}

var moduleLoad = regexp.MustCompile(`^could not load module '([^']+)'`)

// notPackaged says whether v is because of a module that Debian does not package,
// and sysrelay knows.
func (f *fileComparison) notPackaged(v verdict) bool {
	for _, other := range f.rsyslogd {
		m := moduleLoad.FindStringSubmatch(other.msg)
		if m == nil || !engine.KnowsModule(conf.ModuleName(m[1])) {
			continue
		}
		name := conf.ModuleName(m[1])
		if v.line == 0 && strings.Contains(v.msg, name) {
			return true
		}
		for n := f.first(v.line); v.line > 0 && n <= min(v.line, len(f.text)); n++ {
			if n > 0 && strings.Contains(f.text[n-1], name) {
				return true
			}
		}
	}
	return false
}

// unexplained lists differences without a reason, and reasons without a difference.
func (f *fileComparison) unexplained() (all []string) {
	used := map[string]bool{}
	explain := func(key, what string) {
		used[key] = true
		if f.reasons[key] == "" {
			all = append(all, fmt.Sprintf("%s: only %s: %s", f.name, key, what))
		}
	}
	for _, v := range f.onlyThere {
		explain(fmt.Sprintf("there %d", v.line), v.msg)
	}
	for _, x := range f.onlyHere {
		explain(fmt.Sprintf("here %d", x.Line), x.Message)
	}
	for key := range f.reasons {
		if !used[key] {
			all = append(all, fmt.Sprintf("%s: a reason for %q, which both find", f.name, key))
		}
	}
	return all
}
