package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readBudget bounds what includes can make the parser read.
type readBudget struct{ files, bytes int }

// inclusion is a place where other texts stand in a Source.
type inclusion struct {
	start, end int // of the include in the prepared text
	texts      []*Source
}

// includer is the place an include is written at.
type includer struct {
	at       Pos
	src      *source // nil for the configuration file itself
	from, to int     // of the include in src.buf
	text     bool    // what is included is written there
}

// push makes the texts those that are read next, in their order.
func (p *parser) push(by includer, texts []*Source) {
	inc := inclusion{start: by.from, end: by.to}
	var pushed []*source
	for _, s := range texts {
		if p.loops(by, s) {
			continue
		}
		p.read.bytes += len(s.Text)
		if p.read.bytes > maxText {
			p.report(by.at, fmt.Sprintf("the configuration is larger than %d bytes", maxText), "")
			return
		}
		var src *source
		if isYAML(s.Name) {
			src = &source{Source: s, buf: s.Text, yaml: true}
		} else {
			src = newSource(s)
		}
		src.parent, src.text = by.src, by.text
		if by.src != nil {
			src.depth = by.src.depth + 1
		}
		inc.texts = append(inc.texts, s)
		pushed = append(pushed, src)
		p.all = append(p.all, src)
	}
	p.cfg.Sources = append(p.cfg.Sources, inc.texts...)
	if by.src != nil {
		p.rec.include()
		by.src.includes = append(by.src.includes, inc)
	}
	slices.Reverse(pushed)
	p.stack = append(p.stack, pushed...)
}

// loops refuses a text that includes itself.
func (p *parser) loops(by includer, s *Source) bool {
	if by.src != nil && by.src.depth >= maxInclude {
		p.report(by.at, fmt.Sprintf("more than %d files include one another", maxInclude), "")
		return true
	}
	for open := by.src; open != nil; open = open.parent {
		if open.Name == s.Name {
			p.report(by.at, s.Name+" includes itself; it is not read again", "")
			return true
		}
	}
	return false
}

// readFiles reads the files to include. A file that cannot be read is an
// error, the others are read all the same.
func (p *parser) readFiles(at Pos, files []string) []*Source {
	var texts []*Source
	for _, file := range files {
		if p.read.files++; p.read.files > maxFiles {
			p.report(at, fmt.Sprintf("more than %d files are included", maxFiles), "")
			break
		}
		text, err := p.readFile(file)
		if err != nil {
			p.add(Error{Pos: at, Msg: "cannot read the configuration file: " + reason(err), Fatal: len(p.stack) == 0})
			continue
		}
		texts = append(texts, &Source{Name: file, Text: text})
	}
	return texts
}

func (p *parser) readFile(file string) ([]byte, error) {
	if text, ok := p.overlay[file]; ok {
		return text, nil
	}
	return readBounded(file, maxText)
}

// reason is err without the name of a system call.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Path + ": " + pe.Err.Error()
	}
	return err.Error()
}

// includeMode says what a missing file means.
type includeMode uint8

const (
	includeRequired includeMode = iota
	includeOptional
	includeAbort // abort-if-missing: the engine must not start
)

// includeFiles pushes the files a pattern stands for so that they are read in
// order. A directory stands for all its files. As in rsyslogd, a pattern with
// wildcards may match nothing, a plain name may not.
func (p *parser) includeFiles(by includer, pattern string, mode includeMode) {
	files, err := p.expand(pattern)
	if err != nil {
		if mode != includeOptional {
			p.add(Error{Pos: by.at, Msg: "cannot include " + pattern + ": " + reason(err), Suggest: includeHint(mode), Fatal: mode == includeAbort})
		}
		return
	}
	p.push(by, p.readFiles(by.at, files))
}

func includeHint(mode includeMode) string {
	if mode == includeAbort {
		return "the include says abort-if-missing: nothing starts without this file"
	}
	return `use include(file="…" mode="optional") if the file may be missing`
}

// expandInclude returns the files of a pattern, sorted as glob(3) sorts them.
func expandInclude(pattern string, depth int) ([]string, error) {
	if depth > maxInclude {
		return nil, fmt.Errorf("directories are nested more than %d deep", maxInclude)
	}
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		pattern = filepath.Join(pattern, "*")
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, `*?[`) {
		_, err := os.Stat(pattern)
		return nil, err
	}
	hidden := strings.HasPrefix(filepath.Base(pattern), ".")
	var files []string
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, err
		case strings.HasPrefix(filepath.Base(name), ".") && !hidden:
			// glob(3) does not let a wildcard match a leading dot.
		case info.IsDir():
			sub, err := expandInclude(name, depth+1)
			if err != nil {
				return nil, err
			}
			files = append(files, sub...)
		case info.Mode().IsRegular():
			files = append(files, name)
		}
	}
	return files, nil
}

// include reads include(file=… | text=… [mode=…]).
func (p *parser) include() bool {
	t := p.advance()
	o := &Object{Pos: t.pos(), Kind: t.text}
	if !p.params(o) {
		return false
	}
	if !o.enabled() {
		return true
	}
	by := includer{src: t.src, from: t.at, to: t.src.at}
	mode := includeRequired
	for _, q := range o.Params {
		v := strings.Join(q.Values, " ")
		switch strings.ToLower(q.Name) {
		case "file", "text", "config.enabled":
		case "mode":
			switch v {
			case "required":
			case "optional":
				mode = includeOptional
			case "abort-if-missing":
				mode = includeAbort
			default:
				p.report(q.ValuePos, fmt.Sprintf("unknown include mode %q", v), "known are required, optional and abort-if-missing")
			}
		default:
			p.report(q.Pos, "include() has no parameter "+q.Name, didYouMean(q.Name, []string{"file", "text", "mode"}))
		}
	}
	file, text := o.Param("file"), o.Param("text")
	switch {
	case file != nil && text != nil:
		p.report(o.Pos, "include() has both file and text", "use one of them")
	case file != nil:
		by.at = file.ValuePos
		p.includeFiles(by, o.Value("file"), mode)
	case text != nil:
		name := fmt.Sprintf("%s:%d:text", o.File, o.Line)
		by.at = text.ValuePos
		by.text = true
		p.push(by, []*Source{{Name: name, Text: []byte(o.Value("text"))}})
	default:
		p.report(o.Pos, "include() needs a file or a text", `write include(file="/etc/rsyslog.d/*.conf")`)
	}
	return true
}
