package conf

import "fmt"

// Errorf makes an error at a place of the configuration, for those who build
// what it describes.
func (c *Config) Errorf(at Pos, suggest, format string, args ...any) *Error {
	return c.errorAt(at, fmt.Sprintf(format, args...), suggest)
}

// Quote completes an error that was made without the configuration at hand by
// the line it is about.
func (c *Config) Quote(e *Error) {
	if e.Line == "" {
		e.Line = c.errorAt(e.Pos, "", "").Line
	}
}

// DidYouMean suggests the name closest to word, or nothing if none is close.
func DidYouMean(word string, names []string) string { return didYouMean(word, names) }
