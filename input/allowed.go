package input

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// AllowedSenders are the peers that may send: addresses, networks, host names
// and host names with wildcards. nil allows everybody.
type AllowedSenders struct {
	networks []netip.Prefix
	names    []string // lower case patterns
}

// NewAllowedSenders reads a list as rsyslog's $AllowedSender has it: 192.0.2.1,
// 192.0.2.0/24, [2001:db8::]/32, host.example.net, *.example.net. An empty list
// is nil.
func NewAllowedSenders(list []string) (*AllowedSenders, error) {
	if len(list) == 0 {
		return nil, nil
	}
	a := &AllowedSenders{}
	for _, s := range list {
		if err := a.add(strings.TrimSpace(s)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *AllowedSenders) add(s string) error {
	text := strings.NewReplacer("[", "", "]", "").Replace(s)
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		a.networks = append(a.networks, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	if strings.Contains(s, "/") {
		p, err := parseNetwork(text)
		if err != nil {
			return fmt.Errorf("allowed sender %q is not a network: %w", s, err)
		}
		if p.Bits() == 0 {
			// as rsyslog: 0 bits is more likely a mistake than a wish.
			return fmt.Errorf("allowed sender %q would allow everybody; leave the list out for that", s)
		}
		a.networks = append(a.networks, p.Masked())
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(s), ".")
	if _, err := path.Match(name, ""); err != nil || name == "" || !printable(name) || strings.Contains(name, ",") {
		return fmt.Errorf("allowed sender %q is no address, network or host name", s)
	}
	a.names = append(a.names, name)
	return nil
}

// Allows tells whether the peer with this address and name may send. The name
// is what the resolver says; it counts for nothing if it is only the address.
func (a *AllowedSenders) Allows(ip netip.Addr, host string) bool {
	if a == nil {
		return true
	}
	ip = ip.Unmap().WithZone("")
	for _, n := range a.networks {
		if n.Contains(ip) {
			return true
		}
	}
	if !printable(host) {
		return false // a NUL in it could make it end elsewhere for somebody else
	}
	for _, p := range a.names {
		if ok, _ := path.Match(p, strings.ToLower(host)); ok {
			return true
		}
	}
	return false
}
