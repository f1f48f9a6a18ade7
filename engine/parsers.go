package engine

import (
	"slices"
	"strconv"

	"sysrelay/conf"
	"sysrelay/filter/modify"
	"sysrelay/message"
)

// parserHead are the parameters of parser() besides the parser's own.
type parserHead struct {
	Name string `conf:"name,required" doc:"Name by which ruleset(parser=) knows it."`
	Type string `conf:"type,required" doc:"Parser module."`
}

// parserKind is one parser module.
type parserKind struct {
	name   string // of the module
	parser string // of the parser that loading the module makes
	docs   func() any
	// make makes the parser that a parser() object describes; nil is the default one.
	make func(b *builder, o *conf.Object) (message.Parser, error)
}

func parserKinds() []parserKind {
	return []parserKind{
		parserOf("pmrfc3164", "rsyslog.rfc3164", func(b *builder, p message.RFC3164Parser) (message.Parser, error) {
			p.PermitSlashInProgram, p.NoHostnameAndTag = b.globals.PermitSlash, !b.globals.ParseHostTag
			if p.HeaderlessErrorFile != "" && !b.opts.Explain {
				p.Headerless = b.headerless(p.HeaderlessErrorFile)
			}
			return &p, nil
		}),
		parserOf("pmrfc5424", "rsyslog.rfc5424", func(b *builder, p message.RFC5424Parser) (message.Parser, error) {
			p.PermitSlashInProgram = b.globals.PermitSlash
			return &p, nil
		}),
		parserOf("pmciscoios", "rsyslog.ciscoios", func(b *builder, p message.CiscoIOSParser) (message.Parser, error) {
			p.PermitSlashInProgram, p.Zones = b.globals.PermitSlash, b.zones
			return &p, nil
		}),
		parserOf("pmcisconames", "rsyslog.cisconames", plainParser[message.CiscoNamesParser]),
		parserOf("pmaixforwardedfrom", "rsyslog.aixforwardedfrom", plainParser[message.AIXForwardedFromParser]),
		parserOf("pmsnare", "rsyslog.snare", func(b *builder, p snareParams) (message.Parser, error) {
			return &message.SnareParser{Tab: p.tab(b.globals)}, nil
		}),
		parserOf("pmlastmsg", "rsyslog.lastline", plainParser[message.LastMsgParser]),
		parserOf("pmnull", "rsyslog.pmnull", func(_ *builder, p message.NullParser) (message.Parser, error) { return &p, nil }),
		parserOf("pmnormalize", "", func(b *builder, p modify.PMNormalizeParams) (message.Parser, error) {
			n, err := modify.NewNormalizeParser(p, b.modifyDeps())
			if err != nil {
				return nil, err
			}
			return n, nil
		}),
		parserOf("pmpanngfw", "rsyslog.panngfw", plainParser[message.PANNGFWParser]),
	}
}

// plainParser makes a parser that is nothing but its parameters.
func plainParser[P message.Parser](_ *builder, p P) (message.Parser, error) { return p, nil }

func parserOf[P any](name, instance string, make func(*builder, P) (message.Parser, error)) parserKind {
	return parserKind{
		name: name, parser: instance,
		docs: func() any { return new(P) },
		make: func(b *builder, o *conf.Object) (message.Parser, error) {
			var p P
			if o == nil {
				if err := b.cfg.Decode(&conf.Object{Kind: "parser"}, &p); err != nil {
					return nil, err
				}
			} else if err := b.cfg.Decode(o, &parserHead{}, &p); err != nil {
				return nil, err
			}
			parser, err := make(b, p)
			if err != nil {
				return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
			}
			return parser, nil
		},
	}
}

// snareParams are the parameters of pmsnare: how tabs have been escaped. What is
// not given is as the global settings say.
type snareParams struct {
	Escape conf.Opt[bool] `conf:"parser.escapecontrolcharactersonreceive" doc:"Control characters are escaped; default is the global setting." status:"full"`
	Tab    conf.Opt[bool] `conf:"parser.escapecontrolcharactertab" doc:"Tabs are escaped, too; default is the global setting." status:"full"`
	CStyle conf.Opt[bool] `conf:"parser.escapecontrolcharacterscstyle" doc:"They are escaped as C does; default is the global setting." status:"full"`
	Prefix string         `conf:"parser.controlcharacterescapeprefix" doc:"What stands before an escaped character; default is the global setting." status:"full"`
}

// tab is what a tab becomes on reception.
func (p *snareParams) tab(g *Globals) string {
	or := func(o conf.Opt[bool], global bool) bool {
		if o.Given {
			return o.Value
		}
		return global
	}
	prefix := p.Prefix
	if prefix == "" {
		prefix = g.EscapePrefix
	}
	switch {
	case !or(p.Escape, g.EscapeControl) || !or(p.Tab, g.EscapeTab) || prefix == "":
		return "\t"
	case or(p.CStyle, g.EscapeCStyle):
		return `\t`
	}
	return prefix[:1] + "011"
}

// readParsers makes the parsers that modules bring and those of parser() objects.
//
// as rsyslog: those of pmrfc3164 and pmrfc5424 are always there, others are once
// their module is loaded.
func (b *builder) readParsers() {
	b.readZones()
	b.parsers = map[string]message.Parser{}
	for _, k := range parserKinds() {
		if k.name != "pmrfc3164" && k.name != "pmrfc5424" && b.modules[k.name] == nil || k.parser == "" {
			continue
		}
		p, err := k.make(b, nil)
		if err != nil {
			b.failed(err)
			continue
		}
		b.parsers[k.parser] = p
	}
	for _, o := range b.objects("parser") {
		b.readParser(o)
	}
}

func (b *builder) readParser(o *conf.Object) {
	name := conf.ModuleName(o.Value("type"))
	i := slices.IndexFunc(parserKinds(), func(k parserKind) bool { return k.name == name })
	if i < 0 {
		if !b.unsupportedParser(o) {
			b.errorf(o.Pos, conf.DidYouMean(name, parserModules()), "there is no parser module %q", o.Value("type"))
		}
		return
	}
	if b.modules[name] == nil && name != "pmrfc3164" && name != "pmrfc5424" {
		b.errorf(o.Param("type").ValuePos, `write module(load="`+name+`") before it`, "module %s is not loaded", name)
	}
	p, err := parserKinds()[i].make(b, o)
	if err != nil {
		b.failed(err)
		return
	}
	b.parsers[o.Value("name")] = p
}

func parserModules() (names []string) {
	for _, k := range parserKinds() {
		names = append(names, k.name)
	}
	return names
}

// zoneParams are the parameters of timezone().
type zoneParams struct {
	ID     string `conf:"id,required" doc:"Name of the zone in messages, such as EST." status:"full"`
	Offset string `conf:"offset,required" doc:"Its offset from UTC: +hh:mm or -hh:mm." status:"full"`
}

// readZones reads the timezone() objects.
func (b *builder) readZones() {
	b.zones = map[string]int16{}
	for _, o := range b.objects("timezone") {
		var p zoneParams
		if !b.decode(o, &p) {
			continue
		}
		minutes, ok := parseOffset(p.Offset)
		if !ok {
			b.errorf(o.Param("offset").ValuePos, `write it as "+01:00" or "-05:00"`, "offset %q is none", p.Offset)
			continue
		}
		b.zones[p.ID] = minutes
	}
}

// parseOffset reads +hh:mm or -hh:mm.
func parseOffset(s string) (minutes int16, ok bool) {
	if len(s) != len("+hh:mm") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, errH := strconv.ParseUint(s[1:3], 10, 8)
	m, errM := strconv.ParseUint(s[4:], 10, 8)
	if errH != nil || errM != nil || h > 23 || m > 59 {
		return 0, false
	}
	minutes = int16(60*h + m)
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
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
			if i := slices.IndexFunc(parserKinds(), func(k parserKind) bool { return k.parser == n }); i >= 0 {
				b.errorf(o.Param("parser").ValuePos, `write module(load="`+parserKinds()[i].name+`") before it`, "the module of parser %q is not loaded", n)
				continue
			}
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
