package message

// ObjectBuilder makes an object of members that come one by one. Beyond a few it
// keeps an index, so that a hostile object takes no quadratic time.
type ObjectBuilder struct {
	Object        Value
	caseSensitive bool
	index         map[string]int // positions by name, once there are many
}

// NewObjectBuilder begins a new object.
func NewObjectBuilder(caseSensitive bool) ObjectBuilder {
	return ObjectBuilder{Object: NewObject(), caseSensitive: caseSensitive}
}

// Set adds a member, or replaces the one of the same name.
func (b *ObjectBuilder) Set(name string, elem Value) {
	const few = 16
	if b.Object.Len() < few {
		b.Object.SetMember(name, elem, b.caseSensitive)
		return
	}
	kids := b.Object.kids
	if b.index == nil {
		b.index = make(map[string]int, 2*few)
		for i, k := range kids.keys {
			b.index[b.fold(k)] = i
		}
	}
	folded := b.fold(name)
	if i, ok := b.index[folded]; ok {
		kids.vals[i] = elem
		return
	}
	b.index[folded] = len(kids.vals)
	kids.keys = append(kids.keys, name)
	kids.vals = append(kids.vals, elem)
}

func (b *ObjectBuilder) fold(name string) string {
	if b.caseSensitive {
		return name
	}
	return toLowerASCII(name)
}
