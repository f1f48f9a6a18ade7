package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"sysrelay/conf"
	"sysrelay/engine"
)

// readyEnv names the file descriptor on which a daemon in the background tells
// its parent that it is up.
const readyEnv = "SYSRELAY_READY_FD"

// daemon is one invocation with rsyslogd's flags.
type daemon struct {
	program        string
	flags          flags
	stdout, stderr io.Writer
}

func (d *daemon) start() int {
	for _, o := range d.flags.ignored {
		fmt.Fprintf(d.stderr, "%s: option %s has no effect\n", d.program, o)
	}
	if d.flags.version {
		fmt.Fprintf(d.stdout, "%s  %s\n", d.program, version)
		return 0
	}
	if d.flags.config == "" {
		d.flags.config = chooseConfig(d.program, isThere)
	}
	switch {
	case d.flags.check > 0 && d.program == "rsyslogd":
		return d.checkAsRsyslogd()
	case d.flags.check > 0:
		return d.check()
	}
	if !d.flags.foreground && os.Getenv(readyEnv) == "" {
		return d.background()
	}
	if err := d.enter(); err != nil {
		return d.fail(err)
	}
	cfg, unread := d.load()
	if cfg == nil {
		d.report(unread)
		return d.runFailed(unreadable)
	}
	if d.flags.dump != "" {
		if err := d.dump(cfg); err != nil {
			return d.fail(err)
		}
	}
	e, unclean := engine.New(cfg, d.options())
	problems := errors.Join(unread, unclean)
	d.report(problems)
	if anyFatal(flatten(unread)) {
		return d.runFailed(unreadable)
	}
	if e.AbortsOn(flatten(problems)) {
		fmt.Fprintf(d.stderr, "%s: the configuration is not clean, and global(abortOnUncleanConfig) does not allow "+
			"to start with them\n", d.program)
		return 2
	}
	if !e.HasActions() {
		fmt.Fprintf(d.stderr, "%s: there are no active actions configured: nothing to do with any message\n", d.program)
		return d.runFailed(noActions)
	}
	return d.run(e)
}

// isFatal: without the file the daemon would do something nobody asked for.
func isFatal(err error) bool {
	e := (*conf.Error)(nil)
	return errors.As(err, &e) && e.Fatal
}

func anyFatal(errs []error) bool { return slices.ContainsFunc(errs, isFatal) }

// options are the engine's.
func (d *daemon) options() engine.Options {
	return engine.Options{
		Program: d.program, Version: version, Compat: d.program == "rsyslogd",
		Foreground: d.flags.foreground, Stderr: d.stderr,
	}
}

// enter prepares the process: root, umask, directory.
func (d *daemon) enter() error {
	if d.flags.umask != "" {
		mask, err := strconv.ParseUint(d.flags.umask, 8, 12)
		if err != nil {
			return fmt.Errorf("umask %q is no octal number", d.flags.umask)
		}
		syscall.Umask(int(mask))
	}
	if d.flags.root != "" {
		if err := syscall.Chroot(d.flags.root); err != nil {
			return fmt.Errorf("change root to %s: %w", d.flags.root, err)
		}
	}
	if d.flags.config != "" {
		abs, err := filepath.Abs(d.flags.config)
		if err != nil {
			return err
		}
		d.flags.config = abs
	}
	// as rsyslog: the daemon leaves the directory it was started in. Under our own
	// name it does so only in the background, so that relative paths work as typed.
	if !d.flags.stay && (d.program == "rsyslogd" || !d.flags.foreground) {
		return os.Chdir("/")
	}
	return nil
}

// run runs the engine until a signal ends it.
func (d *daemon) run(e *engine.Engine) int {
	remove, err := pidFile(d.pidFilePath())
	if err != nil {
		return d.fail(err)
	}
	defer remove()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE)
	defer signal.Stop(signals)
	if err := e.Start(); err != nil {
		d.report(err)
		return d.runFailed(notStarted)
	}
	d.tellParent()
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	hup := hups(e.Hup)
	defer close(hup)
	for {
		select {
		case s := <-signals:
			if d.stops(e, s) {
				e.Stop(int(s.(syscall.Signal)))
				cancel()
			} else if s == syscall.SIGHUP {
				select {
				case hup <- struct{}{}:
				default: // one is pending, which will see what this one is about
				}
			}
		case err := <-done:
			if d.flags.debug {
				e.WriteAccounts(d.stderr)
			}
			if err != nil {
				return d.fail(err)
			}
			remove()
			if err := e.Terminated(); err != nil {
				return d.fail(err)
			}
			return 0
		}
	}
}

// hups returns a channel each value on which makes reopen run once more. It runs
// beside the signals: an output that is slow to close its files does not keep the
// daemon from being told to end.
func hups(reopen func()) chan<- struct{} {
	pending := make(chan struct{}, 1)
	go func() {
		for range pending {
			reopen()
		}
	}()
	return pending
}

// stops tells whether s ends the daemon. as rsyslog: INT and QUIT only when
// debugging or when the configuration says so; under our own name in the
// foreground INT does, because that is Ctrl-C.
func (d *daemon) stops(e *engine.Engine, s os.Signal) bool {
	switch s {
	case syscall.SIGTERM:
		return true
	case syscall.SIGINT, syscall.SIGQUIT:
		return d.flags.debug || e.StopsOnInterrupt() ||
			d.program != "rsyslogd" && d.flags.foreground && s == syscall.SIGINT
	}
	return false
}

func (d *daemon) pidFilePath() string {
	if d.flags.pidFile != "" {
		return d.flags.pidFile
	}
	if d.program == "rsyslogd" {
		return "/run/rsyslogd.pid"
	}
	if os.Geteuid() != 0 || d.flags.foreground {
		return ""
	}
	return "/run/sysrelay.pid"
}

// background starts the daemon as a process of its own and waits until it is up.
func (d *daemon) background() int {
	self, err := os.Executable()
	if err != nil {
		return d.fail(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return d.fail(err)
	}
	child := exec.Command(self)
	child.Args = os.Args
	child.Env = append(os.Environ(), readyEnv+"=3")
	child.ExtraFiles = []*os.File{w}
	child.Stdout, child.Stderr = d.stdout, d.stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return d.fail(err)
	}
	w.Close()
	if n, _ := r.Read(make([]byte, 1)); n == 1 {
		return 0
	}
	if exit := (*exec.ExitError)(nil); errors.As(child.Wait(), &exit) {
		return max(exit.ExitCode(), 1)
	}
	return 1
}

func (d *daemon) tellParent() {
	fd, err := strconv.Atoi(os.Getenv(readyEnv))
	if err != nil {
		return
	}
	os.Unsetenv(readyEnv)
	f := os.NewFile(uintptr(fd), "ready")
	f.Write([]byte{1})
	f.Close()
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		for _, std := range []int{0, 1, 2} {
			syscall.Dup3(int(null.Fd()), std, 0)
		}
		null.Close()
	}
}

func (d *daemon) fail(err error) int {
	fmt.Fprintf(d.stderr, "%s: %v\n", d.program, err)
	return 1
}

// The numbers rsyslogd gives its reasons for not running.
const (
	noActions  = 2103
	unreadable = 2104 // the configuration
	notStarted = 3000 // its general error
)

// runFailed says what rsyslogd says when it cannot run, and is the exit code.
func (d *daemon) runFailed(reason int) int {
	fmt.Fprintf(d.stderr, "%s: run failed with error -%d (see rsyslog.h or try "+
		"https://www.rsyslog.com/e/%[2]d to learn what that number means)\n", d.program, reason)
	return 1
}

// dump writes the configuration with everything it includes.
func (d *daemon) dump(cfg *conf.Config) error {
	if d.flags.dump == "-" {
		return cfg.Dump(d.stdout)
	}
	f, err := os.Create(d.flags.dump)
	if err != nil {
		return err
	}
	return errors.Join(cfg.Dump(f), f.Close())
}
