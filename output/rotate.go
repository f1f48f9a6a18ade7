package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// rotateTimeout is how long rotation.sizeLimitCommand may take; messages wait
	// for it.
	rotateTimeout = 30 * time.Second
	// rotateAgain is how long a command that failed is left alone.
	rotateAgain = time.Minute
)

// writeLimited is append with a limit of size: lines are written up to the one
// that reaches the limit, then the file is rotated.
func (f *logFile) writeLimited(l *lines, now time.Time) (written int, err error) {
	part := lines{}
	for written < len(l.ends) {
		part.ends, part.buf = part.ends[:0], nil
		from := 0
		if written > 0 {
			from = l.ends[written-1]
		}
		upto, size := written, f.length()
		for upto < len(l.ends) {
			end := l.ends[upto] - from
			part.ends = append(part.ends, end)
			upto++
			if size+int64(end) >= f.spec.limit && !now.Before(f.retryRotation) {
				break
			}
		}
		part.buf = l.buf[from:l.ends[upto-1]]
		n, err := f.append(&part, now)
		written += n
		if err != nil {
			return written, err
		}
		if f.length() >= f.spec.limit && !now.Before(f.retryRotation) {
			if err := f.rotate(now); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// rotate does what is to be done with a file that has reached its limit.
func (f *logFile) rotate(now time.Time) error {
	if f.spec.rotation != nil {
		return f.turnOver(now)
	}
	return f.rotateByCommand(now)
}

// rotateByCommand runs rotation.sizeLimitCommand and opens the file anew. A command that
// fails, or leaves the file too large, is reported and tried again later; the
// file grows in the meantime.
func (f *logFile) rotateByCommand(now time.Time) error {
	if err := f.close(); err != nil {
		return err
	}
	failed := f.runLimitCommand()
	if err := f.open(now); err != nil {
		return err
	}
	if failed == nil && f.size >= f.spec.limit {
		failed = errors.New("it did not make the file smaller")
	}
	if failed != nil {
		f.retryRotation = now.Add(rotateAgain)
		f.log(severityError, fmt.Sprintf("file %s reached rotation.sizeLimit, but %q failed: %v; it grows, next try in %v",
			f.name, f.spec.command, failed, rotateAgain))
	}
	return nil
}

// runLimitCommand runs the command.
// as rsyslog: there is no shell. Its parameters are separated by blanks; rsyslogd
// makes one of all of them.
func (f *logFile) runLimitCommand() error {
	ctx, cancel := context.WithTimeout(context.Background(), rotateTimeout)
	defer cancel()
	args := strings.Fields(f.spec.command)
	if f.spec.passName {
		args = append(args, f.name)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil && len(out) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return err
}
