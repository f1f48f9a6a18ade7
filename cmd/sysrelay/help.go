package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sysrelay/conf"
	"sysrelay/engine"
)

// helpCommand prints usage, the page of a module, or what other things are made
// of: COMPATIBILITY.md, manual pages, completions.
func helpCommand(v *invocation) int {
	args, stdout, stderr := v.args, v.stdout, v.stderr
	m := engine.NewManual()
	switch {
	case len(args) == 0:
		fmt.Fprint(stdout, usage())
		fmt.Fprintf(stdout, "\nmodules and objects:\n  %s\n", strings.Join(m.Names(), " "))
		return 0
	case args[0] == "--markdown":
		writeMarkdown(stdout, m)
		return 0
	case args[0] == "--man":
		return printOne(v, manPages())
	case args[0] == "--completion":
		return printOne(v, completions())
	}
	if c, ok := findCommand(args[0]); ok && c.name != "queue" {
		fmt.Fprint(stdout, c.usage())
		return 0
	}
	page, ok := m.Find(conf.ModuleName(args[0]))
	if !ok {
		fmt.Fprintf(stderr, "sysrelay: there is no help for %q; %s\n", args[0], conf.DidYouMean(args[0], m.Names()))
		return 1
	}
	for _, s := range page.Sections {
		fmt.Fprintf(stdout, "%s\n", s.Where)
		for _, p := range s.Params {
			fmt.Fprintf(stdout, "  %-36s %s\n", p.Name, strings.Join(facts(p), ", "))
			fmt.Fprintf(stdout, "      %s\n", p.Doc)
		}
	}
	return 0
}

// printOne prints the one of all that the argument names.
func printOne(v *invocation, all map[string]func(io.Writer)) int {
	if len(v.args) == 2 && all[v.args[1]] != nil {
		all[v.args[1]](v.stdout)
		return 0
	}
	fmt.Fprintf(v.stderr, "usage: sysrelay help %s %s\n", v.args[0], strings.Join(slices.Sorted(maps.Keys(all)), "|"))
	return 1
}

// facts are a parameter's type, default and status in words.
func facts(p conf.ParamDoc) []string {
	all := []string{p.Type}
	if len(p.Values) > 0 {
		all = append(all, "one of "+strings.Join(p.Values, " "))
	}
	if p.Required {
		all = append(all, "required")
	}
	if p.Default != "" {
		all = append(all, "default "+p.Default)
	}
	if len(p.Aliases) > 0 {
		all = append(all, "also "+strings.Join(p.Aliases, " "))
	}
	switch p.Status {
	case "none":
		all = append(all, "NO EFFECT")
	case "partial":
		all = append(all, "in part")
	}
	return all
}

const compatibilityHead = `# Compatibility

What sysrelay knows of rsyslog's configuration, generated from the parameter
definitions by ` + "`go run ./cmd/sysrelay help --markdown > COMPATIBILITY.md`" + `. A parameter
that is not listed is an error with its place and a suggestion.

Status: **full** works as in rsyslog; **part** works with what the remark says;
**none** is accepted and has no effect, which is said when the configuration is read.

`

func writeMarkdown(w io.Writer, m *engine.Manual) {
	io.WriteString(w, compatibilityHead)
	io.WriteString(w, engine.Differences())
	fmt.Fprintf(w, "\n## Modules that are not there\n\nThey are known with their parameters, and reported as unsupported: %s.\n",
		strings.Join(engine.UnsupportedModules(), ", "))
	for _, page := range m.Pages {
		fmt.Fprintf(w, "\n## %s\n", page.Name)
		for _, s := range page.Sections {
			fmt.Fprintf(w, "\n`%s`\n\n| parameter | type | default | status | |\n|---|---|---|---|---|\n", s.Where)
			for _, p := range s.Params {
				fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", strings.Join(append([]string{p.Name}, p.Aliases...), ", "),
					cell(p.Type), cell(p.Default), statusWord(p), cell(p.Doc))
			}
		}
	}
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }

func statusWord(p conf.ParamDoc) string {
	switch p.Status {
	case "none":
		return "none"
	case "partial":
		return "part"
	}
	return "full"
}
