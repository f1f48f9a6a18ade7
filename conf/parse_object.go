package conf

// object reads kind( name="value" … ) and what belongs to it. It returns nil
// for an object that config.enabled switches off.
func (p *parser) object() (*Object, bool) {
	t := p.advance()
	o := &Object{Pos: t.pos(), Kind: t.text}
	if !p.params(o) {
		return nil, false
	}
	ok := true
	switch o.Kind {
	case "template":
		if p.accept(tPunct, "{") {
			ok = p.templateParts(o)
		}
	case "ruleset":
		open := p.peek()
		if !p.expect(tPunct, "{", "after ruleset( )") {
			return nil, false
		}
		o.Body, ok = p.blockRest(open)
	case "property", "constant":
		p.broken(o.Pos, o.Kind+"() stands only inside template( ) { }", "")
		return nil, true
	}
	if !o.enabled() {
		return nil, ok
	}
	return o, ok
}

// params reads up to the closing parenthesis.
func (p *parser) params(o *Object) bool {
	for {
		t := p.advance()
		switch {
		case t.kind == tEndObject:
			return true
		case t.kind == tName:
			if !p.param(o, t) {
				return false
			}
		case t.is(tPunct, ","):
			p.broken(t.pos(), "no comma between parameters", "separate them with blanks")
		case t.kind == tObject, t.kind == tEOF:
			p.broken(o.Pos, o.Kind+"( is never closed", `end it with ")"`)
			p.unread(t)
			return false
		default:
			p.broken(t.pos(), "expected a parameter of "+o.Kind+"( ), found "+t.String(), `parameters are written name="value"`)
			return false
		}
	}
}

func (p *parser) param(o *Object, name token) bool {
	if !p.expect(tPunct, "=", "after the parameter's name") {
		return false
	}
	v := p.advance()
	q := &Param{Pos: name.pos(), Name: name.text, ValuePos: v.pos()}
	switch {
	case v.kind == tString:
		q.Values = []string{v.text}
	case v.is(tPunct, "["):
		x, ok := p.array(v)
		if !ok {
			return false
		}
		q.Array = true
		for _, e := range x.(*Array).Elems {
			q.Values = append(q.Values, e.(*Str).Value)
		}
	case v.kind == tName:
		p.broken(v.pos(), "the value of "+name.text+" is not in quotes", `write `+name.text+`="`+v.text+`"`)
		q.Values = []string{v.text}
	default:
		p.broken(v.pos(), "expected the value of "+name.text+", found "+v.String(), `write `+name.text+`="value"`)
		return false
	}
	o.Params = append(o.Params, q)
	return true
}

// templateParts reads the property() and constant() parts of a template.
func (p *parser) templateParts(o *Object) bool {
	for {
		t := p.peek()
		if p.accept(tPunct, "}") {
			return true
		}
		if t.kind != tObject || t.text != "property" && t.text != "constant" {
			p.broken(t.pos(), "expected property( ) or constant( ) in the template, found "+t.String(), "")
			return false
		}
		p.advance()
		part := &Object{Pos: t.pos(), Kind: t.text}
		if !p.params(part) {
			return false
		}
		if part.enabled() {
			o.Children = append(o.Children, part)
		}
	}
}
