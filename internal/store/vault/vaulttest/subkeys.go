package vaulttest

import "context"

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
	data, err := decode(s.Value)
	if err != nil {
		return r.fail(err)
	}
	return found(object{"subkeys": subkeys(data, depth), "metadata": versionData(s.Version, s.Custom)})
}

// subkeys keeps depth levels of objects, all of them when depth is 0. Everything
// that is not an object, and everything below, is null.
func subkeys(data object, depth int64) object {
	out := object{}
	for name, v := range data {
		out[name] = nil
		if below, ok := v.(object); ok && len(below) > 0 && depth != 1 {
			out[name] = subkeys(below, max(depth-1, 0))
		}
	}
	return out
}
