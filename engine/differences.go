package engine

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed differences
var differences embed.FS

// Differences is what sysrelay does otherwise than rsyslogd 8.2302, on purpose:
// the files of differences/, one after the other. It is part of COMPATIBILITY.md.
func Differences() string {
	var all strings.Builder
	all.WriteString("## What is different on purpose\n\n")
	names, err := fs.Glob(differences, "differences/*.md")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := differences.ReadFile(name)
		if err != nil {
			panic(err) // it was in the list
		}
		all.Write(text)
	}
	return all.String()
}
