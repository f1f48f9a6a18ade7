package message

import "fmt"

// Template renders a message.
type Template interface {
	Name() string
	// Append appends the rendered message to dst.
	Append(dst []byte, m *Message) []byte
}

// Prefixed is a template whose result always begins with the same text: the
// constants in front of its first property. omfile keeps dynamic files below the
// directory this text names.
type Prefixed interface {
	Template
	Prefix() string
}

// Suffixed is a template whose result always ends in the same text: the
// constants after its last property.
type Suffixed interface {
	Template
	Suffix() string
}

// TemplateOptions are the options of a whole template. At most one of the first
// five is set.
type TemplateOptions struct {
	SQL           bool `conf:"option.sql" doc:"Escape quotes and backslashes in values for MySQL."`
	StdSQL        bool `conf:"option.stdsql" doc:"Double quotes in values, as standard SQL wants it."`
	JSON          bool `conf:"option.json" doc:"Escape quotes and backslashes in values for JSON."`
	JSONF         bool `conf:"option.jsonf" doc:"Make the parts the members of a JSON object."`
	JSONFTree     bool `conf:"option.jsonftree" doc:"As option.jsonf; dots in names make objects within objects."`
	CaseSensitive bool `conf:"option.casesensitive" doc:"Keep the case of variables' names."`
}

func (o *TemplateOptions) check() error {
	n := 0
	for _, set := range []bool{o.SQL, o.StdSQL, o.JSON, o.JSONF, o.JSONFTree} {
		if set {
			n++
		}
	}
	if n > 1 {
		return fmt.Errorf("option.sql, option.stdsql, option.json, option.jsonf and option.jsonftree exclude each other")
	}
	return nil
}

// TemplateParams are the parameters of a template() object.
type TemplateParams struct {
	Name    string `conf:"name,required" doc:"The template's name."`
	Type    string `conf:"type,required,enum=string|list|subtree|plugin" doc:"string, list, subtree or plugin."`
	String  string `conf:"string" doc:"The template's text, for type string."`
	Subtree string `conf:"subtree" doc:"The variable to print as JSON, for type subtree."`
	Plugin  string `conf:"plugin" doc:"The built-in template to take, for type plugin."`
	TemplateOptions
	// Legacy is set when String comes from $template and may hold backslash
	// escapes, which conf has resolved in template() already.
	Legacy bool
}

// NewTemplate makes the template that a template() object describes; parts are
// its constant() and property() statements.
func (e *Env) NewTemplate(p *TemplateParams, parts []TemplatePart) (Template, error) {
	if err := p.check(len(parts)); err != nil {
		return nil, fmt.Errorf("template %q: %w", p.Name, err)
	}
	switch p.Type {
	case "string":
		return e.parseTemplate(p.Name, p.String, p.TemplateOptions, p.Legacy)
	case "list":
		return e.ListTemplate(p.Name, parts, p.TemplateOptions)
	case "subtree":
		return e.SubtreeTemplate(p.Name, p.Subtree)
	}
	return e.pluginTemplate(p.Name, p.Plugin)
}

// check finds out whether the type's own parameter is given and no other's.
func (p *TemplateParams) check(parts int) error {
	given := []struct {
		kind, what string
		given      bool
	}{
		{"string", "the parameter string", p.String != ""},
		{"list", "parts in braces", parts > 0},
		{"subtree", "the parameter subtree", p.Subtree != ""},
		{"plugin", "the parameter plugin", p.Plugin != ""},
	}
	known := false
	for _, g := range given {
		switch {
		case g.kind == p.Type && !g.given && g.kind != "string":
			return fmt.Errorf("type %q needs %s", p.Type, g.what)
		case g.kind != p.Type && g.given:
			return fmt.Errorf("type %q has no use for %s", p.Type, g.what)
		}
		known = known || g.kind == p.Type
	}
	if !known {
		return fmt.Errorf("there is no type %q: it is string, list, subtree or plugin", p.Type)
	}
	return nil
}

// ParseTemplate makes a template of a text as `$template` has it, with %…% for
// properties and backslash escapes. Errors say at which byte of the text.
func (e *Env) ParseTemplate(name, text string, o TemplateOptions) (Template, error) {
	return e.parseTemplate(name, text, o, true)
}

// ListTemplate makes a template of parts.
func (e *Env) ListTemplate(name string, parts []TemplatePart, o TemplateOptions) (Template, error) {
	b := templateBuilder{env: e, name: name, opts: o}
	for i, p := range parts {
		if err := p.addTo(&b); err != nil {
			return nil, fmt.Errorf("template %q, part %d: %w", name, i+1, err)
		}
	}
	t, err := b.template()
	if text, ok := t.(*textTemplate); ok {
		text.fields = e.fieldsOf(name, parts)
	}
	return t, err
}

// Structured is a template whose parts have names. Fields is a template that
// gives them as a JSON object, nil if there are none.
type Structured interface {
	Template
	Fields() Template
}

// fieldsOf makes the template that gives the parts of a list as fields:
// properties, and those constants that have a name.
// as rsyslog: outputs that take structured data see them so.
func (e *Env) fieldsOf(name string, parts []TemplatePart) Template {
	b := templateBuilder{env: e, name: name, opts: TemplateOptions{JSONF: true}}
	for _, p := range parts {
		switch p := p.(type) {
		case ConstantPart:
			if p.Outname == "" {
				continue
			}
			p.Format = "jsonf"
			if p.addTo(&b) != nil {
				return nil
			}
		case PropertyPart:
			p.Format = "jsonf"
			if p.addTo(&b) != nil {
				return nil
			}
		}
	}
	t, err := b.template()
	if err != nil || len(b.segments) == 0 {
		return nil
	}
	return t
}

// SubtreeTemplate makes a template that is a variable, as JSON if it is an object.
func (e *Env) SubtreeTemplate(name, variable string) (Template, error) {
	path, err := e.Path(variable)
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", name, err)
	}
	if path.root != '!' {
		return nil, fmt.Errorf("template %q: a subtree begins with $!, not with %q", name, variable)
	}
	b := templateBuilder{env: e, name: name}
	b.add(segment{prop: Property{env: e, id: propVariable, path: &path}}, "")
	return b.template()
}
