package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// randomMessages is a case with random messages, of which all is shown that parsers find.
func randomMessages(seed uint64) *diffCase {
	g := messageGenerator{rand.New(rand.NewPCG(seed, 2))}
	var input []byte
	for range 5 * randomExpressions {
		m := g.message()
		if m == "" { // is a framing error
			continue
		}
		input = fmt.Appendf(input, "%d %s", len(m), m)
	}
	return &diffCase{name: strconv.FormatUint(seed, 10), conf: messagesConf, input: input}
}

// messagesConf shows the time only if it is the message's: all have one second of one
// day in common.
const messagesConf = `template(name="t" type="string" string="%pri%|%timereported:::date-rfc3339%|%hostname%|%syslogtag%|%programname%|%app-name%|%procid%|%msgid%|%structured-data%|%protocol-version%|%msg%|%rawmsg%|%rawmsg-after-pri%\n")
template(name="r" type="string" string="%pri%|%hostname%|%syslogtag%|%programname%|%app-name%|%procid%|%msgid%|%structured-data%|%protocol-version%|%msg%|%rawmsg%|%rawmsg-after-pri%\n")
if $timereported contains "22:14:15" then {
	action(type="omfile" file="$OUT" template="t")
} else {
	action(type="omfile" file="$DIR/received" template="r")
}
`

type messageGenerator struct{ *rand.Rand }

func (g messageGenerator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g messageGenerator) message() string {
	var b strings.Builder
	b.WriteString(g.of("<34>", "<34>", "<34>", "<165>", "<0>", "<191>", "<192>", "<13", "<>", "<1a>", "", "<1234>", "<034>"))
	if g.IntN(3) == 0 {
		b.WriteString("1 " + g.of("2003-10-11T22:14:15Z", "2003-10-11T22:14:15.003Z", "2003-10-11T22:14:15.000003-07:00", "-", "2003-10-11", "nonsense"))
		for range 1 + g.IntN(6) {
			b.WriteString(" " + g.of("host", "-", "app", "12", "ID47", `[a b="c"]`, `[a b="\"\]"][c d="e"]`, "[open", "", "a/b", "text of it"))
		}
		return b.String()
	}
	if g.IntN(5) > 0 {
		b.WriteString(g.of("Oct 11 22:14:15", "Oct 11 22:14:15", "Oct 11 22:14:15", "Oct  1 22:14:15", "Oct 1 22:14:15", "oct 11 22:14:15",
			" Oct 11 22:14:15", "Oct 11 22:14:15:", "Oct 11 22:14:15.123", "2003-10-11T22:14:15Z", "2003-10-11T22:14:15+02:00", "Okt 11 22:14:15",
			"Oct 11 22:14", "Oct 32 22:14:15", "2003-10-11"))
		b.WriteString(g.of(" ", " ", " ", " ", "", "  "))
	}
	for range g.IntN(5) {
		b.WriteString(g.of("mymachine", "host.example.com", "10.0.0.1", "su", "su:", "su[77]:", "su[77]", "a/b[1]:", "[x]", "{", "-", "-x", "x-", "x_y",
			"2001:db8::1", "%ASA-6-1:", "user@host", ":", "text", "caf\xc3\xa9", "\xff", "tab\there", "nl\nin", "nul\x00in", "esc\x1b", "host,"))
		b.WriteString(g.of(" ", " ", " ", " ", "", "  ", ": "))
	}
	return b.String()
}
