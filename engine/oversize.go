package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/message"
)

// oversize tells of messages that are longer than maxMessageSize: a line each,
// and the message itself in a file. Senders must not be able to fill either.
type oversize struct {
	file   string // oversizemsg.errorfile, or empty
	report bool   // oversizemsg.report
	most   int    // maxMessageSize
	log    func(severity int, text string)
	now    func() time.Time

	mu    sync.Mutex
	begin time.Time
	told  int
	more  int
}

const (
	oversizeTold  = 100
	oversizeEvery = 10 * time.Second
)

// tell takes one message.
func (o *oversize) tell(text []byte, from message.Origin) {
	if o.file == "" && !o.report {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); now.Sub(o.begin) >= oversizeEvery || now.Before(o.begin) {
		if o.more > 0 {
			o.log(3, fmt.Sprintf("%d more messages longer than maxMessageSize were not told of one by one", o.more))
		}
		o.begin, o.told, o.more = now, 0, 0
	}
	if o.told == oversizeTold {
		o.more++
		return
	}
	o.told++
	if o.report {
		// as rsyslog: the length, and the first eighty bytes.
		o.log(3, fmt.Sprintf("message too long (%d) with configured size %d, begin of message is: %s",
			len(text), o.most, shown(text[:min(len(text), 80)])))
	}
	if err := o.keep(text, from); err != nil {
		o.log(3, fmt.Sprintf("oversizemsg.errorfile %s: %v; the message is not kept there", o.file, err))
	}
}

// shown is text for a line of the log: what it is made of must not end the line.
func shown(text []byte) []byte {
	s := message.DefaultSanitizer()
	clean, _ := s.Append(nil, text)
	return clean
}

// keep appends the message to the file.
func (o *oversize) keep(text []byte, from message.Origin) error {
	if o.file == "" {
		return nil
	}
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		RawMsg string `json:"rawmsg"`
		Input  string `json:"input"`
	}{string(text), string(from.Input())})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line.Bytes())
	return errors.Join(err, f.Close())
}
