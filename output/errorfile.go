package output

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"sysrelay/message"
)

// The status rsyslog gives messages in an action's error file.
const (
	statusSuspended = -2007
	statusDataFail  = -2185
)

// renderer is an output that can show what it would have written.
type renderer interface {
	Render(dst []byte, m *message.Message) []byte
}

// errorFile is action.errorfile. It is written to under the action's turn; close
// may be called at any time.
type errorFile struct {
	path, action string
	max          int64

	mu   sync.Mutex
	file *os.File
	size int64
	line []byte
	text []byte
}

// record appends a message to the action's error file, if it has one.
func (a *Action) record(m *message.Message, status int) {
	if a.errors == nil {
		return
	}
	a.errors.mu.Lock()
	defer a.errors.mu.Unlock()
	e := a.errors
	if r, ok := a.out.(renderer); ok {
		e.text = r.Render(e.text[:0], m)
	} else {
		e.text = append(e.text[:0], m.Raw.Of(m.Text)...)
	}
	if err := e.append(status); err != nil {
		a.log(severityError, "action '%s': a message that was given up is not kept: %v", a.opts.Name, err)
	}
}

func (e *errorFile) append(status int) error {
	e.line = append(e.line[:0], `{ "action": `...)
	e.line = appendString(e.line, e.action)
	e.line = append(e.line, `, "status": `...)
	e.line = strconv.AppendInt(e.line, int64(status), 10)
	e.line = append(e.line, `, "template0": `...)
	e.line = appendString(e.line, string(e.text))
	e.line = append(e.line, " }\n"...)
	if err := e.open(); err != nil {
		return err
	}
	if e.max > 0 && e.size+int64(len(e.line)) > e.max {
		return fmt.Errorf("%s has reached action.errorfile.maxsize", e.path)
	}
	n, err := e.file.Write(e.line)
	if err != nil && n > 0 {
		// Half a line would make the whole file hard to read.
		err = errors.Join(err, e.file.Truncate(e.size))
		n = 0
	}
	e.size += int64(n)
	return err
}

func (e *errorFile) open() error {
	if e.file != nil {
		return nil
	}
	// as rsyslog: mode 0640.
	f, err := os.OpenFile(e.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	e.file, e.size = f, st.Size()
	return nil
}

func (e *errorFile) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == nil {
		return nil
	}
	err := e.file.Close()
	e.file = nil
	return err
}

func appendString(dst []byte, s string) []byte {
	return message.StringValue(s).AppendJSON(dst, message.JSONSpaced)
}
