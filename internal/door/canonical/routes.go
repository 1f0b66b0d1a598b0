package canonical

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// Base is the path that the door serves under.
const Base = "/api/secrets"

// Limits of bodies in bytes, and of the work of one request.
const (
	bodyLimit = secret.MaxValue + 64<<10
	bulkLimit = 8 << 20
	timeout   = 60 * time.Second
	bulkTime  = 5 * time.Minute
)

// Config is what the door is made of.
type Config struct {
	Secrets     *secrets.Service
	Auth        identity.Authenticator // nil: authentication is off
	Credentials func(*http.Request) identity.Credentials
	Tenant      string
	// Activity serves the event stream and the audit records; nil: their routes are
	// unknown.
	Activity *activity.Service
	Closing  <-chan struct{} // ends the streams
	InWork   int
	Observer door.Observer
	Tracer   door.Tracer // nil: requests are not traced
	Log      *slog.Logger
}

// New makes the door.
func New(c Config) (*door.Door, error) {
	return door.New(door.Config{
		Name: "canonical", Routes: Routes(c), Shape: shape{}, Auth: c.Auth, Tenant: c.Tenant,
		Credentials: c.Credentials, InWork: c.InWork, Observer: c.Observer, Tracer: c.Tracer, Log: c.Log,
	})
}

// Routes is the door's table.
func Routes(c Config) []door.Route {
	h := handlers{c}
	get := func(path string, f door.Handler) door.Route {
		return door.Route{Method: http.MethodGet, Path: Base + path, Access: door.Caller, Timeout: timeout, Handle: f}
	}
	post := func(path string, f door.Handler) door.Route {
		return door.Route{Method: http.MethodPost, Path: Base + path, Access: door.Caller, Body: bodyLimit, Timeout: timeout, Handle: f}
	}
	rows := []door.Route{
		post("", h.put),
		get("", h.readFile),
		get("/value", h.read),
		{Method: http.MethodDelete, Path: Base, Access: door.Caller, Timeout: timeout, Handle: h.remove},
		post("/rotate", h.rotate),
		get("/metadata", h.leaves),
		get("/keys", h.keys),
		get("/metadata/detail", h.detail),
		get("/versions", h.versions),
		post("/undelete", h.undelete),
		post("/destroy-versions", h.destroyVersions),
		post("/metadata/owner", h.owner),
		{Method: http.MethodPost, Path: Base + "/bulk", Access: door.Caller, Body: bulkLimit, Timeout: bulkTime, Handle: h.bulk},
		post("/copy", h.copy),
		post("/move", h.move),
		get("/search", h.search),
	}
	if c.Activity != nil {
		rows = append(rows,
			door.Route{Method: http.MethodGet, Path: Base + "/events", Access: door.Caller, Handle: h.events},
			get("/audit", h.audit),
		)
	}
	return rows
}

type handlers struct{ c Config }
