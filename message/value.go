package message

import (
	"math"
	"slices"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of JSON value. Whole numbers that fit are KindInt, other numbers KindFloat.
const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindFloat
	KindString
	KindObject
	KindArray
)

// Value is one JSON value. The zero Value is null. Copying a Value of kind
// object or array copies a reference; Clone copies the tree.
type Value struct {
	kind Kind
	num  int64  // KindInt; KindBool: 0 or 1; KindFloat: math.Float64bits
	str  string // KindString; KindFloat: the number as it was written, if it was read
	kids *children
}

// children are the members of an object, in the order they are printed, or the
// elements of an array, which has no keys.
type children struct {
	keys []string
	vals []Value
	// holes are the places of removed members, ascending, counted with the holes.
	// as rsyslog: libfastjson puts the next new member into the first of them.
	holes []int
}

// StringValue returns s as a Value.
func StringValue(s string) Value { return Value{kind: KindString, str: s} }

// IntValue returns n as a Value.
func IntValue(n int64) Value { return Value{kind: KindInt, num: n} }

// FloatValue returns f as a Value.
func FloatValue(f float64) Value { return Value{kind: KindFloat, num: int64(math.Float64bits(f))} }

// BoolValue returns b as a Value.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// NewObject returns an empty object.
func NewObject() Value { return Value{kind: KindObject, kids: &children{}} }

// NewArray returns an array of the given elements.
func NewArray(elems ...Value) Value {
	return Value{kind: KindArray, kids: &children{vals: elems}}
}

// Kind is the type of v.
func (v Value) Kind() Kind { return v.kind }

// Int is the number v stands for: a number (cut to a whole one) or a boolean; 0
// for everything else.
func (v Value) Int() int64 {
	if v.kind == KindFloat {
		return int64(v.Float())
	}
	return v.num
}

// Float is v as a floating-point number.
func (v Value) Float() float64 {
	if v.kind == KindFloat {
		return math.Float64frombits(uint64(v.num))
	}
	return float64(v.num)
}

// Bool is the boolean v is; false for other kinds.
func (v Value) Bool() bool { return v.kind == KindBool && v.num != 0 }

// Str is the text of a string, "" for other kinds. AppendText knows all kinds.
func (v Value) Str() string {
	if v.kind == KindString {
		return v.str
	}
	return ""
}

// AppendText appends v as templates show it: strings as they are, null as
// nothing, everything else as JSON.
func (v Value) AppendText(dst []byte) []byte { return v.appendText(dst, JSONSpaced) }

// AppendCopied appends v as AppendText shows a copy of it.
func (v Value) AppendCopied(dst []byte) []byte { return v.appendText(dst, JSONCopied) }

func (v Value) appendText(dst []byte, style JSONStyle) []byte {
	switch v.kind {
	case KindNull:
		return dst
	case KindString:
		return append(dst, v.str...)
	}
	return v.AppendJSON(dst, style)
}

// Len is the number of members or elements.
func (v Value) Len() int {
	if v.kids == nil {
		return 0
	}
	return len(v.kids.vals)
}

// At returns the i-th element of an array, or the i-th member of an object with
// its name.
func (v Value) At(i int) (name string, elem Value) {
	if v.kind == KindObject {
		name = v.kids.keys[i]
	}
	return name, v.kids.vals[i]
}

// Member returns the member of an object that has the given name.
func (v Value) Member(name string, caseSensitive bool) (Value, bool) {
	if i := v.find(name, caseSensitive); i >= 0 {
		return v.kids.vals[i], true
	}
	return Value{}, false
}

// SetMember adds a member to an object or replaces the one of that name. On
// other kinds it does nothing.
func (v Value) SetMember(name string, elem Value, caseSensitive bool) {
	if v.kind != KindObject {
		return
	}
	if i := v.find(name, caseSensitive); i >= 0 {
		v.kids.vals[i] = elem
		return
	}
	at := v.Len()
	if len(v.kids.holes) > 0 {
		at, v.kids.holes = v.kids.holes[0], v.kids.holes[1:]
	}
	v.kids.keys = slices.Insert(v.kids.keys, at, name)
	v.kids.vals = slices.Insert(v.kids.vals, at, elem)
}

// Append adds an element to an array. On other kinds it does nothing.
func (v Value) Append(elem Value) {
	if v.kind == KindArray {
		v.kids.vals = append(v.kids.vals, elem)
	}
}

// Clone returns a copy that shares nothing with v that can change. Numbers lose
// the form they were written in.
func (v Value) Clone() Value {
	if v.kind == KindFloat {
		return Value{kind: KindFloat, num: v.num}
	}
	if v.kids == nil {
		return v
	}
	c := &children{keys: slices.Clone(v.kids.keys), vals: make([]Value, len(v.kids.vals))}
	for i, k := range v.kids.vals {
		c.vals[i] = k.Clone()
	}
	v.kids = c
	return v
}

// depth is how many levels of object and array v has; 0 for a scalar. It gives
// up beyond limit.
func (v Value) depth(limit int) int {
	if v.kids == nil {
		return 0
	}
	if limit == 0 {
		return 1
	}
	d := 0
	for _, k := range v.kids.vals {
		d = max(d, k.depth(limit-1))
	}
	return d + 1
}

func (v Value) find(name string, caseSensitive bool) int {
	if v.kind != KindObject {
		return -1
	}
	for i, k := range v.kids.keys {
		if k == name || !caseSensitive && equalFoldASCII(k, name) {
			return i
		}
	}
	return -1
}

// remove takes out the i-th member and leaves a hole.
func (v Value) remove(i int) {
	c := v.kids
	c.keys = slices.Delete(c.keys, i, i+1)
	c.vals = slices.Delete(c.vals, i, i+1)
	place, at := i, 0
	for at < len(c.holes) && c.holes[at] <= place {
		place, at = place+1, at+1
	}
	c.holes = slices.Insert(c.holes, at, place)
}

// equalFoldASCII is strcasecmp in the C locale.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

// toLowerASCII is tolower for every byte in the C locale.
func toLowerASCII(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lowerASCII(b[i])
	}
	return string(b)
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
