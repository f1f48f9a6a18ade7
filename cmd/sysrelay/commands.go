package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// subcommand is one of our own commands: what it is called by, what usage texts,
// completions and manual pages say about it, and what it does.
type subcommand struct {
	name     string
	synopsis string // what follows the name
	summary  string // one line
	flags    []commandFlag
	detail   string // paragraphs below the flags; may be empty
	run      func(*invocation) int
}

// commandFlag is one flag of a command.
type commandFlag struct {
	name  string // "--json"
	short string // "-w"; may be empty
	arg   string // what its argument is called; "" if it has none
	text  string
}

// invocation is one call of a command.
type invocation struct {
	command        subcommand
	args           []string // as typed; parse leaves what is no flag
	flags          map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// commands are all there are, in the order the usage shows them.
func commands() []subcommand {
	return []subcommand{
		checkSubcommand(),
		explainSubcommand(),
		fmtSubcommand(),
		convertSubcommand(),
		{name: "queue", synopsis: "COMMAND DIR", summary: "look into a disk queue, and repair it", run: queueCommand},
		{name: "help", synopsis: "[MODULE]", summary: "parameters of a module, or the list of modules", run: helpCommand},
		{name: "version", summary: "show the version", run: versionCommand},
	}
}

func findCommand(name string) (subcommand, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(c subcommand) bool { return c.name == name })
	if i < 0 {
		return subcommand{}, false
	}
	return all[i], true
}

// usage is what the program says about itself.
func usage() string {
	var b strings.Builder
	line := func(words, text string) {
		head := "       "
		if b.Len() == 0 {
			head = "usage: "
		}
		if len(words) > 40 {
			fmt.Fprintf(&b, "%ssysrelay %s\n%56s", head, words, "")
		} else {
			fmt.Fprintf(&b, "%ssysrelay %-40s", head, words)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	line("-n -f FILE", "run in the foreground with this configuration")
	for _, c := range commands() {
		line(strings.TrimSpace(c.name+" "+c.synopsis), c.summary)
	}
	return b.String() + daemonUsage
}

// usage is the command's own.
func (c subcommand) usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: sysrelay %s %s\n\n%s.\n", c.name, c.synopsis, strings.ToUpper(c.summary[:1])+c.summary[1:])
	if len(c.flags) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range c.flags {
		fmt.Fprintf(&b, "  %-20s %s\n", f.words(), f.text)
	}
	if c.detail != "" {
		b.WriteString("\n" + c.detail)
	}
	return b.String()
}

// words are the flag as a usage shows it.
func (f commandFlag) words() string {
	name := f.name
	if f.short != "" {
		name = f.short + ", " + f.name
	}
	if f.arg != "" {
		name += " " + f.arg
	}
	return name
}

// parse reads the flags, which may stand anywhere, and leaves the other arguments,
// of which there must be the number given.
func (v *invocation) parse(operands int) error {
	v.flags = map[string]string{}
	var rest []string
	for args := v.args; len(args) > 0; {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		if arg == "--" {
			rest = append(rest, args...)
			break
		}
		name, value, given := strings.Cut(arg, "=")
		i := slices.IndexFunc(v.command.flags, func(f commandFlag) bool { return f.name == name || f.short == name })
		if i < 0 {
			return fmt.Errorf("unknown flag %s", name)
		}
		f := v.command.flags[i]
		switch {
		case f.arg == "" && given:
			return fmt.Errorf("flag %s takes no argument", name)
		case f.arg != "" && !given && len(args) == 0:
			return fmt.Errorf("flag %s needs an argument", name)
		case f.arg != "" && !given:
			value, args = args[0], args[1:]
		}
		v.flags[f.name] = value
	}
	v.args = rest
	switch {
	case len(rest) < operands:
		return fmt.Errorf("an argument is missing")
	case len(rest) > operands:
		return fmt.Errorf("unexpected argument %q", rest[operands])
	}
	return nil
}

// has tells whether a flag was given.
func (v *invocation) has(name string) bool {
	_, ok := v.flags[name]
	return ok
}

// misused says how the command is used.
func (v *invocation) misused(err error) int {
	fmt.Fprintf(v.stderr, "sysrelay %s: %v\n%s", v.command.name, err, v.command.usage())
	return 1
}
