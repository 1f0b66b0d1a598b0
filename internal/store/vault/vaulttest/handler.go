package vaulttest

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
)

// Handler answers the API below /v1/. It may be used concurrently.
type Handler struct {
	cfg    Config
	faults Faults
	kv     map[string]endpoint // by the segment after the mount
	fixed  []route             // everything outside the mounts

	mu       sync.Mutex
	sessions map[string]session // by token
	wraps    map[string]wrap    // by wrapping token
}

// action answers one request that was authenticated and may proceed.
type action func(context.Context, *request) reply

// endpoint holds the operations of one path; a missing one is unsupported.
type endpoint map[operation]action

// access says what a caller of a route must show.
type access uint8

const (
	guarded access = iota // a token whose policies allow the path
	anyToken
	open
)

// route is one path outside the mounts; a path that ends in "/" takes the rest.
type route struct {
	path   string
	access access
	ends   endpoint
}

// New makes a handler. The defaults of Config are filled in here.
func New(cfg Config) *Handler {
	if len(cfg.Mounts) == 0 {
		cfg.Mounts = []string{"secret"}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	h := &Handler{cfg: cfg, sessions: map[string]session{}, wraps: map[string]wrap{}}
	for text, t := range cfg.Tokens {
		h.sessions[text] = h.newSession(t)
	}
	h.kv = h.kvEndpoints()
	h.fixed = slices.Concat(h.sysRoutes(), h.authRoutes(), h.policyRoutes(), h.groupRoutes())
	return h
}

// ServeHTTP answers one request. The order of checks is the server's: form of the
// request, seal, namespace, quota, path, token, right.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, bad := parseRequest(w, r)
	if bad == nil {
		bad = h.gate(req)
	}
	if bad != nil {
		h.write(w, req, *bad)
		return
	}
	h.write(w, req, h.answer(r.Context(), req))
}

// gate refuses what a server in trouble refuses before it looks at a token.
func (h *Handler) gate(r *request) *reply {
	state := h.faults.read()
	status := strings.HasPrefix(r.path, "sys/health") || r.path == "sys/seal-status" || r.path == "sys/init"
	switch {
	case status:
		return nil
	case state.sealed || state.uninitialised:
		return refuse(http.StatusServiceUnavailable, "Vault is sealed")
	case r.namespace != "" && r.namespace != "root":
		return refuse(http.StatusNotFound, "namespace not found")
	case state.rateLimited:
		return refuse(http.StatusTooManyRequests, rateLimited(r.path))
	}
	return nil
}

func (h *Handler) answer(ctx context.Context, r *request) reply {
	ends, needs, bad := h.find(r)
	if bad != nil && bad.status == http.StatusBadRequest {
		return *bad
	}
	if needs != open {
		var ok bool
		if r.session, ok = h.lookup(r.token); !ok {
			return *refuse(http.StatusForbidden, "permission denied")
		}
	}
	if bad != nil {
		return *bad
	}
	act, ok := ends[r.op]
	if !ok {
		return unsupported()
	}
	if needs == guarded && !h.allowed(ctx, r) {
		return *refuse(http.StatusForbidden, multi("permission denied"))
	}
	return act(ctx, r)
}

// find picks the endpoint of a path and leaves the part below it in r.rest.
func (h *Handler) find(r *request) (endpoint, access, *reply) {
	head, rest, _ := strings.Cut(r.path, "/")
	if slices.Contains(h.cfg.Mounts, head) {
		r.mount = head
		return h.findKV(r, rest)
	}
	for _, c := range h.fixed {
		if rest, ok := c.match(r); ok {
			r.rest = rest
			return c.ends, c.access, nil
		}
	}
	switch head {
	case "sys", "auth", "identity":
		return nil, guarded, refuse(http.StatusNotFound, multi("unsupported path"))
	}
	return nil, guarded, refuse(http.StatusNotFound, `no handler for route "`+r.path+`". route entry not found.`)
}

func (h *Handler) findKV(r *request, rest string) (endpoint, access, *reply) {
	kind, path, deeper := strings.Cut(rest, "/")
	ends, known := h.kv[kind]
	switch {
	case !known || kind == "config" && deeper:
		ends = endpoint{read: strayPath, write: strayPath, remove: strayPath, list: strayPath}
	case r.op == list || r.op == scan:
		r.rest = strings.TrimSuffix(path, "/")
		if err := h.ref(r).ValidatePrefix(); err != nil {
			return nil, guarded, new(r.fail(err))
		}
	case kind != "config":
		r.rest = path
		if (path == "" || strings.HasSuffix(path, "/")) && r.op == write {
			return nil, guarded, refuse(http.StatusBadRequest, "cannot write to a path ending in '/'")
		}
		if err := h.ref(r).Validate(); err != nil {
			return nil, guarded, new(r.fail(err))
		}
	}
	return ends, guarded, nil
}

func (c route) match(r *request) (rest string, ok bool) {
	path := r.path
	if r.op == list {
		path = strings.TrimSuffix(path, "/")
	}
	if !strings.HasSuffix(c.path, "/") {
		return "", path == c.path
	}
	rest, ok = strings.CutPrefix(path, c.path)
	return rest, ok && rest != ""
}

// strayPath is what a versioned mount says to a path of the unversioned kind.
func strayPath(context.Context, *request) reply {
	return reply{status: http.StatusNotFound, warnings: []string{
		"Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."}}
}

func (h *Handler) ref(r *request) secret.Ref {
	return secret.Ref{Tenant: h.cfg.Tenant, Mount: r.mount, Path: r.rest}
}

func (h *Handler) now() time.Time { return h.cfg.Clock().UTC() }

func (h *Handler) settings(ctx context.Context, r *request) (secret.MountSettings, error) {
	if h.cfg.Settings == nil {
		return secret.MountSettings{}, nil
	}
	return h.cfg.Settings.Mount(ctx, h.cfg.Tenant, r.mount)
}
