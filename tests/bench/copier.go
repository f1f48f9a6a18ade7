package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// copierWord makes this program the plain copier: it accepts connections and
// copies their bytes to a file or to one TCP connection, 64 KiB at a time. No
// relay that looks at what it carries can cost less.
const copierWord = "copier"

func runCopier(args []string) int {
	fmt.Fprintln(os.Stderr, "copier:", copyAll(args[0]))
	return 1
}

// copyAll copies until it is killed; it returns an error only.
func copyAll(conf string) error {
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	words := strings.Fields(string(text))
	var out interface{ Write([]byte) (int, error) }
	if strings.HasPrefix(words[1], "127.0.0.1:") {
		out, err = net.Dial("tcp", words[1])
	} else {
		out, err = os.OpenFile(words[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	}
	if err != nil {
		return err
	}
	raiseFileLimit()
	ln, err := net.Listen("tcp", "127.0.0.1:"+words[0])
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go copyLines(c, out)
	}
}

// copyLines copies up to the last line end of each read, so that connections do
// not cut into each other's lines.
func copyLines(c net.Conn, out interface{ Write([]byte) (int, error) }) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, err := c.Read(buf[have:])
		have += n
		end := lastLine(buf[:have])
		if have == len(buf) && end == 0 {
			end = have // a line longer than the buffer
		}
		if end > 0 {
			if _, err := out.Write(buf[:end]); err != nil {
				syscall.Exit(1)
			}
			have = copy(buf, buf[end:have])
		}
		if err != nil {
			return
		}
	}
}

func lastLine(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }
