package modify

import (
	"sync"
	"testing"

	"sysrelay/message"
)

// Several workers may run the same ruleset: a modifier is called from all of them.
func TestConcurrently(t *testing.T) {
	d := testDeps(t)
	for name, made := range map[string]func() (Modifier, error){
		"mmanon": func() (Modifier, error) {
			return NewMMAnon(NoModule{}, MMAnonParams{V4Enable: true, V4Mode: "random-consistent", V4Bits: 16, V4Char: "x",
				V6Enable: true, V6Mode: "random", V6Bits: 96}, d)
		},
		"mmcount": func() (Modifier, error) { return NewMMCount(NoModule{}, MMCountParams{AppName: "tag"}, d) },
		"mmsequence": func() (Modifier, error) {
			return NewMMSequence(NoModule{}, MMSequenceParams{Mode: "instance", To: 1 << 30, Step: 1, Var: "$!n"}, d)
		},
		"mmnormalize": func() (Modifier, error) {
			return NewMMNormalize(MMNormalizeModule{}, MMNormalizeParams{Path: "$!", Rule: []string{`rule=t: %ip:ipv4% %r:rest%`}}, d)
		},
		"mmexternal": func() (Modifier, error) {
			return NewMMExternal(NoModule{}, MMExternalParams{Binary: script(t, echo), ResponseTimeout: 10_000}, d)
		},
	} {
		m, err := made()
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		numbers := map[string]int{}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 25 {
					x := modified(t, m, "10.1.2.3 text")
					if v, ok := x.Var(mustPath(t, d.Env, map[string]string{"mmcount": "$!mmcount", "mmsequence": "$!n"}[name])); ok {
						mu.Lock()
						numbers[string(v.AppendText(nil))]++
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		if (name == "mmcount" || name == "mmsequence") && len(numbers) != 100 {
			t.Errorf("%s: %d numbers for 100 messages", name, len(numbers))
		}
		if c, ok := m.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func mustPath(t *testing.T, env *message.Env, name string) message.Path {
	if name == "" {
		name = "$!nothing"
	}
	p, err := env.Path(name)
	if err != nil {
		t.Error(err)
	}
	return p
}
