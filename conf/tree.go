// Package conf reads configurations: rsyslog's legacy directives, sysklogd
// selector lines and RainerScript, freely mixed, into one typed tree, and
// decodes the tree's parameters into tagged structs.
//
// The legacy language is lowered while it is read: `$ModLoad imudp` is a
// module() object, `$UDPServerRun 514` an input(), `$WorkDirectory` a global(),
// and a selector line with its `$Action…` directives a filter around action()
// objects. Nobody behind this package knows that there are two languages.
//
// Every node knows where it was written; every error carries file, line, column,
// the line itself, a caret, and a suggestion where there is one.
//
// The package imports nothing of this project.
package conf

// Pos is a place in a configuration file. Line and Col count from 1; Col counts bytes.
type Pos struct {
	File      string
	Line, Col int
}

// Config is a whole configuration, includes expanded, in the order of the text.
type Config struct {
	Stmts   []Stmt    // objects and statements of the top level (the default ruleset)
	Sources []*Source // every file read, in order, for -o and for quoting lines in errors
	Notices []*Error  // warnings and notes: what is no error

	tags tagCache
}

// Source is one file as it was read.
type Source struct {
	Name string
	Text []byte

	prepared []byte // as the lexer reads it
	includes []inclusion
}

// Stmt is a statement: *Object, *If, *PRIFilter, *PropertyFilter, *Call,
// *CallIndirect, *Set, *Unset, *Foreach, *Stop, *Continue, *ReloadLookup.
type Stmt interface{ Position() Pos }

// Object is global(), main_queue(), module(), input(), action(), template(),
// ruleset(), parser(), lookup_table(), ratelimit(), timezone(), dyn_stats(), …
// An action() among statements is a statement. include() is expanded and never
// appears.
type Object struct {
	Pos
	Kind   string   // lower case: "action"
	Params []*Param // in order, names unique unless the text repeats them
	// Children are template()'s property() and constant() parts.
	Children []*Object
	// Body is ruleset()'s statements.
	Body []Stmt
	// Legacy is set when the object came from legacy syntax; the defaults of some
	// queue parameters differ there.
	Legacy bool
}

// Param is one name="value" of an Object. An array has several values.
type Param struct {
	Pos
	Name     string // as written; compared without case
	Values   []string
	Array    bool
	ValuePos Pos

	written string // in a directive, if that is not the value
}

// If is if … then … else …
type If struct {
	Pos
	Cond       Expr
	Then, Else []Stmt
}

// PRIFilter is a selector: `mail.*;*.!=info` with what follows it.
type PRIFilter struct {
	Pos
	Selector string
	Then     []Stmt
}

// PropertyFilter is `:msg, !contains, "x"` with what follows it.
type PropertyFilter struct {
	Pos
	Property string // "msg", "$!usr!x"
	Negate   bool
	Op       string // lower case: contains, contains_i, isequal, startswith, startswith_i, endswith, regex, ereregex, isempty
	Value    string
	ValuePos Pos
	Then     []Stmt
}

// Call is call NAME.
type Call struct {
	Pos
	Ruleset string
}

// CallIndirect is call_indirect EXPR.
type CallIndirect struct {
	Pos
	Ruleset Expr
}

// Set is set $v = expr, or reset $v = expr.
type Set struct {
	Pos
	Var   string // "$!a!b", "$.x", "$/y"
	Value Expr
	Reset bool
}

// Unset is unset $v.
type Unset struct {
	Pos
	Var string
}

// Foreach is foreach ($.i in expr) do { … }.
type Foreach struct {
	Pos
	Var  string
	In   Expr
	Body []Stmt
}

// Stop is stop, or ~.
type Stop struct{ Pos }

// Continue does nothing, as in rsyslog.
type Continue struct{ Pos }

// ReloadLookup is reload_lookup_table("name"[, "stub"]).
type ReloadLookup struct {
	Pos
	Table, Stub string
}

// Expr is an expression: *Binary, *Unary, *Func, *Var, *Str, *Num, *Array.
type Expr interface{ Position() Pos }

// Binary is x OP y; Op is lower case: and or == != < > <= >= contains contains_i
// startswith startswith_i endswith + - & * / %. "<>" is read as "!=".
type Binary struct {
	Pos
	Op   string
	X, Y Expr
}

// Unary is not x, or -x.
type Unary struct {
	Pos
	Op string // "not", "-"
	X  Expr
}

// Func is name(args…); Name is lower case.
type Func struct {
	Pos
	Name string
	Args []Expr
}

// Var is $msg, $!a!b, $.x, $/y, with subscripts as written.
type Var struct {
	Pos
	Name string // without the leading '$' for properties; "!a!b", ".x", "/y" for trees; "$now" for $$now
}

// Str is a string literal, unescaped.
type Str struct {
	Pos
	Value string
}

// Num is a number literal.
type Num struct {
	Pos
	Value int64
}

// Array is ["a", "b"].
type Array struct {
	Pos
	Elems []Expr
}

// Position returns p itself, so that every node has a position.
func (p Pos) Position() Pos { return p }
