package message

// Sanitizer cleans raw text as it is received, before it is parsed. The fields
// are rsyslog's global parser.* parameters.
type Sanitizer struct {
	MaxSize              int  // maxMessageSize in bytes; longer text is cut
	DropTrailingLF       bool // parser.dropTrailingLFOnReception
	DropTrailingCR       bool // parser.dropTrailingCROnReception
	EscapeControl        bool // parser.escapeControlCharactersOnReceive
	EscapeTab            bool // parser.escapeControlCharacterTab
	EscapeCStyle         bool // parser.escapeControlCharactersCStyle
	Escape8Bit           bool // parser.escape8BitCharactersOnReceive
	SpaceLF              bool // parser.spaceLFOnReceive
	EscapePrefix         byte // parser.controlCharacterEscapePrefix
	SupportsCompression  bool // parser.supportCompressionExtension
	PermitSlashInProgram bool // parser.permitSlashInProgramName
}

// DefaultSanitizer is rsyslog's default: 8096 bytes, control characters escaped
// as #ooo.
func DefaultSanitizer() Sanitizer {
	return Sanitizer{MaxSize: 8096, DropTrailingLF: true, EscapeControl: true,
		EscapeTab: true, EscapePrefix: '#', SupportsCompression: true}
}
