package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sysrelay/conf"
)

// function is one RainerScript function.
type function struct {
	min, max int // number of arguments
	// compile is given the compiled arguments; c and f are for errors and for
	// arguments that must be constants.
	compile func(c *compiler, f *conf.Func, a []expr) expr
}

// functions are rsyslog's functions by name.
var functions = map[string]function{
	"strlen":    {1, 1, pure(strlen)},
	"tolower":   {1, 1, pure(mapped(fold))},
	"toupper":   {1, 1, pure(mapped(unfold))},
	"ltrim":     {1, 1, pure(trimmed(ltrim))},
	"rtrim":     {1, 1, pure(trimmed(rtrim))},
	"substring": {3, 3, pure(substring)},
	"replace":   {3, 3, pure(replace)},
	"wrap":      {2, 3, pure(wrap)},
	"field":     {3, 3, pure(field)},
	"cstr":      {1, 1, pure(cstr)},
	"cnum":      {1, 1, cnum},
	"cbool":     {1, 1, pure(cbool)},

	"num2ipv4": {1, 1, pure(num2ipv4)},
	"ip42num":  {1, 1, pure(ipv42num)},
	"ipv42num": {1, 1, pure(ipv42num)},
	"int2hex":  {1, 1, pure(int2hex)},
	"random":   {1, 1, random},

	"hash32":    {1, 2, pure(hashed(hash32))},
	"hash64":    {1, 2, pure(hashed(hash64))},
	"hash32mod": {2, 3, pure(hashedMod(hash32))},
	"hash64mod": {2, 3, pure(hashedMod(hash64))},

	"tocef":          {8, 8, pure(tocef)},
	"cef_ext_escape": {1, 1, pure(cefExtEscape)},

	"pcre_match":   {2, 2, pcreMatch},
	"re_match":     {2, 2, reMatch},
	"re_match_i":   {2, 2, reMatchFold},
	"re_extract":   {5, 5, reExtract},
	"re_extract_i": {5, 5, reExtractFold},

	"format_time":        {2, 2, formatTime},
	"parse_time":         {1, 1, parseTime},
	"parse_time_localtz": {1, 1, parseTimeLocal},
	"is_time":            {1, 2, isTime},

	"exists":       {1, 1, exists},
	"parse_json":   {2, 2, parseJSON},
	"get_property": {2, 2, getProperty},
	"split":        {2, 2, split},
	"append_json":  {2, 3, appendJSON},
	"unflatten":    {2, 2, unflatten},

	"prifilt":                   {1, 1, prifilt},
	"exec_template":             {1, 1, execTemplate},
	"lookup":                    {2, 2, lookup},
	"dyn_inc":                   {2, 2, dynInc},
	"percentile_observe":        {3, 3, percentileObserve},
	"getenv":                    {1, 1, getenv},
	"script_error":              {0, 0, scriptErrorOf},
	"previous_action_suspended": {0, 0, previousSuspended},
	"b64_decode":                {1, 1, pure(b64Decode)},
	"is_in_subnet":              {2, 2, isInSubnet},
}

// pure wraps a function whose result depends on its arguments alone.
func pure(f func(a []expr) expr) func(*compiler, *conf.Func, []expr) expr {
	return func(_ *compiler, _ *conf.Func, a []expr) expr { return f(a).dependingOn(a...) }
}

// call compiles a call of a function.
func (c *compiler) call(x *conf.Func) expr {
	f, ok := functions[x.Name]
	if module := notThere(x.Name); !ok && module != "" {
		c.errs = multierror.Append(c.errs, &conf.Error{
			Pos: x.Pos, Msg: fmt.Sprintf("function %s() of module %s is not supported", x.Name, module),
			Severity: conf.Unsupported, ID: "unsupported-function", Why: "it is 0",
		})
		return fixedNumber(0)
	}
	if !ok {
		c.errorf(x.Pos, suggestName(x.Name, functionNames()), "function %q is not known", x.Name)
		return fixedNumber(0)
	}
	if n := len(x.Args); n < f.min || n > f.max {
		c.errorf(x.Pos, "", "%s() takes %s, not %d", x.Name, argumentCount(f.min, f.max), n)
		return fixedNumber(0)
	}
	args := make([]expr, len(x.Args))
	for i, a := range x.Args {
		args[i] = c.verbatimExpr(a)
	}
	return f.compile(c, x, args)
}

// notThere names the module of rsyslog's whose function it is, if that is known.
func notThere(function string) string {
	switch {
	case function == "http_request":
		return "fmhttp"
	case strings.HasPrefix(function, "faup"):
		return "ffaup"
	}
	return ""
}

func functionNames() []string {
	var names []string
	for n := range functions {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func argumentCount(least, most int) string {
	switch {
	case least != most:
		return fmt.Sprintf("%d or %d arguments", least, most)
	case most == 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", most)
}

// constant is the i-th argument, which must be a string literal.
func (c *compiler) constant(f *conf.Func, i int) (string, bool) {
	s, ok := f.Args[i].(*conf.Str)
	if !ok {
		c.errorf(f.Args[i].Position(), "", "argument %d of %s() must be a constant string", i+1, f.Name)
		return "", false
	}
	return s.Value, true
}

// appendError adds an error about what stands at pos.
func appendError(errs *multierror.Error, pos conf.Pos, err error) *multierror.Error {
	return multierror.Append(errs, &conf.Error{Pos: pos, Msg: err.Error()})
}
