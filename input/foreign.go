package input

import "bytes"

// foreignProtocol tells from the first bytes of a connection whether the peer
// speaks something else than syslog. known is false as long as more bytes are
// needed to tell. What syslog could not be mistaken for is always found; under
// strict framing, what a careful relay would not want as messages, too.
func foreignProtocol(b []byte, strict bool) (name string, known bool) {
	// RFC 8446 §5.1: content type handshake (22), protocol version 3.x.
	switch match(b, "\x16\x03") {
	case yes:
		return "TLS handshake on a port without TLS", true
	case maybe:
		return "", false
	}
	if !strict {
		return "", true
	}
	for _, p := range []struct{ start, name string }{
		{"SSH-", "SSH on a syslog port"},
		{"GET /", "HTTP on a syslog port"},
		{"POST /", "HTTP on a syslog port"},
		{"1 open ", "RELP on a plain syslog port"},
	} {
		switch match(b, p.start) {
		case yes:
			return p.name, true
		case maybe:
			return "", false
		}
	}
	return "", true
}

type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

func match(b []byte, start string) verdict {
	switch {
	case bytes.HasPrefix(b, []byte(start)):
		return yes
	case len(b) < len(start) && bytes.HasPrefix([]byte(start), b):
		return maybe
	}
	return no
}
