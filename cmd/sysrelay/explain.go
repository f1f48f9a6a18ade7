package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"sysrelay/engine"
)

func explainSubcommand() subcommand {
	return subcommand{
		name: "explain", synopsis: "-f FILE [FLAGS] <MESSAGES", summary: "say what would happen to messages, and why",
		flags: []commandFlag{
			{"--config", "-f", "FILE", "configuration (default as the daemon's)"},
			{"--from", "", "ADDRESS", "address of the sender (default 127.0.0.1)"},
			{"--input", "", "MODULE", "input module (default imtcp); from imuxsock and its like no host name is expected"},
			{"--ruleset", "", "NAME", "ruleset to enter (default the one the input is bound to)"},
			{"--framing", "", "KIND", "how messages are told apart: line (default), octet-counted, nul"},
			{"--json", "", "", "one JSON object for each message"},
		},
		detail: `Messages are read from standard input as an input receives them: <34>Oct 11 22:14:15 host su: text.
For each it shows the parser, all properties, every condition with the value of each part, variables, rulesets
called, and for each action where it would deliver to and the bytes it would emit.
Nothing is bound, written or sent. The exit code is 1 if the configuration has errors.
`,
		run: explainCommand,
	}
}

func explainCommand(v *invocation) int {
	v.flags = map[string]string{}
	if err := v.parse(0); err != nil {
		return v.misused(err)
	}
	split, ok := map[string]bufio.SplitFunc{"": splitLines, "line": splitLines, "octet-counted": splitCounted, "nul": splitNUL}[v.flags["--framing"]]
	if !ok {
		return v.misused(fmt.Errorf("--framing is line, octet-counted or nul, not %q", v.flags["--framing"]))
	}
	file := chooseConfig("sysrelay", isThere)
	if v.has("--config") {
		file = v.flags["--config"]
	}
	d := &daemon{program: "sysrelay", flags: flags{config: file}, stdout: v.stdout, stderr: v.stderr}
	cfg, unread := d.load()
	if cfg == nil || isFatal(unread) {
		d.report(unread)
		return 1
	}
	o := d.options()
	o.Explain = true
	e, unclean := engine.New(cfg, o)
	code := 0
	for _, err := range append(flatten(unread), flatten(unclean)...) {
		code = 1
		fmt.Fprintf(v.stderr, "%v\n", err)
	}
	x, err := e.Explainer(engine.Reception{From: v.flags["--from"], Input: v.flags["--input"], Ruleset: v.flags["--ruleset"]})
	if err != nil {
		return v.misused(err)
	}
	if err := v.explain(x, split); err != nil {
		fmt.Fprintf(v.stderr, "sysrelay explain: %v\n", err)
		return 1
	}
	return code
}

// largestMessage is how much of standard input may be one message.
const largestMessage = 16 << 20

// explain explains every message of standard input.
func (v *invocation) explain(x *engine.Explainer, split bufio.SplitFunc) error {
	in := bufio.NewScanner(v.stdin)
	in.Buffer(make([]byte, 0, 64<<10), largestMessage)
	in.Split(split)
	out := json.NewEncoder(v.stdout)
	out.SetEscapeHTML(false)
	for n := 0; in.Scan(); n++ {
		ex := x.Explain(in.Bytes())
		if v.has("--json") {
			if err := out.Encode(ex); err != nil {
				return err
			}
			continue
		}
		if n > 0 {
			fmt.Fprintln(v.stdout)
		}
		if err := ex.Write(v.stdout); err != nil {
			return err
		}
	}
	return in.Err()
}

func splitLines(b []byte, end bool) (int, []byte, error) { return splitAt(b, end, '\n') }
func splitNUL(b []byte, end bool) (int, []byte, error)   { return splitAt(b, end, 0) }

func splitAt(b []byte, end bool, c byte) (int, []byte, error) {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return i + 1, b[:i], nil
	}
	if end && len(b) > 0 {
		return len(b), b, nil
	}
	return 0, nil, nil
}

// splitCounted reads RFC 6587 §3.4.1: the length, a space, the message. Line feeds
// between messages are passed over.
func splitCounted(b []byte, end bool) (int, []byte, error) {
	skip := len(b) - len(bytes.TrimLeft(b, "\r\n"))
	count, rest, found := bytes.Cut(b[skip:], []byte{' '})
	if !found {
		if len(count) > 20 || end && len(count) > 0 {
			return 0, nil, fmt.Errorf("no octet count at %.20q", count)
		}
		return skip, nil, nil
	}
	n, err := strconv.Atoi(string(count))
	switch {
	case err != nil || n < 0:
		return 0, nil, fmt.Errorf("no octet count at %.20q", count)
	case n <= len(rest):
		return skip + len(count) + 1 + n, rest[:n], nil
	case end:
		return 0, nil, io.ErrUnexpectedEOF
	}
	return skip, nil, nil
}
