package relp

import (
	"errors"
	"fmt"
	"strings"
)

// OffersMax is the length of the longest offers accepted.
const OffersMax = 4096

// Offers are what a client says in "open" and a server in its answer.
type Offers struct {
	Version  string   // relp_version; librelp says 0
	Software string   // relp_software: name, version, URL
	Commands []string // beyond those of the protocol itself
}

// ParseOffers reads offers: one NAME=VALUE a line, unknown names ignored.
func ParseOffers(data []byte) (Offers, error) {
	var o Offers
	if len(data) > OffersMax {
		return o, fmt.Errorf("%d bytes of offers", len(data))
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "relp_version":
			o.Version = value
		case "relp_software":
			o.Software = value
		case "commands":
			o.Commands = strings.Split(value, ",")
		}
	}
	return o, nil
}

// Append appends the offers as the data of "open" or of its answer.
func (o Offers) Append(dst []byte) []byte {
	dst = fmt.Appendf(dst, "relp_version=%s\nrelp_software=%s\ncommands=%s", o.Version, o.Software, strings.Join(o.Commands, ","))
	return dst
}

// ErrNoSyslog is what a peer is told that does not offer the command "syslog".
var ErrNoSyslog = errors.New("required command not supported by client")

// Supports tells whether the peer offers a command.
func (o Offers) Supports(command string) bool {
	for _, c := range o.Commands {
		if strings.TrimSpace(c) == command {
			return true
		}
	}
	return false
}
