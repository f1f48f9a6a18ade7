package message

import (
	"fmt"

	"github.com/influxdata/go-syslog/v3/rfc5424"
)

// conformsRFC5424 says whether raw, a whole message, is one RFC 5424 allows.
func conformsRFC5424(raw []byte) bool {
	_, err := rfc5424.NewMachine().Parse(raw)
	return err == nil
}

// sdPrefix makes a message of structured data.
const sdPrefix = "<0>1 - - - - - "

// StructuredDataMap returns the elements of STRUCTURED-DATA by SD-ID and
// PARAM-NAME, values unescaped (RFC 5424 §6.3). It is nil for "-" and for nothing.
// Of a parameter that is repeated, which the RFC allows, the last is returned.
func StructuredDataMap(sd []byte) (map[string]map[string]string, error) {
	if len(sd) == 0 || len(sd) == 1 && sd[0] == '-' {
		return nil, nil
	}
	text := append(append(make([]byte, 0, len(sdPrefix)+len(sd)), sdPrefix...), sd...)
	parsed, err := rfc5424.NewMachine().Parse(text)
	if err != nil {
		return nil, fmt.Errorf("structured data %.100q: %w", sd, err)
	}
	msg := parsed.(*rfc5424.SyslogMessage)
	if msg.StructuredData == nil || msg.Message != nil {
		return nil, fmt.Errorf("structured data %.100q: text follows the last element", sd)
	}
	return *msg.StructuredData, nil
}
