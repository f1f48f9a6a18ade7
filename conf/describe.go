package conf

import "strings"

// ParamDoc describes one parameter.
type ParamDoc struct {
	Name     string
	Aliases  []string
	Type     string // "on/off", "integer", "size", "array of string", …
	Values   []string
	Default  string
	Required bool
	Doc      string
	Status   string // "full", "partial" or "none"
}

// Describe returns what the tags of the structs that into points at say, in the
// order of the fields. Manual, help and compatibility table are made of it.
func Describe(into ...any) []ParamDoc {
	var docs []ParamDoc
	for _, s := range into {
		for _, f := range tagCache(nil).fieldsOf(s) {
			docs = append(docs, ParamDoc{
				Name: f.name, Aliases: f.aliases, Type: f.typeName(), Values: f.enum,
				Default: f.defaultText(), Required: f.required, Doc: f.doc, Status: f.status,
			})
		}
	}
	return docs
}

// defaultText is the default as a manual shows it: that of on/off is never
// empty.
func (f *field) defaultText() string {
	if f.def == "" && strings.HasPrefix(f.typeName(), "on/off") {
		return "off"
	}
	return f.def
}
