package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sysrelay/queue"
	"sysrelay/queue/disk"
)

// changeBatch is how many messages are moved or dropped with one commit.
const changeBatch = 1024

// open opens a queue for changing, which the relay must not have open.
func (c *queueCall) open(dir string) (queue.Store, error) {
	return disk.Open(queue.StoreConfig{Name: dir, Dir: dir, Sync: true,
		Log: func(_ int, text string) { fmt.Fprintln(c.stderr, text) }})
}

// existing is open for a directory that must be there already: a typing error
// must not make a queue.
func (c *queueCall) existing(dir string) (queue.Store, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || !isQueue(dir) {
		return nil, fmt.Errorf("%s is no queue", dir)
	}
	return c.open(dir)
}

// drop forgets the oldest messages.
func (c *queueCall) drop(dirs []string) error {
	if c.n <= 0 && !c.all {
		return errors.New("drop: say how many with -n N, or -all; nothing was dropped")
	}
	s, err := c.existing(dirs[0])
	if err != nil {
		return err
	}
	want := s.Len().Messages
	if !c.all {
		want = min(c.n, want)
	}
	dropped, err := consume(s, want, func(queue.Run) error { return nil })
	fmt.Fprintf(c.stdout, "%d messages dropped, %d left\n", dropped, s.Len().Messages)
	return errors.Join(err, s.Close())
}

// move appends every message to another queue. A message is forgotten here only
// when it is stored there: what goes wrong in between leaves it in both.
func (c *queueCall) move(dirs []string) error {
	from, err := c.existing(dirs[0])
	if err != nil {
		return err
	}
	to, err := c.open(dirs[1])
	if err != nil {
		return errors.Join(err, from.Close())
	}
	moved, err := consume(from, from.Len().Messages, func(r queue.Run) error {
		return to.Append(context.Background(), r.Frames, r.N)
	})
	fmt.Fprintf(c.stdout, "%d messages moved, %d left\n", moved, from.Len().Messages)
	return errors.Join(err, to.Close(), from.Close())
}

// consume reads up to want messages, and acknowledges those that use took.
func consume(s queue.Store, want int, use func(queue.Run) error) (done int, err error) {
	for done < want {
		r, err := s.Read(context.Background(), min(changeBatch, want-done))
		if err != nil {
			return done, err
		}
		if err := use(r); err != nil {
			return done, err
		}
		s.Ack(r.N)
		done += r.N
	}
	return done, nil
}
