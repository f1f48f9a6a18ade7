// Command sysrelay is a syslog relay driven by rsyslog configurations.
//
// Called as rsyslogd, or with rsyslogd's flags, it behaves as rsyslogd does.
// Its own subcommands are words: check, version, help, queue.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// version is what `sysrelay version` and own messages say.
const version = "0.1.0"

func main() {
	stop := profile()
	code := run(os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its world as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	program := filepath.Base(args[0])
	words := args[1:]
	if program != "rsyslogd" {
		program = "sysrelay"
		if len(words) == 0 {
			words = []string{"help"}
		}
		if command, ok := commands()[words[0]]; ok {
			return command(words[1:], stdout, stderr)
		}
	}
	if len(words) > 0 && words[0] != "" && words[0][0] != '-' && program == "sysrelay" {
		fmt.Fprintf(stderr, "sysrelay: there is no command %q\n%s", words[0], usage)
		return 1
	}
	f, err := parseFlags(words)
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n%s", program, err, usage)
		return 1
	}
	d := &daemon{program: program, flags: f, stdout: stdout, stderr: stderr}
	return d.start()
}

type command func(args []string, stdout, stderr io.Writer) int

func commands() map[string]command {
	return map[string]command{
		"check":   checkCommand,
		"version": versionCommand,
		"help":    helpCommand,
		"queue":   queueCommand,
	}
}

const usage = `usage: sysrelay -n -f FILE            run in the foreground with this configuration
       sysrelay check FILE           say whether the configuration is good
       sysrelay help [MODULE]        parameters of a module, or the list of modules
       sysrelay version

flags, as rsyslogd has them:
  -f FILE   configuration (default /etc/rsyslog.conf)
  -n        stay in the foreground
  -i FILE   pid file; NONE for none
  -N 1      check the configuration and exit
  -o FILE   write the configuration with everything included; - is standard output
  -C        stay in the current directory instead of changing to /
  -d        debug: account for every message at the end; -D debug the configuration
  -u MASK   umask, octal
  -T DIR    change the root directory
  -v        version
  -M DIRS   accepted; there are no module files
  -4 -6 -A -q -Q -S -w -x   accepted without effect
`

func versionCommand(_ []string, stdout, _ io.Writer) int {
	fmt.Fprintf(stdout, "sysrelay %s\n", version)
	return 0
}

func checkCommand(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(stderr, "usage: sysrelay check FILE")
		return 1
	}
	d := &daemon{program: "sysrelay", flags: flags{config: args[0], check: 1}, stdout: stdout, stderr: stderr}
	return d.check()
}
