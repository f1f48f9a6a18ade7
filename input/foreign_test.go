package input

import "testing"

func TestForeignProtocol(t *testing.T) {
	for _, tt := range []struct {
		start  string
		strict bool
		name   string
		known  bool
	}{
		{"\x16\x03\x01\x02", false, "TLS handshake on a port without TLS", true},
		{"\x16", false, "", false},
		{"\x16\x16", false, "", true},
		{"<13>x", false, "", true},
		{"GET / HTTP/1.1", false, "", true},
		{"SSH-2.0", false, "", true},
		{"1 open 8", false, "", true},
		{"GET / HTTP/1.1", true, "HTTP on a syslog port", true},
		{"POST /x", true, "HTTP on a syslog port", true},
		{"SSH-2.0", true, "SSH on a syslog port", true},
		{"1 open 8", true, "RELP on a plain syslog port", true},
		{"1 ope", true, "", false},
		{"1 x", true, "", true},
		{"S", true, "", false},
		{"Su", true, "", true},
		{"GET", true, "", false},
		{"<13>GET /", true, "", true},
	} {
		if name, known := foreignProtocol([]byte(tt.start), tt.strict); name != tt.name || known != tt.known {
			t.Errorf("%q strict %v: %q %v, want %q %v", tt.start, tt.strict, name, known, tt.name, tt.known)
		}
	}
}
