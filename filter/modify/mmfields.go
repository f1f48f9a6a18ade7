package modify

import (
	"bytes"
	"context"
	"strconv"

	"sysrelay/message"
)

// MMFieldsParams are mmfields' parameters.
type MMFieldsParams struct {
	Separator string `conf:"separator" default:"," doc:"Character between fields." status:"full"`
	JSONRoot  string `conf:"jsonroot" default:"!" doc:"Variable that gets the fields as f1, f2, …" status:"full"`
}

type fields struct {
	separator byte
	root      message.Path
}

// NewMMFields returns what splits MSG into fields.
func NewMMFields(_ NoModule, p MMFieldsParams, d Deps) (Modifier, error) {
	f := &fields{}
	var err error
	if f.separator, err = oneChar("separator", p.Separator); err != nil {
		return nil, err
	}
	if f.root, err = container(d.Env, "jsonRoot", p.JSONRoot); err != nil {
		return nil, err
	}
	return f, nil
}

// Modify stores the fields. as rsyslog: a separator at the end of MSG is followed
// by no field.
func (f *fields) Modify(_ context.Context, m *message.Message) error {
	tree := message.NewObject()
	for rest, n := m.Msg.Of(m.Text), 1; len(rest) > 0; n++ {
		field, after, _ := bytes.Cut(rest, []byte{f.separator})
		tree.SetMember("f"+strconv.Itoa(n), message.StringValue(string(field)), true)
		rest = after
	}
	// A root below a plain value cannot be set. as rsyslog: the message goes on.
	_ = m.AddVar(f.root, tree)
	return nil
}
