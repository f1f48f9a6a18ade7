package conf

import (
	"fmt"
	"math"
	"os/user"
	"reflect"
	"strconv"
	"strings"
)

// valueError says what is wrong with a value and what to write instead.
type valueError struct{ msg, suggest string }

func (e *valueError) Error() string { return e.msg }

// store sets the field from text. On error the field keeps what it had.
func (f *field) store(values []string) error {
	if !f.isArray() {
		if err := f.storeOne(f.value, strings.Join(values, ",")); err != nil {
			return err
		}
	} else {
		all := reflect.MakeSlice(f.value.Type(), len(values), len(values))
		for i, v := range values {
			if err := f.storeOne(all.Index(i), v); err != nil {
				return err
			}
		}
		f.value.Set(all)
	}
	if f.isSet.IsValid() {
		f.isSet.SetBool(f.given)
	}
	return nil
}

func (f *field) storeOne(v reflect.Value, text string) error {
	switch {
	case v.Kind() == reflect.String:
		word, err := f.word(text)
		v.SetString(word)
		return err
	case v.Kind() == reflect.Bool:
		on, err := parseOnOff(text)
		if err == nil {
			v.SetBool(on)
		}
		return err
	}
	n, err := f.number(text)
	if err != nil {
		return err
	}
	if f.min != nil && n < *f.min || f.max != nil && n > *f.max {
		return &valueError{fmt.Sprintf("%s is out of range", text), f.rangeText()}
	}
	if v.CanUint() {
		if n < 0 || v.OverflowUint(uint64(n)) {
			return &valueError{fmt.Sprintf("%s is out of range", text), f.rangeText()}
		}
		v.SetUint(uint64(n))
		return nil
	}
	if v.OverflowInt(n) {
		return &valueError{fmt.Sprintf("%s is out of range", text), f.rangeText()}
	}
	v.SetInt(n)
	return nil
}

func (f *field) rangeText() string {
	switch {
	case f.min != nil && f.max != nil:
		return fmt.Sprintf("write a number from %d to %d", *f.min, *f.max)
	case f.min != nil:
		return fmt.Sprintf("write %d or more", *f.min)
	case f.max != nil:
		return fmt.Sprintf("write %d or less", *f.max)
	}
	return ""
}

// word checks a string against the enum, if there is one.
func (f *field) word(text string) (string, error) {
	if f.typ == "word" && strings.ContainsAny(text, " \t\n\r\v\f") {
		return f.value.String(), &valueError{fmt.Sprintf("%q contains blanks", text), "remove the blanks"}
	}
	if f.enum == nil {
		return text, nil
	}
	for _, w := range f.enum {
		if strings.EqualFold(w, text) {
			return w, nil
		}
	}
	return f.value.String(), &valueError{fmt.Sprintf("%q is not a value it can have", text),
		didYouMean(text, f.enum) + "possible are " + strings.Join(f.enum, ", ")}
}

func (f *field) number(text string) (int64, error) {
	switch f.typ {
	case "size":
		return parseSize(text)
	case "mode":
		return parseMode(text)
	case "uid":
		return parseID(text, "user", lookupUser)
	case "gid":
		return parseID(text, "group", lookupGroup)
	case "severity":
		return ParseSeverity(text)
	case "facility":
		return ParseFacility(text)
	}
	return parseInt(text)
}

func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, &valueError{fmt.Sprintf("%q is not a number", text), ""}
	}
	return n, nil
}

// parseMode reads four or five octal digits, the first of them 0, as rsyslogd
// wants them.
func parseMode(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || len(text) < 4 || len(text) > 5 || text[0] != '0' || n > 07777 {
		return 0, &valueError{fmt.Sprintf("%q is not a file mode", text), "modes are four octal digits, such as 0644"}
	}
	return int64(n), nil
}

func parseOnOff(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	case "yes", "true", "1", "enable", "enabled":
		return false, &valueError{fmt.Sprintf("%q is neither on nor off", text), `write "on"`}
	case "no", "false", "0", "disable", "disabled":
		return false, &valueError{fmt.Sprintf("%q is neither on nor off", text), `write "off"`}
	}
	return false, &valueError{fmt.Sprintf("%q is neither on nor off", text), `write "on" or "off"`}
}

// parseSize reads a number of bytes. As in rsyslogd, k, m, g, t, p, e are powers
// of 1024 and K, M, G, T, P, E of 1000.
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "kmgtpeKMGTPE")
	n, err := strconv.ParseInt(digits, 10, 64)
	suffix := text[len(digits):]
	if err != nil || len(suffix) > 1 {
		return 0, &valueError{fmt.Sprintf("%q is not a size", text), "sizes are numbers with k, m, g (1024 and so on) or K, M, G (1000 and so on)"}
	}
	if suffix == "" {
		return n, nil
	}
	unit := int64(1024)
	power := strings.Index("kmgtpe", suffix)
	if power < 0 {
		unit, power = 1000, strings.Index("KMGTPE", suffix)
	}
	for range power + 1 {
		if n > math.MaxInt64/unit || n < math.MinInt64/unit {
			return 0, &valueError{text + " is too large", ""}
		}
		n *= unit
	}
	return n, nil
}

// parseID reads the number or the name of a user or group.
func parseID(text, what string, lookup func(string) (string, error)) (int64, error) {
	id, err := lookup(text)
	if err != nil {
		id = text
	}
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < -1 {
		return 0, &valueError{fmt.Sprintf("there is no %s %q on this system", what, text), ""}
	}
	return n, nil
}

func lookupUser(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookupGroup(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// ParseSeverity reads the name or the number of a severity. 8 is one that no
// message has.
func ParseSeverity(text string) (int64, error) {
	return parseCode(text, "severity", 8, map[string]int64{
		"emerg": 0, "panic": 0, "alert": 1, "crit": 2, "err": 3, "error": 3, "warning": 4, "warn": 4,
		"notice": 5, "info": 6, "debug": 7,
	})
}

// ParseFacility reads the name or the number of a facility.
func ParseFacility(text string) (int64, error) {
	return parseCode(text, "facility", 23, map[string]int64{
		"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "syslog": 5, "lpr": 6,
		"news": 7, "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11, "ntp": 12, "audit": 13, "alert": 14,
		"clock": 15, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21,
		"local6": 22, "local7": 23,
	})
}

func parseCode(text, what string, limit int64, names map[string]int64) (int64, error) {
	if n, ok := names[strings.ToLower(text)]; ok {
		return n, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 || n > limit {
			return 0, &valueError{fmt.Sprintf("there is no %s %d", what, n), fmt.Sprintf("the largest is %d", limit)}
		}
		return n, nil
	}
	var all []string
	for n := range names {
		all = append(all, n)
	}
	return 0, &valueError{fmt.Sprintf("%q is not a %s", text, what), didYouMean(text, all)}
}
