package message

// Property names one property of a message, resolved once when the
// configuration is read. The zero value is not a property.
type Property struct {
	env *Env
}

// Property resolves a name as configurations write it: "msg", "fromhost-ip",
// "$now", "$!usr!name", "$.x", "$/y"; case-insensitive, aliases included.
func (e *Env) Property(name string) (Property, error) { return Property{env: e}, nil }

// Value returns the property's value. It is either a part of the message's text
// or appended to buf[:0], and good until the message or buf changes.
func (p Property) Value(m *Message, buf []byte) []byte { return nil }
