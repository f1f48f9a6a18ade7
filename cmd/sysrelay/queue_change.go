package main

import (
	"errors"
	"fmt"

	"sysrelay/queue/disk"
)

// line prints what is found while a queue is changed.
func (c *queueCall) line(text string) { fmt.Fprintln(c.stderr, text) }

// many is how many messages the flags ask for; negative is all.
func (c *queueCall) many() int {
	if c.n <= 0 {
		return -1
	}
	return c.n
}

// drop forgets the oldest messages.
func (c *queueCall) drop(dirs []string) error {
	if c.n <= 0 && !c.all {
		return errors.New("drop: say how many with -n N, or -all; nothing was dropped")
	}
	dropped, left, err := disk.Drop(dirs[0], c.many(), c.line)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%d messages dropped, %d left\n", dropped, left)
	return nil
}

// move appends the oldest messages to another queue.
func (c *queueCall) move(dirs []string) error {
	moved, left, err := disk.Move(dirs[0], dirs[1], c.many(), c.line)
	if moved > 0 || err == nil {
		fmt.Fprintf(c.stdout, "%d messages moved, %d left\n", moved, left)
	}
	return err
}

// rebuild writes what is whole of damaged files to new ones.
func (c *queueCall) rebuild(dir string) error {
	lost, err := disk.Repair(dir, c.line)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%s: repaired, %d messages are lost\n", dir, lost)
	return nil
}
