package filter

import (
	"sysrelay/conf"
	"sysrelay/message"
)

// hashed is one of fmhash's functions: hash(text[, seed]). as rsyslog: a seed that
// is no number makes it 0.
func hashed(hash func(text []byte, seed uint64) uint64) func([]expr) expr {
	return func(a []expr) expr {
		t, seed := a[0].asText(), optionalNumber(a, 1, 0)
		return numberExpr(func(e *eval, m *message.Message) int64 {
			s, ok := seed(e, m)
			if !ok {
				return 0
			}
			return int64(hash(t(e, m), uint64(s)))
		})
	}
}

// hashedMod is hashmod(text, modulo[, seed]). as rsyslog: it is 0 for a modulo of 0,
// and if one of them is no number.
func hashedMod(hash func(text []byte, seed uint64) uint64) func([]expr) expr {
	return func(a []expr) expr {
		t, modulo, seed := a[0].asText(), optionalNumber(a, 1, 0), optionalNumber(a, 2, 0)
		return numberExpr(func(e *eval, m *message.Message) int64 {
			mod, ok := modulo(e, m)
			s, seeded := seed(e, m)
			if !ok || !seeded || mod == 0 {
				return 0
			}
			return int64(hash(t(e, m), uint64(s)) % uint64(mod))
		})
	}
}

// optionalNumber is the i-th argument, or otherwise if it is not there. The result
// tells whether it is a number.
func optionalNumber(a []expr, i int, otherwise int64) func(e *eval, m *message.Message) (int64, bool) {
	if i >= len(a) {
		return func(*eval, *message.Message) (int64, bool) { return otherwise, true }
	}
	v := a[i].asValue()
	return func(e *eval, m *message.Message) (int64, bool) {
		x := v(e, m)
		return x.number()
	}
}

// hash32 is FNV-1 with the seed in place of its offset. as rsyslog built without xxhash.
func hash32(text []byte, seed uint64) uint64 {
	h := uint32(seed)
	for _, c := range text {
		h = h*16777619 ^ uint32(c)
	}
	return uint64(h)
}

// hash64 is Bernstein's hash with exclusive or; the seed is added. as rsyslog
// built without xxhash.
func hash64(text []byte, seed uint64) uint64 {
	h := uint64(5381)
	for _, c := range text {
		h = h*33 ^ uint64(c)
	}
	return h + seed
}

// tocef(version, vendor, product, devversion, eventclassid, name, severity,
// extensions) is a line in ArcSight's Common Event Format.
func tocef(a []expr) expr {
	texts := make([]textFunc, len(a))
	for i := range a {
		texts[i] = a[i].asText()
	}
	const eventClass, extensions = 4, 7
	return textExpr(func(e *eval, m *message.Message) []byte {
		var parts [extensions + 1][]byte
		for i, t := range texts {
			parts[i] = t(e, m)
		}
		at := len(e.buf)
		e.buf = append(e.buf, "CEF:"...)
		for i, p := range parts[:extensions] {
			escaped := `\|`
			if i == eventClass {
				escaped = `\|=%#`
			}
			e.buf = append(appendEscaped(e.buf, p, escaped), '|')
		}
		e.buf = append(e.buf, parts[extensions]...)
		return e.since(at)
	})
}

// appendEscaped puts a backslash before the characters given.
func appendEscaped(dst, text []byte, special string) []byte {
	for _, c := range text {
		for i := range len(special) {
			if special[i] == c {
				dst = append(dst, '\\')
				break
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// cefExtEscape(value) makes a value fit for the extensions of tocef.
func cefExtEscape(a []expr) expr {
	t := a[0].asText()
	return textExpr(func(e *eval, m *message.Message) []byte {
		text := t(e, m)
		at := len(e.buf)
		for _, c := range text {
			switch c {
			case '\\', '=':
				e.buf = append(e.buf, '\\', c)
			case '\n':
				e.buf = append(e.buf, `\n`...)
			case '\r':
				e.buf = append(e.buf, `\r`...)
			default:
				e.buf = append(e.buf, c)
			}
		}
		return e.since(at)
	})
}

// pcreMatch compiles fmpcre's pcre_match(text, expression). The expressions are
// RE2's, which are Perl's without looking around and references to what matched.
func pcreMatch(c *compiler, f *conf.Func, a []expr) expr { return c.match(f, a, compilePerl) }
