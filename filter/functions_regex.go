package filter

import (
	"fmt"
	"regexp"

	"sysrelay/conf"
	"sysrelay/message"
)

// regexCompiler is one of message's compilers of expressions.
type regexCompiler func(string) (*regexp.Regexp, error)

// regex compiles the second argument.
func (c *compiler) regex(f *conf.Func, compile regexCompiler) (*regexp.Regexp, bool) {
	s, ok := c.constant(f, 1)
	if !ok {
		return nil, false
	}
	re, err := compile(s)
	if err != nil {
		c.errs = appendError(c.errs, f.Args[1].Position(), err)
		return nil, false
	}
	return re, true
}

// compilePerl compiles Perl's expressions, as far as they are not slow.
func compilePerl(text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	return re, nil
}

func reMatch(c *compiler, f *conf.Func, a []expr) expr { return c.match(f, a, message.CompileERE) }
func reMatchFold(c *compiler, f *conf.Func, a []expr) expr {
	return c.match(f, a, message.CompileEREFold)
}
func reExtract(c *compiler, f *conf.Func, a []expr) expr { return c.extract(f, a, message.CompileERE) }
func reExtractFold(c *compiler, f *conf.Func, a []expr) expr {
	return c.extract(f, a, message.CompileEREFold)
}

// match compiles re_match(s, expression).
func (c *compiler) match(f *conf.Func, a []expr, compile regexCompiler) expr {
	re, ok := c.regex(f, compile)
	if !ok {
		return fixedNumber(0)
	}
	t, match := a[0].asText(), matchRegex(re)
	return boolExpr(func(e *eval, m *message.Message) bool { return match(t(e, m)) }).dependingOn(a[0])
}

// maxSubmatch is rsyslog's limit on the submatch of re_extract.
const maxSubmatch = 50

// extract compiles re_extract(s, expression, match, submatch, otherwise). Match
// counts from 0; submatch 0 is the whole match. as rsyslog: the search for the
// next match begins behind the last one as if the text did.
func (c *compiler) extract(f *conf.Func, a []expr, compile regexCompiler) expr {
	re, ok := c.regex(f, compile)
	if !ok {
		return fixedText("")
	}
	t, match, submatch, otherwise := a[0].asText(), a[2].asNumber(), a[3].asNumber(), a[4].asText()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text, sub := t(e, m), submatch(e, m)
		found, ok := nthMatch(re, text, match(e, m))
		if !ok || sub < 0 || sub >= maxSubmatch || 2*sub >= int64(len(found)) || found[2*sub] < 0 {
			return otherwise(e, m)
		}
		return text[found[2*sub]:found[2*sub+1]]
	}).dependingOn(a...)
}

// nthMatch returns the offsets of the n-th match and its submatches in text.
func nthMatch(re *regexp.Regexp, text []byte, n int64) ([]int, bool) {
	from := 0
	for ; n >= 0; n-- {
		found := re.FindSubmatchIndex(text[from:])
		switch {
		case found == nil:
			return nil, false
		case n == 0 || found[1] == 0: // an empty match at the start would repeat for ever
			for i := range found {
				if found[i] >= 0 {
					found[i] += from
				}
			}
			return found, true
		}
		from += found[1]
	}
	return nil, false
}
