package filter

import (
	"bytes"
	"regexp"
	"regexp/syntax"
)

// matchRegex is re.Match, with a look for text first that every match contains:
// nearly all messages are done with then.
func matchRegex(re *regexp.Regexp) func([]byte) bool {
	tree, err := parseRegex(re)
	if err != nil {
		return re.Match
	}
	need, exact := required(tree)
	switch {
	case need == nil:
		return re.Match
	case exact:
		return func(t []byte) bool { return containsAny(t, need) }
	}
	return func(t []byte) bool { return containsAny(t, need) && re.Match(t) }
}

func parseRegex(re *regexp.Regexp) (*syntax.Regexp, error) {
	return syntax.Parse(re.String(), syntax.Perl)
}

func containsAny(t []byte, any [][]byte) bool {
	for _, a := range any {
		if bytes.Contains(t, a) {
			return true
		}
	}
	return false
}

// maxRequired is how many texts are looked for before the expression itself is
// the faster way.
const maxRequired = 6

// required returns texts of which every match of re contains at least one, or
// nil if it knows none. exact tells whether everything that contains one of them
// matches.
func required(re *syntax.Regexp) (any [][]byte, exact bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		return [][]byte{[]byte(string(re.Rune))}, true
	case syntax.OpCapture:
		return required(re.Sub[0])
	case syntax.OpPlus:
		any, _ = required(re.Sub[0])
		return any, false
	case syntax.OpRepeat:
		if re.Min > 0 {
			any, _ = required(re.Sub[0])
		}
		return any, false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if a, _ := required(sub); shortest(a) > shortest(any) {
				any = a
			}
		}
		return any, false
	case syntax.OpAlternate:
		exact = true
		for _, sub := range re.Sub {
			a, e := required(sub)
			if a == nil || len(any)+len(a) > maxRequired {
				return nil, false
			}
			any, exact = append(any, a...), exact && e
		}
		return any, exact
	}
	return nil, false
}

// shortest is the length of the shortest text, 0 if there is none.
func shortest(texts [][]byte) int {
	n := 0
	for _, t := range texts {
		if n == 0 || len(t) < n {
			n = len(t)
		}
	}
	return n
}
