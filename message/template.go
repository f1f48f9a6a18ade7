package message

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
