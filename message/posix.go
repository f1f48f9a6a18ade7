package message

import "regexp"

// CompileBRE compiles a POSIX basic regular expression, as the property filter
// "regex" has them.
func CompileBRE(s string) (*regexp.Regexp, error) { return regexp.CompilePOSIX(s) }

// CompileERE compiles a POSIX extended regular expression, as re_match and
// "ereregex" have them.
func CompileERE(s string) (*regexp.Regexp, error) { return regexp.CompilePOSIX(s) }
