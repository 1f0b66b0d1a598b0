package secret_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func ptr[T any](v T) *T { return &v }

func change(m *secret.Metadata, c secret.MetaChange) error {
	return m.Change(secret.MountSettings{}, c, m.MetaVersion > 0, epoch())
}

func TestE11_replace_and_merge(t *testing.T) {
	var m secret.Metadata
	for i, c := range []struct {
		change secret.MetaChange
		want   map[string]string
	}{
		{secret.MetaChange{Replace: map[string]string{"a": "1", "b": "2"}}, map[string]string{"a": "1", "b": "2"}},
		{secret.MetaChange{Merge: map[string]*string{"b": ptr("3"), "c": ptr("4"), "x": nil}}, map[string]string{"a": "1", "b": "3", "c": "4"}},
		{secret.MetaChange{Merge: map[string]*string{"a": nil}}, map[string]string{"b": "3", "c": "4"}},
		{secret.MetaChange{Replace: map[string]string{"d": "5"}, Merge: map[string]*string{"e": ptr("6")}}, map[string]string{"d": "5", "e": "6"}},
		{secret.MetaChange{MaxVersions: ptr(int64(3)), CASRequired: ptr(true)}, map[string]string{"d": "5", "e": "6"}},
		{secret.MetaChange{Replace: map[string]string{}}, nil},
	} {
		if err := change(&m, c.change); err != nil || !maps.Equal(m.Custom, c.want) || m.MetaVersion != int64(i+1) {
			t.Fatalf("step %d: %v, metadata version %d, %v", i, m.Custom, m.MetaVersion, err)
		}
	}
	if m.MaxVersions != 3 || !m.CASRequired || !m.Created.Equal(epoch()) || m.Current != 0 {
		t.Errorf("metadata is %+v", m)
	}
}

func TestE12_limits(t *testing.T) {
	full := map[string]string{strings.Repeat("k", 128): strings.Repeat("v", 512), "printable ü": "ü ~"}
	for i := range 62 {
		full[fmt.Sprint(i)] = "v"
	}
	m := secret.Metadata{}
	if err := change(&m, secret.MetaChange{Replace: full}); err != nil {
		t.Fatalf("at the limits: %v", err)
	}
	before := m
	for name, c := range map[string]secret.MetaChange{
		"65 keys":             {Merge: map[string]*string{"more": ptr("v")}},
		"129-byte key":        {Replace: map[string]string{strings.Repeat("k", 129): "v"}},
		"empty key":           {Replace: map[string]string{"": "v"}},
		"empty value":         {Replace: map[string]string{"canary": ""}},
		"513-byte value":      {Replace: map[string]string{"k": strings.Repeat("v", 513)}},
		"control character":   {Replace: map[string]string{"k": "canary\x1b"}},
		"invalid UTF-8":       {Replace: map[string]string{"k\xff": "v"}},
		"max_versions 1001":   {MaxVersions: ptr(int64(1001)), Replace: map[string]string{}},
		"max_versions -1":     {MaxVersions: ptr(int64(-1))},
		"negative expiry":     {DeleteVersionAfter: ptr(-time.Second)},
		"good with a bad one": {MaxVersions: ptr(int64(5)), Merge: map[string]*string{"0": ptr("")}},
	} {
		err := change(&m, c)
		if !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
		if !maps.Equal(m.Custom, full) || m.MetaVersion != before.MetaVersion || m.MaxVersions != before.MaxVersions {
			t.Errorf("%s changed something", name)
		}
	}
}

func TestK28_metadata_check_and_set(t *testing.T) {
	set := secret.MetaChange{Replace: map[string]string{"k": "v"}}
	with := func(cas int64) secret.MetaChange { c := set; c.CAS = &cas; return c }
	m := secret.Metadata{}
	if err := change(&m, with(1)); !errors.Is(err, fault.CASMismatch) {
		t.Errorf("cas 1 on a new key: %v", err)
	}
	if err := change(&m, with(0)); err != nil || m.MetaVersion != 1 {
		t.Errorf("cas 0 on a new key: %v", err)
	}
	if err := change(&m, with(0)); !errors.Is(err, fault.CASMismatch) {
		t.Errorf("cas 0 on a known key: %v", err)
	}
	if err := change(&m, with(1)); err != nil || m.MetaVersion != 2 {
		t.Errorf("cas 1 on a known key: %v", err)
	}
	if err := m.Change(secret.MountSettings{MetaCASRequired: true}, set, true, epoch()); !errors.Is(err, fault.CASRequired) {
		t.Errorf("required by the mount: %v", err)
	}
	m.MetaCASRequired = true
	if err := change(&m, set); !errors.Is(err, fault.CASRequired) || m.MetaVersion != 2 {
		t.Errorf("required by the key: %v", err)
	}
}

func TestK29_patch_needs_a_key(t *testing.T) {
	var m secret.Metadata
	patch := secret.MetaChange{MustExist: true, Merge: map[string]*string{"k": ptr("v")}}
	if err := change(&m, patch); !errors.Is(err, fault.NotFound) || m.MetaVersion != 0 {
		t.Errorf("unknown key: %v", err)
	}
	if err := m.Change(secret.MountSettings{}, patch, true, epoch()); err != nil || m.Custom["k"] != "v" {
		t.Errorf("known key: %v", err)
	}
}

func TestK25_settings_keep_the_updated_time(t *testing.T) {
	var m secret.Metadata
	if err := change(&m, secret.MetaChange{MaxVersions: ptr(int64(3))}); err != nil || !m.Updated.Equal(epoch()) {
		t.Errorf("created at %v, updated at %v, %v", m.Created, m.Updated, err)
	}
	written := write(t, &m, secret.MountSettings{}, 1)
	err := m.Change(secret.MountSettings{}, secret.MetaChange{MaxVersions: ptr(int64(4))}, true, written.Add(time.Hour))
	if err != nil || !m.Updated.Equal(written) || !m.Created.Equal(epoch()) {
		t.Errorf("created at %v, updated at %v, %v", m.Created, m.Updated, err)
	}
}

func TestK25_empty_change(t *testing.T) {
	for name, c := range map[string]secret.MetaChange{"zero": {}, "must exist": {MustExist: true}, "cas": {CAS: ptr(int64(1))}, "no merge": {Merge: map[string]*string{}}} {
		if !c.Empty() {
			t.Errorf("%s is not empty", name)
		}
	}
	for name, c := range map[string]secret.MetaChange{
		"replace by nothing": {Replace: map[string]string{}}, "merge": {Merge: map[string]*string{"k": nil}}, "max": {MaxVersions: ptr(int64(0))},
		"cas required": {CASRequired: ptr(false)}, "expiry": {DeleteVersionAfter: ptr(time.Duration(0))}, "metadata cas": {MetaCASRequired: ptr(false)},
	} {
		if c.Empty() {
			t.Errorf("%s is empty", name)
		}
	}
}
