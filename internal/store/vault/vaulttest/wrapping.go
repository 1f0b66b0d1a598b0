package vaulttest

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// wrap is one body that waits to be fetched, once.
type wrap struct {
	body    []byte
	expires time.Time
}

// wrapUp puts a body away and gives the answer that names its token.
func (h *Handler) wrapUp(r *request, body []byte) reply {
	text, now := "s."+hex.EncodeToString(h.random(16)), h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, w := range h.wraps {
		if now.After(w.expires) {
			delete(h.wraps, t)
		}
	}
	h.wraps[text] = wrap{body: body, expires: now.Add(r.wrapTTL)}
	return reply{status: http.StatusOK, wrapInfo: object{
		"accessor": hex.EncodeToString(h.random(12)), "creation_path": r.path, "creation_time": wire.Stamp(now),
		"token": text, "ttl": seconds(r.wrapTTL),
	}}
}

// unwrap hands out a body. The token is the member of that name, else the
// caller's own.
func (h *Handler) unwrap(_ context.Context, r *request) reply {
	text := r.body.Text("token")
	if text == "" {
		text = r.token
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.wraps[text]
	delete(h.wraps, text)
	if !ok || h.now().After(w.expires) {
		return invalid("wrapping token is not valid or does not exist")
	}
	return reply{status: http.StatusOK, raw: w.body, noWrap: true}
}
