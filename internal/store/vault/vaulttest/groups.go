package vaulttest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

func (h *Handler) groupRoutes() []route {
	if h.cfg.Groups == nil {
		return nil
	}
	byName := func(r *request) GroupKey { return GroupKey{Name: r.rest} }
	byID := func(r *request) GroupKey { return GroupKey{ID: r.rest} }
	inBody := func(r *request) GroupKey { return GroupKey{ID: r.body.Text("id"), Name: r.body.Text("name")} }
	return []route{
		{"identity/group", guarded, endpoint{write: h.writeGroup(inBody)}},
		{"identity/group/name", guarded, endpoint{list: h.listGroupNames}},
		{"identity/group/id", guarded, endpoint{list: h.listGroupIDs}},
		{"identity/group/name/", guarded, endpoint{
			read: h.readGroup(byName), write: h.writeGroup(byName), remove: h.removeGroup(byName)}},
		{"identity/group/id/", guarded, endpoint{
			read: h.readGroup(byID), write: h.writeGroup(byID), remove: h.removeGroup(byID)}},
		{"identity/group-alias", guarded, endpoint{write: h.writeAlias}},
		{"identity/lookup/group", guarded, endpoint{write: h.lookupGroup}},
	}
}

// keyed takes the key of a group from a request.
type keyed func(*request) GroupKey

func (h *Handler) readGroup(key keyed) action {
	return func(ctx context.Context, r *request) reply {
		g, err := h.cfg.Groups.Group(ctx, key(r))
		if err != nil {
			return r.fail(err)
		}
		return found(groupData(g))
	}
}

func (h *Handler) removeGroup(key keyed) action {
	return func(ctx context.Context, r *request) reply {
		return h.nothingMissing(r, h.cfg.Groups.DeleteGroup(ctx, key(r)))
	}
}

// writeGroup lays the given fields over the group that exists.
func (h *Handler) writeGroup(key keyed) action {
	return func(ctx context.Context, r *request) reply {
		g, err := h.cfg.Groups.Group(ctx, key(r))
		if errors.Is(err, fault.NotFound) {
			g, err = Group{Name: key(r).Name, Type: "internal"}, nil
		}
		if err != nil {
			return r.fail(err)
		}
		if err := overlayGroup(&g, r.body); err != nil {
			return r.fail(err)
		}
		stored, created, err := h.cfg.Groups.PutGroup(ctx, g)
		switch {
		case errors.Is(err, fault.NotFound):
			return *refuse(http.StatusInternalServerError, multi(detailOf(err)))
		case err != nil:
			return r.fail(err)
		case !created:
			return done()
		}
		return found(object{"id": stored.ID, "name": stored.Name})
	}
}

func overlayGroup(g *Group, body wire.Fields) error {
	if name := body.Text("name"); name != "" {
		g.Name = name
	}
	if g.Name == "" {
		return fault.New(fault.Invalid, "missing group name")
	}
	if kind := body.Text("type"); kind != "" {
		g.Type = kind
	}
	if g.Type != "internal" && g.Type != "external" {
		return fault.New(fault.Invalid, "invalid group type %q", g.Type)
	}
	lists := []struct {
		name string
		dst  *[]string
	}{{"policies", &g.Policies}, {"member_entity_ids", &g.Entities}, {"member_group_ids", &g.Children}}
	for _, l := range lists {
		given, err := body.List(l.name)
		if err != nil {
			return err
		}
		if body.Given(l.name) {
			*l.dst = given
		}
	}
	return overlayMetadata(g, body)
}

func overlayMetadata(g *Group, body wire.Fields) error {
	if !body.Given("metadata") {
		return nil
	}
	texts, err := body.Texts("metadata")
	if err != nil {
		return err
	}
	g.Metadata = map[string]string{}
	for k, v := range texts {
		if v != nil {
			g.Metadata[k] = *v
		}
	}
	return nil
}

func (h *Handler) listGroupNames(ctx context.Context, r *request) reply {
	return h.listGroups(ctx, r, func(g Group) string { return g.Name }, nil)
}

func (h *Handler) listGroupIDs(ctx context.Context, r *request) reply {
	return h.listGroups(ctx, r, func(g Group) string { return g.ID }, func(g Group) object {
		return object{"name": g.Name, "num_member_entities": len(g.Entities), "num_parent_groups": len(g.Parents)}
	})
}

func (h *Handler) listGroups(ctx context.Context, r *request, key func(Group) string, info func(Group) object) reply {
	groups, err := h.cfg.Groups.AllGroups(ctx)
	if err != nil {
		return r.fail(err)
	}
	if len(groups) == 0 {
		return missing()
	}
	keys, details := []string{}, object{}
	for _, g := range groups {
		keys = append(keys, key(g))
		if info != nil {
			details[key(g)] = info(g)
		}
	}
	slices.Sort(keys)
	if info == nil {
		return found(object{"keys": keys})
	}
	return found(object{"keys": keys, "key_info": details})
}

func (h *Handler) writeAlias(ctx context.Context, r *request) reply {
	a, err := h.cfg.Groups.PutAlias(ctx, Alias{
		ID: r.body.Text("id"), Name: r.body.Text("name"),
		MountAccessor: r.body.Text("mount_accessor"), GroupID: r.body.Text("canonical_id"),
	})
	if err != nil {
		return r.fail(err)
	}
	return found(object{"canonical_id": a.GroupID, "id": a.ID})
}

// lookupGroup finds a group by any of its keys; finding none is no error.
func (h *Handler) lookupGroup(ctx context.Context, r *request) reply {
	groups, err := h.cfg.Groups.AllGroups(ctx)
	if err != nil {
		return r.fail(err)
	}
	id, name := r.body.Text("id"), r.body.Text("name")
	alias, aliasID := r.body.Text("alias_name"), r.body.Text("alias_id")
	accessor := r.body.Text("alias_mount_accessor")
	for _, g := range groups {
		hit := id != "" && g.ID == id || name != "" && strings.EqualFold(g.Name, name)
		if a := g.Alias; a != nil && !hit {
			hit = aliasID != "" && a.ID == aliasID || alias != "" && a.Name == alias && a.MountAccessor == accessor
		}
		if hit {
			return found(groupData(g))
		}
	}
	return done()
}

func groupData(g Group) object {
	alias := object{}
	if a := g.Alias; a != nil {
		alias = object{
			"canonical_id": a.GroupID, "creation_time": wire.Stamp(a.Created), "id": a.ID, "last_update_time": wire.Stamp(a.Updated),
			"merged_from_canonical_ids": nil, "metadata": nil, "mount_accessor": a.MountAccessor, "name": a.Name,
		}
	}
	return object{
		"alias": alias, "creation_time": wire.Stamp(g.Created), "id": g.ID, "last_update_time": wire.Stamp(g.Updated),
		"member_entity_ids": orNull(g.Entities), "member_group_ids": orNull(g.Children), "metadata": g.Metadata,
		"modify_index": g.Revision, "name": g.Name, "namespace_id": "root", "parent_group_ids": orNull(g.Parents),
		"policies": orNull(g.Policies), "type": g.Type,
	}
}

// orNull keeps an empty list from being shown as [].
func orNull(items []string) []string {
	if len(items) == 0 {
		return nil
	}
	return items
}
