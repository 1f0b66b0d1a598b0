package search

import (
	"context"
	"errors"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/guard"
)

// match adds what a path has to show. full says whether fragment names and custom
// metadata may be looked at, not the name alone.
func (l *look) match(ctx context.Context, t guard.Target, full bool) error {
	if t.IsFile() {
		return l.matchFile(ctx, t, full)
	}
	item := Item{URI: t.URI.String(), Path: t.Ref.Key()}
	if l.has(item.Path) {
		item.Matched = append(item.Matched, "path")
	}
	if full && l.text != "" {
		if err := l.matchFragments(ctx, t, &item); err != nil {
			return err
		}
		if err := l.matchCustom(ctx, t, &item); err != nil {
			return err
		}
	}
	if len(item.Matched) > 0 {
		l.found = append(l.found, item)
	}
	return nil
}

func (l *look) matchFragments(ctx context.Context, t guard.Target, item *Item) error {
	got, err := t.Back.Store.Get(ctx, t.Ref, 0)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.VersionNotFound, fault.Deleted, fault.Destroyed:
		return nil
	case fault.Corrupt:
		return nil // whoever read it raised the alarm; the others are found all the same
	}
	if err != nil {
		return err
	}
	for _, name := range got.Value.Names() {
		if l.has(name) {
			item.Keys = append(item.Keys, name)
		}
	}
	if len(item.Keys) > 0 {
		item.Matched = append(item.Matched, "key")
	}
	return nil
}

func (l *look) matchCustom(ctx context.Context, t guard.Target, item *Item) error {
	if !t.Back.Can.Metadata {
		return nil
	}
	m, err := t.Back.Store.Meta(ctx, t.Ref)
	if errors.Is(err, fault.NotFound) {
		return nil // it went meanwhile
	}
	if err != nil {
		return err
	}
	if o := m.Custom[owner]; o != "" && l.has(o) {
		item.Matched = append(item.Matched, "owner")
	}
	for k, v := range m.Custom {
		if k != owner && (l.has(k) || l.has(v)) {
			item.Matched = append(item.Matched, "metadata")
			break
		}
	}
	return nil
}

// matchFile adds the leaves of one map of the file: an item per member that is not
// a map itself. Members are names inside a value: who may see names alone sees none.
func (l *look) matchFile(ctx context.Context, t guard.Target, full bool) error {
	if t.Ref.Path == "" || !full {
		return nil // a mount holds paths
	}
	got, err := t.Back.Store.Get(ctx, t.Ref, 0)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case !got.Value.IsObject():
		l.addLeaf(leafOf(t))
		return nil
	}
	for _, name := range got.Value.Names() {
		if v, ok := got.Value.Field(name); ok && !v.IsObject() {
			u := t.URI
			u.Fragment = name
			l.addLeaf(Item{URI: u.String(), Path: t.Ref.Key(), Key: name})
		}
	}
	return nil
}

// leafOf names a scalar node as a member of its parent; directly below the mount,
// which cannot be read whole, by its own path.
func leafOf(t guard.Target) Item {
	u := t.URI
	i := strings.LastIndexByte(u.Path, '/')
	if i < 0 {
		return Item{URI: u.String(), Path: t.Ref.Key()}
	}
	u.Fragment, u.Path = u.Path[i+1:], u.Path[:i]
	return Item{URI: u.String(), Path: u.Ref(t.Ref.Tenant).Key(), Key: u.Fragment}
}

func (l *look) addLeaf(item Item) {
	if l.leaves[item.URI] {
		return
	}
	l.leaves[item.URI] = true
	if l.has(item.Path) {
		item.Matched = append(item.Matched, "path")
	}
	if l.text != "" && l.has(item.Key) {
		item.Matched = append(item.Matched, "key")
		item.Keys = []string{item.Key}
	}
	if len(item.Matched) > 0 {
		l.found = append(l.found, item)
	}
}

func (l *look) has(s string) bool { return strings.Contains(strings.ToLower(s), l.text) }
