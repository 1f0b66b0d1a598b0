package vaulttest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/secret"
)

func (h *Handler) readSettings(ctx context.Context, r *request) reply {
	s, err := h.settings(ctx, r)
	if err != nil {
		return r.fail(err)
	}
	data := object{
		"cas_required":         s.CASRequired,
		"delete_version_after": s.DeleteVersionAfter.String(),
		"max_versions":         s.MaxVersions,
	}
	if !h.cfg.HashiCorp {
		data["metadata_cas_required"] = s.MetaCASRequired
	}
	return found(data)
}

func (h *Handler) writeSettings(ctx context.Context, r *request) reply {
	if h.cfg.Settings == nil {
		return unsupported()
	}
	s, err := h.settings(ctx, r)
	if err != nil {
		return r.fail(err)
	}
	change, err := h.metaChange(r)
	if err != nil {
		return r.fail(err)
	}
	overlay(&s, change)
	if err := h.cfg.Settings.SetMount(ctx, h.cfg.Tenant, r.mount, s); err != nil {
		return r.fail(err)
	}
	return done()
}

func overlay(s *secret.MountSettings, c secret.MetaChange) {
	set(&s.MaxVersions, c.MaxVersions)
	set(&s.CASRequired, c.CASRequired)
	set(&s.DeleteVersionAfter, c.DeleteVersionAfter)
	set(&s.MetaCASRequired, c.MetaCASRequired)
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

// showMount answers the question that both command lines ask before any other:
// which mount does this path lie on, and which version is it?
func (h *Handler) showMount(_ context.Context, r *request) reply {
	mount, _, _ := strings.Cut(r.rest, "/")
	if !slices.Contains(h.cfg.Mounts, mount) {
		return *refuse(http.StatusForbidden,
			"preflight capability check returned 403, please ensure client's policies grant access to path \""+mount+"/\"")
	}
	data := h.mountData(mount)
	data["path"] = mount + "/"
	return system(data)
}

func (h *Handler) listMounts(context.Context, *request) reply {
	data := object{}
	for _, m := range h.cfg.Mounts {
		data[m+"/"] = h.mountData(m)
	}
	return system(data)
}

func (h *Handler) mountData(mount string) object {
	return object{
		"accessor":                "kv_" + mount,
		"config":                  object{"default_lease_ttl": 0, "force_no_cache": false, "max_lease_ttl": 0},
		"description":             "",
		"external_entropy_access": false,
		"local":                   false,
		"options":                 object{"version": "2"},
		"plugin_version":          "",
		"running_plugin_version":  "",
		"running_sha256":          "",
		"seal_wrap":               false,
		"type":                    "kv",
		"uuid":                    "",
	}
}
