package conf

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Load reads a configuration file and everything it includes. It reads on after
// an error: the Config holds what could be understood, the error (a
// *multierror.Error of *Error) all that could not.
func Load(file string) (*Config, error) {
	p := newParser()
	at := Pos{File: file, Line: 1, Col: 1}
	p.push(includer{at: at}, p.readFiles(at, []string{file}))
	return p.parse()
}

// Parse reads a configuration from text; name stands for the file. Relative
// names of included files are relative to the working directory, as with Load.
func Parse(name string, text []byte) (*Config, error) {
	p := newParser()
	p.push(includer{at: Pos{File: name, Line: 1, Col: 1}}, []*Source{{Name: name, Text: text}})
	return p.parse()
}

// readBounded reads a file of at most limit bytes. It refuses what is not a
// regular file: reading a pipe or a terminal could take for ever.
func readBounded(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", file, limit)
	}
	return text, err
}

// errorAt makes an error that quotes its line.
func (c *Config) errorAt(at Pos, msg, suggest string) *Error {
	e := &Error{Pos: at, Msg: msg, Suggest: strings.TrimSpace(suggest)}
	for _, s := range c.Sources {
		if s.Name == at.File {
			e.Line = s.lineText(at.Line)
		}
	}
	return e
}

// ParseAlone is Parse that reads no other files: what is included is left out.
func ParseAlone(name string, text []byte) (*Config, error) {
	p := newParser()
	p.expand = func(string) ([]string, error) { return nil, nil }
	p.push(includer{at: Pos{File: name, Line: 1, Col: 1}}, []*Source{{Name: name, Text: text}})
	return p.parse()
}
