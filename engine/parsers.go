package engine

import (
	"slices"

	"sysrelay/conf"
	"sysrelay/message"
)

// parserHead are the parameters of parser() besides the parser's own.
type parserHead struct {
	Name string `conf:"name,required" doc:"Name by which ruleset(parser=) knows it."`
	Type string `conf:"type,required" doc:"pmrfc3164 or pmrfc5424."`
}

// readParsers makes the built-in parsers and those of parser() objects.
func (b *builder) readParsers() {
	slash := b.globals.PermitSlash
	plain := message.RFC3164Parser{PermitSlashInProgram: slash, NoHostnameAndTag: !b.globals.ParseHostTag}
	b.parsers = map[string]message.Parser{
		"rsyslog.rfc5424": &message.RFC5424Parser{PermitSlashInProgram: slash},
		"rsyslog.rfc3164": &plain,
	}
	for _, o := range b.objects("parser") {
		switch conf.ModuleName(o.Value("type")) {
		case "pmrfc3164":
			b.addParser3164(o, plain)
		case "pmrfc5424":
			b.addParser5424(o)
		default:
			if b.unsupportedParser(o) {
				continue
			}
			b.errorf(o.Pos, "the parsers are pmrfc3164 and pmrfc5424", "there is no parser module %q", o.Value("type"))
		}
	}
}

func (b *builder) addParser3164(o *conf.Object, p message.RFC3164Parser) {
	var head parserHead
	if b.decode(o, &head, &p) {
		b.parsers[head.Name] = &p
	}
}

func (b *builder) addParser5424(o *conf.Object) {
	var head parserHead
	p := message.RFC5424Parser{PermitSlashInProgram: b.globals.PermitSlash}
	if b.decode(o, &head, &p) {
		b.parsers[head.Name] = &p
	}
}

// chain is a ruleset's parser chain. as rsyslog: RFC 5424 is tried first, then
// RFC 3164, which takes everything.
func (b *builder) chain(names []string, o *conf.Object) message.ParserChain {
	if len(names) == 0 {
		names = []string{"rsyslog.rfc5424", "rsyslog.rfc3164"}
	}
	var parsers []message.Parser
	for _, n := range names {
		p, ok := b.parsers[n]
		if !ok {
			if b.isLeftOut(n) {
				continue
			}
			b.errorf(o.Param("parser").ValuePos, conf.DidYouMean(n, b.parserNames()), "there is no parser %q", n)
			continue
		}
		parsers = append(parsers, p)
	}
	if len(parsers) == 0 && len(names) > 0 {
		return b.chain(nil, nil)
	}
	return message.NewParserChain(b.env, parsers...)
}

// defaultChain is the chain of the default ruleset: what $RulesetParser outside
// of rulesets names.
func (b *builder) defaultChain() message.ParserChain {
	for _, o := range b.objects("ruleset") {
		if p := o.Param("parser"); p != nil && isDefaultRuleset(o) {
			return b.chain(p.Values, o)
		}
	}
	return b.chain(nil, nil)
}

// isDefaultRuleset says whether o holds parameters of the default ruleset, whose
// statements are those of the top level. Only directives make such an object.
func isDefaultRuleset(o *conf.Object) bool { return o.Legacy && o.Value("name") == DefaultRuleset }

func (b *builder) parserNames() (names []string) {
	for n := range b.parsers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
