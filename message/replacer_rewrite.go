package message

import "slices"

// rewrite changes bytes of v: case, control characters, secpath, drop-last-lf,
// compressspace.
func (r *replacer) rewrite(v *value) {
	v.own()
	r.convertCase(v.text)
	r.rewriteControl(v)
	r.securePath(v)
	// as rsyslog: escape-cc has made something else of a last LF.
	if n := len(v.text); r.dropLF && r.control != controlEscape && n > 0 && v.text[n-1] == '\n' {
		v.cut(n - 1)
	}
	if r.compress {
		compressSpace(v)
	}
}

// convertCase changes letters as toupper and tolower do in the C locale.
func (r *replacer) convertCase(text []byte) {
	switch r.letters {
	case caseLower:
		for i, c := range text {
			text[i] = lowerASCII(c)
		}
	case caseUpper:
		for i, c := range text {
			if 'a' <= c && c <= 'z' {
				text[i] = c - ('a' - 'A')
			}
		}
	}
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

func (r *replacer) rewriteControl(v *value) {
	if r.control == controlKeep || !slices.ContainsFunc(v.text, isControl) {
		return
	}
	switch r.control {
	case controlDrop:
		v.drop(isControl)
	case controlSpace:
		for i, c := range v.text {
			if isControl(c) {
				v.text[i] = ' '
			}
		}
	case controlEscape:
		v.expand(appendControlDecimal)
	case controlEscapeOctal:
		v.expand(appendControlOctal)
	}
}

// drop removes the bytes for which unwanted is true.
func (v *value) drop(unwanted func(byte) bool) {
	n := 0
	for _, c := range v.text {
		if !unwanted(c) {
			v.text[n] = c
			n++
		}
	}
	v.cut(n)
}

// appendControlDecimal writes control characters as # and three decimal digits.
// as rsyslog: unlike the octal ones that the parser writes.
func appendControlDecimal(dst, text []byte) []byte {
	for _, c := range text {
		if isControl(c) {
			dst = append(dst, '#', '0'+c/100, '0'+c/10%10, '0'+c%10)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func appendControlOctal(dst, text []byte) []byte {
	for _, c := range text {
		if isControl(c) {
			dst = append(dst, '#', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// securePath makes v safe as a part of a file's path.
func (r *replacer) securePath(v *value) {
	switch r.secPath {
	case pathKeep:
		return
	case pathDrop:
		v.drop(func(c byte) bool { return c == '/' })
	case pathReplace:
		for i, c := range v.text {
			if c == '/' {
				v.text[i] = '_'
			}
		}
	}
	switch string(v.text) {
	case "", ".":
		v.set("_")
	case "..":
		v.set("_.")
	}
}

// compressSpace makes every run of blanks one.
func compressSpace(v *value) {
	n := 0
	for _, c := range v.text {
		if c != ' ' || n == 0 || v.text[n-1] != ' ' {
			v.text[n] = c
			n++
		}
	}
	v.cut(n)
}

// appendFormatted gives v its outer form and returns all of dst.
func (r *replacer) appendFormatted(v *value) []byte {
	switch r.format {
	case formatPlain:
		v.own()
	case formatCSV:
		v.expand(appendCSV)
	case formatJSON:
		v.expand(appendJSONValue)
	case formatJSONR:
		v.expand(appendJSONReadable)
	case formatJSONF:
		r.appendField(v, appendJSONValue)
	case formatJSONFR:
		r.appendField(v, appendJSONReadable)
	}
	return v.dst
}

// appendCSV writes a field as RFC 4180 §2 has it, always in quotes.
func appendCSV(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func appendJSONValue(dst, text []byte) []byte { return appendJSONEscaped(dst, text, upperHex) }

// appendJSONReadable leaves alone what looks like an escape sequence already.
func appendJSONReadable(dst, text []byte) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) || !isJSONEscape(text[i+1]) {
			continue
		}
		dst = appendJSONEscaped(dst, text[from:i], upperHex)
		dst = append(dst, text[i], text[i+1])
		from = i + 2
		i++
	}
	return appendJSONEscaped(dst, text[from:], upperHex)
}

func isJSONEscape(c byte) bool {
	switch c {
	case '"', '/', '\\', 'b', 'f', 'n', 'r', 't', 'u':
		return true
	}
	return false
}

// appendField writes "name":value.
func (r *replacer) appendField(v *value, escaped func(dst, text []byte) []byte) {
	empty := len(v.text) == 0
	if empty && r.onEmpty == emptySkip || r.omitZero && r.dataType == typeNumber && string(v.text) == "0" {
		v.set("")
		return
	}
	v.expand(func(dst, text []byte) []byte {
		dst = append(dst, '"')
		dst = append(dst, r.name...)
		dst = append(dst, '"', ':')
		switch {
		case empty && r.onEmpty == emptyNull:
			return append(dst, "null"...)
		case r.dataType == typeNumber && empty:
			return append(dst, '0')
		case r.dataType == typeBool && string(text) == "0":
			return append(dst, "false"...)
		case r.dataType == typeBool:
			return append(dst, "true"...)
		case r.dataType == typeNumber, r.dataType == typeAuto && isDigits(text):
			return escaped(dst, text)
		}
		dst = append(dst, '"')
		dst = escaped(dst, text)
		return append(dst, '"')
	})
}

// isDigits says whether text is nothing but digits, and not empty.
func isDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || '9' < c {
			return false
		}
	}
	return len(text) > 0
}
