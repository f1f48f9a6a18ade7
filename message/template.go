package message

// Template renders a message.
type Template interface {
	Name() string
	// Append appends the rendered message to dst.
	Append(dst []byte, m *Message) []byte
}
