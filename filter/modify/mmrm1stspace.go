package modify

import (
	"context"

	"sysrelay/message"
)

// MMRm1stSpaceParams are mmrm1stspace's parameters: none.
type MMRm1stSpaceParams struct{}

type rm1stSpace struct{}

// NewMMRm1stSpace returns what drops a space at the start of MSG.
func NewMMRm1stSpace(NoModule, MMRm1stSpaceParams, Deps) (Modifier, error) { return rm1stSpace{}, nil }

func (rm1stSpace) Modify(_ context.Context, m *message.Message) error {
	if msg := m.Msg.Of(m.Text); len(msg) > 0 && msg[0] == ' ' {
		m.ReplaceMsg(msg[1:])
	}
	return nil
}
