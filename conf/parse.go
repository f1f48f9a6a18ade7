package conf

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Bounds that no honest configuration comes near.
const (
	maxErrors    = 100      // errors reported before giving up
	maxNotices   = 100      // notices kept
	maxDepth     = 2000     // statements, or parentheses, inside one another
	maxOperators = 10000    // operators in one expression
	maxInclude   = 20       // files including one another
	maxFiles     = 10000    // files read
	maxText      = 64 << 20 // bytes read
)

// parser reads statements. It keeps one token of lookahead and no more:
// directives take effect when they are read, so reading ahead would apply them
// to the action before them.
type parser struct {
	lexer
	tok     token
	have    bool
	last    token // the one taken before it
	taken   int   // how many were
	depth   int
	open    int // braces of the statement being read
	cfg     *Config
	errs    []*Error
	legacy  *legacy
	known   map[string]directive
	pending []Stmt  // objects made by directives while a statement was read
	into    *[]Stmt // where statements of the top level go: $RuleSet changes it
	lost    bool    // an error was passed over: stray braces are no news
	read    readBudget
	expand  func(pattern string) ([]string, error) // which files a pattern stands for
	overlay map[string][]byte                      // texts of files to read in their place
	rec     *record                                // for Convert
	all     []*source                              // every text, in order
}

func newParser() *parser {
	p := &parser{cfg: &Config{}}
	p.fail, p.yaml = p.add, p.readYAML
	p.into = &p.cfg.Stmts
	p.expand = func(pattern string) ([]string, error) { return expandInclude(pattern, 0) }
	p.legacy, p.known = newLegacy(), directives()
	return p
}

// parse reads everything on the stack of sources.
func (p *parser) parse() (*Config, error) {
	p.topLevels()
	p.finishLegacy()
	if len(p.errs) >= maxErrors {
		p.errs = append(p.errs[:maxErrors], &Error{Pos: p.tok.pos(), Msg: "too many errors, the rest was not read"})
	}
	var all *multierror.Error
	for _, e := range p.errs {
		all = multierror.Append(all, e)
	}
	return p.cfg, all.ErrorOrNil()
}

// topLevels reads what stands at the top level, to the end of the texts at hand.
func (p *parser) topLevels() {
	for p.peek().kind != tEOF && len(p.errs) < maxErrors {
		p.flush()
		p.topLevel()
	}
	p.flush()
}

func (p *parser) flush() {
	p.cfg.Stmts = append(p.cfg.Stmts, p.pending...)
	p.pending = nil
}

// topLevel reads one object or statement.
func (p *parser) topLevel() {
	t := p.peek()
	before := p.taken
	switch {
	case t.kind == tRuleset:
		p.advance()
		p.selectRuleset(t)
	case t.kind == tObject && t.text != "action" && t.text != "include":
		if o, ok := p.object(); !ok {
			p.resync(p.taken > before)
		} else if o != nil {
			p.addObject(o)
		}
	case p.lost && (t.is(tPunct, "}") || t.is(tKeyword, "else")):
		p.advance()
	default:
		stmts, ok := p.statement()
		*p.into = append(*p.into, stmts...)
		if !ok {
			p.resync(p.taken > before)
		}
	}
}

// resync goes on after a syntax error, behind the braces that are open and at the
// next line that looks like the beginning of a statement of the top level.
// (rsyslogd stops here.) progress says that the error was not in the first token of
// the statement: then its line may be such a line itself.
func (p *parser) resync(progress bool) {
	open := p.open
	p.mode, p.lost, p.depth, p.open = modeStatement, true, 0, 0
	if p.have && p.tok.kind == tEOF {
		return
	}
	s := p.top()
	if p.have && p.tok.src == s {
		s.at = p.tok.at
		if progress && open == 0 && s.atLineStart() && s.beginsStatement() {
			p.have = false
			return
		}
	}
	p.have = false
	closed := s.skipBraces(open)
	for s.skipLine(); s.at+1 < len(s.buf); s.skipLine() {
		s.at++
		if s.beginsStatement() {
			return
		}
		if closed { // otherwise this would go through the text again and again
			closed = s.skipBraces(0)
		}
	}
	s.at = len(s.buf)
}

// beginsStatement says whether the line looks like the beginning of a statement
// rather than the middle of one.
func (s *source) beginsStatement() bool {
	if c := s.buf[s.at]; !isWord(c) && strings.IndexByte("*:$/-@|&", c) < 0 {
		return false
	}
	word := strings.ToLower(string(s.buf[s.at : s.at+s.span(isWord)]))
	return word != "then" && word != "else" && word != "do" && !exprWords[word]
}

// statement reads one statement, which may be several actions joined by &.
func (p *parser) statement() ([]Stmt, bool) {
	if p.depth++; p.depth > maxDepth {
		p.broken(p.peek().pos(), fmt.Sprintf("more than %d statements inside one another", maxDepth), "")
		return nil, false
	}
	defer func() { p.depth-- }()
	t := p.peek()
	switch t.kind {
	case tKeyword:
		return p.keyword(t)
	case tPRIFilter:
		p.advance()
		return p.selector(t)
	case tPropFilter:
		p.advance()
		return p.propertyFilter(t)
	case tLegacyAction:
		return p.actions()
	case tBad:
		p.advance()
		return nil, true
	case tObject:
		switch t.text {
		case "action":
			return p.actions()
		case "include":
			return nil, p.include()
		}
		p.broken(t.pos(), t.text+"() is a declaration and cannot stand among statements", "move it to the top level of the configuration")
		_, ok := p.object()
		return nil, ok
	}
	p.broken(t.pos(), "expected a statement, found "+t.String(), "")
	return nil, false
}

func (p *parser) keyword(t token) ([]Stmt, bool) {
	switch t.text {
	case "stop", "continue", "call", "call_indirect":
		return p.actions()
	}
	p.advance()
	var s Stmt
	ok := false
	switch t.text {
	case "if":
		s, ok = p.ifStmt(t)
	case "foreach":
		s, ok = p.foreach(t)
	case "set", "reset":
		s, ok = p.set(t)
	case "unset":
		if v := p.peek(); p.expectVar("after unset") {
			s, ok = &Unset{t.pos(), "$" + v.text}, p.expect(tPunct, ";", "after the variable")
		}
	case "reload_lookup_table":
		s, ok = p.reload(t)
	case "else":
		p.broken(t.pos(), "else without an if before it", "")
	default:
		p.broken(t.pos(), "unexpected "+t.String(), "")
	}
	if !ok || s == nil {
		return nil, ok
	}
	return []Stmt{s}, true
}

func (p *parser) ifStmt(t token) (Stmt, bool) {
	s := &If{Pos: t.pos()}
	var ok bool
	if s.Cond, ok = p.expr(); !ok || !p.expect(tKeyword, "then", "after the condition of if") {
		return nil, false
	}
	if s.Then, ok = p.block(); !ok {
		return s, false
	}
	if p.accept(tKeyword, "else") {
		s.Else, ok = p.block()
	}
	return s, ok
}

// block reads a statement, or several in braces.
func (p *parser) block() ([]Stmt, bool) {
	open := p.peek()
	if !p.accept(tPunct, "{") {
		return p.statement()
	}
	if end := p.peek(); end.is(tPunct, "}") {
		p.broken(end.pos(), "a block needs at least one statement", "write continue for a block that does nothing")
		p.advance()
		return nil, true
	}
	return p.blockRest(open)
}

// blockRest reads the statements up to the closing brace.
func (p *parser) blockRest(open token) ([]Stmt, bool) {
	var all []Stmt
	p.open++
	for !p.accept(tPunct, "}") {
		if p.peek().kind == tEOF {
			p.broken(open.pos(), "this block is never closed", `end it with "}" on a line of its own`)
			return all, false
		}
		stmts, ok := p.statement()
		all = append(all, stmts...)
		if !ok {
			return all, false
		}
	}
	p.open--
	return all, true
}

func (p *parser) foreach(t token) (Stmt, bool) {
	s := &Foreach{Pos: t.pos()}
	if !p.expect(tPunct, "(", "after foreach") {
		return nil, false
	}
	v := p.peek()
	if !p.expectVar("in foreach") || !p.expect(tKeyword, "in", "after the variable of foreach") {
		return nil, false
	}
	s.Var = "$" + v.text
	var ok bool
	if s.In, ok = p.expr(); !ok || !p.expect(tPunct, ")", "after foreach") || !p.expect(tKeyword, "do", "after foreach ( )") {
		return nil, false
	}
	s.Body, ok = p.block()
	return s, ok
}

func (p *parser) set(t token) (Stmt, bool) {
	v := p.peek()
	if !p.expectVar("after "+t.text) || !p.expect(tPunct, "=", "after the variable") {
		return nil, false
	}
	s := &Set{Pos: t.pos(), Var: "$" + v.text, Reset: t.text == "reset"}
	var ok bool
	if s.Value, ok = p.expr(); !ok {
		return nil, false
	}
	return s, p.expect(tPunct, ";", "at the end of "+t.text)
}

// expectVar takes a variable that can be assigned to.
func (p *parser) expectVar(where string) bool {
	v := p.peek()
	if v.kind != tVar {
		p.broken(v.pos(), "expected a variable "+where+", found "+v.String(), "variables are $!name, $.name and $/name")
		return false
	}
	p.advance()
	return true
}

func (p *parser) reload(t token) (Stmt, bool) {
	s := &ReloadLookup{Pos: t.pos()}
	if !p.expect(tPunct, "(", "after reload_lookup_table") {
		return nil, false
	}
	name := p.advance()
	s.Table = name.text
	if name.kind != tString {
		p.broken(name.pos(), "expected the name of a lookup table in quotes, found "+name.String(), "")
		return nil, false
	}
	if p.accept(tPunct, ",") {
		stub := p.advance()
		if stub.kind != tString {
			p.broken(stub.pos(), "expected a value in quotes, found "+stub.String(), "")
			return nil, false
		}
		s.Stub = stub.text
	}
	return s, p.expect(tPunct, ")", "after reload_lookup_table's arguments")
}

// actions reads an action and those joined to it by &.
func (p *parser) actions() ([]Stmt, bool) {
	var all []Stmt
	for {
		stmt, ok := p.action()
		if stmt != nil {
			all = append(all, stmt)
		}
		for ok && p.peek().kind == tBad {
			p.advance() // no end of the list for rsyslogd
		}
		if !ok || !p.accept(tPunct, "&") {
			return all, ok
		}
	}
}

func (p *parser) action() (Stmt, bool) {
	t := p.peek()
	switch {
	case t.is(tObject, "action"):
		o, ok := p.object()
		if o == nil || !ok {
			return nil, ok
		}
		p.scriptAction(o)
		return o, true
	case t.kind == tLegacyAction:
		p.advance()
		return p.legacyAction(t), true
	case t.is(tKeyword, "stop"):
		p.advance()
		return &Stop{t.pos()}, true
	case t.is(tKeyword, "continue"):
		p.advance()
		return &Continue{t.pos()}, true
	case t.is(tKeyword, "call"):
		p.advance()
		name := p.advance()
		if name.kind != tName {
			p.broken(name.pos(), "expected the name of a ruleset after call, found "+name.String(), "")
			return nil, false
		}
		return &Call{t.pos(), name.text}, true
	case t.is(tKeyword, "call_indirect"):
		p.advance()
		x, ok := p.expr()
		if !ok || !p.expect(tPunct, ";", "at the end of call_indirect") {
			return nil, false
		}
		return &CallIndirect{t.pos(), x}, true
	}
	p.broken(t.pos(), "expected an action, found "+t.String(), "")
	return nil, false
}
