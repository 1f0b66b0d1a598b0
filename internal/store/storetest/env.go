package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// patience bounds one case: a store that hangs fails instead of blocking the suite.
const patience = 2 * time.Minute

// env is one running case: the instance and the assertions that cases share.
type env struct {
	Instance
	t   *testing.T
	ctx context.Context //nolint:containedctx // an env lives as long as one case
}

func newEnv(t *testing.T, i Instance) *env {
	t.Helper()
	if i.Tenant == "" {
		i.Tenant = "a"
	}
	if i.MountName == "" {
		i.MountName = "secret"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &env{Instance: i, t: t, ctx: ctx}
}

func (e *env) ref(path string) secret.Ref {
	return secret.Ref{Tenant: e.Tenant, Mount: e.MountName, Path: path}
}

func (e *env) value(text string) secret.Value {
	e.t.Helper()
	v, err := secret.ParseValue([]byte(text))
	if err != nil {
		e.t.Fatalf("value of the case: %v", err)
	}
	return v
}

func (e *env) tryPut(path, text string, cas *int64) (secret.VersionInfo, error) {
	e.t.Helper()
	return e.Store.Put(e.ctx, e.ref(path), e.value(text), cas)
}

func (e *env) put(path, text string) secret.VersionInfo {
	e.t.Helper()
	v, err := e.tryPut(path, text, nil)
	e.ok(err, "put")
	return v
}

func (e *env) putTimes(path string, n int) {
	e.t.Helper()
	for range n {
		e.put(path, `{"k":"v"}`)
	}
}

func (e *env) get(path string, version int64) (secret.Secret, error) {
	return e.Store.Get(e.ctx, e.ref(path), version)
}

// holds asserts that a version is live and has the value.
func (e *env) holds(path string, version int64, text string) secret.Secret {
	e.t.Helper()
	s, err := e.get(path, version)
	e.ok(err, "get")
	if !sameJSON(s.Value, e.value(text)) {
		e.t.Fatalf("version %d is not the value that was put", version)
	}
	return s
}

// refuses asserts that reading a version fails with kind.
func (e *env) refuses(path string, version int64, kind fault.Kind) {
	e.t.Helper()
	_, err := e.get(path, version)
	e.fails(err, kind, "get")
}

func (e *env) meta(path string) secret.Metadata {
	e.t.Helper()
	m, err := e.Store.Meta(e.ctx, e.ref(path))
	e.ok(err, "meta")
	return m
}

func (e *env) change(path string, c secret.MetaChange) {
	e.t.Helper()
	_, err := e.Store.SetMeta(e.ctx, e.ref(path), c)
	e.ok(err, "set metadata")
}

func (e *env) remove(path string, versions ...int64) {
	e.t.Helper()
	e.ok(e.Store.Delete(e.ctx, e.ref(path), versions), "delete")
}

func (e *env) destroy(path string, versions ...int64) []int64 {
	e.t.Helper()
	ignored, err := e.Store.Destroy(e.ctx, e.ref(path), secret.Selection{Versions: versions})
	e.ok(err, "destroy")
	return ignored
}

// lists asserts the names below a prefix.
func (e *env) lists(prefix string, opts secret.ListOptions, want ...string) {
	e.t.Helper()
	got, err := e.Store.List(e.ctx, e.ref(prefix), opts)
	e.ok(err, "list")
	if !slices.Equal(got, want) {
		e.t.Fatalf("list of %q (after %q, limit %d, recursive %t) = %q, want %q",
			prefix, opts.After, opts.Limit, opts.Recursive, got, want)
	}
}

func (e *env) ok(err error, doing string) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("%s: %v", doing, err)
	}
}

func (e *env) fails(err error, kind fault.Kind, doing string) {
	e.t.Helper()
	if err == nil {
		e.t.Fatalf("%s succeeded, want %v", doing, kind)
	}
	if got := fault.KindOf(err); got != kind {
		e.t.Fatalf("%s: %v, want kind %v", doing, err, kind)
	}
}

func (e *env) equal(what string, got, want any) {
	e.t.Helper()
	g, err := json.Marshal(got)
	e.ok(err, what)
	w, err := json.Marshal(want)
	e.ok(err, what)
	if !bytes.Equal(g, w) {
		e.t.Fatalf("%s = %s, want %s", what, g, w)
	}
}

// info gives what a Deleted, Destroyed or CASMismatch error carries.
func (e *env) info(err error) *secret.VersionError {
	e.t.Helper()
	var v *secret.VersionError
	if !errors.As(err, &v) {
		e.t.Fatalf("error carries no version: %v", err)
	}
	return v
}

// later lets at least d pass on the store's clock.
func (e *env) later(d time.Duration) {
	if e.Advance != nil {
		e.Advance(d)
		return
	}
	time.Sleep(d)
}

// sameJSON compares members whatever their order, numbers by their literal.
func sameJSON(a, b secret.Value) bool {
	x, errX := ordered(a)
	y, errY := ordered(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func ordered(v secret.Value) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(v.Reveal()))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

func ptr[T any](v T) *T { return &v }
