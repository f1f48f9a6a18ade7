package output

import "sysrelay/message"

// Counters are the action's, and those of its output before them.
func (a *Action) Counters() []message.Counters {
	var all []message.Counters
	if c, ok := a.out.(message.Counted); ok {
		all = c.Counters()
	}
	s := a.Stats()
	processed := s.Accounts.Received
	if a.queue != nil {
		processed = a.queue.Stats().Accounts.Received
	}
	values := []message.Counter{message.Count("processed", processed), message.Count("failed", s.Failed),
		message.Count("suspended", s.Suspended), message.Count("suspended.duration", int64(s.Duration.Seconds())), message.Count("resumed", s.Resumed)}
	s.Accounts.Each(func(r message.Reason, n uint64) { values = append(values, message.Count("discarded."+r.String(), n)) })
	return append(all, message.Counters{Name: s.Name, Origin: "core.action", Values: values})
}

// Queued are the counters of the action's queue; none if it has none.
func (a *Action) Queued() []message.Counters {
	if a.queue == nil {
		return nil
	}
	return a.queue.Counters()
}

// Counters implements message.Counted.
func (o *udpForward) Counters() []message.Counters {
	return []message.Counters{sentTo("UDP", o.to, o.bytes.Load())}
}

// Counters implements message.Counted.
func (o *tcpForward) Counters() []message.Counters {
	return []message.Counters{sentTo("TCP", o.named, o.bytes.Load())}
}

// sentTo names a forwarder as rsyslog does, after its first target.
func sentTo(protocol string, to []hostPort, bytes int64) message.Counters {
	name := protocol
	if len(to) > 0 {
		name += "-" + to[0].host + "-" + to[0].port
	}
	return message.Counters{Name: name, Origin: "omfwd", Values: []message.Counter{message.Count("bytes.sent", bytes)}}
}

// Counters implements message.Counted: those of a dynamic file name.
func (o *omfile) Counters() []message.Counters {
	d := o.dyn
	if d == nil {
		return nil
	}
	return []message.Counters{{Name: "dynafile cache " + d.tpl.Name(), Origin: "omfile", Values: []message.Counter{
		message.Count("requests", d.requests.Load()), message.Count("level0", d.level0.Load()), message.Count("missed", d.missed.Load()),
		message.Count("evicted", d.evicted.Load()), message.Level("maxused", d.most.Load()), message.Count("closetimeouts", d.idle.Load())}}}
}
