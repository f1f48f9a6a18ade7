package output

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sysrelay/message"
)

// smtpServer is a mail server for tests.
type smtpServer struct {
	t        *testing.T
	l        net.Listener
	tls      *tls.Config
	implicit bool              // TLS from the first byte
	features []string          // besides STARTTLS, if there is tls
	answers  map[string]string // to commands that begin so, instead of 250

	mu    sync.Mutex
	mails []string // each with its envelope in front
	conns int
	auth  []string
}

func newSMTPServer(t *testing.T, s *smtpServer) (*smtpServer, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s.t, s.l = t, l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return s, port
}

func (s *smtpServer) serve(c net.Conn) {
	defer c.Close()
	secure := s.implicit
	if secure {
		c = tls.Server(c, s.tls)
	}
	r := bufio.NewReader(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	line := func() (string, bool) {
		text, err := r.ReadString('\n')
		return strings.TrimSuffix(text, "\r\n"), err == nil
	}
	say("220 test")
	envelope := ""
	for {
		cmd, ok := line()
		if !ok {
			return
		}
		answer := "250 ok"
		for begin, a := range s.answers {
			if strings.HasPrefix(cmd, begin) {
				answer = a
			}
		}
		verb, _, _ := strings.Cut(cmd, " ")
		switch {
		case verb == "EHLO":
			all := append([]string{"test"}, s.features...)
			if s.tls != nil && !secure {
				all = append(all, "STARTTLS")
			}
			for _, f := range all[:len(all)-1] {
				say("250-" + f)
			}
			say("250 " + all[len(all)-1])
		case verb == "STARTTLS":
			say("220 go")
			c, secure = tls.Server(c, s.tls), true
			r = bufio.NewReader(c)
		case verb == "AUTH":
			s.login(cmd, say, line)
		case verb == "DATA" && answer == "250 ok":
			say("354 go")
			text := ""
			for {
				l, ok := line()
				if !ok {
					return
				}
				if l == "." {
					break
				}
				text += strings.TrimPrefix(l, ".") + "\r\n"
			}
			if a, no := s.answers["."]; no {
				say(a)
				break
			}
			s.mu.Lock()
			s.mails = append(s.mails, envelope+text)
			s.mu.Unlock()
			envelope = ""
			say("250 queued")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			if answer == "250 ok" {
				envelope += cmd + "\r\n"
			}
			say(answer)
		}
	}
}

func (s *smtpServer) login(cmd string, say func(string), line func() (string, bool)) {
	got := strings.TrimPrefix(cmd, "AUTH ")
	if got == "LOGIN" {
		for _, ask := range []string{"Username:", "Password:"} {
			say("334 " + base64.StdEncoding.EncodeToString([]byte(ask)))
			answer, _ := line()
			b, _ := base64.StdEncoding.DecodeString(answer)
			got += " " + string(b)
		}
	} else if b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "PLAIN ")); err == nil {
		got = "PLAIN " + strings.ReplaceAll(string(b), "\x00", " ")
	}
	s.mu.Lock()
	s.auth = append(s.auth, got)
	s.mu.Unlock()
	say("235 welcome")
}

func mailParams(port string) OMMailParams {
	return OMMailParams{Mode: "smtp", Server: "127.0.0.1", Port: port, From: "a@example.net", To: []string{"b@example.net", "c@example.net"},
		Body: given(true), Template: "text", TLS: "none", Sendmail: "/usr/sbin/sendmail"}
}

func newOMMail(t *testing.T, p OMMailParams) (*ommail, *logBook) {
	t.Helper()
	d, book := deps(map[string]message.Template{"subject": textTemplate{"alert", " end"}})
	d.Env.Now = func() time.Time { return time.Date(2026, 11, 24, 14, 23, 57, 0, time.UTC) }
	d.Env.Location = time.UTC
	o, err := NewOMMail(OMMailModule{}, p, d)
	must(t, err)
	return o.(*ommail), book
}

const mailHead = "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n" +
	"Date: Tue, 24 Nov 2026 14:23:57 +0000\r\nFrom: <a@example.net>\r\nTo: <b@example.net>, <c@example.net>\r\n"

// TestMails: the header is rsyslogd's, byte for byte.
func TestMails(t *testing.T) {
	s, port := newSMTPServer(t, &smtpServer{})
	p := mailParams(port)
	p.Subject = "subject"
	o, _ := newOMMail(t, p)
	write(t, o, " one", "two\n.dot\r\nX-Header: no", "grüße")
	p.Body, p.Subject = given(false), ""
	o, _ = newOMMail(t, p)
	write(t, o, "pager")
	equal(t, "mails", s.mails, []string{
		mailHead + "Subject: alert one end\r\nX-Mailer: rsyslog-ommail\r\n\r\n one\r\n",
		mailHead + "Subject: alerttwo .dot  X-Header: no end\r\nX-Mailer: rsyslog-ommail\r\n\r\ntwo\r\n.dot\r\nX-Header: no\r\n",
		mailHead + "Subject: =?utf-8?q?alertgr=C3=BC=C3=9Fe_end?=\r\nX-Mailer: rsyslog-ommail\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n",
		mailHead + "Subject: message from rsyslog\r\nX-Mailer: rsyslog-ommail\r\n\r\n",
	})
	if s.conns != 2 {
		t.Errorf("%d connections, want one for each batch", s.conns)
	}
}

// TestMailRefused: whose fault is it?
func TestMailRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string]string
		n       int
		err     string
		bad     bool // the message is to blame
		logged  string
	}{
		{"content", map[string]string{".": "554 looks like spam"}, 0, `554 "looks like spam"`, true, ""},
		{"content, for now", map[string]string{".": "451 try later"}, 0, `451 "try later"`, false, ""},
		{"sender", map[string]string{"MAIL": "550 unknown"}, 0, `550 "unknown"`, false, ""},
		{"all recipients", map[string]string{"RCPT": "550 unknown"}, 0, `recipient c@example.net: 550 "unknown"`, false, ""},
		{"one recipient", map[string]string{"RCPT TO:<b": "550 unknown"}, 2, "", false, `recipient b@example.net: 550 "unknown"; others get the mail`},
	} {
		_, port := newSMTPServer(t, &smtpServer{answers: c.answers})
		o, book := newOMMail(t, mailParams(port))
		n, err := o.Write(t.Context(), batch("m", "m"))
		if n != c.n || errors.Is(err, ErrUnacceptable) != c.bad || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: Write = %d, %v", c.name, n, err)
		}
		if c.logged != "" && count(book.all(), c.logged) != 1 || c.logged == "" && book.all() != nil {
			t.Errorf("%s: logged %q", c.name, book.all())
		}
	}
	o, _ := newOMMail(t, mailParams("1"))
	if _, err := o.Write(t.Context(), batch("m")); err == nil || !strings.Contains(err.Error(), "mail server 127.0.0.1:1: ") {
		t.Errorf("nobody there: %v", err)
	}
	if o.TryResume(t.Context()) == nil {
		t.Error("resumed without a server")
	}
}

// TestMailServerHangs: it cannot hold up anything for ever.
func TestMailServerHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	o, _ := newOMMail(t, mailParams(port))
	o.limit = 50 * time.Millisecond
	if n, err := o.Write(t.Context(), batch("m")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v", n, err)
	}
}

// certificate is one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	file := t.TempDir() + "/ca.pem"
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func TestMailOverTLS(t *testing.T) {
	cert, ca := certificate(t)
	for _, c := range []struct {
		mode, ca string
		server   *smtpServer
		auth     string
		err      string
	}{
		{"starttls", ca, &smtpServer{tls: cert, features: []string{"AUTH PLAIN LOGIN"}}, "PLAIN  me secret", ""},
		{"tls", ca, &smtpServer{tls: cert, implicit: true, features: []string{"AUTH LOGIN"}}, "LOGIN me secret", ""},
		{"starttls", ca, &smtpServer{}, "", "it has no STARTTLS; nothing is sent in the clear"},
		{"starttls", "", &smtpServer{tls: cert}, "", "certificate"},
		{"starttls", ca, &smtpServer{tls: cert}, "", "it knows neither PLAIN nor LOGIN"},
	} {
		s, port := newSMTPServer(t, c.server)
		p := mailParams(port)
		p.TLS, p.CAFile, p.User, p.Password = c.mode, c.ca, "me", "secret"
		o, _ := newOMMail(t, p)
		n, err := o.Write(t.Context(), batch("m"))
		s.mu.Lock()
		auth, mails := strings.Join(s.auth, ","), len(s.mails)
		s.mu.Unlock()
		if n != mails || auth != c.auth || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: Write = %d, %v; login %q", c.mode, n, err, auth)
		}
	}
}

func TestSendmail(t *testing.T) {
	dir := t.TempDir()
	prog := dir + "/sendmail"
	must(t, os.WriteFile(prog, []byte("#!/bin/sh\necho \"$@\" >"+dir+"/got\ncat >>"+dir+"/got\necho no >&2\nexit $(cat "+dir+"/exit)\n"), 0o700))
	p := mailParams("")
	p.Mode, p.Sendmail, p.SubjectText = "sendmail", prog, "hello"
	o, _ := newOMMail(t, p)
	for exit, want := range map[string]string{"0": "", "75": "exit status 75: no", "65": "exit status 65: no"} {
		must(t, os.WriteFile(dir+"/exit", []byte(exit), 0o600))
		_, err := o.Write(t.Context(), batch("text\n"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || errors.Is(err, ErrUnacceptable) != (exit == "65") {
			t.Errorf("exit %s: %v", exit, err)
		}
	}
	wantFile(t, dir+"/got", "-i -f a@example.net -- b@example.net c@example.net\nDate: Tue, 24 Nov 2026 14:23:57 +0000\n"+
		"From: <a@example.net>\nTo: <b@example.net>, <c@example.net>\nSubject: hello\nX-Mailer: rsyslog-ommail\n\ntext\n")
}

func TestMailParameters(t *testing.T) {
	for _, set := range []func(*OMMailParams){
		func(p *OMMailParams) { p.From = "" },
		func(p *OMMailParams) { p.To = []string{"a@b>\r\nDATA"} },
		func(p *OMMailParams) { p.Subject, p.SubjectText = "subject", "x" },
		func(p *OMMailParams) { p.TLS, p.CAFile = "tls", "/nonexistent" },
		func(p *OMMailParams) { p.Template = "gone" },
	} {
		p := mailParams("25")
		set(&p)
		d, _ := deps(map[string]message.Template{"subject": textTemplate{}})
		d.Template = func(name string) (message.Template, bool) { return textTemplate{}, name != "gone" }
		if _, err := NewOMMail(OMMailModule{}, p, d); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}
