package conf

import "errors"

// Load reads a configuration file and everything it includes. It reads on after
// an error: the Config holds what could be understood, the error (a
// *multierror.Error of *Error) all that could not.
func Load(file string) (*Config, error) { return nil, errors.New("conf: Load is not there yet") }

// Parse reads a configuration from text; name stands for the file.
func Parse(name string, text []byte) (*Config, error) {
	return nil, errors.New("conf: Parse is not there yet")
}
