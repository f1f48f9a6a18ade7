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
	severityAll  = 255 // as rsyslog: the numbers that `*`
	severityNone = 16  // and `none` stand for
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
// is a list of parts, facilities.priority, which are applied in turn; each sets,
// adds or removes severities of the facilities it names.
func ParseSelector(text string) (Selector, error) {
	var s Selector
	for at := 0; at < len(text); {
		end, err := s.applyPart(text, at)
		if err != nil {
			return Selector{}, err
		}
		// as rsyslog: parts end at any run of ';' and ','.
		at = end + len(text[end:]) - len(strings.TrimLeft(text[end:], ";,"))
	}
	return s, nil
}

// applyPart applies the part of text that begins at offset at, and returns the
// offset at which it ends.
func (s *Selector) applyPart(text string, at int) (end int, err error) {
	dot := strings.IndexByte(text[at:], '.')
	if dot <= 0 {
		return 0, &SelectorError{at, fmt.Sprintf("%q is not facility.priority", text[at:]),
			"write facility.priority, such as mail.info or mail.*"}
	}
	facilities, first := text[at:at+dot], true
	from := at + dot + 1
	end = len(text)
	if i := strings.IndexAny(text[from:], ";,"); i >= 0 {
		end = from + i
	}
	p, err := parsePriority(text[from:end], from)
	if err != nil {
		return 0, err
	}
	for facilities != "" {
		// as rsyslog: `mail,,news`, `mail, news` and `mail;news` are fine; `,mail` is not.
		name := facilities
		if i := strings.IndexAny(facilities, ",;"); i >= 0 {
			name = facilities[:i+1]
		}
		if n := strings.Trim(name, ",; "); n != "" || first {
			if err := s.applyFacility(n, at, p); err != nil {
				return 0, err
			}
		}
		first = false
		at, facilities = at+len(name), facilities[len(name):]
	}
	return end, nil
}

func (s *Selector) applyFacility(name string, at int, p priority) error {
	if strings.HasPrefix(name, "*") {
		for f := range s {
			s[f] = p.apply(s[f])
		}
		return nil
	}
	f, err := facilityNumber(name)
	if err != nil {
		err.Offset = at
		return err
	}
	if f < facilities {
		s[f] = p.apply(s[f])
	}
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
	name := strings.TrimPrefix(text, "!")
	p := priority{negate: name != text}
	bare := strings.TrimPrefix(name, "=")
	single := bare != name
	n, ok := severityNumber(bare)
	switch {
	case !ok:
		return p, &SelectorError{at + len(text) - len(bare), fmt.Sprintf("unknown priority name %q", bare),
			suggestName(bare, severityNames[:])}
	case n == severityNone:
		p.set = true
	case single && n < 8: // as rsyslog: `=*` adds and removes nothing
		p.mask = 1 << n
	case single:
	case n == severityAll:
		p.mask, p.set = allPRI, true
	default: // as rsyslog: numbers above 7 mean every severity
		p.mask = uint8(1<<(min(n, 7)+1) - 1)
	}
	return p, nil
}

var (
	facilityNames = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
		"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", "invld",
		"mark", "security", "console"}
	severityNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
		"panic", "error", "warn", "none"}
)

// facilityNumber is the facility of a name or, as rsyslog, of a number as it
// stands in a PRI: 128 is local0. It is the number of facilities for one that no
// message has.
func facilityNumber(name string) (int, *SelectorError) {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		if f := int(n >> 3); f < facilities {
			return f, nil
		}
		return 0, &SelectorError{Msg: fmt.Sprintf("facility number %s is too large", name),
			Suggest: "a number stands for itself divided by 8: 128 is local0, 184 is local7"}
	}
	switch i, ok := indexFold(facilityNames[:], name); {
	case !ok:
		return 0, &SelectorError{Msg: fmt.Sprintf("unknown facility name %q", name),
			Suggest: suggestName(name, facilityNames[:])}
	case i < facilities:
		return i, nil
	default:
		return [...]int{facilities, 4, 14}[i-facilities], nil
	}
}

func severityNumber(name string) (int, bool) {
	if name == "*" {
		return severityAll, true
	}
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return int(n), true
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
