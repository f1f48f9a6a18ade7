package message

import (
	"bytes"
	"testing"
)

// FuzzParseTemplate: no text makes the parser or a template it made fail, and a
// result does not depend on what stands before it.
func FuzzParseTemplate(f *testing.F) {
	e := testEnv()
	messages := []*Message{testMessage(e, bsdMessage), testMessage(e, rfcMessage), testMessage(e, "<999>"), msgOf("\x00\xff/..\n"), msgOf("")}
	for _, m := range messages {
		m.appendUUID(nil) // jsonmesg shows whether there is one
	}
	f.Fuzz(func(t *testing.T, text string, legacy bool) {
		if len(text) > 200 {
			return
		}
		tpl, err := e.parseTemplate("t", text, TemplateOptions{}, legacy)
		if err != nil {
			return
		}
		for _, m := range messages {
			plain := tpl.Append(nil, m)
			if got := tpl.Append([]byte("before"), m); !bytes.Equal(got[len("before"):], plain) {
				t.Errorf("%q is %q behind other text and %q alone", text, got, plain)
			}
		}
	})
}

// FuzzPOSIX: no expression makes the translator or the matcher fail.
func FuzzPOSIX(f *testing.F) {
	f.Fuzz(func(t *testing.T, expr, text string, extended bool) {
		if len(expr) > 100 {
			return
		}
		compile := CompileBRE
		if extended {
			compile = CompileERE
		}
		if re, err := compile(expr); err == nil {
			re.FindStringSubmatchIndex(text)
		}
	})
}

// FuzzParseJSON: what is printed of a value that was read is read as the same.
func FuzzParseJSON(f *testing.F) {
	e := NewEnv("h")
	f.Fuzz(func(t *testing.T, in []byte) {
		v, n, err := e.ParseJSON(in)
		if err != nil {
			return
		}
		if n > len(in) {
			t.Fatalf("%q: %d bytes taken", in, n)
		}
		printed := append(v.AppendJSON(nil, JSONPlain), ' ')
		back, n, err := e.ParseJSON(printed)
		if again := append(back.AppendJSON(nil, JSONPlain), ' '); err != nil || n != len(printed) || !bytes.Equal(again, printed) {
			t.Fatalf("%q is printed %q, read again %q: %v", in, printed, again, err)
		}
	})
}

// FuzzDecodeVars: bytes that are no variables are refused, others come out as
// they went in.
func FuzzDecodeVars(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeVars(b)
		if err != nil {
			return
		}
		encoded := v.appendBinary(nil)
		if len(encoded) > len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(encoded))
		}
		back, err := decodeVars(encoded)
		if err != nil || !bytes.Equal(back.appendBinary(nil), encoded) {
			t.Fatalf("%x came back as %v: %v", encoded, back, err)
		}
	})
}
