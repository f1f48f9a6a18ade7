package conf

import "bytes"

type tokenKind uint8

const (
	tEOF       tokenKind = iota
	tKeyword             // if then else foreach do in set reset unset stop continue call call_indirect reload_lookup_table
	tPunct               // { } & ( ) , [ ] = ; and the operators of expressions, words among them
	tObject              // action( … : text is the kind
	tEndObject           // the ) of an object
	tName                // a parameter's name, or call's ruleset
	tString              // unescaped
	tNumber
	tVar          // text without the $
	tFunc         // a function's name
	tPRIFilter    // a selector
	tPropFilter   // :prop, op, "value"
	tLegacyAction // what follows a filter on its line
	tDirective    // a $directive, the whole line
	tRuleset      // $RuleSet name
	tBSDBlock     // !prog, +host, -host
	tBad          // has been reported
)

// token is one word of the language.
type token struct {
	kind    tokenKind
	text    string // lower case for keywords, kinds, operators and functions
	num     int64
	src     *source
	at, end int // where it is in src.buf
}

func (t token) pos() Pos {
	if t.src == nil {
		return Pos{Line: 1, Col: 1}
	}
	return t.src.pos(t.at)
}

// endPos is the place after the token.
func (t token) endPos() Pos { return t.src.pos(t.end) }

func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

// String is what error messages call the token.
func (t token) String() string {
	switch t.kind {
	case tEOF:
		return "the end of the file"
	case tEndObject:
		return `")"`
	case tObject:
		return t.text + "("
	case tString:
		return "a string"
	}
	raw := bytes.TrimSpace(t.src.buf[t.at:t.end])
	if len(raw) > 40 {
		raw = append(raw[:37:37], "..."...)
	}
	return printable(raw)
}

// mode is what the lexer expects. rsyslogd's lexer changes it by itself at
// certain words, because $x is a directive in one place and a variable in
// another.
type mode uint8

const (
	modeStatement mode = iota
	modeExpr           // from if, foreach, set, … until then, do, ;
	modeObject         // from action( until )
	modeCall           // after call, until its name
	modeProcedure      // after reload_lookup_table, until )
)

// objectKinds are the words that begin an object when a ( follows.
var objectKinds = map[string]bool{
	"action": true, "constant": true, "dyn_stats": true, "global": true, "include": true,
	"input": true, "lookup_table": true, "main_queue": true, "module": true, "parser": true,
	"percentile_stats": true, "property": true, "ratelimit": true, "ruleset": true,
	"template": true, "timezone": true,
}

// statementWords are the keywords of statements, with the mode they lead to.
var statementWords = map[string]mode{
	"if": modeExpr, "foreach": modeExpr, "set": modeExpr, "reset": modeExpr, "unset": modeExpr,
	"call_indirect": modeExpr, "call": modeCall, "reload_lookup_table": modeProcedure,
	"stop": modeStatement, "else": modeStatement, "continue": modeStatement,
}

// exprWords are the operators of expressions that are words.
var exprWords = map[string]bool{
	"or": true, "and": true, "not": true, "contains": true, "contains_i": true,
	"startswith": true, "startswith_i": true, "endswith": true,
}
