package modify

import (
	"bytes"
	"context"
	"fmt"

	"sysrelay/message"
)

// MMPStrucDataParams are mmpstrucdata's parameters.
type MMPStrucDataParams struct {
	JSONRoot  string `conf:"jsonroot" alias:"container" default:"!" doc:"Variable below which rfc5424-sd gets the elements." status:"full"`
	MaxSize   int64  `conf:"maxstructureddatasize,type=size,min=1" default:"32k" doc:"Longer structured data is not looked at." status:"full"`
	Lowercase bool   `conf:"sd_name.lowercase" default:"on" doc:"Names in lower case." status:"full"`
}

type structuredData struct {
	root  message.Path
	max   int
	lower bool
}

// NewMMPStrucData returns what makes variables of STRUCTURED-DATA.
func NewMMPStrucData(_ NoModule, p MMPStrucDataParams, d Deps) (Modifier, error) {
	root, err := container(d.Env, "jsonRoot", p.JSONRoot)
	if err != nil {
		return nil, err
	}
	if p.MaxSize <= 0 {
		return nil, fmt.Errorf("maxStructuredDataSize must be positive, not %d", p.MaxSize)
	}
	return &structuredData{root: root, max: int(p.MaxSize), lower: p.Lowercase}, nil
}

// Modify stores the elements. as rsyslog: if any is broken nothing is stored.
func (s *structuredData) Modify(_ context.Context, m *message.Message) error {
	sd := m.StructuredData.Of(m.Text)
	if !m.StructuredData.Found() || len(sd) > s.max {
		return nil
	}
	all := message.NewObjectBuilder(true)
	for r := (sdReader{t: sd, lower: s.lower}); len(r.t) > 0; {
		id, element, ok := r.element()
		if !ok {
			return nil
		}
		all.Set(id, element)
	}
	tree := message.NewObject()
	tree.SetMember("rfc5424-sd", all.Object, true)
	_ = m.AddVar(s.root, tree) // as rsyslog: a tree that cannot take it stays as it is
	return nil
}

// sdReader reads what is left of STRUCTURED-DATA.
type sdReader struct {
	t     []byte
	lower bool
}

func (r *sdReader) skip(c byte) bool {
	if len(r.t) == 0 || r.t[0] != c {
		return false
	}
	r.t = r.t[1:]
	return true
}

func (r *sdReader) element() (id string, element message.Value, ok bool) {
	params := message.NewObjectBuilder(true)
	if !r.skip('[') {
		return "", element, false
	}
	id = r.name()
	for len(r.t) > 0 && r.t[0] != ']' {
		if !r.skip(' ') {
			return "", element, false
		}
		for r.skip(' ') {
		}
		name := r.name()
		if !r.skip('=') || !r.skip('"') {
			return "", element, false
		}
		value, ok := r.value()
		if !ok {
			return "", element, false
		}
		params.Set(name, message.StringValue(value))
	}
	return id, params.Object, r.skip(']')
}

// maxSDName is the longest SD-NAME, RFC 5424 §6.
const maxSDName = 32

// name reads an SD-NAME. as rsyslog: it may be empty.
func (r *sdReader) name() string {
	n := 0
	for n < len(r.t) && n < maxSDName && r.t[n] > ' ' && r.t[n] != 127 && bytes.IndexByte(sdNameEnds, r.t[n]) < 0 {
		n++
	}
	name := r.t[:n]
	r.t = r.t[n:]
	if r.lower {
		name = bytes.ToLower(name)
	}
	return string(name)
}

var sdNameEnds = []byte(`="]`)

// value reads up to the closing quote, RFC 5424 §6.3.3. as rsyslog: a backslash
// that escapes nothing stands for itself.
func (r *sdReader) value() (string, bool) {
	var plain []byte
	for i := 0; i < len(r.t); i++ {
		switch c := r.t[i]; {
		case c == '"':
			r.t = r.t[i+1:]
			return string(plain), true
		case c == '\\' && i+1 < len(r.t) && bytes.IndexByte(sdEscaped, r.t[i+1]) >= 0:
			i++
			plain = append(plain, r.t[i])
		default:
			plain = append(plain, c)
		}
	}
	return "", false
}

var sdEscaped = []byte(`"\]`)
