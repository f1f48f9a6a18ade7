package input

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ResolverOptions are the global parameters about the names of peers.
type ResolverOptions struct {
	Disabled bool // net.enableDNS="off": addresses are the names
	// TTL is how long a name is believed (reverseLookup.cache.ttl.*); 0 is for
	// ever, as rsyslog by default.
	TTL time.Duration
	// LocalDomain is cut off names that end with it, unless preserveFQDN.
	LocalDomain string
	// DropMalicious is dropMsgsWithMaliciousDnsPTRRecords.
	DropMalicious bool
	// Lookup asks for the names of an address; nil asks the system's resolver.
	Lookup func(ctx context.Context, ip string) ([]string, error)
	Now    func() time.Time
	Log    func(severity int, text string)
}

// Resolver finds the names of peers' addresses and remembers them. Nobody waits
// for it longer than resolverPatience: the address serves as name then, while
// the look-up goes on and its result is there for the next time.
type Resolver struct {
	o       ResolverOptions
	mu      sync.Mutex
	entries map[string]*resolved
	running int
}

type resolved struct {
	done    chan struct{} // closed when name and expires are set
	name    string
	expires time.Time // zero is never
}

const (
	resolverPatience = 2 * time.Second        // of a caller without a deadline of its own
	resolverTimeout  = 15 * time.Second       // of one look-up
	resolverLookups  = 32                     // at a time; beyond that addresses serve as names
	resolverEntries  = 16384                  // remembered
	failureExpires   = time.Minute            // of an address without a name
	udpPatience      = 100 * time.Millisecond // of a socket's receiver, which must not stop for long
)

// NewResolver returns a Resolver; its Name is what Deps.Resolve wants.
func NewResolver(o ResolverOptions) *Resolver {
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupAddr
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.LocalDomain = strings.ToLower(strings.Trim(o.LocalDomain, "."))
	return &Resolver{o: o, entries: map[string]*resolved{}}
}

// Name returns the name of an address, the address if there is none or it
// cannot be had in time, and "" if messages from there are to be dropped.
func (r *Resolver) Name(ctx context.Context, ip string) string {
	if r.o.Disabled {
		return ip
	}
	e := r.entry(ip)
	if e == nil {
		return ip
	}
	select {
	case <-e.done:
		return e.name
	default:
	}
	t := time.NewTimer(resolverPatience)
	defer t.Stop()
	select {
	case <-e.done:
		return e.name
	case <-t.C:
	case <-ctx.Done():
	}
	return ip
}

// entry returns what is known or being found out about ip; nil if no further
// look-up may be started.
func (r *Resolver) entry(ip string) *resolved {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[ip]; e != nil && !e.expired(now) {
		return e
	}
	if r.running >= resolverLookups {
		return nil
	}
	if len(r.entries) >= resolverEntries {
		r.forget()
	}
	e := &resolved{done: make(chan struct{})}
	r.entries[ip] = e
	r.running++
	go r.lookup(ip, e)
	return e
}

func (e *resolved) expired(now time.Time) bool {
	select {
	case <-e.done:
		return !e.expires.IsZero() && now.After(e.expires)
	default:
		return false
	}
}

// forget makes room by dropping a part of the entries, whichever the map yields.
func (r *Resolver) forget() {
	n := resolverEntries / 8
	for ip := range r.entries {
		delete(r.entries, ip)
		if n--; n == 0 {
			return
		}
	}
}

func (r *Resolver) lookup(ip string, e *resolved) {
	ctx, cancel := context.WithTimeout(context.Background(), resolverTimeout)
	defer cancel()
	names, err := r.o.Lookup(ctx, ip)
	e.name = ip
	if err == nil && len(names) > 0 {
		e.name = r.judge(ip, strings.TrimSuffix(names[0], "."))
	}
	switch now := r.o.Now(); {
	case e.name == ip:
		e.expires = now.Add(failureExpires)
	case r.o.TTL > 0:
		e.expires = now.Add(r.o.TTL)
	}
	r.mu.Lock()
	r.running--
	r.mu.Unlock()
	close(e.done)
}

// judge decides what the name of a PTR record is worth. A name that is an
// address would let its owner pass for somebody else, and so would one with a NUL
// or a space in it.
func (r *Resolver) judge(ip, name string) string {
	switch {
	case name == "":
		return ip
	case printable(name) && !numeric(name):
		return r.short(name)
	case r.o.DropMalicious:
		r.o.Log(severityError, fmt.Sprintf("Malicious PTR record, message dropped IP = %q HOST = %q", ip, name))
		return ""
	}
	r.o.Log(severityError, fmt.Sprintf("Malicious PTR record (message accepted, but used IP instead of PTR name: IP = %q HOST = %q", ip, name))
	return ip
}

// printable tells whether name has neither spaces nor control characters.
func printable(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// numeric tells whether resolvers take name for an address: in the forms of
// inet_aton(3), or as IPv6.
func numeric(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	for label := range strings.SplitSeq(name, ".") {
		label = strings.ToLower(label)
		digits := "0123456789"
		if strings.HasPrefix(label, "0x") {
			label, digits = label[2:], "0123456789abcdef"
		}
		if strings.Trim(label, digits) != "" {
			return false
		}
	}
	return true
}

// short cuts the local domain off.
func (r *Resolver) short(name string) string {
	if d := r.o.LocalDomain; d != "" && strings.HasSuffix(strings.ToLower(name), "."+d) {
		return name[:len(name)-len(d)-1]
	}
	return name
}
