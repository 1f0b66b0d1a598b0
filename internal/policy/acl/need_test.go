package acl

import (
	"slices"
	"testing"

	"github.com/coffer-dev/coffer/internal/policy"
	"github.com/coffer-dev/coffer/internal/secret"
)

func TestNeed(t *testing.T) {
	uri := secret.URI{Provider: "coffer", Mount: "secret", Path: "app/db", Fragment: "password", Version: 3}
	top := secret.URI{Provider: "coffer", Mount: "secret", Path: "db"}
	root := secret.URI{Provider: "coffer", Mount: "secret"}
	for _, c := range []struct {
		name string
		r    policy.Request
		want []Demand
	}{
		{"read", policy.Request{Purpose: policy.Read, URI: uri}, []Demand{{"secret/data/app/db", Read}}},
		{"execute", policy.Request{Purpose: policy.Execute, URI: uri}, []Demand{{"secret/data/app/db", Read}}},
		{"create", policy.Request{Purpose: policy.Write, URI: uri}, []Demand{{"secret/data/app/db", Create}}},
		{"update", policy.Request{Purpose: policy.Write, URI: uri, Known: true}, []Demand{{"secret/data/app/db", Update}}},
		{"rotate", policy.Request{Purpose: policy.Rotate, URI: uri}, []Demand{{"secret/data/app/db", Update}}},
		{"delete", policy.Request{Purpose: policy.Delete, URI: uri}, []Demand{{"secret/data/app/db", Delete}}},
		{"undelete", policy.Request{Purpose: policy.Undelete, URI: uri}, []Demand{{"secret/undelete/app/db", Update}}},
		{"destroy versions", policy.Request{Purpose: policy.Destroy, URI: uri}, []Demand{{"secret/destroy/app/db", Update}}},
		{"destroy whole", policy.Request{Purpose: policy.Destroy, URI: uri, Whole: true}, []Demand{{"secret/metadata/app/db", Delete}}},
		{"metadata", policy.Request{Purpose: policy.ReadMetadata, URI: uri}, []Demand{{"secret/metadata/app/db", Read}}},
		{"names", policy.Request{Purpose: policy.ReadMetadata, URI: uri, NamesOnly: true},
			[]Demand{{"secret/metadata/app/db", Read}, {"secret/metadata/app/", List}}},
		{"names at the top", policy.Request{Purpose: policy.ReadMetadata, URI: top, NamesOnly: true},
			[]Demand{{"secret/metadata/db", Read}, {"secret/metadata/", List}}},
		{"names of the root", policy.Request{Purpose: policy.ReadMetadata, URI: root, NamesOnly: true},
			[]Demand{{"secret/metadata/", Read}, {"secret/metadata/", List}}},
		{"owner", policy.Request{Purpose: policy.OwnerUpdate, URI: uri}, []Demand{{"secret/metadata/app/db", Update}}},
		{"value of the root", policy.Request{Purpose: policy.Read, URI: root}, nil},
		{"unknown purpose", policy.Request{Purpose: "fly", URI: uri}, nil},
		{"no uri", policy.Request{Purpose: policy.ReadMetadata, NamesOnly: true}, nil},
		{"zero", policy.Request{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Need(c.r); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPermits(t *testing.T) {
	uri := secret.URI{Provider: "coffer", Mount: "secret", Path: "app/db"}
	names := policy.Request{Purpose: policy.ReadMetadata, URI: uri, NamesOnly: true}
	full := policy.Request{Purpose: policy.ReadMetadata, URI: uri}
	lister, reader := one(t, "secret/metadata/app [list]"), one(t, "secret/metadata/app/* [read]")
	if !lister.Permits(names) || lister.Permits(full) {
		t.Error("list on the parent shows names and nothing else")
	}
	if !reader.Permits(names) || !reader.Permits(full) {
		t.Error("read on the metadata shows both")
	}
	if creator := one(t, "secret/data/* [create]"); !creator.Permits(policy.Request{Purpose: policy.Write, URI: uri}) ||
		creator.Permits(policy.Request{Purpose: policy.Write, URI: uri, Known: true}) {
		t.Error("C46: create alone writes a new key once")
	}
	if one(t, "* [create,read,update,delete,list]").Permits(policy.Request{Purpose: "fly", URI: uri}) {
		t.Error("an unknown purpose was permitted")
	}
}
