package canonical

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func (h handlers) read(w http.ResponseWriter, r *door.Request) error {
	in, err := readInput(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Read(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeValue(w, r, out)
}

func (h handlers) readFile(w http.ResponseWriter, r *door.Request) error {
	in, err := readInput(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.ReadFile(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeValue(w, r, out)
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

// versionWire is one version as the door shows it.
type versionWire struct {
	Version      int64  `json:"version"`
	CreatedTime  string `json:"created_time"`
	DeletionTime string `json:"deletion_time"`
	Destroyed    bool   `json:"destroyed"`
}

func versionsWire(vs []secret.VersionInfo) []versionWire {
	out := make([]versionWire, 0, len(vs))
	for _, v := range slices.Backward(vs) {
		w := versionWire{Version: v.Version, CreatedTime: stamp(v.Created), Destroyed: v.Destroyed}
		if !v.Deleted.IsZero() {
			w.DeletionTime = stamp(v.Deleted)
		}
		out = append(out, w)
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (h handlers) describe(r *door.Request) (secrets.Described, error) {
	in, err := readInput(r)
	if err != nil {
		return secrets.Described{}, err
	}
	return h.c.Secrets.Describe(r.Context(), r.Principal, in)
}

func (h handlers) detail(w http.ResponseWriter, r *door.Request) error {
	d, err := h.describe(r)
	if err != nil {
		return err
	}
	custom := d.Meta.Custom
	if custom == nil {
		custom = map[string]string{}
	}
	return door.JSON(w, http.StatusOK, struct {
		URI            string            `json:"uri"`
		CurrentVersion int64             `json:"current_version"`
		OldestVersion  int64             `json:"oldest_version"`
		MaxVersions    int64             `json:"max_versions"`
		Versions       []versionWire     `json:"versions"`
		Custom         map[string]string `json:"custom_metadata"`
	}{d.URI, d.Meta.Current, d.Meta.Oldest, d.Meta.MaxVersions, versionsWire(d.Meta.Versions), custom})
}

func (h handlers) versions(w http.ResponseWriter, r *door.Request) error {
	d, err := h.describe(r)
	if err != nil {
		return err
	}
	return door.JSON(w, http.StatusOK, struct {
		URI            string        `json:"uri"`
		CurrentVersion int64         `json:"current_version"`
		Versions       []versionWire `json:"versions"`
	}{d.URI, d.Meta.Current, versionsWire(d.Meta.Versions)})
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
	return door.JSON(w, http.StatusOK, map[string]any{"uri": uri, "keys": keys})
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

type itemWire struct {
	URI     string   `json:"uri"`
	Path    string   `json:"path"`
	Key     string   `json:"key,omitempty"`
	Matched []string `json:"matched,omitempty"`
	Keys    []string `json:"keys,omitempty"`
}

func writePage(w http.ResponseWriter, p secrets.Page, matched bool) error {
	items := make([]itemWire, 0, len(p.Items))
	for _, i := range p.Items {
		wire := itemWire{URI: i.URI, Path: i.Path, Key: i.Key}
		if matched {
			wire.Matched, wire.Keys = i.Matched, i.Keys
		}
		items = append(items, wire)
	}
	return door.JSON(w, http.StatusOK, struct {
		Items     []itemWire `json:"items"`
		Total     int        `json:"total"`
		Offset    int        `json:"offset"`
		Limit     int        `json:"limit"`
		Truncated bool       `json:"truncated,omitempty"`
	}{items, p.Total, p.Offset, p.Limit, p.Truncated})
}
