package main

import (
	"fmt"
	"io"
	"strings"
)

// completions are the scripts that complete the command line, by shell.
func completions() map[string]func(io.Writer) {
	return map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}
}

// flagNames are the flags of a command as they are typed.
func flagNames(c subcommand) (names []string) {
	for _, f := range c.flags {
		names = append(names, f.name)
		if f.short != "" {
			names = append(names, f.short)
		}
	}
	return names
}

func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

func completeBash(w io.Writer) {
	fmt.Fprint(w, "# bash completion for sysrelay\n_sysrelay() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n"+
		"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"+
		"\t\tCOMPREPLY=($(compgen -W \""+strings.Join(commandNames(), " ")+" -n -f -N\" -- \"$cur\"))\n\t\treturn\n\tfi\n"+
		"\tcase ${COMP_WORDS[1]} in\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "\t%s) words=%q ;;\n", c.name, strings.Join(flagNames(c), " "))
	}
	fmt.Fprint(w, "\tesac\n\tcase $cur in\n\t-*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"+
		"\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n\tesac\n}\ncomplete -o filenames -F _sysrelay sysrelay\n")
}

func completeZsh(w io.Writer) {
	fmt.Fprint(w, "#compdef sysrelay\n_sysrelay() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "\t\t%s\n", quoteShell(c.name+":"+c.summary))
	}
	fmt.Fprint(w, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "\t%s) _arguments", c.name)
		for _, f := range c.flags {
			argument := ""
			if f.arg != "" {
				argument = ":" + f.arg + ":_files"
			}
			fmt.Fprintf(w, " %s", quoteShell(f.name+"["+strings.NewReplacer("[", "(", "]", ")").Replace(f.text)+"]"+argument))
		}
		fmt.Fprint(w, " '*:file:_files' ;;\n")
	}
	fmt.Fprint(w, "\t*) _files ;;\n\tesac\n}\n_sysrelay \"$@\"\n")
}

func completeFish(w io.Writer) {
	for _, c := range commands() {
		fmt.Fprintf(w, "complete -c sysrelay -n __fish_use_subcommand -a %s -d %s\n", c.name, quoteShell(c.summary))
		for _, f := range c.flags {
			fmt.Fprintf(w, "complete -c sysrelay -n '__fish_seen_subcommand_from %s' -l %s", c.name, strings.TrimPrefix(f.name, "--"))
			if f.short != "" {
				fmt.Fprintf(w, " -s %s", strings.TrimPrefix(f.short, "-"))
			}
			if f.arg != "" {
				fmt.Fprint(w, " -r")
			}
			fmt.Fprintf(w, " -d %s\n", quoteShell(f.text))
		}
	}
}

// quoteShell quotes s for any of the shells.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", "’") + "'" }
