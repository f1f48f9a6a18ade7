package conf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Converted is what Convert makes of one file.
type Converted struct {
	Name      string
	Old, Text []byte
	// Kept says which directives stay as they are, and why. (Some may go once others
	// have gone.)
	Kept []*Error
}

// Convert reads a configuration with everything it includes, and turns legacy
// directives into RainerScript: global(), module(), input(), template(), ruleset(),
// main_queue() and action(). Selectors with a simple action stay, as rsyslog's own
// documentation advises; those that directives say something about become action().
//
// Each file is converted by itself and means the same whether or not the others are:
// a directive that has a say in another file stays where it is, and so does one
// that has no counterpart. The first file is the configuration itself. Errors in the
// configuration are returned, and then nothing is converted.
func Convert(file string) ([]Converted, error) {
	at := Pos{File: file, Line: 1, Col: 1}
	return convertFully(func(overlay map[string][]byte) *parser {
		p := newParser()
		p.overlay = overlay
		p.push(includer{at: at}, p.readFiles(at, []string{file}))
		return p
	})
}

// ConvertAlone is Convert that reads no other files: what is included is left out.
func ConvertAlone(name string, text []byte) (Converted, error) {
	all, err := convertFully(func(overlay map[string][]byte) *parser {
		p := newParser()
		p.expand = func(string) ([]string, error) { return nil, nil }
		now, converted := overlay[name]
		if !converted {
			now = text
		}
		p.push(includer{at: Pos{File: name, Line: 1, Col: 1}}, []*Source{{Name: name, Text: now}})
		return p
	})
	if err != nil {
		return Converted{}, err
	}
	return all[0], nil
}

// maxRounds is how often a configuration is converted at most.
const maxRounds = 5

// convertFully converts until there is nothing left to convert: once some directives
// have gone, others may. read makes a parser of the configuration with the texts
// given in the place of those of the files.
func convertFully(read func(overlay map[string][]byte) *parser) ([]Converted, error) {
	first, err := read(nil).convert()
	if err != nil {
		return nil, err
	}
	was, _ := read(nil).parse()
	overlay := map[string][]byte{}
	all := first
	for range maxRounds {
		changed := false
		for _, f := range all {
			changed = changed || !bytes.Equal(f.Old, f.Text)
			overlay[f.Name] = f.Text
		}
		if !changed {
			break
		}
		if all, err = read(overlay).convert(); err != nil {
			return nil, fmt.Errorf("the converted configuration would have errors, so nothing is converted: %w", err)
		}
	}
	for i := range first {
		first[i].Text = overlay[first[i].Name]
	}
	is, err := read(overlay).parse()
	if err != nil {
		return nil, fmt.Errorf("the converted configuration would have errors, so nothing is converted: %w", err)
	}
	return first, sameMeaning(was, is)
}

// convert converts what the parser has been given to read.
func (p *parser) convert() ([]Converted, error) {
	p.rec = &record{origin: map[*Param]*directiveUse{}}
	p.legacy.rec = p.rec
	if _, err := p.parse(); err != nil {
		return nil, err
	}
	if len(p.all) == 0 {
		return nil, errors.New("there is no configuration")
	}
	c := &conversion{parser: p, edits: map[*source][]edit{}, keep: map[*directiveUse]string{}, done: map[*directiveUse]bool{}}
	c.decide()
	c.rewrite()
	return c.files()
}

// sameMeaning says where two configurations differ.
func sameMeaning(a, b *Config) error {
	was, is := Meaning(a), Meaning(b)
	if was == is {
		return nil
	}
	x, y := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Errorf("the converted configuration would mean something else, so nothing is converted: %s has become %s",
				strings.TrimSpace(x[i]), strings.TrimSpace(y[i]))
		}
	}
	return errors.New("the converted configuration would mean something else, so nothing is converted")
}

// conversion decides what becomes of each directive and action.
type conversion struct {
	*parser
	edits    map[*source][]edit
	keep     map[*directiveUse]string // why it stays
	done     map[*directiveUse]bool   // it has been given a new text
	defaults []*directiveUse          // that become parameters of module(load="builtin:…")
	blocks   bool                     // $RuleSet has become ruleset() { }
}

// edit replaces a part of the prepared text; with dropLine the line goes, if nothing
// but a comment is left of it.
type edit struct {
	from, to int
	text     string
	dropLine bool
	behind   bool // an insertion behind what stands in front of it
}

func (c *conversion) replace(s *source, from, to int, text string) {
	c.edits[s] = append(c.edits[s], edit{from: from, to: to, text: text, dropLine: text == "" && to > from})
}

// put gives a directive a new text.
func (c *conversion) put(d *directiveUse, text string) {
	c.done[d] = true
	c.replace(d.tok.src, d.tok.at, d.end, text)
}

// stays notes why a directive is left as it is.
func (c *conversion) stays(d *directiveUse, format string, args ...any) {
	if c.keep[d] == "" {
		c.keep[d] = fmt.Sprintf(format, args...)
	}
}

// decide finds out which settings can leave the place they stand at.
func (c *conversion) decide() {
	c.findDefaults()
	for changed := true; changed; { // what stays may make others stay
		changed = false
		for _, d := range c.rec.uses {
			if d.kept == nil || c.keep[d] != "" || slices.Contains(c.defaults, d) {
				continue
			}
			if why := c.anchored(d); why != "" {
				c.stays(d, "%s", why)
				changed = true
			}
		}
	}
}

// anchored says why a setting cannot become parameters of what it was used for.
func (c *conversion) anchored(d *directiveUse) string {
	if !d.used {
		return "nothing uses it"
	}
	for _, o := range c.rec.uses { // of $ActionMailTo several add up
		if o.dir.do != nil && o.dir.name == d.dir.name && c.keep[o] != "" {
			return c.keep[o]
		}
	}
	for _, o := range d.users {
		if at := c.placeOf(o); at.src != d.tok.src {
			return fmt.Sprintf("it applies to %s:%d, too", o.File, o.Line)
		}
		if o.Kind == "action" && !expressible(o) {
			return fmt.Sprintf("the action in line %d cannot be written in RainerScript", o.Line)
		}
	}
	sticky := !d.kept.once
	for _, at := range c.rec.includes {
		if sticky && at > d.seq {
			return "it may apply to what is included behind it"
		}
	}
	return ""
}

// expressible says whether an action can be written as action(). as rsyslog 8.2302:
// omuxsock has none, and omrelp and ommail need a port there.
func expressible(o *Object) bool {
	switch ModuleName(o.Value("type")) {
	case "omshell", "omuxsock":
		return false
	case "omrelp", "ommail":
		return o.Param("port") != nil
	}
	return o.Param("args") == nil
}

// placeOf is the token an object comes from.
func (c *conversion) placeOf(o *Object) token {
	for _, a := range c.rec.actions {
		if a.object == o {
			return a.tok
		}
	}
	for _, s := range c.rec.scripts {
		if s.object == o {
			return s.close
		}
	}
	for _, d := range c.rec.uses {
		if slices.Contains(d.made, o) {
			return d.tok
		}
	}
	return token{}
}

// moduleDefaults are the settings that module(load="builtin:omfile") has, too.
var moduleDefaults = []string{
	"template", "fileCreateMode", "dirCreateMode", "fileOwner", "fileOwnerNum", "fileGroup", "fileGroupNum",
	"dirOwner", "dirOwnerNum", "dirGroup", "dirGroupNum",
}

// findDefaults finds the settings that are made once, before every action of their
// module, and so are its defaults.
func (c *conversion) findDefaults() {
	for _, module := range []string{"omfile", "omfwd"} {
		if c.legacy.modules[module] != nil {
			continue
		}
		var found []*directiveUse
		for _, d := range c.rec.uses {
			if c.isDefault(d, module) && (len(found) == 0 || found[0].tok.src == d.tok.src) {
				found = append(found, d)
			}
		}
		c.defaults = append(c.defaults, found...)
	}
}

// isDefault says whether a setting holds for all actions of the module.
func (c *conversion) isDefault(d *directiveUse, module string) bool {
	if d.kept == nil || d.kept.once || d.kept.to != module && d.kept.to != module+".default" {
		return false
	}
	name := d.kept.param.Name
	if !slices.Contains(moduleDefaults, name) || module == "omfwd" && name != "template" {
		return false
	}
	// as rsyslog: files of actions of the old style are not created with the module's
	// defaults, so they have to become action(), and there must be no others.
	if name != "template" && !c.aloneWith(d) {
		return false
	}
	for _, o := range c.rec.uses {
		if o != d && o.kept != nil && o.kept.to == d.kept.to && o.kept.param.Name == name {
			return false
		}
		if o.seq > d.seq && o.dir.name == "ResetConfigVariables" {
			return false
		}
	}
	for _, a := range c.rec.actions {
		if a.object != nil && a.seq < d.seq && ModuleName(a.object.Value("type")) == module {
			return false
		}
	}
	for _, s := range c.rec.scripts {
		if ModuleName(s.object.Value("type")) == module && (s.seq < d.seq || name != "template" && s.object.Param(name) == nil) {
			return false
		}
	}
	return true
}

// aloneWith says whether everything that a setting may apply to is known and in its
// file.
func (c *conversion) aloneWith(d *directiveUse) bool {
	for _, at := range c.rec.includes {
		if at > d.seq {
			return false
		}
	}
	return !slices.ContainsFunc(d.users, func(o *Object) bool { return c.placeOf(o).src != d.tok.src })
}

// leaves says whether a setting goes from where it stands.
func (c *conversion) leaves(d *directiveUse) bool {
	return d != nil && d.kept != nil && c.keep[d] == ""
}
