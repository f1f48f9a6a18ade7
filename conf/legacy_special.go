package conf

import (
	"fmt"
	"strings"
)

// noEffect is for directives that rsyslogd knows and that have no meaning here.
func noEffect(p *parser, line *directiveLine) {
	p.note("directive-without-effect", line.tok.pos(), "the directive has no effect: "+firstWord(line.tok.text), "")
}

// goneAway is for directives that rsyslogd itself no longer obeys.
func goneAway(p *parser, line *directiveLine) {
	p.note("obsolete-directive", line.tok.pos(), "config directive is no longer supported: "+firstWord(line.tok.text), "remove the line")
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.ReplaceAll(s, "\t", " "), " ")
	return w
}

// modLoad is $ModLoad name.
func (p *parser) modLoad(line *directiveLine) {
	at := line.pos()
	name := line.word()
	line.end()
	if name == "" {
		p.report(line.tok.pos(), "$ModLoad needs the name of a module", "")
		return
	}
	if p.legacy.modules[ModuleName(name)] != nil {
		p.note("module-loaded-twice", at, "module "+ModuleName(name)+" is already loaded", "remove one of them")
		return
	}
	o := &Object{Pos: line.tok.pos(), Kind: "module", Params: []*Param{{Pos: line.tok.pos(), Name: "load", Values: []string{name}, ValuePos: at}}}
	p.noteModule(o)
	p.emit(o)
}

// legacyTemplate is $template name,"text",options. The text is kept as it is
// written: its escapes are not RainerScript's.
func (p *parser) legacyTemplate(line *directiveLine) {
	o := &Object{Pos: line.tok.pos(), Kind: "template"}
	at := line.pos()
	name := strings.TrimSpace(line.until(","))
	line.blanks()
	if name == "" {
		p.report(at, "$template needs a name", `write $template name,"text"`)
		return
	}
	o.Params = append(o.Params, &Param{Pos: at, Name: "name", Values: []string{name}, ValuePos: at})
	at = line.pos()
	rest := line.rest()
	switch {
	case strings.HasPrefix(rest, `"`):
		end := closingQuote(rest)
		if end < 0 {
			// As rsyslogd does: the text is what the line has.
			p.notice(at, "the template's text is never closed and ends with its line", `end it with "`)
			rest += `"`
			end = len(rest) - 1
		}
		o.Params = append(o.Params, word(at, "type", "string"), word(at, "string", rest[1:end]))
		line.at = min(line.at+end+1, len(line.tok.text))
	case strings.HasPrefix(rest, "="):
		line.at++
		o.Params = append(o.Params, word(at, "type", "plugin"), word(at, "plugin", strings.TrimSpace(line.until(","))))
	default:
		p.report(at, "the template's text is missing", `write $template name,"text"`)
		return
	}
	p.templateOptions(o, line)
	p.emit(o)
}

// closingQuote returns where the text that begins with a quote ends, -1 if
// nowhere. A backslash hides the character after it.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func (p *parser) templateOptions(o *Object, line *directiveLine) {
	line.blanks()
	for line.rest() != "" && line.rest()[0] == ',' {
		line.at++
		line.blanks()
		at := line.pos()
		opt := strings.TrimSpace(line.span(",#"))
		switch low := strings.ToLower(opt); low {
		case "sql", "stdsql", "json", "jsonf", "casesensitive":
			o.Params = append(o.Params, word(at, "option."+low, "on"))
		case "":
		default:
			p.notice(at, fmt.Sprintf("unknown template option %q has no effect", opt), didYouMean(opt, []string{"sql", "stdsql", "json", "casesensitive"}))
		}
	}
	line.end()
}

// outChannel is $outchannel name,file,limit,command.
func (p *parser) outChannel(line *directiveLine) {
	c := &channel{pos: line.tok.pos()}
	name := strings.TrimSpace(line.until(","))
	c.file = strings.TrimSpace(line.until(","))
	c.limit = strings.TrimSpace(line.until(","))
	c.command = strings.TrimSpace(line.rest())
	if name == "" || c.file == "" {
		p.report(c.pos, "$outchannel needs a name and a file", "write $outchannel name,/path/to/file,limit,command")
		return
	}
	p.legacy.channels[strings.ToLower(name)] = c
}

// allowedSender is $AllowedSender UDP|TCP, address, …
func (p *parser) allowedSender(line *directiveLine) {
	at := line.pos()
	proto := strings.TrimSpace(line.until(", \t"))
	module := map[string]string{"udp": "imudp", "tcp": "imtcp"}[strings.ToLower(proto)]
	if module == "" {
		p.report(at, fmt.Sprintf("unknown protocol %q in $AllowedSender", proto), "known are UDP and TCP")
		return
	}
	q := p.legacy.senders[module]
	if q == nil {
		q = &Param{Pos: line.tok.pos(), Name: "allowedSender", Array: true}
	}
	line.blanks()
	if q.Values == nil {
		q.ValuePos = line.pos()
	}
	text, _, _ := strings.Cut(line.rest(), "#")
	q.Values = append(q.Values, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })...)
	if len(q.Values) == 0 {
		p.report(line.tok.pos(), "$AllowedSender names no sender", "write $AllowedSender "+proto+", 127.0.0.1, 192.0.2.0/24")
		return
	}
	p.legacy.senders[module] = q
}

// resetConfig is $ResetConfigVariables: settings that wait are forgotten.
func (p *parser) resetConfig(line *directiveLine) {
	p.legacy.settings = nil
	line.end()
}

// includeConfig is $IncludeConfig pattern.
func (p *parser) includeConfig(line *directiveLine) {
	at := line.pos()
	pattern := line.word()
	if pattern == "" {
		p.report(line.tok.pos(), "$IncludeConfig needs the name of a file", "")
		return
	}
	t := line.tok
	p.includeFiles(includer{at: at, src: t.src, from: t.at, to: t.end}, pattern, includeRequired)
}

// setDefaultRuleset is $DefaultRuleset name.
func (p *parser) setDefaultRuleset(line *directiveLine) {
	at := line.pos()
	name := line.word()
	line.end()
	switch {
	case name == "":
		p.report(line.tok.pos(), "$DefaultRuleset needs the name of a ruleset", "")
	case strings.EqualFold(name, defaultRuleset):
		p.legacy.others = nil
	default:
		p.legacy.others = &Call{at, name}
	}
}

// errorMessages is $ErrorMessagesToStderr: all, or none.
func (p *parser) errorMessages(line *directiveLine) {
	q, ok := line.param(directive{name: "ErrorMessagesToStderr", kind: anOnOff, param: "errorMessagesToStderr.maxNumber"})
	line.end()
	if !ok {
		return
	}
	q.Values[0] = map[string]string{"on": "-1", "off": "0"}[q.Values[0]]
	p.emit(&Object{Pos: line.tok.pos(), Kind: "global", Params: []*Param{q}})
}

// rulesetQueue is $RulesetCreateMainQueue on: the current ruleset gets a queue
// of its own, with what $MainMsgQueue… has set so far.
func (p *parser) rulesetQueue(line *directiveLine) {
	q, ok := line.param(directive{name: "RulesetCreateMainQueue", kind: anOnOff})
	line.end()
	if !ok || q.Values[0] == "off" {
		return
	}
	o := p.legacy.current
	if o == nil {
		p.report(line.tok.pos(), "the default ruleset has the main queue already", "write $RuleSet name before it")
		return
	}
	o.set(word(line.tok.pos(), "queue.type", "FixedArray"))
	if p.legacy.mainq != nil {
		for _, q := range p.legacy.mainq.Params {
			o.set(q)
		}
	}
}

// rulesetParser is $RulesetParser name; several add up.
func (p *parser) rulesetParser(line *directiveLine) {
	at := line.pos()
	name := line.word()
	line.end()
	if name == "" {
		p.report(line.tok.pos(), "$RulesetParser needs the name of a parser", "")
		return
	}
	o := p.legacy.current
	if o == nil {
		o = p.defaultRulesetObject(line.tok.pos())
	}
	q := o.Param("parser")
	if q == nil {
		q = &Param{Pos: line.tok.pos(), Name: "parser", Array: true, ValuePos: at}
		o.Params = append(o.Params, q)
	}
	q.Values = append(q.Values, name)
}

// defaultRulesetObject returns the object that holds parameters of the default
// ruleset, whose statements stand at the top level.
func (p *parser) defaultRulesetObject(at Pos) *Object {
	key := strings.ToLower(defaultRuleset)
	o := p.legacy.rulesets[key]
	if o == nil {
		o = &Object{Pos: at, Kind: "ruleset", Params: []*Param{word(at, "name", defaultRuleset)}}
		p.legacy.rulesets[key] = o
		p.emit(o)
	}
	return o
}

// omitLocalLogging is $OmitLocalLogging on: no system log socket.
func (p *parser) omitLocalLogging(line *directiveLine) {
	q, ok := line.param(directive{name: "OmitLocalLogging", kind: anOnOff, param: "sysSock.use"})
	line.end()
	if !ok {
		return
	}
	q.Values[0] = map[string]string{"on": "off", "off": "on"}[q.Values[0]]
	p.toModule(line.tok, "imuxsock", q)
}

// runFileMonitor is $InputRunFileMonitor: it makes an input of what $InputFile…
// has set.
func (p *parser) runFileMonitor(line *directiveLine) {
	o := &Object{Pos: line.tok.pos(), Kind: "input", Params: []*Param{word(line.tok.pos(), "type", "imfile")}}
	p.legacy.apply(o, "imfile")
	// as rsyslog: what the directives make has other defaults.
	o.Params = append(o.Params, word(line.tok.pos(), "escapeLF", "off"), word(line.tok.pos(), "addMetadata", "off"))
	for _, need := range []string{"file", "tag"} {
		if o.Param(need) == nil {
			p.report(line.tok.pos(), "$InputRunFileMonitor without a "+need, "write $InputFile"+map[string]string{"file": "Name", "tag": "Tag"}[need]+" before it")
			return
		}
	}
	p.emit(o)
}

func pstatFormat(format string) func(*parser, *directiveLine) {
	return func(p *parser, line *directiveLine) {
		q, ok := line.param(directive{name: "PStat" + strings.ToUpper(format), kind: anOnOff, param: "format"})
		line.end()
		if !ok {
			return
		}
		if q.Values[0] == "on" {
			q.Values[0] = format
		} else {
			q.Values[0] = "legacy"
		}
		p.toModule(line.tok, "impstats", q)
	}
}

// mailTo is $ActionMailTo address; several add up.
func (p *parser) mailTo(line *directiveLine) {
	at := line.pos()
	to := line.word()
	line.end()
	if to == "" {
		p.report(line.tok.pos(), "$ActionMailTo needs an address", "")
		return
	}
	q := &Param{Pos: line.tok.pos(), Name: "mailto", Array: true, ValuePos: at}
	for _, s := range p.legacy.settings {
		if s.to == "ommail" && s.param.Name == q.Name {
			q.Values = append(q.Values, s.param.Values...)
		}
	}
	q.Values = append(q.Values, to)
	p.legacy.keep(setting{to: "ommail", param: q})
}
