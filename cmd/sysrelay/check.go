package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/engine"
)

func checkSubcommand() subcommand {
	return subcommand{
		name: "check", synopsis: "[--json] [--all] FILE", summary: "say whether the configuration is good, and what will bite",
		flags: []commandFlag{
			{"--json", "", "", "one JSON object: file, findings, summary"},
			{"--all", "", "", "say of every directive and parameter whether it is supported, differs, is ignored, unsupported or unknown"},
			{"--quiet", "-q", "", "errors and what is unsupported only"},
		},
		detail: "Everything is said in one run, in the order of the text. The exit code is 1 if there are errors.\n" +
			"Nothing is bound or written.\n\nWarnings and notes:\n" + warningTable(),
		run: checkCommand,
	}
}

// warningTable lists the kinds of warnings.
func warningTable() string {
	var b strings.Builder
	for _, k := range engine.WarningKinds() {
		fmt.Fprintf(&b, "  %-30s %s: %s\n", k.ID, k.Severity, k.About)
	}
	return b.String()
}

func checkCommand(v *invocation) int {
	if err := v.parse(1); err != nil {
		return v.misused(err)
	}
	d := &daemon{program: "sysrelay", flags: flags{config: v.args[0], check: 1}, stdout: v.stdout, stderr: v.stderr}
	report := d.examine()
	if v.has("--quiet") {
		report.quiet()
	}
	if !v.has("--all") {
		report.Uses = nil
	}
	if v.has("--json") {
		e := json.NewEncoder(v.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(report); err != nil {
			return d.fail(err)
		}
	} else {
		report.write(v.stdout)
	}
	return report.exitCode()
}

// checkReport is what a check says.
type checkReport struct {
	File     string         `json:"file"`
	Findings []conf.Finding `json:"findings"`
	Uses     []engine.Use   `json:"uses,omitempty"`
	Summary  checkSummary   `json:"summary"`
}

type checkSummary struct {
	Errors      int `json:"errors"`
	Unsupported int `json:"unsupported"`
	Warnings    int `json:"warnings"`
	Notes       int `json:"notes"`
}

// examine reads the configuration, builds everything it names, and looks for what
// will bite.
func (d *daemon) examine() *checkReport {
	cfg, errs := d.problems()
	r := &checkReport{File: d.flags.config, Findings: []conf.Finding{}}
	if cfg == nil {
		cfg = &conf.Config{}
	}
	if !anyFatal(errs) {
		cfg.Notices = append(cfg.Notices, engine.Warnings(cfg)...)
		r.Uses = engine.Uses(cfg)
	}
	r.Findings = append(r.Findings, cfg.Findings(errs)...)
	r.count()
	return r
}

func (r *checkReport) count() {
	s := &r.Summary
	n := [...]*int{&s.Errors, &s.Unsupported, &s.Warnings, &s.Notes}
	for _, f := range r.Findings {
		*n[f.Severity]++
	}
}

// quiet drops what is neither wrong nor unsupported.
func (r *checkReport) quiet() {
	kept := r.Findings[:0]
	for _, f := range r.Findings {
		if f.Severity < conf.Warning {
			kept = append(kept, f)
		}
	}
	r.Findings, r.Summary = kept, checkSummary{Errors: r.Summary.Errors, Unsupported: r.Summary.Unsupported}
}

func (r *checkReport) exitCode() int {
	if r.Summary.Errors > 0 {
		return 1
	}
	return 0
}

// write writes the report for people.
func (r *checkReport) write(w io.Writer) {
	explained := map[string]bool{}
	for _, f := range r.Findings {
		f.Write(w, !explained[f.ID])
		explained[f.ID] = true
	}
	for _, u := range r.Uses {
		fmt.Fprintf(w, "%s:%d:%d: %-11s %s", u.File, u.Line, u.Column, u.Status, u.What)
		if u.Remark != "" {
			fmt.Fprintf(w, ": %s", u.Remark)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s: %s\n", r.File, r.Summary)
}

// String is the summary in words.
func (s checkSummary) String() string {
	var all []string
	for _, c := range []struct {
		n    int
		what string
	}{{s.Errors, "error"}, {s.Unsupported, "unsupported"}, {s.Warnings, "warning"}, {s.Notes, "note"}} {
		switch {
		case c.n == 0:
		case c.n == 1 || c.what == "unsupported":
			all = append(all, fmt.Sprintf("%d %s", c.n, c.what))
		default:
			all = append(all, fmt.Sprintf("%d %ss", c.n, c.what))
		}
	}
	switch {
	case len(all) == 0:
		return "good"
	case s.Errors == 0:
		return "good, " + strings.Join(all, ", ")
	}
	return strings.Join(all, ", ")
}

// check is -N under our own name.
func (d *daemon) check() int {
	r := d.examine()
	r.Uses = nil
	r.write(d.stdout)
	return r.exitCode()
}

// checkAsRsyslogd is rsyslogd -N1.
func (d *daemon) checkAsRsyslogd() int {
	fmt.Fprintf(d.stderr, "%s: version %s, config validation run (level %d), master config %s\n",
		d.program, version, d.flags.check, d.flags.config)
	_, errs := d.problems()
	d.report(errors.Join(errs...))
	fmt.Fprintf(d.stderr, "%s: End of config validation run. Bye.\n", d.program)
	if len(errs) > 0 {
		return 1
	}
	return 0
}

// problems reads the configuration and builds everything it names, binding nothing.
func (d *daemon) problems() (*conf.Config, []error) {
	cfg, unread := d.load()
	errs := flatten(unread)
	if cfg == nil {
		return nil, errs
	}
	e, unclean := engine.New(cfg, d.options())
	errs = append(errs, flatten(unclean)...)
	cfg.Sort(errs)
	if !e.HasActions() && len(errs) == 0 {
		errs = append(errs, errors.New("there are no active actions configured: nothing to do with any message"))
	}
	return cfg, errs
}

// report prints every error of err on standard error.
func (d *daemon) report(err error) {
	for _, e := range flatten(err) {
		text := e.Error()
		if c := (*conf.Error)(nil); d.program == "rsyslogd" && errors.As(e, &c) {
			text = rsyslogdText(c)
		}
		fmt.Fprintf(d.stderr, "%s: %s\n", d.program, text)
	}
}

// rsyslogdText is a configuration error whose first line is what rsyslogd writes,
// for programs that read that.
func rsyslogdText(e *conf.Error) string {
	msg := e.Msg
	if rest, ok := strings.CutPrefix(msg, "parameter "); ok {
		if name, _, ok := strings.Cut(rest, " not known in "); ok {
			msg = fmt.Sprintf("parameter '%s' not known -- typo in config file?", name)
		}
	}
	_, below, _ := strings.Cut(e.Error(), "\n")
	return strings.TrimSpace(fmt.Sprintf("error during parsing file %s, on or before line %d: %s\n%s",
		e.File, e.Pos.Line, msg, strings.TrimRight(below, "\n")))
}

// flatten lists the single errors of a joined or multiple error.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if m := (*multierror.Error)(nil); errors.As(err, &m) {
		if joined, ok := err.(interface{ Unwrap() []error }); !ok || any(joined) == any(m) {
			return m.Errors
		}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
