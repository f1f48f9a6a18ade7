package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sysrelay/message"
)

// AdminParams are the parameters of module(load="admin"), sysrelay's own: statistics
// over HTTP, for this host.
type AdminParams struct {
	Address  string   `conf:"address" default:"127.0.0.1" doc:"Address to listen on; one of this host that other hosts do not reach."`
	Port     string   `conf:"port" default:"9514" doc:"Port to listen on; 0 takes any."`
	PortFile string   `conf:"listenportfilename" doc:"File to write the port to."`
	Hosts    []string `conf:"hosts" doc:"Names by which browsers and programs may call it, besides localhost and addresses of this host."`
}

// admin answers GET /metrics, /healthz and /status. It changes nothing and shows
// nothing of the configuration but names.
type admin struct {
	p      AdminParams
	engine *Engine
	ledger message.Ledger
	ln     net.Listener
	start  time.Time
}

// makeAdmin makes the endpoint if the configuration loads it.
func (b *builder) makeAdmin() {
	module, ok := b.modules["admin"]
	if !ok {
		return
	}
	a := &admin{engine: b.Engine}
	if err := b.decodeModule(module, &a.p); err != nil {
		b.failed(err)
		return
	}
	if ip := net.ParseIP(a.p.Address); ip == nil || !ip.IsLoopback() {
		b.errorf(module.Pos, "listen on 127.0.0.1, and let a web server with TLS and passwords pass on what others may see",
			"admin: %q is not a loopback address: the endpoint asks nobody who he is", a.p.Address)
		return
	}
	b.addInput(a, nil, module)
}

// Name implements input.Input.
func (a *admin) Name() string { return "admin" }

// Ledger implements input.Input.
func (a *admin) Ledger() *message.Ledger { return &a.ledger }

// Counters implements message.Counted: it has none.
func (a *admin) Counters() []message.Counters { return nil }

// Addrs implements input.Input.
func (a *admin) Addrs() []string {
	if a.ln == nil {
		return nil
	}
	return []string{a.ln.Addr().String()}
}

// Listen implements input.Input.
func (a *admin) Listen() error {
	ln, err := net.Listen("tcp", net.JoinHostPort(a.p.Address, a.p.Port))
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	a.ln, a.start = ln, a.engine.env.Now()
	if a.p.PortFile == "" {
		return nil
	}
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(a.p.PortFile, []byte(port), 0o644); err != nil {
		ln.Close()
		return fmt.Errorf("admin: port file: %w", err)
	}
	return nil
}

// Limits of a connection: who asks is on this host and needs little.
const (
	adminTime      = 10 * time.Second
	adminHeaderMax = 8 << 10
)

// Run implements input.Input.
func (a *admin) Run(ctx context.Context, _ message.Handler) error {
	srv := &http.Server{Handler: a.handler(), ReadTimeout: adminTime, WriteTimeout: adminTime, IdleTimeout: adminTime, MaxHeaderBytes: adminHeaderMax}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(a.ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(appendPrometheus(nil, a.engine.Counters(false)))
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.Encode(a.status())
	})
	return a.guard(mux)
}

// guard refuses what does not come from this host's user: a browser that was given
// our address under another name (DNS rebinding) sends that name as Host, and pages
// of other sites say so in Sec-Fetch-Site.
func (a *admin) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		site := r.Header.Get("Sec-Fetch-Site")
		if !a.known(r.Host) || site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "not for other sites", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// known tells whether a Host header names this endpoint.
func (a *admin) known(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost") || slices.ContainsFunc(a.p.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// adminStatus is what /status shows.
type adminStatus struct {
	Program  string          `json:"program"`
	Version  string          `json:"version"`
	Uptime   int64           `json:"uptime_seconds"`
	Held     int             `json:"messages_held"`
	Accounts []adminAccount  `json:"accounts"`
	Counters []adminCounters `json:"counters"`
}

type adminAccount struct {
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Received  uint64            `json:"received"`
	Delivered uint64            `json:"delivered"`
	Queued    int64             `json:"queued"`
	Discarded map[string]uint64 `json:"discarded,omitempty"`
}

type adminCounters struct {
	Name   string           `json:"name"`
	Origin string           `json:"origin"`
	Values map[string]int64 `json:"values"`
}

func (a *admin) status() adminStatus {
	e := a.engine
	s := adminStatus{Program: e.opts.Program, Version: e.opts.Version, Uptime: int64(e.env.Now().Sub(a.start).Seconds()), Held: e.Held()}
	for _, acc := range e.Accounts() {
		row := adminAccount{Kind: acc.Kind, Name: acc.Name, Received: acc.Received, Delivered: acc.Delivered, Queued: acc.Queued()}
		acc.Each(func(r message.Reason, n uint64) {
			if row.Discarded == nil {
				row.Discarded = map[string]uint64{}
			}
			row.Discarded[r.String()] = n
		})
		s.Accounts = append(s.Accounts, row)
	}
	for _, c := range e.Counters(false) {
		values := map[string]int64{}
		for _, v := range c.Values {
			values[v.Name] = v.Value
		}
		s.Counters = append(s.Counters, adminCounters{c.Name, c.Origin, values})
	}
	return s
}
