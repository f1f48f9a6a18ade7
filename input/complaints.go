package input

import (
	"fmt"
	"sync"
	"time"
)

// complaints logs lines about what peers do. There is no telling how many peers
// do how much of it: within complaintsTime at most complaintsMax lines are
// logged, and the rest is counted.
type complaints struct {
	name string // of the input
	log  func(severity int, text string)
	now  func() time.Time

	mu     sync.Mutex
	begin  time.Time
	logged int
	more   int
}

const (
	complaintsMax  = 20
	complaintsTime = 10 * time.Second
)

func (c *complaints) add(text string) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := now.Sub(c.begin); d < 0 || d >= complaintsTime {
		c.tell()
		c.begin, c.logged = now, 0
	}
	if c.logged == complaintsMax {
		c.more++
		return
	}
	c.logged++
	c.log(severityError, text)
}

// tell says how many lines were left out.
func (c *complaints) tell() {
	if c.more > 0 {
		c.log(severityError, fmt.Sprintf("%s: %d more lines about connections were left out", c.name, c.more))
		c.more = 0
	}
}

// close says what add has not said yet.
func (c *complaints) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell()
}
