// Command sysrelay is a syslog relay driven by rsyslog configurations.
//
// Called as rsyslogd, or with rsyslogd's flags, it behaves as rsyslogd does.
// Its own subcommands are words; commands.go lists them.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// version is what `sysrelay version` and own messages say.
const version = "0.1.0"

func main() {
	stop := profile()
	code := run(os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its world as arguments; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	program := filepath.Base(args[0])
	words := args[1:]
	if program != "rsyslogd" {
		program = "sysrelay"
		if len(words) == 0 {
			words = []string{"help"}
		}
		if c, ok := findCommand(words[0]); ok {
			return c.run(&invocation{command: c, args: words[1:], stdin: stdin, stdout: stdout, stderr: stderr})
		}
	}
	if len(words) > 0 && words[0] != "" && words[0][0] != '-' && program == "sysrelay" {
		fmt.Fprintf(stderr, "sysrelay: there is no command %q\n%s", words[0], usage())
		return 1
	}
	f, err := parseFlags(words)
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, usage())
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n%s", program, err, usage())
		return 1
	}
	d := &daemon{program: program, flags: f, stdout: stdout, stderr: stderr}
	return d.start()
}

const daemonUsage = `
flags, as rsyslogd has them:
  -f FILE   configuration (default: /etc/sysrelay.conf, else /etc/rsyslog.conf, else one
            built in for the system, which is then shown)
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

func versionCommand(v *invocation) int {
	fmt.Fprintf(v.stdout, "sysrelay %s\n", version)
	return 0
}
