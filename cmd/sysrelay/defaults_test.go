package main

import (
	"errors"
	"slices"
	"testing"

	"sysrelay/conf"
	"sysrelay/engine"
)

func TestChooseConfig(t *testing.T) {
	for _, c := range []struct {
		program string
		there   []string
		want    string
	}{
		{"sysrelay", nil, ""},
		{"sysrelay", []string{rsyslogConfig}, rsyslogConfig},
		{"sysrelay", []string{rsyslogConfig, ownConfig}, ownConfig},
		{"rsyslogd", []string{ownConfig}, rsyslogConfig},
		{"rsyslogd", nil, rsyslogConfig},
	} {
		got := chooseConfig(c.program, func(name string) bool { return slices.Contains(c.there, name) })
		if got != c.want {
			t.Errorf("%s with %v reads %q, want %q", c.program, c.there, got, c.want)
		}
	}
}

// The os-release texts are those of the distributions.
func TestBuiltInConfiguration(t *testing.T) {
	for _, c := range []struct{ osRelease, want string }{
		{"NAME=\"Debian GNU/Linux\"\nID=debian\n", "debian"},
		{"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "debian"},
		{"NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "redhat"},
		{"ID=fedora\n", "redhat"},
		{"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "suse"},
		{"ID=alpine\n", "generic"},
		{"", "generic"},
	} {
		name, text := builtIn(c.osRelease)
		if name != c.want {
			t.Errorf("%q is %s, want %s", c.osRelease, name, c.want)
		}
		cfg, err := conf.Parse(name, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, err := engine.New(cfg, engine.Options{Program: "sysrelay"})
		for _, err := range flatten(err) {
			if e := (*conf.Error)(nil); !errors.As(err, &e) || e.Severity != conf.Unsupported {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !e.HasActions() {
			t.Errorf("%s: no message goes anywhere", name)
		}
	}
}
