package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// casRounds bounds how often a patch without check-and-set meets other writers.
const casRounds = 10

func (h *Handler) kvEndpoints() map[string]endpoint {
	ends := map[string]endpoint{
		"data":     {read: h.readData, write: h.writeData, patch: h.patchData, remove: h.removeData},
		"delete":   {write: h.deleteVersions},
		"undelete": {write: h.undeleteVersions},
		"destroy":  {write: h.destroyVersions},
		"metadata": {read: h.readMeta, write: h.writeMeta, patch: h.patchMeta, remove: h.removeMeta, list: h.listNames},
		"subkeys":  {read: h.readSubkeys},
		"config":   {read: h.readSettings, write: h.writeSettings},
	}
	if !h.cfg.HashiCorp {
		ends["metadata"][scan] = h.scanNames
		ends["detailed-metadata"] = endpoint{list: h.listDetailed}
	}
	return ends
}

func (h *Handler) readData(ctx context.Context, r *request) reply {
	s, bad := h.readVersion(ctx, r, "data")
	if bad != nil {
		return *bad
	}
	data, err := wire.Decode(s.Value.Reveal())
	if err != nil {
		return r.fail(unreadable())
	}
	return found(object{"data": data, "metadata": versionData(s.Version, s.Custom)})
}

// readVersion reads the version of the query. One that is deleted or destroyed is
// a 404 that still tells of it; member names what stands null in it.
func (h *Handler) readVersion(ctx context.Context, r *request, member string) (secret.Secret, *reply) {
	version, err := r.queryInteger("version")
	if err != nil {
		return secret.Secret{}, new(r.fail(err))
	}
	s, err := h.cfg.Store.Get(ctx, h.ref(r), version)
	var gone *secret.VersionError
	if errors.As(err, &gone) {
		info := versionData(gone.Info, h.custom(ctx, r))
		return s, &reply{status: http.StatusNotFound, data: object{member: nil, "metadata": info}}
	}
	if err != nil {
		return s, new(r.fail(err))
	}
	return s, nil
}

// custom reads custom metadata for an answer about a version; an answer without it
// is better than none.
func (h *Handler) custom(ctx context.Context, r *request) map[string]string {
	m, err := h.cfg.Store.Meta(ctx, h.ref(r))
	if err != nil {
		return nil
	}
	return m.Custom
}

func (h *Handler) writeData(ctx context.Context, r *request) reply {
	raw, bad := r.data()
	if bad != nil {
		return *bad
	}
	cas, err := r.cas()
	if err != nil {
		return r.fail(err)
	}
	value, err := secret.ParseValue(raw)
	if err == nil && h.cfg.Float64 {
		value, err = rounded(value)
	}
	if err != nil {
		return r.fail(err)
	}
	return h.put(ctx, r, value, cas)
}

// rounded takes every number through float64.
func rounded(v secret.Value) (secret.Value, error) {
	var data object
	if err := json.Unmarshal(v.Reveal(), &data); err != nil {
		return v, fault.New(fault.Invalid, "a number is out of range")
	}
	return secret.ParseValue(wire.Encode(data))
}

func (h *Handler) put(ctx context.Context, r *request, value secret.Value, cas *int64) reply {
	v, err := h.cfg.Store.Put(ctx, h.ref(r), value, cas)
	if err != nil {
		return r.fail(err)
	}
	return found(versionData(v, h.custom(ctx, r)))
}

// data gives the member that holds the value; null counts as an empty object.
func (r *request) data() (json.RawMessage, *reply) {
	raw, ok := r.body["data"]
	switch {
	case !ok:
		return nil, new(invalid("no data provided"))
	case string(raw) == "null":
		return json.RawMessage(`{}`), nil
	case !bytes.HasPrefix(raw, []byte("{")):
		return nil, new(invalid("error converting input for field %q: expected a map", "data"))
	}
	return raw, nil
}

func (r *request) cas() (*int64, error) {
	options, err := r.body.Object("options")
	if err != nil {
		return nil, err
	}
	if _, ok := options["cas"]; !ok {
		return nil, nil
	}
	text, _ := options.Scalar("cas")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fault.New(fault.Invalid, "error parsing check-and-set parameter")
	}
	return &n, nil
}

func (h *Handler) removeData(ctx context.Context, r *request) reply {
	return h.nothingMissing(r, h.cfg.Store.Delete(ctx, h.ref(r), nil))
}

func (h *Handler) deleteVersions(ctx context.Context, r *request) reply {
	return h.eachVersion(r, "No version number provided", func(versions []int64) error {
		return h.cfg.Store.Delete(ctx, h.ref(r), versions)
	})
}

func (h *Handler) undeleteVersions(ctx context.Context, r *request) reply {
	return h.eachVersion(r, "No version number provided", func(versions []int64) error {
		_, err := h.cfg.Store.Undelete(ctx, h.ref(r), versions)
		return err
	})
}

func (h *Handler) destroyVersions(ctx context.Context, r *request) reply {
	return h.eachVersion(r, "no version number provided", func(versions []int64) error {
		_, err := h.cfg.Store.Destroy(ctx, h.ref(r), secret.Selection{Versions: versions})
		return err
	})
}

// eachVersion reads the version list. Numbers that no version can have are ignored
// as unknown ones are.
func (h *Handler) eachVersion(r *request, none string, act func([]int64) error) reply {
	given, err := r.body.Integers("versions")
	if err != nil {
		return r.fail(err)
	}
	if len(given) == 0 {
		return invalid("%s", none)
	}
	var versions []int64
	for _, n := range given {
		if n > 0 {
			versions = append(versions, n)
		}
	}
	if len(versions) == 0 {
		return done()
	}
	return h.nothingMissing(r, act(versions))
}

// nothingMissing answers a change for which an unknown key is no error.
func (h *Handler) nothingMissing(r *request, err error) reply {
	if err == nil || errors.Is(err, fault.NotFound) || errors.Is(err, fault.VersionNotFound) {
		return done()
	}
	return r.fail(err)
}

// versionData is what every answer tells of a version.
func versionData(v secret.VersionInfo, custom map[string]string) object {
	return object{
		"created_time":    wire.Stamp(v.Created),
		"custom_metadata": custom,
		"deletion_time":   wire.Stamp(v.Deleted),
		"destroyed":       v.Destroyed,
		"version":         v.Version,
	}
}

// unreadable says that the store gave something that is no value.
func unreadable() error { return fault.New(fault.Corrupt, "stored value is not an object") }
