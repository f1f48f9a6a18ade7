package engine

import (
	"fmt"
	"os"
	"sync"

	"sysrelay/conf"
)

// headerless returns what appends messages without a header to a file. The file
// is opened for each of them, so that it can be moved away at any time.
func (b *builder) headerless(path string) func(raw []byte) {
	var mu sync.Mutex
	failed := false
	return func(raw []byte) {
		mu.Lock()
		defer mu.Unlock()
		err := appendLine(path, raw)
		if err != nil && !failed {
			b.log.Log(3, fmt.Sprintf("messages without a header cannot be kept: %v; they go on without being kept until it works again", err))
		}
		failed = err != nil
	}
}

func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(append(make([]byte, 0, len(line)+1), line...), '\n')); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// checkElsewhere checks that the ruleset exists to which parsers send messages.
func (b *builder) checkElsewhere() {
	for _, o := range b.objects("parser") {
		p := o.Param("headerless.ruleset")
		if p == nil || p.Values[0] == "" || conf.ModuleName(o.Value("type")) != "pmrfc3164" {
			continue
		}
		if _, ok := b.compiled(p.Values[0]); !ok {
			b.errorf(p.ValuePos, conf.DidYouMean(p.Values[0], b.rulesetNames()), "there is no ruleset %q", p.Values[0])
		}
	}
}
