package canonical

import (
	"encoding/json"
	"net/http"
	"strings"

	api "github.com/coffer-dev/coffer/api/canonical"
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

// conditional reads the body and headers of a mutation that If-Match may bind.
func conditional(r *door.Request, c *secrets.Call, m *secrets.Match) (door.Object, error) {
	o, body, err := door.ReadObject(r.Request, bodyLimit)
	if err != nil {
		return nil, err
	}
	if *c, err = mutation(r, body); err != nil {
		return nil, err
	}
	*m, err = ifMatch(r)
	return o, err
}

// unconditional reads the body and headers of a mutation that refuses If-Match.
func unconditional(r *door.Request, c *secrets.Call, limit int64) (door.Object, error) {
	o, body, err := door.ReadObject(r.Request, limit)
	if err != nil {
		return nil, err
	}
	if err := noMatch(r); err != nil {
		return nil, err
	}
	*c, err = mutation(r, body)
	return o, err
}

func readWrite(r *door.Request) (in secrets.Write, err error) {
	o, err := conditional(r, &in.Call, &in.Match)
	if err != nil {
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
	return pass(w, r, readWrite, h.c.Secrets.Put, writeWritten)
}

func writeWritten(w http.ResponseWriter, out secrets.Written) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, api.WriteResponse{
		Status: "ok", URI: out.URI, Version: orNull(out.Version), ResourceRef: out.Ref,
	})
}

func (h handlers) rotate(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readWrite, h.c.Secrets.Rotate, writeRotated)
}

func writeRotated(w http.ResponseWriter, out secrets.Written) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, api.RotateResponse{
		Status: "rotated", URI: out.URI, OldVersion: orNull(out.Old), NewVersion: orNull(out.Version), ResourceRef: out.Ref,
	})
}

func (h handlers) remove(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readRemoval, h.c.Secrets.Delete, writeDeleted)
}

func readRemoval(r *door.Request) (in secrets.Removal, err error) {
	q, err := readQuery(r)
	if err != nil {
		return in, err
	}
	if in.Call, err = mutation(r, nil); err != nil {
		return in, err
	}
	if in.Match, err = ifMatch(r); err != nil {
		return in, err
	}
	if in.URI, err = q.required(); err != nil {
		return in, err
	}
	if in.Destroy, err = q.flag("destroy"); err != nil {
		return in, err
	}
	var scoped bool
	if in.FragmentScope, scoped, err = q.one("fragmentScope"); err != nil {
		return in, err
	}
	if scoped && in.FragmentScope != "path" {
		return in, fault.New(fault.Invalid, "fragmentScope must be path")
	}
	return in, nil
}

func writeDeleted(w http.ResponseWriter, out secrets.Deleted) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, api.DeleteResponse{Status: "ok", URI: out.URI, Destroyed: out.Destroyed})
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
	o, err := unconditional(r, &in.Call, bodyLimit)
	if err != nil {
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
	return pass(w, r, readVersions, h.c.Secrets.Undelete, writeVersions)
}

func (h handlers) destroyVersions(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readVersions, h.c.Secrets.DestroyVersions, writeVersions)
}

func writeVersions(w http.ResponseWriter, out secrets.Versioned) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, api.VersionsResponse{
		Status: "ok", URI: out.URI, Versions: out.Versions, Ignored: out.Ignored,
	})
}

func (h handlers) owner(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readOwnership, h.c.Secrets.SetOwner, writeOwned)
}

func readOwnership(r *door.Request) (in secrets.Ownership, err error) {
	o, err := unconditional(r, &in.Call, bodyLimit)
	if err != nil {
		return in, err
	}
	if in.URI, err = requiredText(o, "uri"); err != nil {
		return in, err
	}
	if in.Owner, _, err = o.Text("owner"); err != nil {
		return in, fault.Coded(fault.Invalid, "INVALID_OWNER", "owner must be text")
	}
	return in, nil
}

func writeOwned(w http.ResponseWriter, out secrets.Owned) error {
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, api.OwnerResponse{URI: out.URI, Owner: out.Owner, CustomMetadata: out.Custom})
}

func (h handlers) copy(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readTransfer, h.c.Secrets.Copy, writeTransfer)
}

func (h handlers) move(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readTransfer, h.c.Secrets.Move, writeTransfer)
}

func readTransfer(r *door.Request) (in secrets.Transfer, err error) {
	o, err := conditional(r, &in.Call, &in.Match)
	if err != nil {
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
	return door.JSON(w, http.StatusOK, api.TransferResponse{
		Status: "ok", FromURI: out.From, ToURI: out.To, Version: orNull(out.Version),
	})
}

// decodeList reads a list of objects.
func decodeList(raw json.RawMessage) ([]door.Object, error) {
	var list []door.Object
	if json.Unmarshal(raw, &list) != nil {
		return nil, fault.New(fault.Invalid, "operations must be a list of objects")
	}
	return list, nil
}
