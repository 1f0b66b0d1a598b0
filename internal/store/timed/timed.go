package timed

import (
	"context"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Observe is told of every verb when it is over. It must return at once and be safe
// for concurrent use.
type Observe func(op string, took time.Duration)

// transactional is a store whose mutations can join a transaction.
type transactional interface {
	In(tx *ledger.Tx) secret.Store
}

// Wrap times a store. A store that can join transactions still can: inside one its
// verbs are not timed, for the commit is what takes time.
func Wrap(s secret.Store, observe Observe) secret.Store {
	t := store{s, observe}
	if tx, ok := s.(transactional); ok {
		return joining{t, tx}
	}
	return t
}

type joining struct {
	store
	transactional
}

type store struct {
	of      secret.Store
	observe Observe
}

func (s store) done(op string, began time.Time) { s.observe(op, time.Since(began)) }

// Get implements secret.Store.
func (s store) Get(ctx context.Context, ref secret.Ref, version int64) (secret.Secret, error) {
	defer s.done("get", time.Now())
	return s.of.Get(ctx, ref, version)
}

// Put implements secret.Store.
func (s store) Put(ctx context.Context, ref secret.Ref, value secret.Value, cas *int64) (secret.VersionInfo, error) {
	defer s.done("put", time.Now())
	return s.of.Put(ctx, ref, value, cas)
}

// Delete implements secret.Store.
func (s store) Delete(ctx context.Context, ref secret.Ref, versions []int64) error {
	defer s.done("delete", time.Now())
	return s.of.Delete(ctx, ref, versions)
}

// Undelete implements secret.Store.
func (s store) Undelete(ctx context.Context, ref secret.Ref, versions []int64) ([]int64, error) {
	defer s.done("undelete", time.Now())
	return s.of.Undelete(ctx, ref, versions)
}

// Destroy implements secret.Store.
func (s store) Destroy(ctx context.Context, ref secret.Ref, which secret.Selection) ([]int64, error) {
	defer s.done("destroy", time.Now())
	return s.of.Destroy(ctx, ref, which)
}

// Meta implements secret.Store.
func (s store) Meta(ctx context.Context, ref secret.Ref) (secret.Metadata, error) {
	defer s.done("meta", time.Now())
	return s.of.Meta(ctx, ref)
}

// SetMeta implements secret.Store.
func (s store) SetMeta(ctx context.Context, ref secret.Ref, change secret.MetaChange) (int64, error) {
	defer s.done("set_meta", time.Now())
	return s.of.SetMeta(ctx, ref, change)
}

// List implements secret.Store.
func (s store) List(ctx context.Context, prefix secret.Ref, opts secret.ListOptions) ([]string, error) {
	defer s.done("list", time.Now())
	return s.of.List(ctx, prefix, opts)
}
