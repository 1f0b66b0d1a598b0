package vaulttest

import (
	"context"

	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// readSubkeys shows the names of a value without the values.
func (h *Handler) readSubkeys(ctx context.Context, r *request) reply {
	depth, err := r.queryInteger("depth")
	if err != nil {
		return r.fail(err)
	}
	s, bad := h.readVersion(ctx, r, "subkeys")
	if bad != nil {
		return *bad
	}
	data, err := wire.Decode(s.Value.Reveal())
	if err != nil {
		return r.fail(unreadable())
	}
	return found(object{"subkeys": wire.Subkeys(data, depth), "metadata": versionData(s.Version, s.Custom)})
}
