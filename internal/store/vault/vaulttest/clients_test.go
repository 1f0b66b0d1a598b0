package vaulttest_test

import (
	"context"
	"errors"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	baoapi "github.com/openbao/openbao/api/v2"
)

// TestOpenBaoKVv2 drives the KV helper of the client as an application would.
func TestOpenBaoKVv2(t *testing.T) {
	w, ctx := newWorld(t, nil), context.Background()
	kv := bao(t, w.url).KVv2("secret")
	steps := []struct {
		name string
		do   func() error
	}{
		{"put", func() error {
			_, err := kv.Put(ctx, "p", map[string]any{"a": "1"}, baoapi.WithCheckAndSet(0))
			return err
		}},
		{"patch", func() error { _, err := kv.Patch(ctx, "p", map[string]any{"b": "2"}); return err }},
		{"patch by read and write", func() error {
			_, err := kv.Patch(ctx, "p", map[string]any{"c": "3"}, baoapi.WithMergeMethod(baoapi.KVMergeMethodReadWrite))
			return err
		}},
		{"delete versions", func() error { return kv.DeleteVersions(ctx, "p", []int{1, 2}) }},
		{"undelete", func() error { return kv.Undelete(ctx, "p", []int{2}) }},
		{"destroy", func() error { return kv.Destroy(ctx, "p", []int{1}) }},
		{"put metadata", func() error {
			return kv.PutMetadata(ctx, "p", baoapi.KVMetadataPutInput{CustomMetadata: map[string]any{"owner": "me"}})
		}},
		{"patch metadata", func() error {
			return kv.PatchMetadata(ctx, "p", baoapi.KVMetadataPatchInput{CustomMetadata: map[string]any{"team": "us"}})
		}},
		{"rollback", func() error { _, err := kv.Rollback(ctx, "p", 2); return err }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	got, err := kv.Get(ctx, "p")
	if err != nil || got.VersionMetadata.Version != 4 || len(got.Data) != 2 || got.CustomMetadata["team"] != "us" {
		t.Fatalf("get: %v %+v", err, got)
	}
	versions, err := kv.GetVersionsAsList(ctx, "p")
	if err != nil || len(versions) != 4 || !versions[0].Destroyed || !versions[1].DeletionTime.IsZero() {
		t.Fatalf("versions: %v %+v", err, versions)
	}
	if gone, err := kv.GetVersion(ctx, "p", 1); err != nil || gone.Data != nil || !gone.VersionMetadata.Destroyed {
		t.Fatalf("destroyed version: %v %+v", err, gone)
	}
	if _, err := kv.Put(ctx, "p", map[string]any{}, baoapi.WithCheckAndSet(1)); err == nil {
		t.Fatal("check-and-set is not heeded")
	}
	if err := kv.DeleteMetadata(ctx, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(ctx, "p"); !errors.Is(err, baoapi.ErrSecretNotFound) {
		t.Fatalf("get after all is deleted: %v", err)
	}
}

func TestHashiCorpKVv2(t *testing.T) {
	w, ctx := newWorld(t, nil), context.Background()
	cfg := vaultapi.DefaultConfig()
	cfg.Address = w.url
	client, err := vaultapi.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken("root")
	kv := client.KVv2("secret")
	if _, err := kv.Put(ctx, "a/p", map[string]any{"k": "1"}, vaultapi.WithCheckAndSet(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Patch(ctx, "a/p", map[string]any{"l": "2"}); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(ctx, "a/p"); err != nil {
		t.Fatal(err)
	}
	got, err := kv.Get(ctx, "a/p")
	if err != nil || got.Data != nil || got.VersionMetadata.Version != 2 || got.VersionMetadata.DeletionTime.IsZero() {
		t.Fatalf("deleted: %v %+v", err, got)
	}
	listed, err := client.Logical().List("secret/metadata/a")
	if err != nil || len(listed.Data["keys"].([]any)) != 1 {
		t.Fatalf("list: %v %+v", err, listed)
	}
	if s, err := client.Logical().List("secret/metadata/none"); err != nil || s != nil {
		t.Fatalf("list of nothing: %v %+v", err, s)
	}
	if h, err := client.Sys().Health(); err != nil || !h.Initialized || h.Sealed {
		t.Fatalf("health: %v %+v", err, h)
	}
	if s, err := client.Sys().SealStatus(); err != nil || s.Sealed || s.Type != "shamir" {
		t.Fatalf("seal status: %v %+v", err, s)
	}
}
