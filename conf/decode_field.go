package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one tagged field of a struct.
type field struct {
	*fieldTag
	given bool

	value reflect.Value // the field, or the Value of its Opt
	isSet reflect.Value // the Given of its Opt, if it is one
}

// fieldTag is what a field's tags say.
type fieldTag struct {
	name     string
	aliases  []string
	typ      string // the type= option
	def      string
	doc      string
	status   string
	enum     []string
	min, max *int64
	required bool
}

// tagCache keeps what the tags of structs say: a configuration may have ten
// thousand actions of one kind. A nil one keeps nothing.
type tagCache map[reflect.Type][]tagged

// tagged is a field by its place in the struct, without a value.
type tagged struct {
	index []int
	field fieldTag
}

// fieldsOf returns the tagged fields of the struct that into points at.
func (c tagCache) fieldsOf(into any) []*field {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("conf: %T is not a pointer to a struct", into))
	}
	v = v.Elem()
	tags, known := c[v.Type()]
	if !known {
		tags = structTags(v.Type(), nil, nil)
		if c != nil {
			c[v.Type()] = tags
		}
	}
	block, all := make([]field, len(tags)), make([]*field, len(tags))
	for i := range tags {
		all[i] = &block[i]
		all[i].fieldTag = &tags[i].field
		all[i].bind(v.FieldByIndex(tags[i].index))
	}
	return all
}

func structTags(t reflect.Type, at []int, all []tagged) []tagged {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(at), i)
		tag, ok := sf.Tag.Lookup("conf")
		switch {
		case ok && tag != "-":
			all = append(all, tagged{index, newField(sf, tag)})
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct:
			all = structTags(sf.Type, index, all)
		}
	}
	return all
}

// newField reads the tags of a field. A wrong tag is a mistake in the program.
func newField(sf reflect.StructField, tag string) fieldTag {
	options := strings.Split(tag, ",")
	f := fieldTag{name: options[0], def: sf.Tag.Get("default"), doc: sf.Tag.Get("doc"), status: sf.Tag.Get("status")}
	if a := sf.Tag.Get("alias"); a != "" {
		f.aliases = strings.Split(a, ",")
	}
	if f.status == "" {
		f.status = "full"
	}
	for _, option := range options[1:] {
		key, arg, _ := strings.Cut(option, "=")
		switch key {
		case "required":
			f.required = true
		case "type":
			f.typ = arg
		case "enum":
			f.enum = strings.Split(arg, "|")
		case "min":
			f.min = bound(sf, arg)
		case "max":
			f.max = bound(sf, arg)
		default:
			panic(fmt.Sprintf("conf: field %s: unknown option %q", sf.Name, option))
		}
	}
	probe := field{fieldTag: &f}
	if probe.bind(reflect.New(sf.Type).Elem()); probe.typeName() == "" {
		panic(fmt.Sprintf("conf: field %s: no parameter can have type %s", sf.Name, probe.value.Type()))
	}
	return f
}

// bind makes v, or what v is a frame around, the field's value.
func (f *field) bind(v reflect.Value) {
	f.value = v
	if v.Kind() != reflect.Struct {
		return
	}
	if o, ok := v.Addr().Interface().(opt); ok {
		value, given := o.Target()
		f.value, f.isSet = reflect.ValueOf(value).Elem(), reflect.ValueOf(given).Elem()
	}
}

func bound(sf reflect.StructField, arg string) *int64 {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("conf: field %s: %v", sf.Name, err))
	}
	return &n
}

func (f *field) is(name string) bool {
	if strings.EqualFold(f.name, name) {
		return true
	}
	for _, a := range f.aliases {
		if strings.EqualFold(a, name) {
			return true
		}
	}
	return false
}

func (f *field) isArray() bool { return f.value.Kind() == reflect.Slice }

// typeName is what the manual calls the type, "" if there is none for the
// field's Go type.
func (f *field) typeName() string {
	kind := f.value.Kind()
	if f.isArray() {
		kind = f.value.Type().Elem().Kind()
	}
	var name string
	switch {
	case kind == reflect.Bool:
		name = "on/off"
	case kind == reflect.String && (f.enum != nil || f.typ == "word"):
		name = "word"
	case kind == reflect.String:
		name = "string"
	case f.value.CanInt() || f.value.CanUint() || f.isArray() && kind >= reflect.Int && kind <= reflect.Uint64:
		name = map[string]string{
			"": "integer", "size": "size", "mode": "file mode", "uid": "user", "gid": "group",
			"severity": "severity", "facility": "facility", "ms": "milliseconds",
		}[f.typ]
	}
	if name != "" && f.isArray() {
		name = "array of " + name
	}
	return name
}
