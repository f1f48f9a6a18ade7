package engine

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Requests that other sites make a browser send are refused.
func TestAdminGuard(t *testing.T) {
	a := &admin{p: AdminParams{Hosts: []string{"relay.example"}}}
	h := a.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, c := range []struct {
		host, site string
		want       int
	}{
		{"127.0.0.1:9514", "", 204}, {"localhost:9514", "none", 204}, {"[::1]:9514", "same-origin", 204}, {"localhost", "", 204}, {"RELAY.example:9514", "", 204},
		{"evil.example:9514", "", 403}, {"192.0.2.1:9514", "", 403}, {"", "", 403}, {"localhost.evil.example", "", 403},
		{"127.0.0.1:9514", "cross-site", 403}, {"127.0.0.1:9514", "same-site", 403},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Host = c.host
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("host %q, site %q: %d, want %d", c.host, c.site, w.Code, c.want)
		}
		if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers %v", w.Header())
		}
	}
}
