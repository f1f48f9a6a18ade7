package engine

import (
	"fmt"
	"io"
	"strings"

	"sysrelay/message"
)

// AccountOf is the account of one input, queue, ruleset or action.
type AccountOf struct {
	Kind, Name string
	message.Account
}

// Accounts are all accounts, in the order in which messages pass. In each
// received = delivered + queued + discarded.
func (e *Engine) Accounts() []AccountOf {
	var all []AccountOf
	for _, in := range e.inputs {
		all = append(all, AccountOf{"input", in.Name(), in.Ledger().Read()})
		if in.repeats != nil {
			all = append(all, AccountOf{"repeats", in.Name(), in.repeats.Ledger().Read()})
		}
	}
	all = append(all, AccountOf{"input", e.log.Name(), e.log.ledger.Read()})
	for _, r := range e.order {
		if r.queue != nil {
			s := r.queue.Stats()
			all = append(all, AccountOf{"queue", s.Name, s.Accounts})
		}
		all = append(all, AccountOf{"ruleset", r.Name, r.Ledger.Read()})
	}
	for _, a := range e.actions {
		if q := a.Queue(); q != nil {
			s := q.Stats()
			all = append(all, AccountOf{"queue", s.Name, s.Accounts})
		}
		all = append(all, AccountOf{"action", a.Name(), a.Ledger().Read()})
	}
	for _, m := range e.missing {
		all = append(all, AccountOf{"action", m.name, m.ledger.Read()})
	}
	for _, m := range e.modifiers {
		all = append(all, AccountOf{"modifier", m.name, m.ledger.Read()})
	}
	return all
}

// WriteAccounts writes the accounts as a table for people.
func (e *Engine) WriteAccounts(w io.Writer) {
	fmt.Fprintf(w, "%-8s %-32s %12s %12s %10s  %s\n", "", "", "received", "delivered", "queued", "discarded")
	for _, a := range e.Accounts() {
		var lost []string
		a.Each(func(r message.Reason, n uint64) { lost = append(lost, fmt.Sprintf("%s=%d", r, n)) })
		if lost == nil {
			lost = []string{"0"}
		}
		fmt.Fprintf(w, "%-8s %-32s %12d %12d %10d  %s\n", a.Kind, a.Name, a.Received, a.Delivered, a.Queued(),
			strings.Join(lost, " "))
	}
	e.writeTopSenders(w)
}
