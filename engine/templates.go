package engine

import (
	"sysrelay/conf"
	"sysrelay/message"
)

// readTemplates makes the built-in templates and those of the configuration.
// as rsyslog: of several with the same name the first is used, and the built-in
// ones come first.
func (b *builder) readTemplates() {
	for _, t := range message.BuiltinTemplates(b.env) {
		b.templates[t.Name()] = t
	}
	for _, o := range b.objects("template") {
		t, err := b.makeTemplate(o)
		if err != nil {
			b.failed(err)
			continue
		}
		if _, exists := b.templates[t.Name()]; exists {
			notice := b.cfg.Errorf(o.Pos, "give it another name", "there is a template %q already, which is the one that is used", t.Name())
			notice.Severity, notice.ID = conf.Note, "duplicate-template"
			b.cfg.Notices = append(b.cfg.Notices, notice)
			continue
		}
		b.templates[t.Name()] = t
	}
}

func (b *builder) makeTemplate(o *conf.Object) (message.Template, error) {
	p := message.TemplateParams{Legacy: o.Legacy}
	if err := b.cfg.Decode(o, &p); err != nil {
		return nil, err
	}
	var parts []message.TemplatePart
	for _, child := range o.Children {
		part, err := b.templatePart(child)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	t, err := b.env.NewTemplate(&p, parts)
	if err != nil {
		return nil, b.cfg.Errorf(o.Pos, "", "%v", err)
	}
	return t, nil
}

func (b *builder) templatePart(o *conf.Object) (message.TemplatePart, error) {
	if o.Kind == "constant" {
		var c message.ConstantPart
		err := b.cfg.Decode(o, &c)
		return c, err
	}
	var p message.PropertyPart
	err := b.cfg.Decode(o, &p)
	return p, err
}
