package conf

import (
	"bytes"
	"fmt"
	"strings"
)

// legacyAction turns an action of the old style into an action() object.
func (p *parser) legacyAction(t token) Stmt {
	a := &actionLine{directiveLine{parser: p, tok: t}}
	o := &Object{Pos: t.pos(), Kind: "action", Legacy: true}
	var ok bool
	switch text := t.text; text[0] {
	case '~':
		p.note("old-syntax", t.pos(), "~ is the old way to write stop", `write "stop"`)
		p.legacy.forget("action")
		p.legacy.forget("action.legacy")
		p.rec.action(t, 1, nil)
		return &Stop{t.pos()}
	case '@':
		ok = a.forward(o)
	case '/', '.', '-', '?':
		ok = a.file(o)
	case '|':
		ok = a.pipe(o)
	case '^':
		ok = a.program(o)
	case '>':
		ok = a.mysql(o)
	case ':':
		ok = a.module(o)
	default:
		ok = a.users(o)
	}
	if !ok {
		return nil
	}
	p.finishAction(o)
	p.rec.action(t, a.at, o)
	return o
}

// finishAction gives a legacy action what directives have set for it.
func (p *parser) finishAction(o *Object) {
	module := ModuleName(o.Value("type"))
	p.legacy.apply(o, module)
	if protocol := o.Value("protocol"); protocol != "" {
		p.legacy.apply(o, module+"."+protocol)
	}
	p.legacy.useDefault(o, module)
	p.legacy.apply(o, "action")
	p.legacy.apply(o, "action.legacy")
}

// scriptAction is told of action() objects: as in rsyslogd they end what
// $ActionQueue… has set, and use the default templates set by directives.
func (p *parser) scriptAction(o *Object) {
	p.legacy.forget("action")
	p.legacy.useDefault(o, ModuleName(o.Value("type")))
	p.rec.script(o, p.last)
}

// useDefault gives an action without a template the one that a directive has set
// for its module, unless module() has one.
func (l *legacy) useDefault(o *Object, module string) {
	if o.Param("template") != nil || l.ownTemplate(module) {
		return
	}
	for _, s := range l.settings {
		if s.to == module+".default" {
			q := *s.param
			o.Params = append(o.Params, &q)
			l.rec.use(s.by, o, &q)
			return
		}
	}
}

// ownTemplate says whether module() sets the default template of its actions.
func (l *legacy) ownTemplate(module string) bool {
	o := l.modules[module]
	return o != nil && !o.Legacy && o.Param("template") != nil
}

// actionLine is the line of a legacy action.
type actionLine struct{ directiveLine }

// add appends a parameter whose value began at offset at.
func (a *actionLine) add(o *Object, at int, name, value string) {
	place := a.tok.src.pos(a.tok.at + at)
	o.Params = append(o.Params, word(place, name, value))
}

// template reads ;name and the end of the line.
func (a *actionLine) template(o *Object) bool {
	a.blanks()
	if rest := a.rest(); rest != "" && rest[0] == ';' {
		a.at++
		a.blanks()
		at := a.at
		name := a.span(" \t;#")
		if name != "" { // as in rsyslogd, a lone ; says nothing
			a.add(o, at, "template", name)
		}
		a.blanks()
	}
	if rest := a.rest(); rest != "" && rest[0] != '#' {
		a.report(a.pos(), fmt.Sprintf("unexpected %q after the action", rest), "an action of the old style ends with its line; only ;template and a comment may follow")
		return false
	}
	return true
}

// file is /path, -/path (not synced, which is the default), ?template and
// -?template.
func (a *actionLine) file(o *Object) bool {
	a.add(o, 0, "type", "omfile")
	noSync := false
	if a.tok.text[0] == '-' {
		noSync = true
		a.at++
	}
	param := "file"
	if strings.HasPrefix(a.rest(), "?") {
		param = "dynafile"
		a.at++
	}
	at := a.at
	name := a.span(" \t;")
	if name == "" || param == "file" && name[0] != '/' && name[0] != '.' {
		a.report(a.tok.pos(), fmt.Sprintf("%q is not an action", a.tok.text), "files begin with a slash")
		return false
	}
	a.add(o, at, param, name)
	if noSync && a.legacy.value("omfile", "sync") == "on" {
		a.add(o, 0, "sync", "off")
	}
	return a.template(o)
}

// pipe is |/path.
func (a *actionLine) pipe(o *Object) bool {
	a.add(o, 0, "type", "ompipe")
	a.at++
	at := a.at
	name := a.span(" \t;")
	if name == "" {
		a.report(a.tok.pos(), "the pipe has no name", "write |/path/to/pipe, without a blank")
		return false
	}
	a.add(o, at, "pipe", name)
	return a.template(o)
}

// program is ^program;template.
func (a *actionLine) program(o *Object) bool {
	a.add(o, 0, "type", "omshell")
	a.at++
	at := a.at
	name := a.span(" \t;")
	if name == "" {
		a.report(a.tok.pos(), "the program has no name", "write ^/path/to/program;template")
		return false
	}
	a.add(o, at, "program", name)
	return a.template(o)
}

// forward is @host:port, @@host:port, @(options)[v6]:port.
func (a *actionLine) forward(o *Object) bool {
	a.add(o, 0, "type", "omfwd")
	protocol := "udp"
	a.at++
	if strings.HasPrefix(a.rest(), "@") {
		protocol = "tcp"
		a.at++
	}
	options, ok := a.forwardOptions()
	if !ok {
		return false
	}
	at := a.at
	var host string
	if strings.HasPrefix(a.rest(), "[") {
		a.at++
		at = a.at
		host = a.span("]")
		if !strings.HasPrefix(a.rest(), "]") {
			a.report(a.tok.pos(), "the address is never closed", `end it with "]"`)
			return false
		}
		a.at++
	} else {
		host = a.span(":;# \t")
	}
	if host == "" {
		a.report(a.pos(), "the host to forward to is missing", "write @host:port for UDP, @@host:port for TCP")
		return false
	}
	a.add(o, at, "target", host)
	if strings.HasPrefix(a.rest(), ":") {
		a.at++
		at = a.at
		port := a.span(";# \t")
		if port == "" {
			a.report(a.pos(), "the port is missing", "")
			return false
		}
		a.add(o, at, "port", port)
	}
	a.add(o, 0, "protocol", protocol)
	o.Params = append(o.Params, options...)
	return a.template(o)
}

// forwardOptions reads (o,z9): octet-counted framing, compression.
func (a *actionLine) forwardOptions() ([]*Param, bool) {
	if !strings.HasPrefix(a.rest(), "(") {
		return nil, true
	}
	a.at++
	var options []*Param
	for {
		at := a.pos()
		opt := strings.TrimSpace(a.span(",)"))
		switch {
		case opt == "":
		case opt == "o":
			options = append(options, word(at, "tcp_framing", "octet-counted"))
		case opt[0] == 'z':
			level := opt[1:]
			if len(level) != 1 || level[0] < '0' || level[0] > '9' {
				a.report(at, fmt.Sprintf("invalid compression level in option %q", opt), "write z1 to z9")
				break
			}
			options = append(options, word(at, "zipLevel", level), word(at, "compression.mode", "single"))
		default:
			a.report(at, fmt.Sprintf("unknown forwarding option %q", opt), "known are o (octet-counted framing) and z0 to z9 (compression)")
		}
		switch rest := a.rest(); {
		case rest == "":
			a.report(a.tok.pos(), "the forwarding options are never closed", `end them with ")"`)
			return nil, false
		case rest[0] == ')':
			a.at++
			return options, true
		}
		a.at++
	}
}

// users is *, or user,user. As in rsyslogd, names that are not behind
// :omusrmsg: are on their way out. What is followed by something else than a
// template, a comment, a brace or & on its line is no list of users: rsyslogd takes
// every word for one, and so hides typing errors.
func (a *actionLine) users(o *Object) bool {
	a.add(o, 0, "type", "omusrmsg")
	after := a.tok.src.buf[a.tok.end:]
	after = bytes.TrimLeft(after[:count(after, func(c byte) bool { return c != '\n' })], " \t")
	if len(after) > 0 && strings.IndexByte("#&}/", after[0]) < 0 {
		a.report(a.tok.pos(), fmt.Sprintf("unknown object, statement or selector %q", a.tok.text), statementHint(a.tok.text))
		a.tok.src.skipStatement()
		return false
	}
	names := a.span(";")
	a.note("old-syntax", a.tok.pos(), fmt.Sprintf("action %q is read as the names of users", names), `write ":omusrmsg:`+names+`"`)
	a.add(o, 0, "users", names)
	return a.template(o)
}

// statementHint says what may be meant by a word that begins no statement.
func statementHint(word string) string {
	switch low := strings.ToLower(word); {
	case low == "elseif" || low == "elsif" || low == "elif":
		return `write "else if"`
	case strings.Trim(word, "0123456789") == "":
		return "a selector begins with the name of a facility or *, not with a number"
	}
	return didYouMean(word, statementNames())
}

func statementNames() []string {
	var names []string
	for n := range objectKinds {
		names = append(names, n)
	}
	for n := range statementWords {
		names = append(names, n)
	}
	return names
}

// mysql is >host,db,user,password.
func (a *actionLine) mysql(o *Object) bool {
	a.add(o, 0, "type", "ommysql")
	a.at++
	for _, name := range []string{"server", "db", "uid", "pwd"} {
		at := a.at
		stop := ",;"
		if name == "pwd" {
			stop = "; \t"
		}
		v := strings.TrimSpace(a.span(stop))
		if v == "" && name != "pwd" {
			a.report(a.tok.pos(), "the database action is not complete", "write >host,database,user,password;template")
			return false
		}
		a.add(o, at, name, v)
		if strings.HasPrefix(a.rest(), ",") {
			a.at++
		}
	}
	return a.template(o)
}

// module is :omname:parameters;template.
func (a *actionLine) module(o *Object) bool {
	a.at++
	name := strings.ToLower(a.span(":"))
	a.at++
	a.add(o, 0, "type", name)
	at := a.at
	switch name {
	case "omfile":
		if strings.HasPrefix(a.rest(), "$") {
			a.at++
			return a.channelFile(o)
		}
		name := a.span(" \t;")
		a.add(o, at, "file", name)
	case "omusrmsg":
		a.add(o, at, "users", a.span(" \t;"))
	case "omruleset":
		if name := strings.TrimSpace(a.span(" \t;")); name != "" {
			a.add(o, at, "rulesetName", name)
		}
	case "omrelp":
		return a.relp(o)
	case "ommysql", "ompgsql":
		o.Params = o.Params[:0]
		a.at--
		ok := a.mysql(o)
		o.Params[0].Values[0] = name
		return ok
	case "omgssapi":
		return a.relp(o)
	default:
		return a.plainModule(o, name)
	}
	return a.template(o)
}

// plainModule is :omname:;template of a module that takes all else from directives.
func (a *actionLine) plainModule(o *Object, name string) bool {
	if !oldStyle[name] {
		a.report(a.tok.pos(), "there is no action of the old style :"+name+":", `write action(type="`+name+`" …)`)
		return false
	}
	a.blanks()
	if rest := a.rest(); rest != "" && rest[0] != ';' && rest[0] != '#' {
		a.report(a.pos(), fmt.Sprintf("unexpected %q: %s takes its parameters from directives", rest, name), "only ;template and a comment may follow")
		return false
	}
	return a.template(o)
}

// oldStyle are the modules whose actions can be written :omname:, besides those with
// parameters there.
var oldStyle = map[string]bool{
	"ommail": true, "omprog": true, "omruleset": true, "omsnmp": true, "omlibdbi": true, "omstdout": true,
	"omudpspoof": true, "omuxsock": true, "omhdfs": true, "omoracle": true, "omtesting": true, "omtcl": true,
	"mmjsonparse": true, "mmnormalize": true, "mmsnmptrapd": true, "mmaudit": true, "mmkubernetes": true,
}

// relp is :omrelp:host:port.
func (a *actionLine) relp(o *Object) bool {
	at := a.at
	var host string
	if strings.HasPrefix(a.rest(), "[") {
		a.at++
		at = a.at
		host = a.span("]")
		a.at = min(a.at+1, len(a.tok.text))
	} else {
		host = a.span(":; \t")
	}
	if host == "" {
		a.report(a.pos(), "the host to forward to is missing", "write :omrelp:host:port")
		return false
	}
	a.add(o, at, "target", host)
	if strings.HasPrefix(a.rest(), ":") {
		a.at++
		a.add(o, a.at, "port", a.span("; \t"))
	}
	return a.template(o)
}

// channelFile is :omfile:$name of an $outchannel.
func (a *actionLine) channelFile(o *Object) bool {
	name := a.span("; \t")
	c := a.legacy.channels[strings.ToLower(name)]
	if c == nil {
		a.report(a.pos(), "there is no output channel "+name, "write $outchannel "+name+",/path/to/file,limit,command before it")
		return false
	}
	o.Params = append(o.Params, word(c.pos, "file", c.file))
	if c.limit != "" {
		o.Params = append(o.Params, word(c.pos, "rotation.sizeLimit", c.limit))
	}
	if c.command != "" {
		o.Params = append(o.Params, word(c.pos, "rotation.sizeLimitCommand", c.command))
	}
	return a.template(o)
}
