package input

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sysrelay/input/beep"
	"sysrelay/message"
)

// rawProfile is syslog's RAW profile. RFC 3195 §3.2
const rawProfile = "http://xml.resource.org/profiles/syslog/RAW"

const (
	// beepWindow is how much a peer may have under way on a channel with messages.
	beepWindow = 32 << 10
	// channelsMax is how many channels a connection may have besides channel 0.
	channelsMax = 8
	// entityMax is the longest header of a message's MIME entity that is skipped.
	entityMax = 1 << 10
)

// beepSession is one BEEP connection. The peer starts channels with the RAW
// profile; on each the session asks with one MSG, and the peer's answers to it
// are the syslog messages.
type beepSession struct {
	reader
	in       *beepInput
	origin   message.Origin
	channels map[uint32]*beepChannel // channel 0 among them
	greeted  bool                    // the peer has
	out      []byte                  // frames to be written
	ended    bool                    // the peer has closed channel 0
}

// beepChannel is one channel's state.
type beepChannel struct {
	number   uint32
	seqno    uint32 // due from the peer
	window   uint32 // what it may have under way
	granted  uint32 // seqno up to which it has been told it may send
	sent     uint32 // our next seqno
	room     uint32 // seqno up to which we may send
	more     bool   // a message is under way
	kind     beep.Kind
	msgno    uint32
	ansno    uint32
	over     bool // its NUL has come
	head     bool // of an answer: its entity's header is not over yet
	entity   []byte
	splitter splitter
}

func (in *beepInput) serveConn(ctx context.Context, c *conn) {
	s := &beepSession{in: in, origin: message.NewOrigin(in.inputName, c.host, c.ip, c.port), channels: map[uint32]*beepChannel{}}
	s.reader.init(c, in.pool, s)
	defer c.finish()
	s.open(0, beep.FirstWindow)
	err := s.send(s.channels[0], beep.RPY, 0, "<greeting>\r\n  <profile uri='"+rawProfile+"' />\r\n</greeting>\r\n") // RFC 3080 §2.3.1.1
	if err == nil {
		err = s.after()
	}
	if err == nil {
		err = s.readAll(ctx)
	}
	s.end(ctx, err)
}

// errBEEP ends a session for what the peer did.
type errBEEP string

func (e errBEEP) Error() string { return string(e) }

// end hands over what the session ended with and logs why, unless that is in order.
func (s *beepSession) end(ctx context.Context, err error) {
	stopping := s.c.stopping.Err() != nil
	if stopping {
		s.drain(ctx)
		if s.send(s.channels[0], beep.MSG, 1, "<close number='0' code='421' />\r\n") == nil {
			s.after() // a courtesy: the connection ends in any case
		}
	}
	underWay := len(s.rest) > 0
	var b message.Batch
	b.Flow = s.in.flow
	for _, c := range s.channels {
		underWay = underWay || c.more
		s.flush(&b, c)
	}
	handOver(ctx, &b, s.in.to, &s.in.ledger)
	var bad errBEEP
	switch {
	case errors.As(err, &bad) || errors.Is(err, beep.ErrFrame):
		s.in.ledger.Receive(1)
		s.in.ledger.Discard(message.BadFrame, 1)
	case stopping || errors.Is(err, errClosed):
		return
	case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET):
		if !underWay {
			return // as with imtcp, a sender may leave when it likes
		}
		err = errors.New("the peer left in the middle of a message")
	}
	s.in.faults.add(fmt.Sprintf("im3195 %s: connection from %s (%s) closed: %v", s.in.port, s.c.host, s.c.ip, err))
}

// after writes the frames that are due.
func (s *beepSession) after() error {
	if len(s.out) == 0 {
		return nil
	}
	s.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := s.c.Write(s.out)
	s.out = s.out[:0]
	return err
}

// use handles the frames in b.
func (s *beepSession) use(ctx context.Context, sc *scratch, b []byte) error {
	sc.batch.Flow = s.in.flow
	complete := false
	for !s.ended {
		n, f, err := beep.Next(b, beepWindow)
		if err == nil && n == 0 {
			break
		}
		b, complete = b[n:], true
		if err == nil {
			err = s.frame(ctx, sc, &f)
		}
		if err != nil {
			handOver(ctx, &sc.batch, s.in.to, &s.in.ledger) // what came before is good
			s.keep(nil)
			return err
		}
	}
	handOver(ctx, &sc.batch, s.in.to, &s.in.ledger)
	if s.ended {
		s.keep(nil)
		if err := s.after(); err != nil {
			return err
		}
		return errClosed
	}
	s.grant()
	s.clock.tick(time.Now(), complete, len(b) > 0)
	s.keep(b)
	return nil
}

// grant lets the peer send on where it has used half of a window: what it has
// sent has been handed over. RFC 3081 §3.1.4
func (s *beepSession) grant() {
	for _, c := range s.channels {
		if c.granted-c.seqno <= c.window/2 {
			c.granted = c.seqno + c.window
			s.out = beep.AppendSEQ(s.out, c.number, c.seqno, c.window)
		}
	}
}

// frame carries out one frame.
func (s *beepSession) frame(ctx context.Context, sc *scratch, f *beep.Frame) error {
	c := s.channels[f.Channel]
	if f.Kind == beep.SEQ {
		if c == nil {
			return nil // sent before it knew that the channel is closed
		}
		return c.acknowledged(f)
	}
	if c == nil {
		return errBEEP(fmt.Sprintf("%s frame on channel %d, which is not open", f.Kind, f.Channel))
	}
	if err := c.take(f); err != nil {
		return err
	}
	if c.number == 0 {
		return s.management(c, f)
	}
	return s.answer(ctx, sc, c, f)
}

// acknowledged notes how much the peer lets us send.
func (c *beepChannel) acknowledged(f *beep.Frame) error {
	if int32(c.sent-f.Ackno) < 0 {
		return errBEEP(fmt.Sprintf("SEQ frame on channel %d for octet %d, which was not sent", c.number, f.Ackno))
	}
	c.room = f.Ackno + f.Window
	return nil
}

// take checks that the frame is the next one of the channel. RFC 3080 §2.2.1.1
func (c *beepChannel) take(f *beep.Frame) error {
	if f.Seqno != c.seqno {
		return errBEEP(fmt.Sprintf("%s frame on channel %d with seqno %d where %d is due", f.Kind, c.number, f.Seqno, c.seqno))
	}
	if room := c.granted - c.seqno; uint32(len(f.Payload)) > room {
		return errBEEP(fmt.Sprintf("%d octets on channel %d where the window has %d", len(f.Payload), c.number, room))
	}
	if c.more && (f.Kind != c.kind || f.Msgno != c.msgno || f.Ansno != c.ansno) {
		return errBEEP(fmt.Sprintf("%s frame on channel %d inside another message", f.Kind, c.number))
	}
	if !c.more {
		c.head, c.entity = true, c.entity[:0]
	}
	c.seqno += uint32(len(f.Payload))
	c.more, c.kind, c.msgno, c.ansno = f.More, f.Kind, f.Msgno, f.Ansno
	return nil
}

// answer takes what came on a channel of syslog messages. RFC 3195 §3.3
func (s *beepSession) answer(ctx context.Context, sc *scratch, c *beepChannel, f *beep.Frame) error {
	switch {
	case f.Kind != beep.ANS && f.Kind != beep.NUL || f.Msgno != 0:
		return errBEEP(fmt.Sprintf("%s frame for message %d on channel %d of profile RAW", f.Kind, f.Msgno, c.number))
	case c.over:
		return errBEEP(fmt.Sprintf("%s frame on channel %d after its NUL", f.Kind, c.number))
	case f.Kind == beep.NUL:
		c.over = true
		return nil
	}
	text, err := c.body(f.Payload)
	if err != nil {
		return err
	}
	c.splitter.write(text, func(line []byte) bool {
		s.add(&sc.batch, line)
		if sc.batch.Len() >= batchMessages || sc.batch.Size() >= batchBytes {
			handOver(ctx, &sc.batch, s.in.to, &s.in.ledger)
		}
		return true
	})
	if !f.More {
		s.flush(&sc.batch, c)
	}
	return nil
}

// body is what of a payload is behind the header of its MIME entity, which ends
// with an empty line and may be that alone. Who leaves even that out sends no
// header: a syslog message begins with '<'. RFC 3080 §2.2.1.2
func (c *beepChannel) body(payload []byte) ([]byte, error) {
	if !c.head {
		return payload, nil
	}
	all := payload
	if len(c.entity) > 0 {
		all = append(c.entity, payload...)
	}
	var end int
	switch {
	case bytes.HasPrefix(all, []byte("\r\n")):
		end = 2
	case len(all) > 0 && all[0] == '<':
	default:
		if end = bytes.Index(all, []byte("\r\n\r\n")) + 4; end > 3 {
			break
		}
		if len(all) > entityMax || len(all) > 0 && !c.more {
			return nil, errBEEP(fmt.Sprintf("an answer on channel %d that begins with %.20q, which is neither an entity's header nor a message", c.number, all))
		}
		c.entity = append(c.entity[:0], all...)
		return nil, nil
	}
	c.head, c.entity = false, nil
	return all[end:], nil
}

// add adds one line of an answer.
func (s *beepSession) add(b *message.Batch, line []byte) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	env := s.in.deps.Env
	now := env.Now().UnixNano()
	if len(line) > 0 && s.in.limit.allowText(now, s.origin, line) {
		b.Receive(&env.Sanitize, line, s.origin, now, s.in.flags)
	}
}

// flush adds what an answer ended with.
func (s *beepSession) flush(b *message.Batch, c *beepChannel) {
	s.add(b, c.splitter.rest)
	c.splitter.rest = nil
}

func (s *beepSession) open(number, window uint32) *beepChannel {
	c := &beepChannel{number: number, window: window, granted: beep.FirstWindow, room: beep.FirstWindow,
		splitter: splitter{max: s.in.deps.Env.Sanitize.MaxSize}}
	s.channels[number] = c
	return c
}

// send appends a message of ours.
func (s *beepSession) send(c *beepChannel, kind beep.Kind, msgno uint32, text string) error {
	payload := []byte("\r\n" + text)
	if c.number == 0 {
		payload = []byte("Content-Type: application/beep+xml\r\n\r\n" + text)
	}
	if int64(len(payload)) > int64(int32(c.room-c.sent)) {
		return errBEEP(fmt.Sprintf("the peer gives no room for an answer on channel %d", c.number))
	}
	s.out = beep.Append(s.out, beep.Frame{Kind: kind, Channel: c.number, Msgno: msgno, Seqno: c.sent, Payload: payload})
	c.sent += uint32(len(payload))
	return nil
}

// element is what comes on channel 0. RFC 3080 §7.1
type element struct {
	XMLName  xml.Name
	Number   string `xml:"number,attr"`
	Profiles []struct {
		URI string `xml:"uri,attr"`
	} `xml:"profile"`
}

// management carries out a message of channel 0. RFC 3080 §2.3.1
func (s *beepSession) management(c *beepChannel, f *beep.Frame) error {
	if len(c.entity)+len(f.Payload) > beep.FirstWindow {
		return errBEEP("a message on channel 0 is too long")
	}
	c.entity = append(c.entity, f.Payload...)
	if f.More {
		return nil
	}
	if !s.greeted {
		if f.Kind != beep.RPY || f.Msgno != 0 {
			return errBEEP(fmt.Sprintf("%s frame where the greeting is due", f.Kind))
		}
	} else if f.Kind != beep.MSG {
		return errBEEP(fmt.Sprintf("%s frame on channel 0 for a message that was not sent", f.Kind))
	}
	text := c.entity
	if _, after, found := bytes.Cut(text, []byte("\r\n\r\n")); found && !bytes.HasPrefix(bytes.TrimSpace(text), []byte{'<'}) {
		text = after
	}
	var e element
	err := xml.Unmarshal(text, &e)
	c.entity = nil
	switch name := e.XMLName.Local; {
	case !s.greeted:
		if err != nil || name != "greeting" {
			return errBEEP(fmt.Sprintf("%.40q where the greeting is due", text))
		}
		s.greeted = true
		return nil
	case err != nil:
		return s.refuse(c, f, "500", "not well-formed")
	case name == "start":
		return s.start(c, f, &e)
	case name == "close":
		return s.close(c, f, &e)
	default:
		return s.refuse(c, f, "500", "start or close expected")
	}
}

// refuse answers with an error. RFC 3080 §8 has the codes.
func (s *beepSession) refuse(c *beepChannel, f *beep.Frame, code, why string) error {
	return s.send(c, beep.ERR, f.Msgno, "<error code='"+code+"'>"+why+"</error>\r\n")
}

func channelNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	return uint32(n), err
}

// start starts a channel and asks for messages on it.
func (s *beepSession) start(c *beepChannel, f *beep.Frame, e *element) error {
	number, err := channelNumber(e.Number)
	if err != nil || number%2 == 0 {
		return s.refuse(c, f, "501", "number of channel: an odd number expected") // RFC 3080 §2.3.1.2
	}
	wanted := slices.ContainsFunc(e.Profiles, func(p struct {
		URI string `xml:"uri,attr"`
	}) bool {
		return strings.TrimSpace(p.URI) == rawProfile
	})
	switch {
	case s.channels[number] != nil:
		return s.refuse(c, f, "550", "the channel is open already")
	case !wanted:
		return s.refuse(c, f, "550", "all requested profiles are unsupported")
	case len(s.channels) > channelsMax:
		return s.refuse(c, f, "450", "too many channels")
	}
	if err := s.send(c, beep.RPY, f.Msgno, "<profile uri='"+rawProfile+"' />\r\n"); err != nil {
		return err
	}
	return s.send(s.open(number, beepWindow), beep.MSG, 0, "sysrelay listens") // RFC 3195 §3.1: what it says does not matter
}

// close closes a channel, with channel 0 the session.
func (s *beepSession) close(c *beepChannel, f *beep.Frame, e *element) error {
	number, err := channelNumber(cmp.Or(e.Number, "0")) // RFC 3080 §2.3.1.3
	if err != nil {
		return s.refuse(c, f, "501", "number of channel")
	}
	closed := s.channels[number]
	switch {
	case closed == nil:
		return s.refuse(c, f, "550", "the channel is not open")
	case closed != c && closed.more:
		return s.refuse(c, f, "550", "a message is under way") // RFC 3080 §2.3.1.3
	}
	if number == 0 {
		s.ended = true
	} else {
		delete(s.channels, number)
	}
	return s.send(c, beep.RPY, f.Msgno, "<ok />\r\n")
}
