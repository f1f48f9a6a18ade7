package modify

import (
	"context"
	"fmt"
	"sync"

	"sysrelay/message"
)

// MMCountParams are mmcount's parameters.
type MMCountParams struct {
	AppName string `conf:"appname,required" doc:"APP-NAME of the messages to count." status:"full"`
	Key     string `conf:"key" doc:"Variable whose values are counted; without it messages are counted by severity." status:"full"`
	Value   string `conf:"value" doc:"Count only this value of the variable." status:"full"`
}

// maxCounted is how many values of a variable are counted one by one. Senders
// choose the values; they must not be able to fill memory.
const maxCounted = 100_000

type count struct {
	params     MMCountParams
	app        message.Property
	key        message.Path
	result     message.Path
	log        func(severity int, text string)
	mu         sync.Mutex
	bySeverity [8]int64
	byValue    map[string]int64
	beyond     int64 // values not counted
}

// NewMMCount returns what counts messages and stores the count in $!mmcount.
func NewMMCount(_ NoModule, p MMCountParams, d Deps) (Modifier, error) {
	c := &count{params: p, log: d.Log, byValue: map[string]int64{}}
	var err error
	if c.app, err = d.Env.Property("app-name"); err != nil {
		return nil, err
	}
	if c.result, err = container(d.Env, "mmcount", "!mmcount"); err != nil {
		return nil, err
	}
	if p.Key == "" {
		return c, nil
	}
	if c.key, err = container(d.Env, "key", p.Key); err != nil {
		return nil, err
	}
	return c, nil
}

// Modify counts m, if it is of the application and has what is counted.
func (c *count) Modify(_ context.Context, m *message.Message) error {
	if string(c.app.Value(m, nil)) != c.params.AppName {
		return nil
	}
	n, ok := c.count(m)
	if ok {
		_ = m.SetVar(c.result, message.IntValue(n), false)
	}
	return nil
}

func (c *count) count(m *message.Message) (n int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.params.Key == "" {
		c.bySeverity[m.Severity()]++
		return c.bySeverity[m.Severity()], true
	}
	v, ok := m.Var(c.key)
	if !ok {
		return 0, false
	}
	value := string(v.AppendText(nil))
	if c.params.Value != "" && value != c.params.Value {
		return 0, false
	}
	if _, known := c.byValue[value]; !known && len(c.byValue) >= maxCounted {
		if c.beyond++; c.beyond == 1 {
			c.log(severityWarning, fmt.Sprintf("mmcount: %s has had more than %d values; what is new from now on is not counted",
				c.params.Key, maxCounted))
		}
		return 0, false
	}
	c.byValue[value]++
	return c.byValue[value], true
}
