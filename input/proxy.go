package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"

	"sysrelay/conf"
	"sysrelay/message"
)

// proxyPolicy is what a listener does about the PROXY protocol's header, which
// a load balancer puts before the first byte to tell who the sender is.
type proxyPolicy struct {
	mode    string // "off", "optional", "required"
	trusted []netip.Prefix
	timeout time.Duration
	meta    bool // messages tell the proxy
}

func newProxyPolicy(x conf.ProxyProtocol) (proxyPolicy, error) {
	p := proxyPolicy{mode: strings.ToLower(x.Mode), timeout: time.Duration(x.Timeout) * time.Millisecond, meta: x.Metadata}
	switch p.mode {
	case "", "off":
		p.mode = "off"
		if p.meta {
			return p, errors.New("proxyProtocol.metadata needs proxyProtocol=\"required\" or \"optional\": without a header there is no proxy to tell")
		}
	case "optional", "required":
		if len(x.Trusted) == 0 {
			return p, errors.New("proxyProtocol needs proxyProtocol.trusted: a header from anybody else could name any sender")
		}
	default:
		return p, fmt.Errorf("proxyProtocol %q is not off, optional or required", x.Mode)
	}
	for _, s := range x.Trusted {
		n, err := parseNetwork(s)
		if err != nil {
			return p, fmt.Errorf("proxyProtocol.trusted: %w", err)
		}
		p.trusted = append(p.trusted, n)
	}
	return p, nil
}

// proxyVars are the variables $!proxy!ip and $!proxy!port.
func proxyVars(ip netip.Addr, port uint16) message.EncodedVars {
	proxy, tree := message.NewObject(), message.NewObject()
	proxy.SetMember("ip", message.StringValue(ip.String()), true)
	proxy.SetMember("port", message.StringValue(strconv.Itoa(int(port))), true)
	tree.SetMember("proxy", proxy, true)
	return message.EncodeVars(tree)
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	n, err := netip.ParsePrefix(s)
	// IPv4 peers are IPv4 addresses here, however the socket calls them.
	if a := n.Addr(); err == nil && a.Is4In6() && n.Bits() >= 96 {
		return netip.PrefixFrom(a.Unmap(), n.Bits()-96), nil
	}
	return n, err
}

// proxyHeaderMax is the room for a header and what follows it in one packet; a
// version 2 header is at most 4 KiB (go-proxyproto's limit) and 16 bytes.
const proxyHeaderMax = 4096 + 16 + 256

// source returns the sender's address a header names, or the invalid AddrPort
// if there is none to be had. Only trusted peers' headers are looked at: what
// others send first is data like any other.
func (p *proxyPolicy) source(c *conn, peer netip.Addr) (netip.AddrPort, error) {
	none := netip.AddrPort{}
	if p.mode == "off" || !p.trusts(peer) {
		if p.mode == "required" {
			return none, errors.New("peer is not in proxyProtocol.trusted, and a PROXY header is required")
		}
		return none, nil
	}
	if p.timeout > 0 {
		if err := c.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
			return none, err
		}
	}
	r := bufio.NewReaderSize(c.Conn, proxyHeaderMax)
	h, err := readProxyHeader(r)
	c.ahead, _ = r.Peek(r.Buffered())
	silent := len(c.ahead) == 0
	if silent && (errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET)) {
		return none, conf.ErrSilent // a health check without PROXY, or somebody who looks
	}
	if p.mode == "optional" && (silent && isTimeout(err) || errors.Is(err, proxyproto.ErrNoProxyProtocol)) {
		err = nil
	}
	if err != nil {
		return none, fmt.Errorf("PROXY header: %w", err)
	}
	c.deadline(time.Time{})
	// PROXY protocol §2.2: LOCAL is the proxy's own health check.
	if h == nil {
		return none, nil
	}
	if h.Command.IsLocal() {
		c.check = true
		return none, nil
	}
	if a, ok := h.SourceAddr.(*net.TCPAddr); ok {
		return a.AddrPort(), nil
	}
	return none, nil
}

// readProxyHeader reads a header that may come in pieces; the parser wants a
// version 1 header whole.
func readProxyHeader(r *bufio.Reader) (*proxyproto.Header, error) {
	const longest = 107 // PROXY protocol §2.1
	for {
		b, _ := r.Peek(min(r.Buffered(), longest))
		v1 := match(b, string(proxyproto.SIGV1))
		if v1 == no || len(b) == longest || bytes.IndexByte(b, '\n') >= 0 {
			return proxyproto.Read(r)
		}
		if _, err := r.Peek(len(b) + 1); err != nil {
			return nil, err
		}
	}
}

func (p *proxyPolicy) trusts(peer netip.Addr) bool {
	for _, n := range p.trusted {
		if n.Contains(peer.WithZone("")) {
			return true
		}
	}
	return false
}
