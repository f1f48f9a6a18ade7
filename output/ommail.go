package output

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"strings"
	"time"

	"sysrelay/conf"
	"sysrelay/message"
)

// OMMailModule are the parameters of module(load="ommail"): none.
type OMMailModule struct{}

// OMMailParams are the parameters of action(type="ommail").
type OMMailParams struct {
	Mode        string         `conf:"mode,enum=smtp|sendmail" default:"smtp" doc:"How mail leaves: smtp to a server, or sendmail, a program on this machine." status:"full"`
	Server      string         `conf:"server" default:"127.0.0.1" doc:"SMTP server." status:"full"`
	Port        string         `conf:"port" default:"25" doc:"Its port." status:"full"`
	From        string         `conf:"mailfrom,required" doc:"Sender." status:"full"`
	To          []string       `conf:"mailto,required" doc:"Recipients." status:"full"`
	Subject     string         `conf:"subject.template" doc:"Template of the subject." status:"full"`
	SubjectText string         `conf:"subject.text" doc:"Subject, if it is always the same; default 'message from rsyslog'." status:"full"`
	Body        conf.Opt[bool] `conf:"body.enable" default:"on" doc:"off: mail without a text, for pagers." status:"full"`
	Template    string         `conf:"template" doc:"Template of the text; default RSYSLOG_FileFormat." status:"full"`
	Sendmail    string         `conf:"sendmail.binary" default:"/usr/sbin/sendmail" doc:"Program of mode=sendmail; it is given the recipients as parameters and the mail as its input." status:"full"`
	TLS         string         `conf:"tls.mode,enum=none|starttls|tls" default:"none" doc:"Own: starttls goes over to TLS before anything is sent, and sends nothing if the server cannot; tls speaks nothing else, usually on port 465. The server's certificate is checked for its name." status:"full"`
	CAFile      string         `conf:"tls.cacert" doc:"Own: file of the certificates that are trusted; default is the system's." status:"full"`
	User        string         `conf:"auth.user" doc:"Own: name to log in with, by PLAIN or LOGIN. Needs TLS, unless the server is on this machine." status:"full"`
	Password    string         `conf:"auth.password" doc:"Own: password to log in with." status:"full"`
}

const (
	// mailTimeout is how long the server, or sendmail, may take for one mail.
	mailTimeout = 30 * time.Second
	// mailReport is how often recipients that are refused are reported.
	mailReport = time.Minute
)

// ommail sends every message as a mail of its own.
type ommail struct {
	p             OMMailParams
	subject, body message.Template // nil: constant, none
	env           *message.Env
	log           func(severity int, text string)
	tls           *tls.Config // nil without TLS
	limit         time.Duration
	told          time.Time
	mail          bytes.Buffer
	buf           []byte
}

// NewOMMail makes the output of action(type="ommail"). It connects to nothing.
func NewOMMail(_ OMMailModule, p OMMailParams, d Deps) (Output, error) {
	o := &ommail{p: p, env: d.Env, log: d.Log, limit: mailTimeout}
	var err error
	if p.Subject != "" && p.SubjectText != "" {
		return nil, errors.New("use either subject.template or subject.text")
	}
	if p.Subject != "" {
		if o.subject, err = d.template(p.Subject); err != nil {
			return nil, err
		}
	}
	if p.Body.Value {
		if o.body, err = d.template(p.Template, "RSYSLOG_FileFormat"); err != nil {
			return nil, err
		}
	}
	if p.SubjectText == "" {
		o.p.SubjectText = "message from rsyslog"
	}
	for _, a := range append([]string{p.From}, p.To...) {
		if a == "" || strings.ContainsAny(a, "\r\n<>") {
			return nil, fmt.Errorf("%q is not a mail address", a)
		}
	}
	if p.Mode != "sendmail" && p.TLS != "none" {
		o.tls, err = mailTLS(p.Server, p.CAFile)
	}
	return o, err
}

// mailTLS checks the server's certificate for its name.
func mailTLS(server, caFile string) (*tls.Config, error) {
	c := &tls.Config{ServerName: server, MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cacert: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.cacert: %s holds no certificate", caFile)
	}
	return c, nil
}

// Write implements Output. All mails of a batch go over one connection.
func (o *ommail) Write(ctx context.Context, v message.View) (int, error) {
	if o.p.Mode == "sendmail" {
		for i := range v.Len() {
			o.compose(v.At(i), "\n")
			if err := o.sendmail(ctx); err != nil {
				return i, err
			}
		}
		return v.Len(), nil
	}
	return o.deliver(ctx, v)
}

// compose makes a mail (RFC 5322), as rsyslog's is.
func (o *ommail) compose(m *message.Message, eol string) {
	subject := o.p.SubjectText
	if o.subject != nil {
		o.buf = o.subject.Append(o.buf[:0], m)
		subject = string(o.buf)
	}
	o.buf = o.buf[:0]
	if o.body != nil {
		o.buf = o.body.Append(o.buf, m)
	}
	o.mail.Reset()
	header := func(name, value string) { o.mail.WriteString(name + ": " + value + eol) }
	header("Date", o.env.Now().In(o.env.Location).Format(time.RFC1123Z))
	header("From", "<"+o.p.From+">")
	header("To", "<"+strings.Join(o.p.To, ">, <")+">")
	header("Subject", mime.QEncoding.Encode("utf-8", oneLine(subject)))
	header("X-Mailer", "rsyslog-ommail")
	if !ascii(o.buf) {
		header("MIME-Version", "1.0")
		header("Content-Type", "text/plain; charset=utf-8")
		header("Content-Transfer-Encoding", "8bit")
	}
	o.mail.WriteString(eol)
	// A carriage return of the message's own would end a line.
	text := bytes.ReplaceAll(bytes.ReplaceAll(o.buf, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	o.mail.Write(bytes.ReplaceAll(text, []byte("\n"), []byte(eol)))
}

// oneLine keeps a message from adding headers of its own.
func oneLine(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s), " ")
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// deliver sends the messages over one connection.
func (o *ommail) deliver(ctx context.Context, v message.View) (int, error) {
	at := net.JoinHostPort(o.p.Server, o.p.Port)
	c, conn, err := o.dial(ctx, at)
	if err != nil {
		return 0, fmt.Errorf("mail server %s: %w", at, err)
	}
	defer c.Close()
	for i := range v.Len() {
		o.compose(v.At(i), "\r\n")
		if err := o.send(ctx, c, conn); err != nil {
			return i, fmt.Errorf("mail server %s: %w", at, err)
		}
	}
	_ = c.Quit() // everything has been taken
	return v.Len(), nil
}

// dial connects, goes over to TLS and logs in.
func (o *ommail) dial(ctx context.Context, at string) (*smtp.Client, net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, nil, err
	}
	defer within(ctx, o.limit, conn.SetDeadline)()
	if o.p.TLS == "tls" {
		conn = tls.Client(conn, o.tls)
	}
	c, err := smtp.NewClient(conn, o.p.Server)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	if err := o.greet(c); err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, conn, nil
}

var (
	errNoStartTLS = errors.New("it has no STARTTLS; nothing is sent in the clear")
	errNoAuth     = errors.New("it knows neither PLAIN nor LOGIN to log in with")
)

func (o *ommail) greet(c *smtp.Client) error {
	if err := c.Hello(o.env.Hostname()); err != nil {
		return err
	}
	if o.p.TLS == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errNoStartTLS
		}
		if err := c.StartTLS(o.tls); err != nil {
			return err
		}
	}
	if o.p.User == "" {
		return nil
	}
	_, ways := c.Extension("AUTH")
	switch ways = " " + strings.ToUpper(ways) + " "; {
	case strings.Contains(ways, " PLAIN "):
		return c.Auth(smtp.PlainAuth("", o.p.User, o.p.Password, o.p.Server))
	case strings.Contains(ways, " LOGIN "):
		return c.Auth(&loginAuth{user: o.p.User, password: o.p.Password})
	}
	return errNoAuth
}

// send sends the mail. A server that does not want its content, and says so for
// good, does not get it again.
func (o *ommail) send(ctx context.Context, c *smtp.Client, conn net.Conn) error {
	defer within(ctx, o.limit, conn.SetDeadline)()
	if err := c.Mail(o.p.From); err != nil {
		return err
	}
	var refused error
	some := false
	for _, to := range o.p.To {
		if err := c.Rcpt(to); err != nil {
			refused = fmt.Errorf("recipient %s: %w", to, err)
		} else {
			some = true
		}
	}
	if !some {
		return refused
	}
	if refused != nil {
		o.report(refused)
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(o.mail.Bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		if t := (*textproto.Error)(nil); errors.As(err, &t) && t.Code >= 500 {
			return fmt.Errorf("%w: %w", ErrUnacceptable, err)
		}
		return err
	}
	return nil
}

// report says that one of several recipients gets no mail, not every time.
func (o *ommail) report(err error) {
	if now := o.env.Now(); now.Sub(o.told) >= mailReport {
		o.told = now
		o.log(severityWarning, fmt.Sprintf("mail server %s: %v; others get the mail", o.p.Server, err))
	}
}

// loginAuth is LOGIN, which never became a standard but is all some servers know.
type loginAuth struct{ user, password string }

var errInTheClear = errors.New("passwords are not sent in the clear; use tls.mode")

// Start implements smtp.Auth.
func (a *loginAuth) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if ip := net.ParseIP(s.Name); !s.TLS && s.Name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", nil, errInTheClear
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (a *loginAuth) Next(from []byte, more bool) ([]byte, error) {
	switch ask := strings.ToLower(string(from)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(ask, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(ask, "pass"):
		return []byte(a.password), nil
	default:
		return nil, fmt.Errorf("it asks for %.40q, which is neither a name nor a password", from)
	}
}

// Exit codes of sendmail that are the mail's own fault; see sysexits.h.
const exitDataErr = 65

// sendmail gives the mail to the program.
func (o *ommail) sendmail(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	args := append([]string{"-i", "-f", o.p.From, "--"}, o.p.To...)
	cmd := exec.CommandContext(limited, o.p.Sendmail, args...)
	cmd.Stdin = bytes.NewReader(o.mail.Bytes())
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		err = fmt.Errorf("it was killed, because it took longer than %v", o.limit)
	case errors.As(err, &exit) && exit.ExitCode() == exitDataErr:
		err = fmt.Errorf("%w: %w", ErrUnacceptable, err)
	default:
		err = rootCause(err)
	}
	if text := bytes.TrimSpace(said.Bytes()); len(text) > 0 {
		err = fmt.Errorf("%w: %.200s", err, text)
	}
	return fmt.Errorf("%s: %w", o.p.Sendmail, err)
}

// TryResume implements Output.
func (o *ommail) TryResume(ctx context.Context) error {
	if o.p.Mode == "sendmail" {
		return nil
	}
	at := net.JoinHostPort(o.p.Server, o.p.Port)
	c, conn, err := o.dial(ctx, at)
	if err != nil {
		return fmt.Errorf("mail server %s: %w", at, err)
	}
	defer c.Close()
	defer within(ctx, o.limit, conn.SetDeadline)()
	_ = c.Quit() // it is there
	return nil
}

// Render shows what would be sent, for the error file.
func (o *ommail) Render(dst []byte, m *message.Message) []byte {
	if o.body == nil {
		return dst
	}
	return o.body.Append(dst, m)
}

// Hup implements Output.
func (o *ommail) Hup() {}

// Close implements Output.
func (o *ommail) Close() error { return nil }
