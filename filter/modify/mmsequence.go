package modify

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"sysrelay/message"
)

// MMSequenceParams are mmsequence's parameters.
type MMSequenceParams struct {
	Mode string `conf:"mode,enum=random|instance|key" default:"instance" doc:"random: a random number; instance: a counter of this action; key: the counter named by key." status:"full"`
	From int64  `conf:"from,min=0" doc:"First and least number." status:"full"`
	To   int64  `conf:"to,min=1" default:"2147483647" doc:"Numbers are below it; a counter that would reach it begins again." status:"full"`
	Step int64  `conf:"step,min=0" default:"1" doc:"What is added each time; with 0 the counter stands still." status:"full"`
	Key  string `conf:"key" doc:"mode=\"key\": name of the counter, which all actions that name it share." status:"full"`
	Var  string `conf:"var" default:"$!mmsequence" doc:"Variable that gets the number." status:"full"`
}

// Sequences are counters by name.
type Sequences struct {
	mu     sync.Mutex
	byName map[string]*counter
}

// counter is a number that goes up and begins again. started is false before its
// first use.
type counter struct {
	mu      sync.Mutex
	value   int64
	started bool
}

// named returns the counter of that name. There are as many as the configuration
// names.
func (s *Sequences) named(name string) *counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byName = map[string]*counter{}
	}
	if s.byName[name] == nil {
		s.byName[name] = &counter{}
	}
	return s.byName[name]
}

type sequenceOf struct {
	params  MMSequenceParams
	path    message.Path
	counter *counter // nil: random
}

// NewMMSequence returns what numbers messages.
func NewMMSequence(_ NoModule, p MMSequenceParams, d Deps) (Modifier, error) {
	path, err := container(d.Env, "var", p.Var)
	switch {
	case err != nil:
		return nil, err
	case !strings.HasPrefix(p.Var, "$"):
		return nil, fmt.Errorf("var must begin with $, as in $!mmsequence, not %q", p.Var)
	case p.From < 0 || p.To > math.MaxInt32 || p.From >= p.To:
		return nil, fmt.Errorf("numbers from %d up to below %d: there are none between 0 and %d", p.From, p.To, math.MaxInt32)
	case p.Step < 0 || p.Step > p.To-p.From:
		return nil, fmt.Errorf("step must lie between 0 and %d, not be %d", p.To-p.From, p.Step)
	}
	s := &sequenceOf{params: p, path: path}
	switch p.Mode {
	case "instance":
		s.counter = &counter{}
	case "key":
		s.counter = d.Sequences.named(p.Key)
	}
	return s, nil
}

func (s *sequenceOf) Modify(_ context.Context, m *message.Message) error {
	n := s.params.From
	if s.counter != nil {
		n = s.counter.next(&s.params)
	} else {
		n += rand.Int64N(s.params.To - s.params.From)
	}
	_ = m.SetVar(s.path, message.IntValue(n), false) // as rsyslog: what cannot be set is not
	return nil
}

func (c *counter) next(p *MMSequenceParams) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value += p.Step; !c.started || c.value >= p.To {
		c.value, c.started = p.From, true
	}
	return c.value
}
