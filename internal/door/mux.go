package door

import (
	"net/http"
	"strings"
)

// Mux dispatches one listener to its doors by the escaped path, without cleaning or
// redirecting. It is built once and then read only.
type Mux struct {
	exact    map[string]http.Handler
	prefixes []prefix
	fallback http.Handler
}

type prefix struct {
	path    string
	handler http.Handler
}

// NewMux makes a dispatcher; what matches nothing goes to fallback.
func NewMux(fallback http.Handler) *Mux {
	return &Mux{exact: map[string]http.Handler{}, fallback: fallback}
}

// At serves one exact path.
func (m *Mux) At(path string, h http.Handler) { m.exact[path] = h }

// Under serves a path and everything below it; the first prefix that fits is taken.
func (m *Mux) Under(path string, h http.Handler) { m.prefixes = append(m.prefixes, prefix{path, h}) }

// ServeHTTP dispatches.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if h, ok := m.exact[path]; ok {
		h.ServeHTTP(w, r)
		return
	}
	for _, p := range m.prefixes {
		if rest, ok := strings.CutPrefix(path, p.path); ok && (rest == "" || rest[0] == '/') {
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	m.fallback.ServeHTTP(w, r)
}
