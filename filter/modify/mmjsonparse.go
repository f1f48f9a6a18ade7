package modify

import (
	"bytes"
	"context"
	"fmt"

	"sysrelay/message"
)

// MMJSONParseParams are mmjsonparse's parameters.
type MMJSONParseParams struct {
	Cookie        string `conf:"cookie" default:"@cee:" doc:"Text in front of the JSON; messages without it are not parsed. With mode=\"find-json\" it has no meaning." status:"full"`
	Container     string `conf:"container" default:"!" doc:"Variable that gets the members of the JSON object." status:"full"`
	UseRawMsg     bool   `conf:"userawmsg" doc:"Look at the whole raw message, not at MSG." status:"full"`
	Mode          string `conf:"mode,enum=cookie|find-json" default:"cookie" doc:"cookie: JSON follows the cookie at the start; find-json: JSON is what the first opening brace begins." status:"full"`
	MaxScanBytes  int64  `conf:"max_scan_bytes,type=size,min=1" default:"65536" doc:"find-json: how far to look for JSON." status:"full"`
	AllowTrailing bool   `conf:"allow_trailing" default:"on" doc:"find-json: text may follow the JSON." status:"full"`
}

type jsonParse struct {
	env       *message.Env
	params    MMJSONParseParams
	cookie    []byte
	container message.Path
	find      bool
}

// NewMMJSONParse returns what makes variables of the JSON in a message.
func NewMMJSONParse(_ NoModule, p MMJSONParseParams, d Deps) (Modifier, error) {
	c, err := container(d.Env, "container", p.Container)
	if err != nil {
		return nil, err
	}
	if p.MaxScanBytes <= 0 {
		return nil, fmt.Errorf("max_scan_bytes must be positive, not %d", p.MaxScanBytes)
	}
	return &jsonParse{env: d.Env, params: p, cookie: []byte(p.Cookie), container: c, find: p.Mode == "find-json"}, nil
}

// Modify parses what it finds. as rsyslog: of a message without JSON the text
// becomes the variable msg, less the cookie if it had one.
func (j *jsonParse) Modify(_ context.Context, m *message.Message) error {
	rest := text(m, j.params.UseRawMsg)
	var v message.Value
	var ok bool
	if j.find {
		v, ok = j.first(rest)
	} else {
		v, rest, ok = j.afterCookie(rest)
	}
	setParseSuccess(m, ok)
	if !ok {
		v = message.NewObject()
		v.SetMember("msg", message.StringValue(string(rest)), true)
	}
	_ = m.AddVar(j.container, v) // as rsyslog: a tree that cannot take it stays as it is
	return nil
}

// afterCookie reads the JSON behind the cookie; rest is the text it looked at.
func (j *jsonParse) afterCookie(t []byte) (v message.Value, rest []byte, ok bool) {
	for len(t) > 0 && isSpace(t[0]) {
		t = t[1:]
	}
	t, found := bytes.CutPrefix(t, j.cookie)
	if !found || len(t) == 0 && len(j.cookie) == 0 {
		return v, t, false
	}
	v, n, err := j.env.ParseJSON(t)
	return v, t, err == nil && n == len(t) && v.Kind() == message.KindObject
}

// first reads the JSON object that the first brace begins.
func (j *jsonParse) first(t []byte) (v message.Value, ok bool) {
	t = t[:min(len(t), int(j.params.MaxScanBytes))]
	at := bytes.IndexByte(t, '{')
	if at < 0 {
		return v, false
	}
	v, n, err := j.env.ParseJSON(t[at:])
	if err != nil || v.Kind() != message.KindObject {
		return v, false
	}
	return v, j.params.AllowTrailing || at+n == len(t)
}
