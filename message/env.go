package message

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Env is what messages, templates and filters may know of the world around
// them. The engine makes one; there are no package variables. All methods may be
// called from any goroutine.
type Env struct {
	Now      func() time.Time     // the clock
	Uptime   func() time.Duration // since the machine started
	Location *time.Location       // local time zone
	Sanitize Sanitizer            // how raw text is cleaned when it is received
	// VarsCaseSensitive is global(variables.caseSensitive=).
	VarsCaseSensitive bool
	// CompactJSON is global(compactJsonString=): variables are printed without blanks.
	CompactJSON bool
	// Global holds $/ variables.
	Global GlobalVars

	hostname atomic.Pointer[string]
	clock    localClock
}

// NewEnv returns an Env with the system's clock and time zone, rsyslog's
// defaults, and hostname as the local host's name.
func NewEnv(hostname string) *Env {
	e := &Env{Now: time.Now, Uptime: systemUptime, Location: time.Local, Sanitize: DefaultSanitizer()}
	e.SetHostname(hostname)
	return e
}

// Hostname is the local host name as messages show it.
func (e *Env) Hostname() string { return *e.hostname.Load() }

// SetHostname changes the local host name; HUP re-reads it.
func (e *Env) SetHostname(h string) { e.hostname.Store(&h) }

// systemUptime is 0 if the system does not tell.
func systemUptime() time.Duration {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return time.Duration(info.Uptime) * time.Second
}
