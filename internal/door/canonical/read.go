package canonical

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	api "github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func (h handlers) read(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readInput, h.c.Secrets.Read, valueFor(r))
}

func (h handlers) readFile(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readInput, h.c.Secrets.ReadFile, valueFor(r))
}

// valueFor answers r, which may know the version already.
func valueFor(r *door.Request) func(http.ResponseWriter, secrets.Reading) error {
	return func(w http.ResponseWriter, out secrets.Reading) error { return writeValue(w, r, out) }
}

func readInput(r *door.Request) (secrets.Query, error) {
	if err := noMatch(r); err != nil {
		return secrets.Query{}, err
	}
	q, err := readQuery(r)
	if err != nil {
		return secrets.Query{}, err
	}
	in := secrets.Query{Call: call(r)}
	if in.URI, err = q.required(); err != nil {
		return in, err
	}
	in.Version, err = q.version()
	return in, err
}

// writeValue answers with the bare map, or a fragment's value under "value". The
// version travels in headers alone: the map's members belong to the secret.
func writeValue(w http.ResponseWriter, r *door.Request, out secrets.Reading) error {
	if out.Version > 0 {
		version := strconv.FormatInt(out.Version, 10)
		etag := `"` + version + `"`
		w.Header().Set("ETag", etag)
		w.Header().Set("X-Secret-Version", version)
		if fresh(r.Request, etag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	raw := out.Value.Reveal()
	if out.Fragment {
		raw = slices.Concat([]byte(`{"value":`), raw, []byte("}"))
	}
	door.Raw(w, http.StatusOK, raw)
	return nil
}

// versionsOf shows the newest version first.
func versionsOf(vs []secret.VersionInfo) []api.Version {
	out := make([]api.Version, 0, len(vs))
	for _, v := range slices.Backward(vs) {
		w := api.Version{Version: v.Version, CreatedTime: stamp(v.Created), Destroyed: v.Destroyed}
		if !v.Deleted.IsZero() {
			w.DeletionTime = stamp(v.Deleted)
		}
		out = append(out, w)
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (h handlers) detail(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readInput, h.c.Secrets.Describe, writeDetail)
}

func writeDetail(w http.ResponseWriter, d secrets.Described) error {
	custom := d.Meta.Custom
	if custom == nil {
		custom = map[string]string{}
	}
	return door.JSON(w, http.StatusOK, api.Detail{
		URI: d.URI, CurrentVersion: d.Meta.Current, OldestVersion: d.Meta.Oldest, MaxVersions: d.Meta.MaxVersions,
		Versions: versionsOf(d.Meta.Versions), CustomMetadata: custom,
	})
}

func (h handlers) versions(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readInput, h.c.Secrets.Describe, writeVersionsList)
}

func writeVersionsList(w http.ResponseWriter, d secrets.Described) error {
	return door.JSON(w, http.StatusOK, api.VersionsList{
		URI: d.URI, CurrentVersion: d.Meta.Current, Versions: versionsOf(d.Meta.Versions),
	})
}

func (h handlers) keys(w http.ResponseWriter, r *door.Request) error {
	q, err := listQuery(r)
	if err != nil {
		return err
	}
	in := secrets.Query{Call: call(r)}
	if in.URI, err = q.filePrefix("uri"); err != nil {
		return err
	}
	uri, keys, err := h.c.Secrets.Keys(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return door.JSON(w, http.StatusOK, api.Keys{URI: uri, Keys: keys})
}

func listQuery(r *door.Request) (query, error) {
	if err := noMatch(r); err != nil {
		return nil, err
	}
	return readQuery(r)
}

func (h handlers) leaves(w http.ResponseWriter, r *door.Request) error {
	q, err := listQuery(r)
	if err != nil {
		return err
	}
	in := secrets.Listing{Call: call(r)}
	if in.Paging, err = q.paging(); err != nil {
		return err
	}
	if in.Prefix, err = q.filePrefix("prefix"); err != nil {
		return err
	}
	page, err := h.c.Secrets.Leaves(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writePage(w, page, false)
}

func (h handlers) search(w http.ResponseWriter, r *door.Request) error {
	q, err := listQuery(r)
	if err != nil {
		return err
	}
	in := secrets.Search{Call: call(r)}
	if in.Paging, err = q.paging(); err != nil {
		return err
	}
	var ok bool
	if in.Text, ok, err = q.one("q"); err != nil || !ok {
		if err == nil {
			err = fault.New(fault.Invalid, "q is required")
		}
		return err
	}
	if in.Prefix, _, err = q.uri("prefix"); err != nil {
		return err
	}
	page, err := h.c.Secrets.Search(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writePage(w, page, true)
}

func writePage(w http.ResponseWriter, p secrets.Page, matched bool) error {
	items := make([]api.Item, 0, len(p.Items))
	for _, i := range p.Items {
		wire := api.Item{URI: i.URI, Path: i.Path, Key: i.Key}
		if matched {
			wire.Matched, wire.Keys = i.Matched, i.Keys
		}
		items = append(items, wire)
	}
	return door.JSON(w, http.StatusOK, api.Page{
		Items: items, Total: p.Total, Offset: p.Offset, Limit: p.Limit, Truncated: p.Truncated,
	})
}
