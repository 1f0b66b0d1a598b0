package canonical

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/secrets"
)

// replayed marks the answer of a request that was answered before.
func replayed(w http.ResponseWriter, yes bool) {
	if yes {
		w.Header().Set("Idempotency-Replayed", "true")
	}
}

// orNull shows 0 as null: the back end has no versions, or there was none.
func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func readWrite(r *door.Request) (in secrets.Write, err error) {
	o, body, err := door.ReadObject(r.Request, bodyLimit)
	if err != nil {
		return in, err
	}
	if in.Call, err = mutation(r, body); err != nil {
		return in, err
	}
	if in.Match, err = ifMatch(r); err != nil {
		return in, err
	}
	if in.URI, err = requiredText(o, "uri"); err != nil {
		return in, err
	}
	in.Value, err = value(o)
	return in, err
}

func requiredText(o door.Object, name string) (string, error) {
	v, ok, err := o.Text(name)
	if err == nil && !ok {
		err = fault.New(fault.Invalid, "%s is required", name)
	}
	return v, err
}

// value reads the member value: null is a value, absence is not.
func value(o door.Object) (secret.Value, error) {
	raw, ok := o["value"]
	if !ok {
		return secret.Value{}, fault.New(fault.Invalid, "value is required")
	}
	return secret.ParseAny(raw)
}

func (h handlers) put(w http.ResponseWriter, r *door.Request) error {
	in, err := readWrite(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Put(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Status      string `json:"status"`
		URI         string `json:"uri"`
		Version     *int64 `json:"version"`
		ResourceRef string `json:"resource_ref"`
	}{"ok", out.URI, orNull(out.Version), out.Ref})
}

func (h handlers) rotate(w http.ResponseWriter, r *door.Request) error {
	in, err := readWrite(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Rotate(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Status      string `json:"status"`
		URI         string `json:"uri"`
		OldVersion  *int64 `json:"old_version"`
		NewVersion  *int64 `json:"new_version"`
		ResourceRef string `json:"resource_ref"`
	}{"rotated", out.URI, orNull(out.Old), orNull(out.Version), out.Ref})
}

func (h handlers) remove(w http.ResponseWriter, r *door.Request) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	in := secrets.Removal{}
	if in.Call, err = mutation(r, nil); err != nil {
		return err
	}
	if in.Match, err = ifMatch(r); err != nil {
		return err
	}
	if in.URI, err = q.required(); err != nil {
		return err
	}
	if in.Destroy, err = q.flag("destroy"); err != nil {
		return err
	}
	var scoped bool
	if in.FragmentScope, scoped, err = q.one("fragmentScope"); err != nil {
		return err
	}
	if scoped && in.FragmentScope != "path" {
		return fault.New(fault.Invalid, "fragmentScope must be path")
	}
	out, err := h.c.Secrets.Delete(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Status    string `json:"status"`
		URI       string `json:"uri"`
		Destroyed bool   `json:"destroyed"`
	}{"ok", out.URI, out.Destroyed})
}

func (q query) flag(name string) (bool, error) {
	v, ok, err := q.one(name)
	if err != nil || !ok {
		return false, err
	}
	switch strings.ToLower(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fault.New(fault.Invalid, "%s must be true or false", name)
}

func readVersions(r *door.Request) (in secrets.Versions, err error) {
	o, body, err := door.ReadObject(r.Request, bodyLimit)
	if err != nil {
		return in, err
	}
	if err := noMatch(r); err != nil {
		return in, err
	}
	if in.Call, err = mutation(r, body); err != nil {
		return in, err
	}
	if in.URI, err = requiredText(o, "uri"); err != nil {
		return in, err
	}
	in.Versions, err = versionList(o)
	return in, err
}

// versionList reads versions; a list that is absent or empty is the use case's to refuse.
func versionList(o door.Object) ([]int64, error) {
	list, _, err := o.Ints("versions")
	if err != nil {
		return nil, fault.Coded(fault.Invalid, secret.InvalidVersion, "versions must be a list of integers from 1")
	}
	return list, nil
}

func (h handlers) undelete(w http.ResponseWriter, r *door.Request) error {
	in, err := readVersions(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Undelete(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeVersions(w, out)
}

func (h handlers) destroyVersions(w http.ResponseWriter, r *door.Request) error {
	in, err := readVersions(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.DestroyVersions(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeVersions(w, out)
}

func writeVersions(w http.ResponseWriter, out secrets.Versioned) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Status   string  `json:"status"`
		URI      string  `json:"uri"`
		Versions []int64 `json:"versions"`
		Ignored  []int64 `json:"ignored"`
	}{"ok", out.URI, out.Versions, out.Ignored})
}

func (h handlers) owner(w http.ResponseWriter, r *door.Request) error {
	o, body, err := door.ReadObject(r.Request, bodyLimit)
	if err != nil {
		return err
	}
	if err := noMatch(r); err != nil {
		return err
	}
	in := secrets.Ownership{}
	if in.Call, err = mutation(r, body); err != nil {
		return err
	}
	if in.URI, err = requiredText(o, "uri"); err != nil {
		return err
	}
	if in.Owner, _, err = o.Text("owner"); err != nil {
		return fault.Coded(fault.Invalid, "INVALID_OWNER", "owner must be text")
	}
	out, err := h.c.Secrets.SetOwner(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		URI    string            `json:"uri"`
		Owner  string            `json:"owner"`
		Custom map[string]string `json:"custom_metadata"`
	}{out.URI, out.Owner, out.Custom})
}

func (h handlers) copy(w http.ResponseWriter, r *door.Request) error {
	in, err := readTransfer(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Copy(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeTransfer(w, out)
}

func (h handlers) move(w http.ResponseWriter, r *door.Request) error {
	in, err := readTransfer(r)
	if err != nil {
		return err
	}
	out, err := h.c.Secrets.Move(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return writeTransfer(w, out)
}

func readTransfer(r *door.Request) (in secrets.Transfer, err error) {
	o, body, err := door.ReadObject(r.Request, bodyLimit)
	if err != nil {
		return in, err
	}
	if in.Call, err = mutation(r, body); err != nil {
		return in, err
	}
	if in.Match, err = ifMatch(r); err != nil {
		return in, err
	}
	if in.From, err = requiredText(o, "fromUri"); err != nil {
		return in, err
	}
	if in.To, err = requiredText(o, "toUri"); err != nil {
		return in, err
	}
	in.Overwrite, _, err = o.Bool("overwrite")
	return in, err
}

func writeTransfer(w http.ResponseWriter, out secrets.Transferred) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Status  string `json:"status"`
		From    string `json:"fromUri"`
		To      string `json:"toUri"`
		Version *int64 `json:"version"`
	}{"ok", out.From, out.To, orNull(out.Version)})
}

// decodeList reads a list of objects.
func decodeList(raw json.RawMessage) ([]door.Object, error) {
	var list []door.Object
	if json.Unmarshal(raw, &list) != nil {
		return nil, fault.New(fault.Invalid, "operations must be a list of objects")
	}
	return list, nil
}
