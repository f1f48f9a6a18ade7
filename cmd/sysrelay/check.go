package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
	"sysrelay/engine"
)

// check says what is wrong with a configuration; 0 means nothing.
func (d *daemon) check() int {
	errs, notices := d.problems()
	for _, n := range notices {
		fmt.Fprintf(d.stdout, "note: %v\n", n)
	}
	for _, err := range errs {
		fmt.Fprintf(d.stderr, "%v\n", err)
	}
	if len(errs) > 0 {
		fmt.Fprintf(d.stderr, "%s: %d error(s)\n", d.flags.config, len(errs))
		return 1
	}
	fmt.Fprintf(d.stdout, "%s: good, %d note(s)\n", d.flags.config, len(notices))
	return 0
}

// checkAsRsyslogd is rsyslogd -N1.
func (d *daemon) checkAsRsyslogd() int {
	fmt.Fprintf(d.stderr, "%s: version %s, config validation run (level %d), master config %s\n",
		d.program, version, d.flags.check, d.flags.config)
	errs, _ := d.problems()
	for _, err := range errs {
		fmt.Fprintf(d.stderr, "%s: %v\n", d.program, err)
	}
	fmt.Fprintf(d.stderr, "%s: End of config validation run. Bye.\n", d.program)
	if len(errs) > 0 {
		return 1
	}
	return 0
}

// problems reads the configuration and builds everything it names, binding nothing.
func (d *daemon) problems() (errs []error, notices []*conf.Error) {
	cfg, unread := conf.Load(d.flags.config)
	errs = flatten(unread)
	if cfg == nil {
		return errs, nil
	}
	e, unclean := engine.New(cfg, d.options())
	errs = append(errs, flatten(unclean)...)
	cfg.Sort(errs)
	if !e.HasActions() && len(errs) == 0 {
		errs = append(errs, errors.New("there are no active actions configured: nothing to do with any message"))
	}
	return errs, cfg.Notices
}

// report prints every error of err on standard error.
func (d *daemon) report(err error) {
	for _, e := range flatten(err) {
		fmt.Fprintf(d.stderr, "%s: %v\n", d.program, e)
	}
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
