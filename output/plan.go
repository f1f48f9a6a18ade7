package output

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"

	"sysrelay/message"
)

// Plan is what an output would do with a message.
type Plan struct {
	Kind string // "file", "tcp", …; "" where the output does not say
	To   string // name of the file, host:port, …
	Data []byte // what is written or sent
	Why  string // why nothing is

	Module string // "builtin:omfile"
	Name   string // of the action
	Queue  string // type of the action's queue; "" for none
	Only   string // which messages the action takes, if not all
}

// planner is an output that can say where a message would go.
type planner interface {
	Plan(m *message.Message) Plan
}

// Plan says what the action's output would do with a message, and does nothing.
func (a *Action) Plan(m *message.Message) (p Plan) {
	switch o := a.out.(type) {
	case planner:
		p = o.Plan(m)
	case renderer:
		p.Data = o.Render(nil, m)
	}
	p.Module, p.Name, p.Only = a.opts.Module, a.opts.Name, a.opts.Params.only()
	if q := a.opts.Queue.Params; !direct(q.Type) {
		p.Queue = string(q.Type)
		if q.Filename != "" {
			p.Queue += " " + q.Filename
		}
	}
	return p
}

// only says which of the messages the action is given it takes.
func (p *ActionParams) only() string {
	var all []string
	if p.EveryNthTime > 1 {
		all = append(all, fmt.Sprintf("one message of %d", p.EveryNthTime))
	}
	if p.OnceEveryInterval > 0 {
		all = append(all, fmt.Sprintf("one message in %d seconds", p.OnceEveryInterval))
	}
	return strings.Join(all, ", ")
}

// Plan implements planner.
func (o *omfile) Plan(m *message.Message) Plan {
	var l lines
	l.buf = o.tpl.Append(l.buf, m)
	l.end(o.spec.addLF)
	p := Plan{Kind: "file", Data: l.buf}
	if o.dyn == nil {
		p.To = o.static.name
		return p
	}
	name := o.dyn.tpl.Append(nil, m)
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	p.To = string(name)
	if o.dyn.base != "" {
		if _, err := below(o.dyn.base, p.To); err != nil {
			p.Why = strings.TrimPrefix(err.Error(), ErrUnacceptable.Error()+": ")
			if errors.Is(err, errNoBase) {
				p.Why = errNoBase.Error()
			}
		}
	}
	return p
}

func (h hostPort) shown() string { return net.JoinHostPort(h.host, h.port) }

// Plan implements planner.
func (o *tcpForward) Plan(m *message.Message) Plan {
	var to []hostPort
	for _, t := range o.targets {
		to = append(to, t.to)
	}
	return Plan{Kind: sealedKind("tcp", o.dialing), To: o.srv.shown(to), Data: o.wire.planned(m)}
}

// Plan implements planner.
func (o *udpForward) Plan(m *message.Message) Plan {
	return Plan{Kind: "udp", To: o.srv.shown(o.to), Data: o.wire.planned(m)}
}

// shown lists targets, or the records that name them when they have not been looked up.
func (s *srv) shown(to []hostPort) string {
	var all []string
	for _, t := range to {
		all = append(all, t.shown())
	}
	if len(all) == 0 && s != nil {
		return fmt.Sprintf("_syslog._%s.%s", s.proto, s.name)
	}
	return strings.Join(all, ", ")
}

// planned is what goes over the wire for one message.
func (w *wire) planned(m *message.Message) []byte {
	var l lines
	w.append(&l, m)
	return l.buf
}

// Plan implements planner.
func (o *omrelp) Plan(m *message.Message) Plan {
	return Plan{Kind: sealedKind("relp", o.dialer), To: o.to.shown(), Data: o.Render(nil, m)}
}

// Plan implements planner.
func (o *ompipe) Plan(m *message.Message) Plan {
	return Plan{Kind: "pipe", To: o.name, Data: o.Render(nil, m)}
}

// Plan implements planner.
func (o *omstdout) Plan(m *message.Message) Plan {
	var l lines
	l.buf = o.tpl.Append(l.buf, m)
	l.end(o.lf)
	return Plan{Kind: "stdout", To: "standard output", Data: l.buf}
}

// Plan implements planner.
func (o *omusrmsg) Plan(m *message.Message) Plan {
	p := Plan{Kind: "users", To: strings.Join(o.users, ", "), Data: o.Render(nil, m)}
	if o.users == nil {
		p.To = "everybody who is logged in"
	}
	return p
}

// sealedKind says of a protocol whether it goes over TLS.
func sealedKind(protocol string, d dialer) string {
	if d.tls == nil {
		return protocol
	}
	return protocol + " over TLS"
}

// Plan implements planner.
func (o *omprog) Plan(m *message.Message) Plan {
	var l lines
	l.buf = o.tpl.Append(l.buf, m)
	l.end(true)
	return Plan{Kind: "program", To: o.p.Binary, Data: l.buf}
}

// Plan implements planner.
func (o *omshell) Plan(m *message.Message) Plan {
	return Plan{Kind: "program", To: o.program, Data: o.Render(nil, m)}
}

// Plan implements planner.
func (o *omuxsock) Plan(m *message.Message) Plan {
	return Plan{Kind: "socket", To: o.target.Socket, Data: o.Render(nil, m)}
}

// Plan implements planner.
func (o *omjournal) Plan(m *message.Message) Plan {
	return Plan{Kind: "journal", To: o.path, Data: o.Render(nil, m)}
}

// Plan implements planner.
func (o *ommail) Plan(m *message.Message) Plan {
	return Plan{Kind: "mail", To: strings.Join(o.p.To, ", "), Data: o.Render(nil, m)}
}
