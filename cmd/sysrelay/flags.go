package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// flags are the command line as rsyslogd has it.
type flags struct {
	config     string // "" is the first that is there, see chooseConfig
	pidFile    string // "" is the default, NONE none
	foreground bool
	check      int // -N level; 0 runs
	dump       string
	stay       bool // -C
	debug      bool
	umask      string
	root       string
	version    bool
	ignored    []string // accepted, without effect
}

var errHelp = errors.New("help asked for")

// Options that take an argument, and those that do not, as rsyslogd's getopt
// string lists them.
const (
	withArgument    = "fiNMouTlrstape"
	withoutArgument = "46ACdDhnqQSvwxFH"
)

// parseFlags reads options as getopt does: -nN1, -N 1, -f FILE, -fFILE.
func parseFlags(args []string) (flags, error) {
	var f flags
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			return f, fmt.Errorf("unexpected argument %q", arg)
		}
		if arg == "--help" {
			return f, errHelp
		}
		for letters := arg[1:]; letters != ""; {
			letter := letters[:1]
			letters = letters[1:]
			if strings.Contains(withoutArgument, letter) {
				if err := f.set(letter, ""); err != nil {
					return f, err
				}
				continue
			}
			if !strings.Contains(withArgument, letter) {
				return f, fmt.Errorf("unknown option -%s", letter)
			}
			value := letters
			if letters = ""; value == "" {
				if len(args) == 0 {
					return f, fmt.Errorf("option -%s needs an argument", letter)
				}
				value, args = args[0], args[1:]
			}
			if err := f.set(letter, value); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func (f *flags) set(letter, value string) error {
	switch letter {
	case "f":
		f.config = value
	case "i":
		f.pidFile = value
	case "n":
		f.foreground = true
	case "N":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("option -N needs a level, not %q", value)
		}
		f.check = n
	case "o":
		f.dump = value
	case "C":
		f.stay = true
	case "d":
		f.debug = true
	case "u":
		f.umask = value
	case "T":
		f.root = value
	case "v":
		f.version = true
	case "h":
		return errHelp
	default:
		f.ignored = append(f.ignored, "-"+letter)
	}
	return nil
}
