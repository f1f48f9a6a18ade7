// Package lognorm takes messages apart by rule bases: liblognorm's, versions 1
// and 2.
//
// A rule base is a tree of motifs. Rules that begin alike share the beginning; at
// each place the motifs are tried in the order of their priority, and the first
// way that reaches the end of a rule at the end of the message is taken.
//
// Rule bases are trusted, messages are not: the work for one message is bounded.
//
// The package imports message.
package lognorm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sysrelay/message"
)

// Rulebase is a compiled rule base. It never changes and may be used from many
// goroutines.
type Rulebase struct {
	env         *message.Env
	root        *node
	types       map[string]*node
	annotations map[string][]annotation // by tag
	v1          bool
}

// annotation is a member that events with a tag get.
type annotation struct{ name, value string }

// Load reads the rule base in a file.
func Load(env *message.Env, path string) (*Rulebase, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return compile(env, path, string(text))
}

// Compile reads a rule base of single lines, version 2 unless the first says
// otherwise.
func Compile(env *message.Env, lines []string) (*Rulebase, error) {
	return compile(env, "rule", "version=2\n"+strings.Join(lines, "\n"))
}

// loader is the state while rule bases are read.
type loader struct {
	*Rulebase
	v2     bool
	prefix string
	depth  int // of includes
}

// maxIncludes is how deep rule bases may include each other.
const maxIncludes = 16

func compile(env *message.Env, name, text string) (*Rulebase, error) {
	l := &loader{Rulebase: &Rulebase{env: env, root: &node{}, types: map[string]*node{}, annotations: map[string][]annotation{}}}
	if err := l.read(name, text); err != nil {
		return nil, err
	}
	for name, n := range l.types {
		if len(n.edges) == 0 {
			return nil, fmt.Errorf("%s: there is no type @%s", l.typeUsed(n), name)
		}
	}
	l.root.sort(map[*node]bool{})
	for _, n := range l.types {
		n.sort(map[*node]bool{})
	}
	return l.Rulebase, nil
}

// typeUsed says where a type is asked for.
func (l *loader) typeUsed(n *node) string { return n.where }

// read reads the lines of a rule base. as liblognorm: version 2 is what says so in
// its very first line.
func (l *loader) read(name, text string) error {
	lines := strings.Split(text, "\n")
	l.v2 = strings.TrimRight(lines[0], "\r") == "version=2"
	if l.depth == 0 {
		l.v1 = !l.v2
	}
	for i := 0; i < len(lines); i++ {
		at, line := i+1, strings.TrimRight(lines[i], "\r")
		if l.v2 {
			// A field may go on in the next lines.
			for strings.HasPrefix(line, "rule=") && openField(line) && i+1 < len(lines) {
				i++
				line += "\n" + strings.TrimRight(lines[i], "\r")
			}
		}
		if err := l.line(name, line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, at, err)
		}
	}
	return nil
}

// openField says whether a field in line has no end.
func openField(line string) bool { return strings.Count(line, "%")%2 != 0 }

func (l *loader) line(file, line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return fmt.Errorf("%.60q is no line of a rule base", line)
	}
	switch key {
	case "version":
		return nil
	case "rule":
		return l.rule(file, value)
	case "prefix":
		l.prefix = value
	case "extendprefix":
		l.prefix += value
	case "annotate":
		return l.annotate(value)
	case "include":
		return l.include(file, value)
	case "type":
		return l.typeDef(file, value)
	default:
		return fmt.Errorf("there is no %q in rule bases", key+"=")
	}
	return nil
}

// rule reads "tag,tag:sample".
func (l *loader) rule(file, text string) error {
	tags, sample, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("a rule needs a colon before its sample, even without tags")
	}
	specs, err := l.parseSample(l.prefix + sample)
	if err != nil {
		return err
	}
	end, err := l.add(l.root, specs, file)
	if err != nil {
		return err
	}
	end.terminal = true
	for tag := range strings.SplitSeq(tags, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			end.tags = append(end.tags, tag)
		}
	}
	return nil
}

// typeDef reads "@name:sample". A type may be defined several times; each is one
// way to match it.
func (l *loader) typeDef(file, text string) error {
	name, sample, ok := strings.Cut(text, ":")
	if !ok || len(name) < 2 || name[0] != '@' {
		return errors.New(`a type is defined as "type=@name:sample"`)
	}
	specs, err := l.parseSample(sample)
	if err != nil {
		return err
	}
	end, err := l.add(l.typeNode(name[1:], file), specs, file)
	if err != nil {
		return err
	}
	end.terminal = true
	return nil
}

// typeNode is where a type begins; it may be defined later.
func (l *loader) typeNode(name, where string) *node {
	if l.types[name] == nil {
		l.types[name] = &node{where: where}
	}
	return l.types[name]
}

// annotate reads `tag:+field="value"`.
func (l *loader) annotate(text string) error {
	tag, rest, ok := strings.Cut(text, ":")
	name, value, isSet := strings.Cut(rest, "=")
	value = strings.TrimSpace(value)
	if !ok || !isSet || !strings.HasPrefix(name, "+") || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return errors.New(`an annotation is written as annotate=tag:+field="value"`)
	}
	tag = strings.TrimSpace(tag)
	l.annotations[tag] = append(l.annotations[tag], annotation{strings.TrimSpace(name[1:]), unescape(value[1 : len(value)-1])})
	return nil
}

// include reads another file; a relative name is looked for beside this one, too.
func (l *loader) include(file, name string) error {
	if l.depth >= maxIncludes {
		return fmt.Errorf("include of %s: rule bases include each other deeper than %d levels", name, maxIncludes)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && !filepath.IsAbs(name) {
		text, err = os.ReadFile(filepath.Join(filepath.Dir(file), name))
	}
	if err != nil {
		return fmt.Errorf("include: %w", err)
	}
	inside := &loader{Rulebase: l.Rulebase, prefix: l.prefix, depth: l.depth + 1}
	return inside.read(name, string(text))
}

// unescape reads C's backslash sequences.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`abfnrtv`, s[i]); at >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v"[at])
			continue
		}
		if s[i] == 'x' && i+2 < len(s) && hexDigit(s[i+1]) && hexDigit(s[i+2]) {
			b.WriteByte(hexVal(s[i+1])<<4 | hexVal(s[i+2]))
			i += 2
			continue
		}
		if strings.IndexByte(`\"'?`, s[i]) < 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func hexVal(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
