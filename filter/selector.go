package filter

import (
	"fmt"
	"strconv"
	"strings"

	"sysrelay/message"
)

// Selector is a compiled sysklogd selector: for every facility one bit per
// severity. Facility 24 stands for messages whose PRI was invalid; only `*`
// selects it.
type Selector [facilities]uint8

const (
	facilities   = 25
	allPRI       = 0xff
	noPRI        = 0
	severityNone = 0x10 // as rsyslog: the number that `none` stands for
)

// Match tells whether the selector selects m.
func (s *Selector) Match(m *message.Message) bool {
	return s[min(m.PRI>>3, facilities-1)]>>(m.PRI&7)&1 != 0
}

// SelectorError says what is wrong with a selector, and where in it.
type SelectorError struct {
	Offset  int // byte offset into the selector
	Msg     string
	Suggest string
}

func (e *SelectorError) Error() string { return e.Msg }

// ParseSelector compiles a selector such as `mail,news.=info;*.!err`. A selector
// is a list of parts separated by ';' which are applied in turn; each sets,
// adds or removes severities of the facilities it names.
func ParseSelector(text string) (Selector, error) {
	var s Selector
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], ';'); i >= 0 {
			end = at + i
		}
		if err := s.applyPart(text[at:end], at); err != nil {
			return Selector{}, err
		}
		at = end + 1
	}
	return s, nil
}

// applyPart applies `facility[,facility].priority`, which begins at offset at.
func (s *Selector) applyPart(part string, at int) error {
	if part == "" { // as rsyslog: `mail.*;` and `mail.*;;news.*` are fine
		return nil
	}
	dot := strings.IndexByte(part, '.')
	if dot < 0 {
		return &SelectorError{at + len(part), fmt.Sprintf("selector %q has no priority", part),
			"write facility.priority, such as mail.info or mail.*"}
	}
	p, err := parsePriority(part[dot+1:], at+dot+1)
	if err != nil {
		return err
	}
	for from := 0; from <= dot; {
		to := dot
		if i := strings.IndexByte(part[from:dot], ','); i >= 0 {
			to = from + i
		}
		if err := s.applyFacility(part[from:to], at+from, p); err != nil {
			return err
		}
		from = to + 1
	}
	return nil
}

func (s *Selector) applyFacility(name string, at int, p priority) error {
	if strings.HasPrefix(name, "*") {
		for f := range s {
			s[f] = p.apply(s[f])
		}
		return nil
	}
	f, ok := facilityNumber(name)
	if !ok {
		return &SelectorError{at, fmt.Sprintf("unknown facility name %q", name), suggestName(name, facilityNames[:])}
	}
	s[f] = p.apply(s[f])
	return nil
}

// priority is what follows the dot.
type priority struct {
	mask   uint8 // severities meant
	negate bool  // '!'
	set    bool  // `*` and `none` set the mask, everything else adds or removes
}

func (p priority) apply(old uint8) uint8 {
	switch {
	case p.set && p.negate:
		return ^p.mask
	case p.set:
		return p.mask
	case p.negate:
		return old &^ p.mask
	}
	return old | p.mask
}

func parsePriority(text string, at int) (priority, error) {
	name := text
	var p priority
	if p.negate = strings.HasPrefix(name, "!"); p.negate {
		name = name[1:]
	}
	single := strings.HasPrefix(name, "=")
	if single {
		name = name[1:]
	}
	at += len(text) - len(name)
	if name == "*" {
		return priority{mask: allPRI, negate: p.negate, set: true}, nil
	}
	n, ok := severityNumber(name)
	switch {
	case !ok:
		return p, &SelectorError{at, fmt.Sprintf("unknown priority name %q", name), suggestName(name, severityNames[:])}
	case n == severityNone:
		return priority{mask: noPRI, negate: p.negate, set: true}, nil
	case single:
		p.mask = 1 << n
	default:
		p.mask = 1<<(n+1) - 1
	}
	return p, nil
}

var (
	facilityNames = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
		"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	severityNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
		"panic", "error", "warn", "none"}
)

func facilityNumber(name string) (int, bool) {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return int(n), n < facilities
	}
	if strings.EqualFold(name, "security") {
		return 4, true
	}
	return indexFold(facilityNames[:], name)
}

func severityNumber(name string) (int, bool) {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return int(n), n < 8
	}
	i, ok := indexFold(severityNames[:], name)
	if i >= 8 {
		i = [...]int{0, 3, 4, severityNone}[i-8]
	}
	return i, ok
}

func indexFold(names []string, name string) (int, bool) {
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return i, true
		}
	}
	return 0, false
}
