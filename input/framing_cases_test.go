package input

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// framingCase is one byte stream to one input. What rsyslogd 8.2302 makes of it
// is in testdata/framing-rsyslogd.golden; we do the same unless differs says
// why not, and then want says what we do.
type framingCase struct {
	name    string
	o       framingOptions
	chunks  []string
	differs string
	want    []string
	log     string // why the log lines differ, if the messages do not
}

// framingOptions are the parameters of the input.
type framingOptions struct {
	imptcp, noCount, noLF, discard, asa, multiLine bool
	delim                                          string // addtlFrameDelimiter
	regex                                          string
	maxFrame                                       int
}

// params are the options as rsyslogd's configuration has them.
func (o framingOptions) params() string {
	var b strings.Builder
	add := func(on bool, text string) {
		if on {
			b.WriteString(" " + text)
		}
	}
	add(o.noCount, `supportOctetCountedFraming="off"`)
	add(o.noLF, `disableLFDelimiter="on"`)
	add(o.discard, `discardTruncatedMsg="on"`)
	add(o.asa, `framingfix.cisco.asa="on"`)
	add(o.multiLine, `multiLine="on"`)
	add(o.delim != "", fmt.Sprintf(`addtlFrameDelimiter="%s"`, o.delim))
	add(o.regex != "", fmt.Sprintf(`framing.delimiter.regex="%s"`, o.regex))
	add(o.maxFrame != 0, fmt.Sprintf(`maxFrameSize="%d"`, o.maxFrame))
	return b.String()
}

// input makes our input with the same parameters.
func (o framingOptions) input(t *testing.T, name string, d Deps) (Input, error) {
	given := []string{"port", "0", "name", name}
	for _, x := range regexp.MustCompile(`(\S+)="([^"]*)"`).FindAllStringSubmatch(o.params(), -1) {
		given = append(given, x[1], x[2])
	}
	if o.imptcp {
		var p IMPTCPParams
		decode(t, &p, given...)
		return NewIMPTCP(IMPTCPModule{}, p, d)
	}
	var m IMTCPModule
	var p IMTCPParams
	decode(t, &m)
	decode(t, &p, given...)
	return NewIMTCP(m, p, d)
}

// The maximum message size in these cases is 128.
var (
	full = "<13>" + strings.Repeat("x", 124) // 128 bytes
	y127 = strings.Repeat("y", 127)
)

const (
	losesByte = "rsyslogd loses the byte at which it splits"
	repeats   = "imptcp of rsyslogd sends the full buffer again for every byte beyond it and loses those bytes"
	losesLast = "imptcp of rsyslogd loses a last line without LF"
	oneRead   = "imptcp of rsyslogd decides by what one read returned; here the result does not depend on that"
)

func framingCases() []framingCase {
	p := framingOptions{imptcp: true}
	discard := framingOptions{discard: true}
	asa := framingOptions{asa: true}
	nul := framingOptions{delim: "0"}
	multi := framingOptions{imptcp: true, multiLine: true}
	regex := framingOptions{imptcp: true, regex: "^<[0-9]+>"}
	none := framingOptions{}
	return []framingCase{
		{name: "lf", chunks: []string{"<13>a\n<13>b\n"}},
		{name: "lf-every-byte", chunks: strings.Split("<13>a\n<13>b\n", "")},
		{name: "lf-empty-lines", chunks: []string{"\n\n<13>a\n\n<13>b\n\n"}},
		{name: "lf-only", chunks: []string{"\n"}},
		{name: "lf-cr", chunks: []string{"<13>a\r\n<13>b\r\n"}},
		{name: "lf-nul-inside", chunks: []string{"<13>a\x00b\n"}},
		{name: "lf-nul-last", chunks: []string{"<13>a\x00\n"}},
		{name: "lf-nul-only", chunks: []string{"\x00\n<13>b\n"}},
		{name: "lf-controls", chunks: []string{"<13>a\tb\x01c\x1bd\x7fe\n"}},
		{name: "lf-8bit", chunks: []string{"<13>\xc3\xa4\xff\x9b\n"}},
		{name: "lf-space-first", chunks: []string{" <13>a\n"}},
		{name: "lf-no-pri", chunks: []string{"plain text\n"}},
		{name: "lf-open-end", chunks: []string{"<13>a\n<13>open"}},
		{name: "lf-open-end-empty", chunks: []string{"<13>a\n\n"}},
		{name: "lf-exact", chunks: []string{full + "\nnext\n"}},
		{name: "lf-one-over", chunks: []string{full + "A\nnext\n"}, differs: losesByte, want: []string{full, "A", "next"}},
		{name: "lf-two-over", chunks: []string{full + "AB\nnext\n"}, differs: losesByte, want: []string{full, "AB", "next"}},
		{name: "lf-thrice", chunks: []string{full + "A" + y127 + "Bzz\nnext\n"}, differs: losesByte,
			want: []string{full, "A" + y127, "Bzz", "next"}},
		{name: "lf-over-digits", chunks: []string{full + "A5 abcd\nnext\n"}, differs: losesByte,
			want: []string{full, "A5 abcd", "next"}},
		{name: "lf-over-open-end", chunks: []string{full + "AB"}, differs: losesByte, want: []string{full, "AB"}},
		{name: "lf-exact-open-end", chunks: []string{full}},
		{name: "lf-discard", o: discard, chunks: []string{full + "ABC\nnext\n"}},
		{name: "lf-discard-exact", o: discard, chunks: []string{full + "\nnext\n"}},
		{name: "lf-discard-open-end", o: discard, chunks: []string{full + "ABC"}},
		{name: "lf-discard-in-pieces", o: discard, chunks: []string{full, "A", "B", "\n", "next\n"}},

		{name: "count", chunks: []string{"7 <13>abc7 <13>def"}},
		{name: "count-every-byte", chunks: strings.Split("7 <13>abc7 <13>def", "")},
		{name: "count-with-lf", chunks: []string{"8 <13>abc\n8 <13>def\n"}},
		{name: "count-lf-inside", chunks: []string{"9 <13>a\nbcd7 <13>def"}},
		{name: "count-then-lf", chunks: []string{"7 <13>abc\n7 <13>def\n"}},
		{name: "count-then-space", chunks: []string{"7 <13>abc 7 <13>def\n7 <13>ghi"}},
		{name: "count-mixed", chunks: []string{"7 <13>abc<13>line\n7 <13>def<13>line2\n"}},
		{name: "count-leading-zeros", chunks: []string{"007 <13>abc"}},
		{name: "count-zero", chunks: []string{"0 abc\nq\n"}},
		{name: "count-zero-lf", chunks: []string{"0 \nq\n"}},
		{name: "count-zeros", chunks: []string{"0 0 0 a\nq\n"}},
		{name: "count-no-space", chunks: []string{"5abcdef\n<13>q\n"}},
		{name: "count-lf-for-space", chunks: []string{"5\nabcde\n<13>q\n"}},
		{name: "count-tab-for-space", chunks: []string{"5\tabcde<13>q\n"}},
		{name: "count-two-spaces", chunks: []string{"5  abcde\n"}},
		{name: "count-too-short", chunks: []string{"4 <13>abc\n<13>q\n"}},
		{name: "count-too-long", chunks: []string{"9 <13>abc\n<13>q\n"}},
		{name: "count-forged", chunks: []string{"10 <13>first\n<10>1 second\n"}},
		{name: "count-incomplete", chunks: []string{"10 <13>abc"}},
		{name: "count-digits-at-end", chunks: []string{"123"}},
		{name: "count-digits-and-lf", chunks: []string{"123\n"}},
		{name: "count-space-at-end", chunks: []string{"7 "}},
		{name: "count-exact-max", chunks: []string{"128 " + full + "5 <13>b"}},
		{name: "count-over", chunks: []string{"140 " + full + "ABCDEFGHIJKL5 <13>b"}, differs: losesByte,
			want: []string{full, "ABCDEFGHIJKL", "<13>b"}},
		{name: "count-one-over", chunks: []string{"129 " + full + "A5 <13>b"}, differs: losesByte,
			want: []string{full, "A", "<13>b"}},
		{name: "count-over-discard", o: discard, chunks: []string{"140 " + full + "ABCDEFGHIJKL5 <13>b"}},
		{name: "count-one-over-discard", o: discard, chunks: []string{"129 " + full + "A5 <13>b"}},
		{name: "count-over-incomplete", o: discard, chunks: []string{"140 " + full + "AB"}},
		{name: "count-too-big", chunks: []string{"200001 abc\nq\n"}},
		{name: "count-too-big-no-space", chunks: []string{"200001xabc\nq\n"}},
		{name: "count-too-big-in-pieces", chunks: []string{"2000", "01", " ", "abc\nq\n"}},
		{name: "count-max-frame", o: framingOptions{maxFrame: 10}, chunks: []string{"11 abc\n10 <13>abcdef"}},
		{name: "count-cut-digits", chunks: []string{"99999999999999999999 abc\nq\n"}},
		{name: "count-int-overflow", chunks: []string{"4294967301 abc\nq\n"}},
		{name: "count-300-digits", chunks: []string{strings.Repeat("1", 300) + " abc\nq\n"}, differs: losesByte,
			want: []string{strings.Repeat("1", 128), "abc", "q"}},
		{name: "count-minus", chunks: []string{"-5 abc\nq\n"}},
		{name: "count-plus", chunks: []string{"+5 abc\nq\n"}},
		{name: "count-off", o: framingOptions{noCount: true}, chunks: []string{"7 <13>abc\n7 x\n"}},

		{name: "delim-nul", o: nul, chunks: []string{"<13>a\x00<13>b\n<13>c\x00"}},
		{name: "delim-nul-in-count", o: nul, chunks: []string{"7 <13>a\x00c<13>b\x00"}},
		{name: "delim-instead-of-lf", o: framingOptions{delim: "0", noLF: true}, chunks: []string{"<13>a\nb\x00<13>c\x00"}},
		{name: "delim-letter", o: framingOptions{delim: "59"}, chunks: []string{"<13>a;<13>b\n;;<13>c;"}},
		{name: "asa", o: asa, chunks: []string{"<13>a\n <13>b\n  7 <13>abc"}},
		{name: "asa-only-spaces", o: asa, chunks: []string{"    "}},
		{name: "asa-space-line", o: asa, chunks: []string{" \n <13>a\n"}},

		{name: "p-lf", o: p, chunks: []string{"<13>a\n\n<13>b\n"}},
		{name: "p-lf-open-end", o: p, chunks: []string{"<13>a\n<13>open"}, differs: losesLast, want: []string{"<13>a", "<13>open"}},
		{name: "p-lf-exact", o: p, chunks: []string{full + "\nnext\n"}, log: "rsyslogd says that a message of exactly the maximum size is too long"},
		{name: "p-lf-over", o: p, chunks: []string{full + "yz\nnext\n"}, differs: repeats, want: []string{full, "yz", "next"}},
		{name: "p-lf-discard", o: framingOptions{imptcp: true, discard: true}, chunks: []string{full + "ABC\nnext\n"},
			differs: repeats, want: []string{full, "next"}},
		{name: "p-count", o: p, chunks: []string{"7 <13>abc7 <13>def"}},
		{name: "p-count-over", o: p, chunks: []string{"140 " + full + "ABCDEFGHIJKL5 <13>b"}},
		{name: "p-count-over-in-pieces", o: p, chunks: []string{"140 " + full, "ABCDEF", "GHIJKL5 <13>b"}},
		{name: "p-count-no-space", o: p, chunks: []string{"5abcdef\n<13>q\n"}},
		{name: "p-count-zero", o: p, chunks: []string{"0 abc\nq\n"}},
		{name: "p-count-too-big", o: p, chunks: []string{"200001 abc\nq\n"}},
		{name: "p-count-incomplete", o: p, chunks: []string{"10 <13>abc"}, log: "rsyslogd does not say that it loses data"},
		{name: "p-asa", o: framingOptions{imptcp: true, asa: true}, chunks: []string{"<13>a\n <13>b\n  7 <13>abc"}},
		{name: "p-delim", o: framingOptions{imptcp: true, delim: "0"}, chunks: []string{"<13>a\x00<13>b\n<13>c\x00"}},
		{name: "p-multi", o: multi, chunks: []string{"<13>a\nb\n<13>c\n"}},
		{name: "p-multi-in-pieces", o: multi, chunks: []string{"<13>a\n", "b\n<13>c\n"}, differs: oneRead,
			want: []string{"<13>a#012b", "<13>c"}},
		{name: "p-multi-no-pri", o: multi, chunks: []string{"a\nb\nc\n"}},
		{name: "p-regex", o: regex, chunks: []string{"<13>a\nb\n<13>c\n", "zz\n<14>d\n<15>"}, differs: losesLast,
			want: []string{"<13>a#012b", "<13>c#012zz", "<14>d", "<15>"}},
		{name: "p-regex-no-start", o: regex, chunks: []string{"xx\nb\n<13>c\n", "zz\n<14>d\n"}, differs: losesLast,
			want: []string{"xx#012b", "<13>c#012zz", "<14>d"}},
		{name: "p-regex-one-line", o: regex, chunks: []string{"<13>a\n"}, differs: losesLast, want: []string{"<13>a"}},
		{name: "half-a-message", o: none, chunks: []string{"<13>half", " a message\n"}},
	}
}
