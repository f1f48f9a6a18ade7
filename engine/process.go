package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func pid() int { return os.Getpid() }

// hostname is the name messages of this host carry. as rsyslog: the short name
// unless preserveFQDN is on; localHostname overrides everything.
func (g *Globals) hostname() string {
	if g.LocalHostname != "" {
		return g.LocalHostname
	}
	if g.PreserveFQDN {
		return canonicalHost()
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

// canonicalHost is the system's name with its domain, if the resolver knows it
// soon.
func canonicalHost() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	if strings.Contains(name, ".") {
		return name
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	full, err := net.DefaultResolver.LookupCNAME(ctx, name)
	if full = strings.TrimSuffix(full, "."); err != nil || full == "" {
		return name
	}
	return full
}

// setProcess changes what belongs to the process: umask, environment, limits.
func (g *Globals) setProcess() error {
	if g.Umask != "" {
		mask, err := strconv.ParseUint(g.Umask, 8, 12)
		if err != nil {
			return fmt.Errorf("global(umask): %q is no octal number", g.Umask)
		}
		syscall.Umask(int(mask))
	}
	for _, pair := range g.Environment {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("global(environment): %q is not NAME=value", pair)
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("global(environment): %s: %w", name, err)
		}
	}
	if n := uint64(g.MaxOpenFiles); n > 0 {
		limit := syscall.Rlimit{Cur: n, Max: n}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("global(maxOpenFiles): set limit %d: %w", n, err)
		}
	}
	return nil
}

// dropPrivileges becomes the configured group and user, once sockets are bound.
func (g *Globals) dropPrivileges() error {
	gid, err := id(g.DropGroup, g.DropGroupID, func(name string) (string, error) {
		gr, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return gr.Gid, nil
	})
	if err != nil {
		return fmt.Errorf("drop privileges to group: %w", err)
	}
	uid, err := id(g.DropUser, g.DropUserID, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return fmt.Errorf("drop privileges to user: %w", err)
	}
	if gid >= 0 && gid != os.Getegid() {
		if !g.KeepGroups {
			if err := syscall.Setgroups([]int{gid}); err != nil {
				return fmt.Errorf("drop supplementary groups: %w", err)
			}
		}
		if err := syscall.Setgid(gid); err != nil {
			return fmt.Errorf("drop privileges to group %d: %w", gid, err)
		}
	}
	if uid >= 0 && uid != os.Geteuid() {
		if err := joinGroups(uid); err != nil {
			return err
		}
		if err := syscall.Setuid(uid); err != nil {
			return fmt.Errorf("drop privileges to user %d: %w", uid, err)
		}
	}
	return nil
}

// joinGroups gives the process the groups of the user it is about to become. as
// rsyslog: they are how user syslog, of group adm, may write to /var/log.
func joinGroups(uid int) error {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Errorf("drop privileges to user %d: its groups: %w", uid, err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("drop privileges to user %s: its groups: %w", u.Username, err)
	}
	groups := []int{os.Getegid()}
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && !slices.Contains(groups, n) {
			groups = append(groups, n)
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("drop privileges to user %s: join its groups: %w", u.Username, err)
	}
	return nil
}

// id is the number of a user or group given by name or as a number; -1 if neither.
func id(name, number string, look func(string) (string, error)) (int, error) {
	if name != "" {
		n, err := look(name)
		if err != nil {
			return -1, err
		}
		number = n
	}
	if number == "" {
		return -1, nil
	}
	return strconv.Atoi(number)
}
