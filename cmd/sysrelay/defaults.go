package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"sysrelay/conf"
)

// What is read when no -f is given: the first of these that is there.
const (
	ownConfig     = "/etc/sysrelay.conf"
	rsyslogConfig = "/etc/rsyslog.conf"
)

//go:embed defaults/*.conf
var defaults embed.FS

// families are the distributions with a built-in configuration of their own, by
// what ID and ID_LIKE of os-release(5) say.
var families = []struct {
	file string
	ids  []string
}{
	{"debian", []string{"debian", "ubuntu"}},
	{"redhat", []string{"rhel", "fedora", "centos", "amzn"}},
	{"suse", []string{"suse", "opensuse", "sles"}},
}

// chooseConfig decides which configuration is read if the user named none; "" is
// the one built in. as rsyslogd: called by that name, there is only its own.
func chooseConfig(program string, exists func(string) bool) string {
	switch {
	case program == "rsyslogd", !exists(ownConfig) && exists(rsyslogConfig):
		return rsyslogConfig
	case exists(ownConfig):
		return ownConfig
	}
	return ""
}

// isThere: a file that cannot be looked at is there, and reading it will say why
// it cannot.
func isThere(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// builtIn returns the configuration built in for a distribution.
func builtIn(osRelease string) (name string, text []byte) {
	file := "generic"
	ids := distribution(osRelease)
	for _, f := range families {
		if slices.ContainsFunc(f.ids, func(id string) bool { return slices.Contains(ids, id) }) {
			file = f.file
			break
		}
	}
	text, err := defaults.ReadFile("defaults/" + file + ".conf")
	if err != nil {
		panic(err) // the table names files that are there
	}
	return file, text
}

// distribution is what os-release(5) calls the system and those it is like.
func distribution(osRelease string) (ids []string) {
	for line := range strings.Lines(osRelease) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "ID" || name == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return ids
}

// readOSRelease is empty where there is no such file.
func readOSRelease() string {
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if b, err := os.ReadFile(file); err == nil {
			return string(b)
		}
	}
	return ""
}

// load reads the configuration. Where there is no file it is the built-in one, and
// is shown to whoever looks.
func (d *daemon) load() (*conf.Config, error) {
	if d.flags.config != "" {
		return conf.Load(d.flags.config)
	}
	name, text := builtIn(readOSRelease())
	if d.flags.foreground || d.flags.check > 0 {
		fmt.Fprintf(d.stderr, "%s: there is no %s and no %s; this is used, which is built in for systems like this one:\n\n%s\n",
			d.program, ownConfig, rsyslogConfig, text)
	}
	d.flags.config = "built-in " + name + ".conf"
	return conf.Parse(d.flags.config, text)
}
