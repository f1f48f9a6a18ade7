package input

import (
	"errors"
	"fmt"

	"sysrelay/conf"
)

// secure puts TLS around a connection; the peer has a limited time to do its
// part of the handshake.
func (l *streamListener) secure(c *conn) error {
	t, err := l.tls.Server(c.stopping, c.Conn, c.ahead)
	switch {
	case err == conf.ErrSilent:
		return err
	case err != nil:
		return fmt.Errorf("TLS handshake with %s failed: %w", c.ip, err)
	}
	c.Conn, c.ahead = t, nil
	return nil
}

// streamTLS sets the TLS of a stream input.
func (in *streamInput) streamTLS(p IMTCPCommon) (err error) {
	if p.RevocationCheck {
		return errors.New("streamDriver.tlsRevocationCheck: authorities are not asked; give a streamDriver.crlFile")
	}
	in.tls, err = in.deps.keyring().StreamTLS(in.name, true, p.StreamDriver, "")
	return err
}

func (d *Deps) keyring() *conf.Keyring {
	if d.TLS == nil {
		return &conf.Keyring{Log: d.Log}
	}
	return d.TLS
}
