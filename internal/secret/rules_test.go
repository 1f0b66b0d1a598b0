package secret_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"pgregory.net/rapid"
)

func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// write puts n versions a second apart and returns the time after the last.
func write(t *testing.T, m *secret.Metadata, mount secret.MountSettings, n int) time.Time {
	t.Helper()
	now := epoch()
	for range n {
		now = now.Add(time.Second)
		if _, _, _, err := m.Write(mount, &m.Current, now); err != nil {
			t.Fatal(err)
		}
	}
	return now
}

func numbers(m secret.Metadata) []int64 {
	var out []int64
	for _, v := range m.Versions {
		out = append(out, v.Version)
	}
	return out
}

func TestE09_max_versions(t *testing.T) {
	for _, c := range []struct {
		name       string
		mount, key int64
		puts       int
		oldest     int64
		kept       []int64
	}{
		{"mount 5, key 2", 5, 2, 6, 2, []int64{2, 3, 4, 5, 6}},
		{"mount 2, key 5", 2, 5, 6, 2, []int64{2, 3, 4, 5, 6}},
		{"key alone", 0, 2, 3, 2, []int64{2, 3}},
		{"one", 1, 0, 3, 3, []int64{3}},
		{"default, 9 puts", 0, 0, 9, 0, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"default, 10 puts", 0, 0, 10, 1, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"default, 11 puts", 0, 0, 11, 2, []int64{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		m := secret.Metadata{MaxVersions: c.key}
		write(t, &m, secret.MountSettings{MaxVersions: c.mount}, c.puts)
		if m.Oldest != c.oldest || !slices.Equal(numbers(m), c.kept) || m.Current != int64(c.puts) {
			t.Errorf("%s: current %d, oldest %d, kept %v", c.name, m.Current, m.Oldest, numbers(m))
		}
	}
}

func TestE09_pruned_numbers_are_told(t *testing.T) {
	m := secret.Metadata{}
	write(t, &m, secret.MountSettings{}, 8)
	m.MaxVersions = 3 // lowered: the next write prunes several at once
	_, from, to, err := m.Write(secret.MountSettings{}, nil, epoch())
	if err != nil || from != 1 || to != 7 || !slices.Equal(numbers(m), []int64{7, 8, 9}) {
		t.Errorf("pruned [%d, %d), kept %v, %v", from, to, numbers(m), err)
	}
	m.MaxVersions = 5 // raised: nothing is pruned until there are five
	for range 2 {
		if _, from, to, _ = m.Write(secret.MountSettings{}, nil, epoch()); from != to {
			t.Errorf("pruned [%d, %d) of %v", from, to, numbers(m))
		}
	}
	if !slices.Equal(numbers(m), []int64{7, 8, 9, 10, 11}) || m.Oldest != 7 {
		t.Errorf("kept %v, oldest %d", numbers(m), m.Oldest)
	}
}

func TestK7_check_and_set(t *testing.T) {
	m := secret.Metadata{}
	now := write(t, &m, secret.MountSettings{}, 2)
	m.Delete(nil, now)
	for _, cas := range []int64{-1, 0, 1, 3} { // E03: cas 0 over a deleted version too
		before := m
		_, _, _, err := m.Write(secret.MountSettings{}, &cas, now)
		var v *secret.VersionError
		if !errors.Is(err, fault.CASMismatch) || !errors.As(err, &v) || v.Current != 2 {
			t.Errorf("cas %d: %v", cas, err)
		}
		if m.Current != before.Current || !m.Updated.Equal(before.Updated) {
			t.Errorf("cas %d changed the metadata", cas)
		}
	}
	cas := int64(2)
	if v, _, _, err := m.Write(secret.MountSettings{}, &cas, now); err != nil || v.Version != 3 {
		t.Errorf("cas 2: %v, %v", v.Version, err)
	}
}

func TestK9_check_and_set_required(t *testing.T) {
	for name, c := range map[string]struct {
		key   secret.Metadata
		mount secret.MountSettings
	}{
		"key":   {key: secret.Metadata{CASRequired: true}},
		"mount": {mount: secret.MountSettings{CASRequired: true}},
	} {
		m := c.key
		if _, _, _, err := m.Write(c.mount, nil, epoch()); !errors.Is(err, fault.CASRequired) || m.Current != 0 || !m.Created.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
		zero := int64(0)
		if _, _, _, err := m.Write(c.mount, &zero, epoch()); err != nil { // K8
			t.Errorf("%s with cas 0: %v", name, err)
		}
	}
}

func TestE10_delete_version_after(t *testing.T) {
	const s = time.Second
	for _, c := range []struct{ mount, key, want time.Duration }{
		{0, 0, 0}, {5 * s, 0, 5 * s}, {0, 3 * s, 3 * s}, {5 * s, 3 * s, 3 * s}, {2 * s, 3 * s, 2 * s}, {-1, 3 * s, 0}, {-1, 0, 0},
	} {
		mount := secret.MountSettings{DeleteVersionAfter: c.mount}
		m := secret.Metadata{DeleteVersionAfter: c.key}
		v, _, _, err := m.Write(mount, nil, epoch())
		if err != nil {
			t.Fatal(err)
		}
		if c.want == 0 {
			if !v.Deleted.IsZero() || !v.Live(epoch().Add(time.Hour)) {
				t.Errorf("mount %v key %v: deletion at %v", c.mount, c.key, v.Deleted)
			}
			continue
		}
		if !v.Deleted.Equal(epoch().Add(c.want)) || !v.Live(v.Deleted.Add(-1)) || v.Live(v.Deleted) {
			t.Errorf("mount %v key %v: deletion at %v", c.mount, c.key, v.Deleted)
		}
		later := epoch().Add(time.Hour)
		if _, changed := m.Undelete(mount, []int64{1}, later); !changed || !m.Latest().Deleted.Equal(later.Add(c.want)) {
			t.Errorf("mount %v key %v: undelete sets %v", c.mount, c.key, m.Latest().Deleted)
		}
	}
}

func TestResolve(t *testing.T) {
	var none secret.Metadata
	if _, err := none.Resolve(0, epoch()); !errors.Is(err, fault.NotFound) { // K11
		t.Errorf("no version: %v", err)
	}
	m := secret.Metadata{MaxVersions: 4}
	now := write(t, &m, secret.MountSettings{}, 5)
	m.Delete([]int64{3}, now)
	m.Destroy([]int64{4})
	for version, want := range map[int64]fault.Kind{1: fault.VersionNotFound, 6: fault.VersionNotFound, 3: fault.Deleted, 4: fault.Destroyed} {
		info, err := m.Resolve(version, now)
		var v *secret.VersionError
		if !errors.Is(err, want) || want != fault.VersionNotFound && (!errors.As(err, &v) || v.Info != info || info.Version != version) {
			t.Errorf("version %d: %v, %v", version, info, err)
		}
	}
	for version, want := range map[int64]int64{-7: 5, 0: 5, 5: 5, 2: 2} {
		if info, err := m.Resolve(version, now); err != nil || info.Version != want {
			t.Errorf("version %d: %v, %v", version, info, err)
		}
	}
	m.Delete(nil, now)
	if _, err := m.Resolve(0, now); !errors.Is(err, fault.Deleted) {
		t.Errorf("deleted latest: %v", err)
	}
	if _, err := m.Resolve(0, now.Add(-1)); err != nil { // K15
		t.Errorf("before the deletion time: %v", err)
	}
}

func TestE05_delete_keeps_the_first_time(t *testing.T) {
	var m secret.Metadata
	if m.Delete(nil, epoch()) || m.Delete([]int64{1}, epoch()) {
		t.Error("something was deleted where nothing is")
	}
	now := write(t, &m, secret.MountSettings{}, 2)
	updated := m.Updated
	if !m.Delete(nil, now) || m.Delete(nil, now.Add(time.Hour)) || !m.Latest().Deleted.Equal(now) {
		t.Errorf("deletion time is %v", m.Latest().Deleted)
	}
	if m.Current != 2 || !m.Updated.Equal(updated) || !m.Versions[0].Live(now) {
		t.Error("delete changed more than the latest version")
	}
	m.Versions[0].Deleted = now.Add(time.Hour)
	if !m.Delete([]int64{1, 1, 9}, now) || !m.Versions[0].Deleted.Equal(now) { // K19
		t.Error("a deletion time in the future did not become now")
	}
}

func TestE06_undelete_and_E07_destroy(t *testing.T) {
	var m secret.Metadata
	now := write(t, &m, secret.MountSettings{}, 3)
	m.Delete([]int64{1, 2}, now)
	erased, ignored := m.Destroy([]int64{2, 2, 7})
	if !slices.Equal(erased, []int64{2}) || !slices.Equal(ignored, []int64{7}) || !m.Versions[1].Deleted.Equal(now) { // K22
		t.Errorf("destroyed %v, ignored %v", erased, ignored)
	}
	if _, ignored = m.Destroy([]int64{2}); !slices.Equal(ignored, []int64{2}) {
		t.Errorf("destroyed twice, ignored %v", ignored)
	}
	ignored, changed := m.Undelete(secret.MountSettings{}, []int64{9, 2, 1, 9}, now)
	if !changed || !slices.Equal(ignored, []int64{2, 9}) || !m.Versions[0].Live(now) || !m.Versions[1].Destroyed {
		t.Errorf("undelete ignored %v", ignored)
	}
	if _, changed = m.Undelete(secret.MountSettings{}, []int64{1, 3}, now); changed {
		t.Error("undelete of live versions changed something")
	}
	if m.Current != 3 || m.Delete([]int64{2}, now) {
		t.Error("a destroyed version was deleted")
	}
}

func TestE08_versions_lists(t *testing.T) {
	full := make([]int64, secret.MaxVersionNumber)
	for i := range full {
		full[i] = int64(i + 1)
	}
	if err := secret.CheckVersions(full); err != nil {
		t.Errorf("the longest list: %v", err)
	}
	for code, lists := range map[string][][]int64{
		"EMPTY_VERSIONS":  {nil, {}},
		"INVALID_VERSION": {{0}, {1, -1}, slices.Concat(full, []int64{1})},
	} {
		for _, list := range lists {
			if err := secret.CheckVersions(list); fault.CodeOf(err) != code || !errors.Is(err, fault.Invalid) {
				t.Errorf("list of %d: %v", len(list), err)
			}
		}
	}
}

// A reader may hold a copy of the metadata while a writer works on another.
func TestRulesNeverWriteThroughACopy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := secret.Metadata{MaxVersions: 3, Custom: map[string]string{"k": "v"}}
		for range rapid.IntRange(1, 6).Draw(rt, "writes") {
			_, _, _, _ = m.Write(secret.MountSettings{}, nil, epoch())
		}
		seen := m
		versions := slices.Clone(m.Versions)
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			list := rapid.SliceOfN(rapid.Int64Range(1, 7), 1, 3).Draw(rt, "versions")
			switch rapid.IntRange(0, 4).Draw(rt, "verb") {
			case 0:
				_, _, _, _ = m.Write(secret.MountSettings{}, nil, epoch())
			case 1:
				m.Delete(list, epoch())
			case 2:
				m.Undelete(secret.MountSettings{DeleteVersionAfter: time.Hour}, list, epoch())
			case 3:
				m.Destroy(list)
			default:
				if err := m.Change(secret.MountSettings{}, secret.MetaChange{Merge: map[string]*string{"k": nil}}, true, epoch()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if !slices.Equal(seen.Versions, versions) || seen.Custom["k"] != "v" {
			rt.Fatal("a copy taken before was changed")
		}
	})
}
