package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"sysrelay/conf"
	"sysrelay/message"
)

// RateLimitParams are the parameters of a ratelimit() object.
type RateLimitParams struct {
	Name            string         `conf:"name,required" doc:"Name by which ratelimit.name knows it." status:"full"`
	Interval        int            `conf:"interval" doc:"Seconds of the interval; 0 is no limit." status:"full"`
	Burst           int            `conf:"burst" default:"10000" doc:"Messages each listener lets through in an interval." status:"full"`
	Severity        int            `conf:"severity,type=severity" doc:"Only messages of this severity and less severe ones are limited." status:"full"`
	Policy          string         `conf:"policy" doc:"YAML file with interval, burst, severity and a section perSource, or a limit of outputs. HUP reads it again; what is wrong with it then leaves the limits as they are." status:"full"`
	PolicyWatch     bool           `conf:"policywatch" doc:"Read policy files again when they change." status:"full"`
	PolicyDebounce  string         `conf:"policywatchdebounce" default:"5s" doc:"How long a file must have been left alone before that: 500ms, 5s, 2m." status:"full"`
	PerSource       conf.Opt[bool] `conf:"persource" doc:"Limit each sender by itself; the senders are counted for all listeners together." status:"full"`
	PerSourcePolicy string         `conf:"persourcepolicy" doc:"YAML file with the limits of senders: default: and overrides:, each with max and window." status:"full"`
	PerSourceKeyTpl string         `conf:"persourcekeytpl" doc:"Template whose result tells senders apart; default RSYSLOG_PerSourceKey, which is the host name that the message claims. %fromhost-ip% cannot be made up." status:"full"`
	PerSourceStates conf.Opt[int]  `conf:"persourcemaxstates" default:"10000" doc:"Senders remembered; the one that was silent for longest is forgotten." status:"full"`
	PerSourceTopN   conf.Opt[int]  `conf:"persourcetopn" default:"10" doc:"Senders that are named in messages and accounts, those that lost most." status:"full"`
}

// RateValues are a limit of all senders together.
type RateValues struct {
	Interval, Burst, Severity int
}

// rateValues is what is enforced at present.
type rateValues struct {
	interval, burst int64 // seconds, messages
	severity        int
	sources         *sourcePolicy // nil: senders are not told apart
	output          string        // drop or pace if it is a limit of outputs
}

// RateLimit is a ratelimit() object: limits that several listeners name. Each
// listener counts by itself; senders are counted for all of them together.
type RateLimit struct {
	name   string
	p      RateLimitParams
	deps   RateLimitDeps
	values atomic.Pointer[rateValues]

	mu      sync.Mutex
	sources sourceStates
}

// RateLimitDeps is what a ratelimit() object needs.
type RateLimitDeps struct {
	Env      *message.Env
	Log      func(severity int, text string)
	Parsers  message.ParserChain
	Template func(name string) (message.Template, bool)
}

// NewRateLimit returns a limit without senders of their own.
func NewRateLimit(name string, v RateValues) *RateLimit {
	r := &RateLimit{name: name}
	r.values.Store(&rateValues{interval: int64(v.Interval), burst: int64(v.Burst), severity: v.Severity})
	return r
}

// OpenRateLimit makes what a ratelimit() object describes.
func OpenRateLimit(p RateLimitParams, d RateLimitDeps) (*RateLimit, error) {
	r := &RateLimit{name: p.Name, p: p, deps: d}
	v, err := r.read()
	if err == nil {
		_, err = r.debounce()
	}
	if err != nil {
		return nil, fmt.Errorf("ratelimit %q: %w", p.Name, err)
	}
	r.values.Store(v)
	return r, nil
}

// ratePolicyFile is a policy file.
type ratePolicyFile struct {
	Interval  *int              `yaml:"interval"`
	Burst     *int              `yaml:"burst"`
	Severity  *string           `yaml:"severity"`
	Scope     string            `yaml:"scope"`
	Mode      string            `yaml:"mode"`
	PerSource *perSourceSection `yaml:"perSource"`
}

// perSourceSection is its section perSource.
type perSourceSection struct {
	Enabled      *bool  `yaml:"enabled"`
	KeyTemplate  string `yaml:"keyTemplate"`
	MaxStates    *int   `yaml:"maxStates"`
	TopN         *int   `yaml:"topN"`
	sourceLimits `yaml:",inline"`
}

// sourceLimits is also what a perSourcePolicy file holds.
type sourceLimits struct {
	Default   *sourceLimit `yaml:"default"`
	Overrides []struct {
		Key         string `yaml:"key"`
		sourceLimit `yaml:",inline"`
	} `yaml:"overrides"`
}

// sourceLimit is what one sender may send.
type sourceLimit struct {
	Max    *int64   `yaml:"max"`
	Window duration `yaml:"window"`
}

// duration is a time with a unit; a number is seconds.
type duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	t, err := parseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*d = duration(t)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time: write 500ms, 10s, 5m or 1h", s)
	}
	return d, nil
}

func (r *RateLimit) debounce() (time.Duration, error) {
	d, err := parseDuration(r.p.PolicyDebounce)
	if err != nil {
		return 0, fmt.Errorf("policyWatchDebounce: %w", err)
	}
	return d, nil
}

func readYAML(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// read makes the values of the parameters and policy files.
func (r *RateLimit) read() (*rateValues, error) {
	p := &r.p
	v := &rateValues{interval: int64(p.Interval), burst: int64(p.Burst), severity: p.Severity}
	var f ratePolicyFile
	if p.Policy != "" {
		if err := readYAML(p.Policy, &f); err != nil {
			return nil, err
		}
		if err := f.apply(v); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Policy, err)
		}
	}
	section := f.PerSource
	inline := p.PerSource.Value || p.PerSourcePolicy != "" || p.PerSourceKeyTpl != ""
	switch {
	case section != nil && inline:
		return nil, fmt.Errorf("%s has a section perSource, and parameters perSource… are given, too: keep one", p.Policy)
	case section == nil && p.PerSource.Value:
		if p.PerSourcePolicy == "" {
			return nil, errors.New("perSource needs perSourcePolicy, a file with the limits")
		}
		section = &perSourceSection{KeyTemplate: p.PerSourceKeyTpl, MaxStates: &p.PerSourceStates.Value, TopN: &p.PerSourceTopN.Value}
		if err := readYAML(p.PerSourcePolicy, &section.sourceLimits); err != nil {
			return nil, err
		}
	}
	var err error
	if section != nil && (section.Enabled == nil || *section.Enabled) {
		if v.output != "" {
			return nil, errors.New("a limit of outputs cannot tell senders apart: leave perSource out")
		}
		v.sources, err = r.sourcePolicy(section)
	}
	return v, err
}

// apply overwrites v with what the file says.
func (f *ratePolicyFile) apply(v *rateValues) error {
	if f.Interval != nil {
		v.interval = int64(*f.Interval)
	}
	if f.Burst != nil {
		v.burst = int64(*f.Burst)
	}
	if v.interval < 0 || v.burst < 0 {
		return errors.New("interval and burst cannot be negative")
	}
	if f.Severity != nil {
		n, err := conf.ParseSeverity(*f.Severity)
		if err != nil {
			return fmt.Errorf("severity: %w", err)
		}
		v.severity = int(n)
	}
	switch strings.ToLower(f.Scope) {
	case "", "input":
		if f.Mode != "" {
			return errors.New("mode goes with scope: output")
		}
	case "output":
		if v.output = strings.ToLower(f.Mode); v.output != "drop" && v.output != "pace" {
			return fmt.Errorf("mode %q is not drop or pace", f.Mode)
		}
		if f.Severity != nil {
			return errors.New("a limit of outputs has no severity")
		}
	default:
		return fmt.Errorf("scope %q is not input or output", f.Scope)
	}
	return nil
}

// sourcePolicy checks what is said about senders.
func (r *RateLimit) sourcePolicy(s *perSourceSection) (*sourcePolicy, error) {
	if s.Default == nil || s.Default.Max == nil || s.Default.Window <= 0 {
		return nil, errors.New("the limits of senders need default: with max and window")
	}
	if s.KeyTemplate == "" {
		s.KeyTemplate = "RSYSLOG_PerSourceKey"
	}
	tpl, ok := r.deps.Template(s.KeyTemplate)
	if !ok {
		return nil, fmt.Errorf("there is no template %q to tell senders apart", s.KeyTemplate)
	}
	p := &sourcePolicy{key: tpl, common: limitOf(*s.Default, limit{}), own: map[string]limit{}, states: 10000, top: 10}
	if s.MaxStates != nil {
		p.states = max(*s.MaxStates, 1)
	}
	if s.TopN != nil {
		p.top = max(*s.TopN, 0)
	}
	for _, o := range s.Overrides {
		if o.Key == "" {
			return nil, errors.New("one of the overrides has no key")
		}
		p.own[o.Key] = limitOf(o.sourceLimit, p.common)
	}
	return p, nil
}

// limitOf is what s says, and what base says where s does not.
func limitOf(s sourceLimit, base limit) limit {
	if s.Max != nil {
		base.max = *s.Max
	}
	if s.Window > 0 {
		base.window = int64(s.Window)
	}
	return base
}

// Name is the object's name.
func (r *RateLimit) Name() string { return r.name }

// Limit is how many messages are let through in how many seconds; 0 seconds is
// no limit.
func (r *RateLimit) Limit() (burst, seconds int64) {
	v := r.values.Load()
	return v.burst, v.interval
}

// Mode is what a limit of outputs does: drop or pace. ok is false if it is a
// limit of inputs.
func (r *RateLimit) Mode() (mode string, ok bool) {
	v := r.values.Load()
	return v.output, v.output != ""
}

// Reload reads the policy files again. What is wrong leaves all as it was.
func (r *RateLimit) Reload() {
	if r.p.Policy == "" && r.p.PerSourcePolicy == "" {
		return
	}
	v, err := r.read()
	switch {
	case err != nil:
		r.deps.Log(severityError, fmt.Sprintf("ratelimit %q: %v; the limits stay as they were", r.name, err))
	case (v.output != "") != (r.values.Load().output != ""):
		r.deps.Log(severityError, fmt.Sprintf("ratelimit %q: the scope cannot change while it is in use; the limits stay as they were", r.name))
	default:
		r.values.Store(v)
		r.deps.Log(severityInfo, fmt.Sprintf("ratelimit %q: policy read again", r.name))
	}
}

// lookEvery is how often Watch looks at the files at least.
const lookEvery = time.Second

// Watch reads the policy files again once they have changed and then been left
// alone for policyWatchDebounce, until ctx ends. It looks at the files from time
// to time: that works on every file system and for files that are replaced.
func (r *RateLimit) Watch(ctx context.Context) {
	debounce, err := r.debounce()
	if !r.p.PolicyWatch || err != nil {
		return
	}
	tick := time.NewTicker(min(lookEvery, max(debounce/2, 10*time.Millisecond)))
	defer tick.Stop()
	loaded, last := r.fileState(), r.fileState()
	var changed time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if state := r.fileState(); state != last {
				last, changed = state, now
			}
			if last != loaded && now.Sub(changed) >= debounce {
				loaded = last
				r.Reload()
			}
		}
	}
}

// fileState tells versions of the policy files apart.
func (r *RateLimit) fileState() (state [2]fileVersion) {
	for i, name := range []string{r.p.Policy, r.p.PerSourcePolicy} {
		if info, err := os.Stat(name); name != "" && err == nil {
			state[i] = fileVersion{changed: info.ModTime().UnixNano(), size: info.Size()}
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				state[i].inode = st.Ino
			}
		}
	}
	return state
}

type fileVersion struct {
	changed int64
	size    int64
	inode   uint64
}
