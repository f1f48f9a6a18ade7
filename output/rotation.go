package output

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// OMFileRotation are omfile's own parameters for files that are rotated inside
// the daemon.
type OMFileRotation struct {
	RotateSize int64  `conf:"rotation.size,type=size" doc:"Own: bytes at which the file is rotated, by the daemon itself: renamed, and a new one begun. Lines are never split. 0 is never." status:"full"`
	Interval   string `conf:"rotation.interval,enum=hourly|daily|weekly|monthly|yearly" doc:"Own: rotate the file at the turn of the hour, day, week, month or year, if there is anything in it; together with rotation.size at whichever comes first. A turn that passes while the daemon is down is made up for." status:"full"`
	At         string `conf:"rotation.at" doc:"Own: when within rotation.interval: [DAY ]HH:MM in local time, DAY being a day of the week (sun, mon, …) for weekly and of the month for monthly; :MM for hourly. Default 00:00, on Sundays, on the first." status:"full"`
	KeepCount  int    `conf:"rotation.keepcount,min=0" doc:"Own: how many rotated files to keep; 0 is all." status:"full"`
	KeepDays   int    `conf:"rotation.keepdays,min=0" doc:"Own: remove rotated files last written more than that many days ago; 0 is never. Looked at when a file is rotated, and hourly unless it is a dynamic file." status:"full"`
	KeepSize   int64  `conf:"rotation.keepsize,type=size" doc:"Own: remove the oldest rotated files of a file while all of them have more bytes than that; the newest always stays. 0 is never." status:"full"`
	Names      string `conf:"rotation.names,enum=number|date" default:"number" doc:"Own: names of rotated files: number is file.1 for the newest, file.2 and so on; date is file-20261231-235959, when it was rotated." status:"full"`
	Compress   string `conf:"rotation.compress,enum=none|gzip|zstd" default:"none" doc:"Own: compress rotated files in the background, all but the newest, which a reader may still be following." status:"full"`
}

func (p *OMFileRotation) wanted() bool { return p.RotateSize > 0 || p.Interval != "" }

// given says whether any of the parameters is used.
func (p *OMFileRotation) given() bool {
	return p.wanted() || p.At != "" || p.KeepCount > 0 || p.KeepDays > 0 || p.KeepSize > 0 ||
		p.Names == "date" || p.Compress != "" && p.Compress != "none"
}

var errNoRotation = errors.New("rotation parameters need rotation.size or rotation.interval, which say when to rotate")

// rotation is what the parameters come to.
type rotation struct {
	size     int64
	schedule *schedule // nil: never by time
	keep     retention
	dates    bool // names by date
	compress string
}

// retention is how many rotated files are kept.
type retention struct {
	count int
	age   time.Duration
	bytes int64
}

// newRotation is nil if nothing is to be rotated.
func newRotation(p *OMFileRotation, loc *time.Location) (*rotation, error) {
	if !p.wanted() {
		if p.given() {
			return nil, errNoRotation
		}
		return nil, nil
	}
	s, err := newSchedule(p.Interval, p.At, loc)
	if err != nil {
		return nil, err
	}
	r := &rotation{
		size: p.RotateSize, schedule: s, dates: p.Names == "date", compress: p.Compress,
		keep: retention{count: p.KeepCount, age: time.Duration(p.KeepDays) * 24 * time.Hour, bytes: p.KeepSize},
	}
	if r.compress == "none" {
		r.compress = ""
	}
	return r, nil
}

// schedule is a point of time that comes again and again.
type schedule struct {
	every        string
	day          int // of the week, 0 is Sunday, or of the month
	hour, minute int
	loc          *time.Location
}

func newSchedule(every, at string, loc *time.Location) (*schedule, error) {
	if every == "" {
		if at != "" {
			return nil, errors.New("rotation.at needs rotation.interval")
		}
		return nil, nil
	}
	s := &schedule{every: every, loc: loc}
	if every == "monthly" {
		s.day = 1
	}
	if at == "" {
		return s, nil
	}
	if err := s.setAt(at); err != nil {
		return nil, fmt.Errorf("rotation.at=%q: %w", at, err)
	}
	return s, nil
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var errClock = errors.New("write HH:MM, for example 03:30")

// setAt reads [DAY ]HH:MM.
func (s *schedule) setAt(at string) error {
	day, clock, hasDay := strings.Cut(strings.TrimSpace(at), " ")
	if !hasDay {
		day, clock = "", day
	}
	hour, minute, ok := strings.Cut(strings.TrimSpace(clock), ":")
	if s.every == "hourly" {
		if !ok || hour != "" || hasDay {
			return errors.New("hourly needs :MM, for example :15")
		}
		hour = "0"
	}
	var err1, err2 error
	s.hour, err1 = strconv.Atoi(hour)
	s.minute, err2 = strconv.Atoi(minute)
	if !ok || err1 != nil || err2 != nil || s.hour < 0 || s.hour > 23 || s.minute < 0 || s.minute > 59 {
		return errClock
	}
	if hasDay {
		return s.setDay(day)
	}
	return nil
}

func (s *schedule) setDay(day string) error {
	switch s.every {
	case "weekly":
		for i, name := range weekdays {
			if len(day) >= 3 && strings.EqualFold(day[:3], name) {
				s.day = i
				return nil
			}
		}
		return errors.New("the day of a week is one of sun, mon, tue, wed, thu, fri, sat")
	case "monthly":
		n, err := strconv.Atoi(day)
		if err != nil || n < 1 || n > 28 {
			return errors.New("the day of a month is a number from 1 to 28, which every month has")
		}
		s.day = n
		return nil
	}
	return fmt.Errorf("%s takes no day", s.every)
}

// start is when the period that t is in began.
func (s *schedule) start(t time.Time) time.Time {
	t = t.In(s.loc)
	if s.every == "hourly" {
		// By what has passed, not by the clock's face: an hour may come twice.
		past := time.Duration((t.Minute()-s.minute+60)%60)*time.Minute +
			time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
		return t.Add(-past)
	}
	for back := 0; ; back++ {
		if at := s.turn(t, back); !at.After(t) {
			return at
		}
	}
}

// turn is the turn of the period of t, or of one that many before.
func (s *schedule) turn(t time.Time, back int) time.Time {
	y, m, d := t.Date()
	switch s.every {
	case "daily":
		d -= back
	case "weekly":
		d -= int(t.Weekday()) - s.day + 7*back
	case "monthly":
		m, d = m-time.Month(back), s.day
	case "yearly":
		y, m, d = y-back, 1, 1
	}
	return time.Date(y, m, d, s.hour, s.minute, 0, 0, s.loc)
}
