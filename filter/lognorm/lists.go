package lognorm

import (
	"bytes"
	"strings"

	"sysrelay/message"
)

// nameValueList is name=value pairs, to the end of the text.
func nameValueList(s *spec) (matcher, int, error) {
	separator, assign := byte(0), byte('=')
	if v := param(s.params, "separator"); v != "" {
		separator = v[0]
	} else if v := param(s.params, "extradata"); v != "" {
		separator = v[0]
	}
	if v := param(s.params, "assignator"); v != "" {
		assign = v[0]
	}
	sep := func(c byte) bool { return c == separator || separator == 0 && isSpace(c) }
	return func(x *run, at int) (v message.Value, n int, ok bool) {
		t := x.t[at:]
		v = message.NewObject()
		n = span(t, sep)
		for n < len(t) {
			size := span(t[n:], func(c byte) bool {
				return isAlpha(c) || isDigit(c) || strings.IndexByte("._-", c) >= 0
			})
			if size == 0 || n+size == len(t) || t[n+size] != assign {
				return v, 0, false
			}
			name := string(t[n : n+size])
			n += size + 1
			value := t[n:]
			if len(value) > 0 && (value[0] == '"' || value[0] == '\'') {
				if end := bytes.IndexByte(value[1:], value[0]); end >= 0 {
					value = value[1 : 1+end]
					n += 2
				}
			} else {
				value = value[:span(value, func(c byte) bool { return !sep(c) })]
			}
			v.SetMember(name, message.StringValue(string(value)), true)
			n += len(value)
			n += span(t[n:], sep)
		}
		return v, n, v.Len() > 0
	}, 8, nil
}

// iptables is the list of fields that netfilter writes: NAME=value and flags, which
// get the value present.
func iptables(t []byte, present message.Value) (v message.Value, n int, ok bool) {
	v = message.NewObject()
	fields := 0
	for n < len(t) {
		size := span(t[n:], func(c byte) bool { return 'A' <= c && c <= 'Z' || isDigit(c) })
		if size == 0 {
			return v, 0, false
		}
		name := string(t[n : n+size])
		if n += size; n < len(t) && t[n] == '=' {
			n++
			value, _ := word(t[n:])
			v.SetMember(name, message.StringValue(string(t[n:n+value])), true)
			n += value
		} else {
			v.SetMember(name, present, true)
		}
		fields++
		if n < len(t) && t[n] != ' ' {
			return v, 0, false
		}
		n += span(t[n:], func(c byte) bool { return c == ' ' })
	}
	return v, n, fields >= 2
}

// ciscoInterface is [interface:]ip/port [SP (ip2/port2)] [[SP](username)].
func ciscoInterface(x *run, at int) (v message.Value, n int, ok bool) {
	t := x.t[at:]
	v = message.NewObject()
	if len(t) == 0 || t[0] == ':' || isSpace(t[0]) {
		return v, 0, false
	}
	ip, isIP := ipv4(t)
	if !isIP {
		n = span(t, func(c byte) bool { return c != ':' && !isSpace(c) })
		if n == len(t) || t[n] != ':' {
			return v, 0, false
		}
		v.SetMember("interface", message.StringValue(string(t[:n])), true)
		n++
		if ip, isIP = ipv4(t[n:]); !isIP {
			return v, 0, false
		}
	}
	v.SetMember("ip", message.StringValue(string(t[n:n+ip])), true)
	n += ip
	if n == len(t) || t[n] != '/' {
		return v, 0, false
	}
	port := digits(t[n+1:])
	if port == 0 {
		return v, 0, false
	}
	v.SetMember("port", message.StringValue(string(t[n+1:n+1+port])), true)
	n += 1 + port
	if bytes.HasPrefix(t[n:], []byte(" (")) {
		if ip, ok := ipv4(t[n+2:]); ok {
			end := n + 2 + ip
			if end < len(t) && t[end] == '/' {
				if port := digits(t[end+1:]); port > 0 && end+1+port < len(t) && t[end+1+port] == ')' {
					v.SetMember("ip2", message.StringValue(string(t[n+2:end])), true)
					v.SetMember("port2", message.StringValue(string(t[end+1:end+1+port])), true)
					n = end + 1 + port + 1
				}
			}
		}
	}
	user := n
	if user < len(t) && t[user] == ' ' {
		user++
	}
	if user < len(t) && t[user] == '(' {
		if end := bytes.IndexByte(t[user:], ')'); end > 0 && bytes.IndexByte(t[user:user+end], ' ') < 0 {
			v.SetMember("user", message.StringValue(string(t[user+1:user+end])), true)
			n = user + end + 1
		}
	}
	return v, n, true
}

// cefHeader are the fields before the extensions of the ArcSight Common Event Format.
var cefHeader = [...]string{"DeviceVendor", "DeviceProduct", "DeviceVersion", "SignatureID", "Name", "Severity"}

// cef is a CEF event, to the end of the text.
func cef(x *run, at int) (v message.Value, n int, ok bool) {
	t := x.t[at:]
	const start = "CEF:0|"
	if !bytes.HasPrefix(t, []byte(start)) {
		return v, 0, false
	}
	v = message.NewObject()
	n = len(start)
	for _, name := range cefHeader {
		value, size, ok := cefField(t[n:])
		if !ok {
			return v, 0, false
		}
		v.SetMember(name, message.StringValue(value), true)
		n += size
	}
	extensions := message.NewObject()
	n += span(t[n:], func(c byte) bool { return c == ' ' })
	for n < len(t) {
		size := cefName(t[n:])
		if size == 0 {
			return v, 0, false
		}
		name := string(t[n : n+size])
		n += size + 1
		value, length, ok := cefValue(t[n:])
		if !ok {
			return v, 0, false
		}
		extensions.SetMember(name, message.StringValue(value), true)
		n += length
	}
	v.SetMember("Extensions", extensions, true)
	return v, n, true
}

// cefField reads up to the next bar; a backslash escapes it and itself.
func cefField(t []byte) (value string, n int, ok bool) {
	var out []byte
	for n < len(t) {
		switch c := t[n]; {
		case c == '|':
			return string(out), n + 1, true
		case c == '\\':
			if n+1 == len(t) || t[n+1] != '\\' && t[n+1] != '|' {
				return "", 0, false
			}
			n++
		}
		out = append(out, t[n])
		n++
	}
	return "", 0, false
}

// cefName is the length of a name that "=" follows; 0 if there is none.
func cefName(t []byte) int {
	n := span(t, func(c byte) bool { return isAlpha(c) || isDigit(c) || strings.IndexByte("_.[]-", c) >= 0 })
	if n == len(t) || t[n] != '=' {
		return 0
	}
	return n
}

// cefValue reads up to the next " name=".
func cefValue(t []byte) (value string, n int, ok bool) {
	var out []byte
	for n < len(t) {
		switch c := t[n]; {
		case c == ' ' && cefName(t[n+1:]) > 0:
			return string(out), n + 1, true
		case c == '=':
			return "", 0, false
		case c == '\\':
			if n+1 == len(t) {
				return "", 0, false
			}
			n++
			switch t[n] {
			case '=', '\\', '/', ']', '\'':
				out = append(out, t[n])
			case 'n':
				out = append(out, '\n')
			case 'r':
				out = append(out, '\r')
			default:
				return "", 0, false
			}
			n++
			continue
		}
		out = append(out, t[n])
		n++
	}
	return string(out), n, true
}

// checkpointLEA is "name: value; name: value; …" to the end of the text, or to the
// terminator.
func checkpointLEA(t []byte, terminator string) (v message.Value, n int, ok bool) {
	v = message.NewObject()
	for {
		n += span(t[n:], func(c byte) bool { return c == ' ' })
		if n == len(t) || terminator != "" && t[n] == terminator[0] {
			return v, n, v.Len() > 0
		}
		name := span(t[n:], func(c byte) bool { return c != ':' && c != ';' })
		if name == 0 || n+name == len(t) || t[n+name] != ':' {
			return v, 0, false
		}
		value := n + name + 1
		value += span(t[value:], func(c byte) bool { return c == ' ' })
		size := bytes.IndexByte(t[value:], ';')
		if size < 0 {
			return v, 0, false
		}
		v.SetMember(string(t[n:n+name]), message.StringValue(string(t[value:value+size])), true)
		n = value + size + 1
	}
}
