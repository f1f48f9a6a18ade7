package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
	"sysrelay/queue"
)

// given is a parameter as if it stood in the configuration.
func given[T any](v T) conf.Opt[T] { return conf.Opt[T]{Value: v, Given: true} }

// textTemplate renders a message's text between two constants.
type textTemplate struct{ before, after string }

func (t textTemplate) Name() string   { return "text" }
func (t textTemplate) Prefix() string { return t.before }
func (t textTemplate) Suffix() string { return t.after }
func (t textTemplate) Append(dst []byte, m *message.Message) []byte {
	dst = append(dst, t.before...)
	dst = append(dst, m.Text...)
	return append(dst, t.after...)
}

// logBook keeps own messages.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBook) Log(severity int, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf("%d %s", severity, text))
}

func (b *logBook) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

// deps are dependencies with the given templates; "text" is always there.
func deps(templates map[string]message.Template) (Deps, *logBook) {
	book := &logBook{}
	return Deps{
		Env: message.NewEnv("here"),
		Log: book.Log,
		Template: func(name string) (message.Template, bool) {
			if t, ok := templates[name]; ok {
				return t, true
			}
			return textTemplate{}, name == "text"
		},
	}, book
}

// batch holds messages with these texts.
func batch(texts ...string) message.View {
	b := new(message.Batch)
	for _, t := range texts {
		b.Add([]byte(t), nil, 0, 0)
	}
	return b.All()
}

func texts(v message.View) (all []string) {
	for i := range v.Len() {
		all = append(all, string(v.At(i).Text))
	}
	return all
}

// fakeOutput delivers what it is told to.
type fakeOutput struct {
	mu      sync.Mutex
	got     []string
	write   func(v message.View) (int, error) // nil delivers
	resume  func() error                      // nil says yes
	writes  int
	resumes []time.Time
}

func (o *fakeOutput) Write(_ context.Context, v message.View) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	n, err := v.Len(), error(nil)
	if o.write != nil {
		n, err = o.write(v)
	}
	o.got = append(o.got, texts(v.Slice(0, n))...)
	return n, err
}

func (o *fakeOutput) TryResume(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resumes = append(o.resumes, time.Now())
	if o.resume != nil {
		return o.resume()
	}
	return nil
}

func (o *fakeOutput) Hup()         {}
func (o *fakeOutput) Close() error { return nil }

func (o *fakeOutput) received() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.got)
}

var errDown = errors.New("collector is down")

// down makes writing and resuming fail.
func (o *fakeOutput) down() {
	o.write = func(message.View) (int, error) { return 0, errDown }
	o.resume = func() error { return errDown }
}

// up makes everything work.
func (o *fakeOutput) up() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write, o.resume = nil, nil
}

// defaultParams are those of an action without action.* parameters.
func defaultParams() ActionParams {
	return ActionParams{ResumeInterval: 30, ResumeIntervalMax: 1800, ReportSuspension: conf.Opt[bool]{Value: true}, GateParams: GateParams{WriteAllMarks: true}}
}

// newAction makes a direct action named "test" around o.
func newAction(t *testing.T, o Output, change func(*ActionOptions)) (*Action, *logBook) {
	t.Helper()
	d, book := deps(nil)
	opts := ActionOptions{Name: "test", Module: "builtin:fake", Params: defaultParams(), Output: o, Deps: d,
		Queue: queue.Options{Name: "test queue", Kind: queue.Action, Now: time.Now, Log: d.Log}}
	if change != nil {
		change(&opts)
	}
	a, err := NewAction(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	return a, book
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// tries is action.resumeRetryCount as given in a configuration.
func tries(n int) conf.Opt[int] { return conf.Opt[int]{Value: n, Given: true} }
