package main

import (
	"crypto/tls"
	"net"
	"path/filepath"

	"sysrelay/tests/certs"
)

// writeIdentities makes an authority, a server and a client in a directory.
func writeIdentities(dir string) {
	ca := certs.Authority("ca")
	ca.Write(dir, "ca")
	certs.New(ca, certs.Options{Names: []string{"server.example.net"}}).Write(dir, "server")
	certs.New(ca, certs.Options{Names: []string{"client.example.net"}}).Write(dir, "client")
}

// secure makes a TLS connection of a connection.
func secure(c net.Conn, dir string) (net.Conn, error) {
	id, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{id}, DynamicRecordSizingDisabled: true})
	return t, t.Handshake()
}
