package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"sysrelay/conf"
)

func fmtSubcommand() subcommand {
	return subcommand{
		name: "fmt", synopsis: "[-w] [-d] FILE", summary: "lay a configuration out in the canonical way",
		flags: []commandFlag{
			{"--write", "-w", "", "write the file in place, if it changes"},
			{"--diff", "-d", "", "show what changes"},
		},
		detail: `One statement a line, four blanks for each level, actions of neighbouring lines side by side. Comments, single blank lines
and the lines made of an object or a condition stay. The file means what it meant; one that cannot be read is refused.
`,
		run: func(v *invocation) int { return v.rewrite(conf.Format) },
	}
}

func convertSubcommand() subcommand {
	return subcommand{
		name: "convert", synopsis: "[-w] [-d] [-r] FILE", summary: "turn legacy directives into RainerScript",
		flags: []commandFlag{
			{"--write", "-w", "", "write the file in place, if it changes"},
			{"--diff", "-d", "", "show what changes"},
			{"--recursive", "-r", "", "the files it includes, too, each by itself"},
			{"--quiet", "-q", "", "do not say which directives stay, and why"},
		},
		detail: `Directives become global(), module(), input(), template(), main_queue(), ruleset() and parameters of action(). Selectors
with a simple action stay as they are. Comments stay at their statements. Everything that is included is read, so that
directives of one file that have a say in another stay where they are. What is written is read again and compared: it means what
the configuration meant, or nothing is converted. A file with errors is refused; one that is included by another is
converted with it, by -r. One thing changes: a queue of $ActionQueueType that is full waits 50 ms for room where its input
cannot wait, that of an action() 2 s (queue.timeoutEnqueue).
`,
		run: convertCommand,
	}
}

func convertCommand(v *invocation) int {
	if err := v.parse(1); err != nil {
		return v.misused(err)
	}
	files, err := conf.Convert(v.args[0])
	if err != nil {
		return v.refused(err)
	}
	if !v.has("--recursive") {
		files = files[:1]
	}
	for _, f := range files {
		if len(files) > 1 && !v.has("--write") && !v.has("--diff") {
			fmt.Fprintf(v.stdout, "##### %s\n", f.Name)
		}
		if err := v.deliver(f.Name, f.Old, f.Text); err != nil {
			return v.refused(err)
		}
		for _, k := range f.Kept {
			if !v.has("--quiet") {
				fmt.Fprintf(v.stderr, "%s:%d: %s\n", k.File, k.Pos.Line, k.Msg)
			}
		}
	}
	return 0
}

// rewrite is what commands have in common that make a new text of a file: it is
// shown, compared, or written.
func (v *invocation) rewrite(f func(name string, text []byte) ([]byte, error)) int {
	if err := v.parse(1); err != nil {
		return v.misused(err)
	}
	file := v.args[0]
	text, err := os.ReadFile(file)
	if err != nil {
		return v.refused(err)
	}
	out, err := f(file, text)
	if err != nil {
		return v.refused(err)
	}
	if err := v.deliver(file, text, out); err != nil {
		return v.refused(err)
	}
	return 0
}

func (v *invocation) refused(err error) int {
	for _, e := range flatten(err) {
		fmt.Fprintf(v.stderr, "sysrelay %s: %v\n", v.command.name, e)
	}
	return 1
}

// deliver shows a file's new text, how it differs from the old one, or writes it.
func (v *invocation) deliver(file string, old, text []byte) error {
	if v.has("--diff") {
		if _, err := v.stdout.Write(diff.Diff(file, old, file, text)); err != nil {
			return err
		}
	}
	switch {
	case v.has("--write") && !bytes.Equal(old, text):
		return replaceFile(file, text)
	case v.has("--write"), v.has("--diff"):
		return nil
	}
	_, err := v.stdout.Write(text)
	return err
}

// replaceFile gives a file a new content, or leaves it as it is.
func replaceFile(file string, text []byte) (err error) {
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".sysrelay-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there is none once it has been renamed
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), sameOwner(f, info), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("%s is as it was: %w", file, err)
	}
	return os.Rename(f.Name(), file)
}
