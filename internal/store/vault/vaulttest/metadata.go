package vaulttest

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

const ignoredCAS = `"cas_required" set to false, but is mandated by backend config. This value will be ignored.`

func (h *Handler) readMeta(ctx context.Context, r *request) reply {
	m, err := h.cfg.Store.Meta(ctx, h.ref(r))
	if err != nil {
		return r.fail(err)
	}
	return found(h.metaData(m))
}

func (h *Handler) metaData(m secret.Metadata) object {
	versions := object{}
	for _, v := range m.Versions {
		versions[strconv.FormatInt(v.Version, 10)] = object{
			"created_time": wire.Stamp(v.Created), "deletion_time": wire.Stamp(v.Deleted), "destroyed": v.Destroyed,
		}
	}
	data := object{
		"cas_required":         m.CASRequired,
		"created_time":         wire.Stamp(m.Created),
		"current_version":      m.Current,
		"custom_metadata":      m.Custom,
		"delete_version_after": m.DeleteVersionAfter.String(),
		"max_versions":         m.MaxVersions,
		"oldest_version":       m.Oldest,
		"updated_time":         wire.Stamp(m.Updated),
		"versions":             versions,
	}
	if !h.cfg.HashiCorp {
		data["current_metadata_version"] = m.MetaVersion
		data["metadata_cas_required"] = m.MetaCASRequired
	}
	return data
}

func (h *Handler) writeMeta(ctx context.Context, r *request) reply {
	change, err := h.metaChange(r)
	if err != nil {
		return r.fail(err)
	}
	if _, ok := r.body["custom_metadata"]; ok {
		change.Replace = map[string]string{}
		for k, v := range change.Merge {
			if v == nil {
				v = new("")
			}
			change.Replace[k] = *v
		}
		change.Merge = nil
	}
	if change.Empty() {
		return done()
	}
	return h.setMeta(ctx, r, change)
}

func (h *Handler) patchMeta(ctx context.Context, r *request) reply {
	change, err := h.metaChange(r)
	if err != nil {
		return r.fail(err)
	}
	change.MustExist = true
	if raw, ok := r.body["custom_metadata"]; ok && string(raw) == "null" {
		change.Replace = map[string]string{}
	}
	if change.Empty() {
		return h.nothingToPatch(ctx, r)
	}
	return h.setMeta(ctx, r, change)
}

func (h *Handler) nothingToPatch(ctx context.Context, r *request) reply {
	_, err := h.cfg.Store.Meta(ctx, h.ref(r))
	switch {
	case errors.Is(err, fault.NotFound):
		return gone()
	case err != nil:
		return r.fail(err)
	}
	return done()
}

func (h *Handler) setMeta(ctx context.Context, r *request, change secret.MetaChange) reply {
	mount, err := h.settings(ctx, r)
	if err != nil {
		return r.fail(err)
	}
	_, err = h.cfg.Store.SetMeta(ctx, h.ref(r), change)
	switch {
	case errors.Is(err, fault.NotFound):
		return gone()
	case errors.Is(err, fault.Invalid):
		return invalid("%s", multi(detailOf(err)))
	case err != nil:
		return r.fail(err)
	}
	if change.CASRequired != nil && !*change.CASRequired && mount.CASRequired {
		return reply{status: http.StatusOK, warnings: []string{ignoredCAS}}
	}
	return done()
}

// metaChange reads the settings of a body; custom metadata arrives as a merge.
func (h *Handler) metaChange(r *request) (c secret.MetaChange, err error) {
	if c.Merge, err = r.body.Texts("custom_metadata"); err != nil {
		return c, err
	}
	if c.MaxVersions, err = r.body.Integer("max_versions"); err != nil {
		return c, err
	}
	if c.CASRequired, err = r.body.Boolean("cas_required"); err != nil {
		return c, err
	}
	if c.DeleteVersionAfter, err = r.body.Duration("delete_version_after"); err != nil || h.cfg.HashiCorp {
		return c, err
	}
	if c.MetaCASRequired, err = r.body.Boolean("metadata_cas_required"); err != nil {
		return c, err
	}
	c.CAS, err = r.body.Integer("metadata_cas")
	return c, err
}

func (h *Handler) removeMeta(ctx context.Context, r *request) reply {
	_, err := h.cfg.Store.Destroy(ctx, h.ref(r), secret.Selection{All: true})
	return h.nothingMissing(r, err)
}

// detailOf is what a fault may show to a caller.
func detailOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Detail != "" {
		return f.Detail
	}
	return fault.KindOf(err).Error()
}
