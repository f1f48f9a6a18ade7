package conf

// record notes what directives and legacy actions do while a configuration is read,
// for Convert. A nil record notes nothing.
type record struct {
	seq      int
	now      *directiveUse
	uses     []*directiveUse
	actions  []*actionUse
	scripts  []*scriptUse
	includes []int // when other files were read
	origin   map[*Param]*directiveUse
}

// directiveUse is one directive of the text.
type directiveUse struct {
	seq    int
	tok    token
	end    int // into the prepared text: behind the directive, without its comment
	dir    directive
	made   []*Object // by it
	kept   *setting  // for what follows
	module *Object   // whose parameter it is
	param  *Param
	users  []*Object // that its setting was used for
	used   bool      // something has used the setting up, perhaps without effect
}

// actionUse is an action of the old style.
type actionUse struct {
	seq    int
	tok    token
	end    int
	object *Object // nil for ~
}

// scriptUse is an action() object.
type scriptUse struct {
	seq    int
	object *Object
	close  token // its closing parenthesis
}

func (r *record) begin(t token, d directive) {
	if r == nil {
		return
	}
	r.seq++
	r.now = &directiveUse{seq: r.seq, tok: t, end: t.end, dir: d}
	r.uses = append(r.uses, r.now)
}

// finish is called when the directive has been read as far as at.
func (r *record) finish(at int) {
	if r == nil || r.now == nil {
		return
	}
	r.now.end = r.now.tok.at + at
	for r.now.end > r.now.tok.at && isBlank(r.now.tok.src.buf[r.now.end-1]) {
		r.now.end--
	}
	r.now = nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func (r *record) made(o *Object) {
	if r != nil && r.now != nil {
		r.now.made = append(r.now.made, o)
	}
}

func (r *record) set(module *Object, q *Param) {
	if r != nil && r.now != nil {
		r.now.module, r.now.param = module, q
	}
}

// keeping returns the directive that a setting is of.
func (r *record) keeping(s setting) *directiveUse {
	if r == nil || r.now == nil {
		return nil
	}
	r.now.kept = &s
	return r.now
}

// use notes that a setting was used as the parameter q of o; q is nil if it was
// used up without effect.
func (r *record) use(by *directiveUse, o *Object, q *Param) {
	if r == nil || by == nil {
		return
	}
	by.used = true
	if q != nil {
		by.users = append(by.users, o)
		r.origin[q] = by
	}
}

func (r *record) action(t token, at int, o *Object) {
	if r == nil {
		return
	}
	r.seq++
	end := t.at + at
	for end > t.at && isBlank(t.src.buf[end-1]) {
		end--
	}
	r.actions = append(r.actions, &actionUse{r.seq, t, end, o})
}

func (r *record) script(o *Object, closing token) {
	if r == nil {
		return
	}
	r.seq++
	r.scripts = append(r.scripts, &scriptUse{r.seq, o, closing})
}

func (r *record) include() {
	if r != nil {
		r.seq++
		r.includes = append(r.includes, r.seq)
	}
}
