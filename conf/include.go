package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// readBudget bounds what includes can make the parser read.
type readBudget struct{ files, bytes int }

// push makes s the text that is read next.
func (p *parser) push(at Pos, s *Source) {
	p.read.files++
	p.read.bytes += len(s.Text)
	switch {
	case len(p.stack) >= maxInclude:
		p.report(at, fmt.Sprintf("more than %d files include one another", maxInclude), "does a file include itself?")
		return
	case p.read.files > maxFiles:
		p.report(at, fmt.Sprintf("more than %d files are included", maxFiles), "")
		return
	case p.read.bytes > maxText:
		p.report(at, fmt.Sprintf("the configuration is larger than %d bytes", maxText), "")
		return
	}
	for _, open := range p.stack {
		if open.Name == s.Name {
			p.report(at, s.Name+" includes itself; it is not read again", "")
			return
		}
	}
	p.cfg.Sources = append(p.cfg.Sources, s)
	p.stack = append(p.stack, newSource(s))
}

// includeFile pushes one file.
func (p *parser) includeFile(at Pos, file string) {
	text, err := readBounded(file, maxText)
	if err != nil {
		p.report(at, "cannot read the configuration file: "+reason(err), "")
		return
	}
	p.push(at, &Source{Name: file, Text: text})
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
func (p *parser) includeFiles(at Pos, pattern string, mode includeMode) {
	files, err := expandInclude(pattern, 0)
	if err != nil {
		if mode != includeOptional {
			p.report(at, "cannot include "+pattern+": "+reason(err), includeHint(mode))
		}
		return
	}
	for i := len(files) - 1; i >= 0; i-- {
		p.includeFile(at, files[i])
	}
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
		p.includeFiles(file.ValuePos, o.Value("file"), mode)
	case text != nil:
		name := fmt.Sprintf("%s:%d:text", o.File, o.Line)
		p.push(text.ValuePos, &Source{Name: name, Text: []byte(o.Value("text"))})
	default:
		p.report(o.Pos, "include() needs a file or a text", `write include(file="/etc/rsyslog.d/*.conf")`)
	}
	return true
}
