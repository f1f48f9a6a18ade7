package conf

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Dump writes the whole configuration with its includes expanded, each file
// between markers as rsyslogd's -o writes them. Where an include stands alone on
// its lines they become comments, so that what is written can be read again.
func (c *Config) Dump(w io.Writer) error {
	if len(c.Sources) == 0 {
		return nil
	}
	// Files of both forms cannot be put into one text.
	if slices.ContainsFunc(c.Sources, func(s *Source) bool { return isYAML(s.Name) }) {
		return c.Print(w)
	}
	return dumpSource(w, c.Sources[0])
}

func dumpSource(w io.Writer, s *Source) error {
	if _, err := fmt.Fprintf(w, "##### BEGIN CONFIG: %s (put on stack)\n", s.Name); err != nil {
		return err
	}
	at := 0
	for _, inc := range slices.SortedFunc(slices.Values(s.includes), func(a, b inclusion) int { return a.start - b.start }) {
		if err := dumpInclusion(w, s, &at, inc); err != nil {
			return err
		}
	}
	if _, err := w.Write(s.prepared[at:]); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "##### END   CONFIG: %s\n", s.Name)
	return err
}

// dumpInclusion writes the text from *at to the end of the line of the include,
// and the included texts after it.
func dumpInclusion(w io.Writer, s *Source, at *int, inc inclusion) error {
	first := max(bytes.LastIndexByte(s.prepared[:inc.start], '\n')+1, *at)
	end := max(inc.end, *at)
	if n := bytes.IndexByte(s.prepared[end:], '\n'); n >= 0 {
		end += n + 1
	} else {
		end = len(s.prepared)
	}
	text := s.prepared[first:end]
	if inc.start >= first && s.standsAlone(first, end, inc) {
		text = append([]byte("# "), bytes.ReplaceAll(bytes.TrimRight(text, "\n"), []byte{'\n'}, []byte("\n# "))...)
		text = append(text, '\n')
	}
	if _, err := w.Write(append(bytes.Clone(s.prepared[*at:first]), text...)); err != nil {
		return err
	}
	*at = end
	for _, t := range inc.texts {
		if err := dumpSource(w, t); err != nil {
			return err
		}
	}
	return nil
}

// standsAlone says whether nothing but a comment shares the lines of the include.
func (s *Source) standsAlone(first, end int, inc inclusion) bool {
	after := bytes.TrimSpace(s.prepared[inc.end:end])
	return len(bytes.TrimSpace(s.prepared[first:inc.start])) == 0 && (len(after) == 0 || after[0] == '#')
}
