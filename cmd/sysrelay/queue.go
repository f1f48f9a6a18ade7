package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"sysrelay/message"
	"sysrelay/queue/disk"
)

const queueUsage = `usage: sysrelay queue COMMAND [FLAGS] DIR

  ls DIR            the queues below a spool directory
  stat DIR          what is in a queue: messages, bytes, files, problems
  peek DIR          its oldest messages; -n N how many (10)
  export DIR        all its messages, oldest first, as lines or with -json as JSON
  verify DIR        reads everything and says what is damaged; -repair puts it right as far as it can be
  drop DIR          forgets messages, oldest first; -n N how many, or -all
  move DIR TO       moves messages, oldest first, to the end of the queue in TO; -n N how many (all)

-json prints JSON. ls, stat, peek, export and verify may be used while the queue is in use
and change nothing; drop, move and -repair need it for themselves.
`

// queueCall is one invocation of `sysrelay queue`.
type queueCall struct {
	stdout, stderr io.Writer
	json           bool
	repair, all    bool
	n              int
}

// queueCommand looks into disk queues, live or not, and repairs them.
func queueCommand(v *invocation) int {
	args, stdout, stderr := v.args, v.stdout, v.stderr
	if len(args) == 0 {
		fmt.Fprint(stderr, queueUsage)
		return 1
	}
	c := &queueCall{stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("queue", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.json, "json", false, "")
	flags.BoolVar(&c.repair, "repair", false, "")
	flags.BoolVar(&c.all, "all", false, "")
	flags.IntVar(&c.n, "n", 0, "")
	commands := map[string]struct {
		dirs int
		run  func(dirs []string) error
	}{
		"ls":     {1, c.ls},
		"stat":   {1, c.stat},
		"peek":   {1, c.peek},
		"export": {1, c.export},
		"verify": {1, c.verify},
		"drop":   {1, c.drop},
		"move":   {2, c.move},
	}
	command, known := commands[args[0]]
	if err := flags.Parse(args[1:]); !known || err != nil || flags.NArg() != command.dirs {
		fmt.Fprint(stderr, queueUsage)
		return 1
	}
	if err := command.run(flags.Args()); err != nil {
		fmt.Fprintf(stderr, "sysrelay: %v\n", err)
		return 1
	}
	return 0
}

// ls lists the directories below dir that are queues.
func (c *queueCall) ls(dirs []string) error {
	entries, err := os.ReadDir(dirs[0])
	if err != nil {
		return err
	}
	var reports []disk.Report
	for _, e := range entries {
		dir := filepath.Join(dirs[0], e.Name())
		if !e.IsDir() || !isQueue(dir) {
			continue
		}
		r, err := disk.Inspect(dir)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	if c.json {
		return c.encode(reports)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUEUE\tMESSAGES\tBYTES\tON DISK\tOLDEST\tIN USE\tPROBLEMS")
	for _, r := range reports {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\n", r.Dir, r.Messages, r.Bytes, r.DiskBytes, age(r), user(r), len(r.Problems))
	}
	return w.Flush()
}

// queueFiles matches the generation files of a queue, see queue/disk.
const queueFiles = "gen-*"

// isQueue tells whether a directory holds anything of a queue's.
func isQueue(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, queueFiles))
	return len(found) > 0
}

func age(r disk.Report) string {
	if r.Oldest.IsZero() {
		return "-"
	}
	return r.Oldest.Format(time.RFC3339)
}

func user(r disk.Report) string {
	if r.InUse == "" {
		return "no"
	}
	return r.InUse
}

func (c *queueCall) stat(dirs []string) error {
	r, err := disk.Inspect(dirs[0])
	if err != nil {
		return err
	}
	return c.print(r)
}

// verify is an error when anything is lost or wrong, so that scripts can tell.
func (c *queueCall) verify(dirs []string) error {
	r, err := disk.Verify(dirs[0])
	if err != nil {
		return err
	}
	if err := c.print(r); err != nil {
		return err
	}
	if len(r.Problems) == 0 {
		return nil
	}
	if !c.repair {
		return fmt.Errorf("%s: %d problems, %d messages lost; everything else will be delivered. "+
			"The relay repairs the directory when it starts; so does -repair", r.Dir, len(r.Problems), r.Lost)
	}
	return c.rebuild(dirs[0])
}

func (c *queueCall) print(r disk.Report) error {
	if c.json {
		return c.encode(r)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "directory\t%s\nin use\t%s\nmessages\t%d\nbytes\t%d\non disk\t%d\noldest\t%s\nsequence\t%d to %d\n",
		r.Dir, user(r), r.Messages, r.Bytes, r.DiskBytes, age(r), r.First, r.Next)
	if r.Lost > 0 {
		fmt.Fprintf(w, "lost\t%d\n", r.Lost)
	}
	fmt.Fprintln(w, "\nFILE\tSTATUS\tMESSAGES\tBYTES\tSEQUENCE")
	for _, f := range r.Files {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d to %d\n", f.Name, f.Status, f.Messages, f.Bytes, f.First, f.End)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintf(c.stdout, "problem: %s\n", p)
	}
	return nil
}

func (c *queueCall) encode(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// errEnough ends a walk early.
var errEnough = errors.New("enough")

func (c *queueCall) peek(dirs []string) error {
	left := c.n
	if left <= 0 {
		left = 10
	}
	err := disk.Each(dirs[0], func(seq uint64, m *message.Message) error {
		if left == 0 {
			return errEnough
		}
		left--
		return c.message(seq, m)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (c *queueCall) export(dirs []string) error {
	return disk.Each(dirs[0], c.message)
}

// exported is a message as JSON.
type exported struct {
	Sequence   uint64    `json:"sequence"`
	Received   time.Time `json:"received"`
	FromHost   string    `json:"fromhost"`
	FromHostIP string    `json:"fromhost-ip"`
	Input      string    `json:"inputname"`
	Raw        string    `json:"rawmsg"`
}

// message prints the message as it was received, one a line: control characters
// have been escaped on reception.
func (c *queueCall) message(seq uint64, m *message.Message) error {
	raw := m.Raw.Of(m.Text)
	if !c.json {
		_, err := fmt.Fprintf(c.stdout, "%s\n", raw)
		return err
	}
	return json.NewEncoder(c.stdout).Encode(exported{
		Sequence: seq, Received: time.Unix(0, m.Received).UTC(), FromHost: string(m.Origin.FromHost()),
		FromHostIP: string(m.Origin.FromHostIP()), Input: string(m.Origin.Input()), Raw: string(raw),
	})
}
