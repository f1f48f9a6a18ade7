package conf

import (
	"errors"
	"fmt"
	"strings"
)

// CheckParam says what is wrong with the values of a parameter of one of rsyslog's
// types, whatever it is decoded to: on/off, int, nonneg, positive, size, mode, word,
// char. Values of other types are not looked at.
func (c *Config) CheckParam(p *Param, typ string) *Error {
	for _, text := range p.Values {
		err := checkValue(typ, text)
		if v := (*valueError)(nil); errors.As(err, &v) {
			return c.errorAt(p.ValuePos, "parameter "+p.Name+": "+v.msg, v.suggest)
		}
	}
	return nil
}

func checkValue(typ, text string) error {
	switch typ {
	case "on/off":
		_, err := parseOnOff(text)
		return err
	case "int":
		_, err := parseInt(text)
		return err
	case "nonneg":
		return atLeast(0, text, parseInt)
	case "positive":
		return atLeast(1, text, parseInt)
	case "size":
		return atLeast(0, text, parseSize)
	case "mode":
		_, err := parseMode(text)
		return err
	case "word":
		if strings.ContainsAny(text, " \t\n\r\v\f") {
			return &valueError{fmt.Sprintf("%q contains blanks", text), "remove the blanks"}
		}
	case "char":
		if len(text) != 1 {
			return &valueError{fmt.Sprintf("%q is not one character", text), ""}
		}
	}
	return nil
}

func atLeast(least int64, text string, parse func(string) (int64, error)) error {
	n, err := parse(text)
	if err == nil && n < least {
		return &valueError{text + " is out of range", fmt.Sprintf("write %d or more", least)}
	}
	return err
}
