package vaulttest

import (
	"context"
	"errors"
	"net/http"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// patchData merges into the latest version (RFC 7396) and writes under
// check-and-set, so that no other write is lost between.
func (h *Handler) patchData(ctx context.Context, r *request) reply {
	raw, bad := r.data()
	if bad != nil {
		return *bad
	}
	cas, err := r.cas()
	if err != nil {
		return r.fail(err)
	}
	for range casRounds {
		a, again := h.patchOnce(ctx, r, raw, cas)
		if !again {
			return a
		}
	}
	return invalid("check-and-set parameter did not match the current version")
}

func (h *Handler) patchOnce(ctx context.Context, r *request, raw []byte, cas *int64) (a reply, again bool) {
	latest, err := h.cfg.Store.Get(ctx, h.ref(r), 0)
	var lost *secret.VersionError
	switch {
	case errors.As(err, &lost):
		return reply{status: http.StatusNotFound, data: versionData(lost.Info, h.custom(ctx, r))}, false
	case errors.Is(err, fault.NotFound):
		return gone(), false
	case err != nil:
		return r.fail(err), false
	}
	if err := h.needCAS(ctx, r, cas); err != nil {
		return r.fail(err), false
	}
	merged, err := mergeInto(latest.Value, raw)
	if err != nil {
		return r.fail(err), false
	}
	under := cas
	if under == nil {
		under = &latest.Version.Version
	}
	a = h.put(ctx, r, merged, under)
	return a, cas == nil && a.status == http.StatusBadRequest
}

// needCAS holds a patch to cas_required, because the write behind it always
// carries a check-and-set of its own.
func (h *Handler) needCAS(ctx context.Context, r *request, cas *int64) error {
	if cas != nil {
		return nil
	}
	mount, err := h.settings(ctx, r)
	if err != nil {
		return err
	}
	m, err := h.cfg.Store.Meta(ctx, h.ref(r))
	if err != nil {
		return err
	}
	if mount.CASRequired || m.CASRequired {
		return fault.New(fault.CASRequired, "check-and-set parameter required for this call")
	}
	return nil
}

func mergeInto(v secret.Value, raw []byte) (secret.Value, error) {
	target, err := wire.Decode(v.Reveal())
	if err != nil {
		return secret.Value{}, unreadable()
	}
	change, err := wire.Decode(raw)
	if err != nil {
		return secret.Value{}, fault.New(fault.Invalid, "failed to decode JSON input: not a JSON object")
	}
	return secret.ParseValue(wire.Encode(wire.Merge(target, change)))
}
