package input

import (
	"fmt"
	"net"
	"strings"

	"sysrelay/message"
)

// CountersOf are the counters of an input: its own, or those that its Ledger
// gives any input.
func CountersOf(in Input) []message.Counters {
	if c, ok := in.(message.Counted); ok {
		return c.Counters()
	}
	module, _, _ := strings.Cut(in.Name(), "(")
	return []message.Counters{{Name: in.Name(), Origin: module, Values: submitted(in.Ledger().Read())}}
}

// submitted are the counters of an account: what was handed on or would have been,
// and what was discarded and why.
func submitted(a message.Account, more ...message.Counter) []message.Counter {
	values := []message.Counter{message.Count("submitted", a.Received-a.Discarded[message.RateLimited]-a.Discarded[message.NotAllowed])}
	values = append(values, more...)
	a.Each(func(r message.Reason, n uint64) {
		if r != message.RateLimited && r != message.NotAllowed {
			values = append(values, message.Count("discarded."+r.String(), n))
		} else if len(more) == 0 {
			values = append(values, message.Count(r.String()+".discarded", n))
		}
	})
	return values
}

// listens is how rsyslog names a listener: address, port, protocol version.
func listens(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return addr
	case strings.Contains(host, ":"):
		return host + "/" + port + "/IPv6"
	}
	return host + "/" + port + "/IPv4"
}

// Counters implements message.Counted.
func (in *udpInput) Counters() []message.Counters {
	a := in.ledger.Read()
	name := in.p.Name + "(" + strings.Join(in.p.Port, ",") + ")"
	if addrs := in.Addrs(); len(addrs) == 1 {
		name = in.p.Name + "(" + listens(addrs[0]) + ")"
	}
	return []message.Counters{{Name: name, Origin: "imudp",
		Values: submitted(a, message.Count("disallowed", a.Discarded[message.NotAllowed]), message.Count("ratelimit.discarded", a.Discarded[message.RateLimited]))}}
}

// Counters implements message.Counted. as rsyslog: those of all sockets have one
// name; they are added up.
func (in *unixSocket) Counters() []message.Counters {
	a := in.ledger.Read()
	return []message.Counters{{Name: "imuxsock", Origin: "imuxsock",
		Values: submitted(a, message.Count("ratelimit.discarded", a.Discarded[message.RateLimited]), message.Level("ratelimit.numratelimiters", in.limits.len()))}}
}

// counters are those of an input that accepts connections.
func (l *streamListener) counters(a message.Account) []message.Counters {
	name := fmt.Sprintf("%s(%s)", l.inputName, l.port)
	if l.module == "imptcp" && l.ln != nil {
		name = fmt.Sprintf("%s(%s)", l.inputName, listens(l.ln.Addr().String()))
	}
	open := l.sessions.Load()
	return []message.Counters{{Name: name, Origin: l.module, Values: submitted(a, message.Count("sessions.opened", l.opened.Load()),
		message.Count("sessions.openfailed", l.refused.Load()), message.Count("sessions.closed", int64(l.opened.Load())-open),
		message.Level("sessions.open", open), message.Count("disallowed", a.Discarded[message.NotAllowed]),
		message.Count("ratelimit.discarded", a.Discarded[message.RateLimited]))}}
}

// Counters implements message.Counted.
func (in *streamInput) Counters() []message.Counters { return in.counters(in.ledger.Read()) }

// Counters implements message.Counted.
func (in *relpInput) Counters() []message.Counters { return in.counters(in.ledger.Read()) }
