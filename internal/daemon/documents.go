package daemon

import (
	"embed"
	"net/http"

	api "github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/internal/door"
)

//go:embed docs
var docs embed.FS

// serveDocuments serves the description of the doors and the page that shows it.
// Both need no credentials; the page loads nothing from elsewhere.
func (d *Daemon) serveDocuments(mux *door.Mux) error {
	spec, err := api.OpenAPIJSON()
	if err != nil {
		return err
	}
	describe := readOnly(func(w http.ResponseWriter) { door.Raw(w, http.StatusOK, spec) })
	mux.At("/openapi.json", describe)
	mux.At("/openapi/canonical.json", describe)
	for path, page := range map[string]struct{ file, media string }{
		"/docs":           {"docs/index.html", "text/html; charset=utf-8"},
		"/docs/style.css": {"docs/style.css", "text/css; charset=utf-8"},
		"/docs/app.js":    {"docs/app.js", "text/javascript; charset=utf-8"},
	} {
		body, err := docs.ReadFile(page.file)
		if err != nil {
			return err
		}
		mux.At(path, readOnly(func(w http.ResponseWriter) {
			h := w.Header()
			h.Set("Content-Type", page.media)
			h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; frame-ancestors 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(body) // the client is gone: nobody is left to tell
		}))
	}
	return nil
}

// readOnly serves GET and HEAD.
func readOnly(write func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		write(w)
	})
}
