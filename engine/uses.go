package engine

import (
	"fmt"
	"slices"
	"strings"

	"sysrelay/conf"
)

// Use is one thing of the language that a configuration uses, and what becomes of
// it. The parameters of directives stand at the directive.
type Use struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`   // `action(type="omfile") file`
	Status string `json:"status"` // supported, differs, ignored, unsupported, unknown
	Remark string `json:"remark,omitempty"`
}

// Uses lists every module and parameter, in the order of the text.
func Uses(cfg *conf.Config) []Use {
	u := &uses{pages: map[string]Page{}, known: map[string][]conf.ParamDoc{}, rsyslog: newRsyslogParams()}
	for _, p := range NewManual().Pages {
		u.pages[p.Name] = p
	}
	u.stmts(cfg.Stmts)
	return u.all
}

type uses struct {
	pages   map[string]Page
	known   map[string][]conf.ParamDoc // by kind and module
	rsyslog rsyslogParams
	all     []Use
}

func (u *uses) stmts(list []conf.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *conf.Object:
			u.object(s)
			u.stmts(s.Body)
		case *conf.If:
			u.stmts(s.Then)
			u.stmts(s.Else)
		case *conf.PRIFilter:
			u.stmts(s.Then)
		case *conf.PropertyFilter:
			u.stmts(s.Then)
		case *conf.Foreach:
			u.stmts(s.Body)
		}
	}
}

func (u *uses) object(o *conf.Object) {
	name := conf.ModuleName(value(o, "load", "type"))
	pages := []string{o.Kind}
	switch o.Kind {
	case "module", "input", "action":
		pages = []string{name}
		_, there := u.pages[name]
		status, remark := "supported", ""
		switch {
		case !there && u.rsyslog.has(name):
			status, remark = "unsupported", consequence(name)
		case !there:
			status = "unknown"
		}
		if o.Kind == "module" || !there {
			u.add(o.Pos, o.String(), status, remark)
		}
		if o.Kind == "action" {
			pages = append(pages, "action", "queue")
		}
	case "main_queue", "ruleset":
		pages = append(pages, "queue")
	case "property", "constant":
		pages = []string{"template"}
	}
	docs := u.docs(o, pages)
	for _, p := range o.Params {
		u.param(o, p, name, docs)
	}
	for _, c := range o.Children {
		u.object(c)
	}
}

// docs are the parameters that the pages have for an object.
func (u *uses) docs(o *conf.Object, pages []string) (all []conf.ParamDoc) {
	key := o.Kind + " " + pages[0]
	if all, done := u.known[key]; done {
		return all
	}
	defer func() { u.known[key] = all }()
	for _, name := range pages {
		page := u.pages[name]
		for _, s := range page.Sections {
			if strings.HasPrefix(s.Where, o.Kind+"(") || page.Name == "queue" {
				all = append(all, s.Params...)
			}
		}
	}
	return all
}

func (u *uses) param(o *conf.Object, p *conf.Param, module string, docs []conf.ParamDoc) {
	switch strings.ToLower(p.Name) {
	case "type", "load", "config.enabled":
		if o.Kind != "template" {
			return
		}
	case "ruleset":
		if o.Kind == "module" {
			return
		}
	}
	what := o.String() + " " + p.Name
	if n := o.Value("name"); n != "" && o.Kind == "template" {
		what = fmt.Sprintf("template(name=%q) %s", n, p.Name)
	}
	i := slices.IndexFunc(docs, func(d conf.ParamDoc) bool {
		return strings.EqualFold(d.Name, p.Name) || slices.ContainsFunc(d.Aliases, func(a string) bool { return strings.EqualFold(a, p.Name) })
	})
	switch {
	case i >= 0 && docs[i].Status == "none":
		u.add(p.Pos, what, "ignored", docs[i].Doc)
	case i >= 0 && docs[i].Status == "partial":
		u.add(p.Pos, what, "differs", docs[i].Doc)
	case i >= 0:
		u.add(p.Pos, what, "supported", "")
	case u.rsyslog.takes(module, o.Kind, p.Name):
		u.add(p.Pos, what, "unsupported", "")
	default:
		u.add(p.Pos, what, "unknown", "")
	}
}

func (u *uses) add(at conf.Pos, what, status, remark string) {
	u.all = append(u.all, Use{at.File, at.Line, at.Col, what, status, remark})
}
