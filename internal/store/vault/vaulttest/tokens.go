package vaulttest

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// session is one token that exists.
type session struct {
	token    Token
	text     string
	accessor string
	created  time.Time
	expires  time.Time // zero: never
}

func (s session) policies() []string {
	if slices.Contains(s.token.Policies, RootPolicy) {
		return []string{RootPolicy}
	}
	out := append([]string{"default"}, s.token.Policies...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (h *Handler) newSession(t Token) session {
	s := session{token: t, accessor: hex.EncodeToString(h.random(12)), created: h.now()}
	if t.TTL > 0 {
		s.expires = s.created.Add(t.TTL)
	}
	return s
}

// lookup finds a token that has not expired.
func (h *Handler) lookup(text string) (session, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[text]
	if !ok || text == "" || !s.expires.IsZero() && !h.now().Before(s.expires) {
		return session{}, false
	}
	s.text = text
	return s, true
}

// allowed asks the policies of the token. A write to a path whose key exists is an
// update, else a create; elsewhere either capability serves.
func (h *Handler) allowed(ctx context.Context, r *request) bool {
	path := r.path
	if r.op == list || r.op == scan {
		path = strings.TrimSuffix(path, "/") + "/"
	}
	caps, err := h.capabilitiesOf(ctx, r.session, path)
	if err != nil {
		return false
	}
	needs := map[operation][]string{
		read: {"read"}, remove: {"delete"}, list: {"list"}, scan: {"scan"}, patch: {"patch"},
		write: {"update", "create"},
	}[r.op]
	if r.op == write && r.rest != "" && r.mount != "" {
		needs = h.writeNeeds(ctx, r)
	}
	return slices.Contains(caps, "root") || slices.ContainsFunc(needs, func(c string) bool { return slices.Contains(caps, c) })
}

func (h *Handler) writeNeeds(ctx context.Context, r *request) []string {
	kind := strings.TrimPrefix(r.path, r.mount+"/")
	if !strings.HasPrefix(kind, "data/") && !strings.HasPrefix(kind, "metadata/") {
		return []string{"update"}
	}
	ref := secret.Ref{Tenant: h.cfg.Tenant, Mount: r.mount, Path: r.rest}
	if _, err := h.cfg.Store.Meta(ctx, ref); err == nil {
		return []string{"update"}
	}
	return []string{"create"}
}

func (h *Handler) authRoutes() []route {
	return []route{
		{"auth/token/lookup-self", anyToken, endpoint{read: h.lookupSelf}},
		{"auth/token/renew-self", anyToken, endpoint{write: h.renewSelf}},
		{"auth/token/revoke-self", anyToken, endpoint{write: h.revokeSelf}},
		{"auth/approle/login", open, endpoint{write: h.loginAppRole}},
	}
}

func (h *Handler) lookupSelf(_ context.Context, r *request) reply {
	s := r.session
	data := object{
		"accessor": s.accessor, "creation_time": s.created.Unix(), "creation_ttl": seconds(s.token.TTL),
		"display_name": "token", "entity_id": "", "expire_time": nil, "explicit_max_ttl": 0,
		"id": s.text, "issue_time": wire.Stamp(s.created), "meta": nil, "num_uses": 0, "orphan": true,
		"path": "auth/token/create", "policies": s.policies(), "renewable": s.token.Renewable,
		"ttl": 0, "type": "service",
	}
	if !s.expires.IsZero() {
		data["expire_time"] = wire.Stamp(s.expires)
		data["ttl"] = seconds(s.expires.Sub(h.now()))
	}
	return found(data)
}

func (h *Handler) renewSelf(_ context.Context, r *request) reply {
	s := r.session
	if !s.token.Renewable {
		return invalid("%s", multi("lease is not renewable"))
	}
	ttl := s.token.TTL
	if asked, err := r.body.Duration("increment"); err != nil {
		return r.fail(err)
	} else if asked != nil && *asked > 0 {
		ttl = *asked
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	kept, ok := h.sessions[s.text]
	if !ok {
		return *refuse(http.StatusForbidden, "permission denied")
	}
	kept.expires = h.now().Add(ttl)
	h.sessions[s.text] = kept
	return reply{status: http.StatusOK, auth: authData(kept, s.text, ttl)}
}

func (h *Handler) revokeSelf(_ context.Context, r *request) reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, r.session.text)
	return done()
}

func (h *Handler) loginAppRole(_ context.Context, r *request) reply {
	for _, role := range h.cfg.AppRoles {
		if role.RoleID != r.body.Text("role_id") || role.SecretID != r.body.Text("secret_id") {
			continue
		}
		s, text := h.newSession(role.Token), "s."+hex.EncodeToString(h.random(16))
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sessions[text] = s
		return reply{status: http.StatusOK, auth: authData(s, text, role.Token.TTL)}
	}
	return invalid("invalid role or secret ID")
}

func authData(s session, text string, ttl time.Duration) object {
	return object{
		"accessor": s.accessor, "client_token": text, "entity_id": "", "lease_duration": seconds(ttl),
		"metadata": nil, "mfa_requirement": nil, "num_uses": 0, "orphan": true, "policies": s.policies(),
		"renewable": s.token.Renewable, "token_policies": s.policies(), "token_type": "service",
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// random reads n bytes; without randomness there is no token that may be given out.
func (h *Handler) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(h.cfg.Random, b); err != nil {
		panic("vaulttest: source of randomness is broken")
	}
	return b
}
