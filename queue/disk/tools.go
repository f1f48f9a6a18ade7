package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sysrelay/message"
	"sysrelay/queue"
)

// These change a queue, and so need it not to be in use: they fail at once if it
// is. Lines about what they find go to log.

// openTool opens the queue in dir, which must be there already: a typing error must
// not make one.
func openTool(dir string, log func(string)) (*Store, error) {
	v, err := look(dir)
	if err != nil {
		return nil, err
	}
	files := len(v.gens) + len(v.faults)
	v.release()
	if files == 0 {
		return nil, fmt.Errorf("%s is not a queue: it has no file of one", dir)
	}
	return openFor(dir, log)
}

func openFor(dir string, log func(string)) (*Store, error) {
	s, err := Open(queue.StoreConfig{Name: filepath.Base(dir), Dir: dir, Sync: true,
		Log: func(_ int, line string) { log(line) }})
	if err != nil {
		return nil, err
	}
	return s.(*Store), nil
}

// Drop forgets the n oldest messages, or all if n is negative. It returns how many
// it forgot and how many are left.
func Drop(dir string, n int, log func(string)) (done, left int, err error) {
	s, err := openTool(dir, log)
	if err != nil {
		return 0, 0, err
	}
	done, err = s.consume(n, func(queue.Run) error { return nil })
	return done, s.Len().Messages, errors.Join(err, s.Close())
}

// Move appends the n oldest messages of the queue in from, or all if n is
// negative, to the queue in to, which is made if it is not there. A message is
// forgotten by one queue only after it is stored in the other: what goes wrong in
// between leaves it in both.
func Move(from, to string, n int, log func(string)) (done, left int, err error) {
	s, err := openTool(from, log)
	if err != nil {
		return 0, 0, err
	}
	d, err := openFor(to, log)
	if err != nil {
		return 0, 0, errors.Join(err, s.Close())
	}
	done, err = s.consume(n, func(r queue.Run) error { return d.Append(context.Background(), r.Frames, r.N) })
	return done, s.Len().Messages, errors.Join(err, d.Close(), s.Close())
}

// runMessages is how many messages the tools handle at once.
const runMessages = 1000

// consume gives f the n oldest messages, and acknowledges those it takes.
func (s *Store) consume(n int, f func(queue.Run) error) (done int, err error) {
	for n < 0 || done < n {
		want := runMessages
		if n >= 0 {
			want = min(want, n-done)
		}
		run, ok, err := s.next(want)
		if err != nil || !ok {
			return done, err
		}
		if err := f(run); err != nil {
			return done, err
		}
		s.Ack(run.N)
		done += run.N
	}
	return done, nil
}

// Repair writes what is whole of damaged files to new ones, and sets the damaged
// ones aside. It returns how many messages are lost.
func Repair(dir string, log func(string)) (lost int, err error) {
	s, err := openTool(dir, log)
	if err != nil {
		return 0, err
	}
	s.cfg.Lost = func(_ message.Reason, n int) { lost += n }
	s.readMu.Lock()
	s.commitMu.Lock()
	for _, g := range s.gens {
		if err = s.repair(g); err != nil {
			err = fmt.Errorf("queue %s: repair %s: %w", s.cfg.Name, g.name, err)
			break
		}
	}
	s.commitMu.Unlock()
	s.readMu.Unlock()
	return lost, errors.Join(err, s.Close())
}

// repair rewrites g if anything is wrong with it.
func (s *Store) repair(g *generation) error {
	if g.end <= s.from(g) || g == s.active {
		return nil
	}
	if !g.damaged {
		err := s.examine(g)
		if err == nil || !isDamage(err) {
			return err
		}
		if err := s.salvage(g, err); err != nil {
			return err
		}
	}
	_, err := s.rewrite(g, &rewriting{always: true, close: true})
	return err
}

// examine reads all of g that is wanted.
func (s *Store) examine(g *generation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	src, err := g.source(s.dir)
	if err != nil {
		return err
	}
	at := s.from(g)
	for at < g.end {
		h, _, err := g.want(src, at, g.end)
		if gap, ok := err.(*gapError); ok && g.missing != "" && gap.next == g.end {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		at = h.end
	}
	g.last = 0
	return nil
}
