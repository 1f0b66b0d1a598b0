package storetest

import (
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func settingsCases() []conformance {
	vm := need{versions: true, metadata: true}
	return []conformance{
		{"E09_max_versions_of_mount_and_key", need{versions: true, metadata: true, mount: true}, maxVersionsBoth},
		{"E09_ten_versions_by_default", vm, tenByDefault},
		{"E09_max_versions_of_key", vm, maxVersionsOfKey},
		{"E10_delete_version_after", vm, deleteVersionAfter},
		{"E10_mount_turns_expiry_off", need{versions: true, metadata: true, mount: true, advance: true}, mountTurnsExpiryOff},
		{"E10_smaller_of_mount_and_key", need{versions: true, metadata: true, mount: true, advance: true}, smallerExpiry},
		{"K15_future_deletion_time_is_live", vm, futureDeletionIsLive},
		{"K19_future_deletion_time_becomes_now", vm, futureDeletionBecomesNow},
	}
}

func maxVersionsBoth(e *env) {
	e.Mount(secret.MountSettings{MaxVersions: 5})
	e.change("p", secret.MetaChange{MaxVersions: ptr(int64(2))})
	e.putTimes("p", 6)
	m := e.meta("p")
	e.equal("kept versions", numbers(m), []int64{2, 3, 4, 5, 6})
	e.equal("oldest version", m.Oldest, 2)
	e.refuses("p", 1, fault.VersionNotFound)
	e.holds("p", 2, `{"k":"v"}`)
}

func tenByDefault(e *env) {
	e.putTimes("p", 9)
	e.equal("oldest after 9", e.meta("p").Oldest, 0)
	e.putTimes("p", 1)
	e.equal("oldest after 10", e.meta("p").Oldest, 1)
	e.equal("kept after 10", len(e.meta("p").Versions), 10)
	e.putTimes("p", 1)
	m := e.meta("p")
	e.equal("oldest after 11", m.Oldest, 2)
	e.equal("kept after 11", len(m.Versions), 10)
	e.refuses("p", 1, fault.VersionNotFound)
}

func maxVersionsOfKey(e *env) {
	e.putTimes("p", 5)
	e.change("p", secret.MetaChange{MaxVersions: ptr(int64(2))})
	e.equal("kept before the next put", len(e.meta("p").Versions), 5)
	e.putTimes("p", 1)
	m := e.meta("p")
	e.equal("kept versions", numbers(m), []int64{5, 6})
	e.equal("oldest version", m.Oldest, 5)
	for _, bad := range []int64{-1, secret.MaxMaxVersions + 1} {
		_, err := e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{MaxVersions: &bad})
		e.fails(err, fault.Invalid, "max_versions out of range")
	}
	e.equal("max_versions", e.meta("p").MaxVersions, 2)
}

func deleteVersionAfter(e *env) {
	ttl := 2 * time.Second
	e.change("p", secret.MetaChange{DeleteVersionAfter: &ttl})
	put := e.put("p", `{"k":"v"}`)
	e.equal("deletion time", put.Deleted, put.Created.Add(ttl))
	e.holds("p", 0, `{"k":"v"}`)
	e.later(ttl + 100*time.Millisecond)
	e.refuses("p", 0, fault.Deleted)
	_, err := e.Store.Undelete(e.ctx, e.ref("p"), []int64{1})
	e.ok(err, "undelete")
	s := e.holds("p", 0, `{"k":"v"}`)
	if !s.Version.Deleted.After(put.Deleted) {
		e.t.Fatal("undelete did not set a new deletion time")
	}
	negative := -time.Second
	_, err = e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{DeleteVersionAfter: &negative})
	e.fails(err, fault.Invalid, "negative delete_version_after")
}

func mountTurnsExpiryOff(e *env) {
	e.Mount(secret.MountSettings{DeleteVersionAfter: -time.Second})
	e.change("p", secret.MetaChange{DeleteVersionAfter: ptr(time.Second)})
	e.putTimes("p", 1)
	e.later(time.Hour)
	e.equal("deletion time unset", e.holds("p", 0, `{"k":"v"}`).Version.Deleted.IsZero(), true)
}

func smallerExpiry(e *env) {
	e.Mount(secret.MountSettings{DeleteVersionAfter: time.Minute})
	e.putTimes("mount", 1)
	e.change("shorter", secret.MetaChange{DeleteVersionAfter: ptr(10 * time.Second)})
	e.putTimes("shorter", 1)
	e.change("longer", secret.MetaChange{DeleteVersionAfter: ptr(time.Hour)})
	e.putTimes("longer", 1)
	e.later(11 * time.Second)
	e.holds("mount", 0, `{"k":"v"}`)
	e.refuses("shorter", 0, fault.Deleted)
	e.holds("longer", 0, `{"k":"v"}`)
	e.later(time.Minute)
	e.refuses("mount", 0, fault.Deleted)
	e.refuses("longer", 0, fault.Deleted)
}

func futureDeletionIsLive(e *env) {
	e.change("p", secret.MetaChange{DeleteVersionAfter: ptr(time.Hour)})
	put := e.put("p", `{"k":"v"}`)
	e.equal("deletion time shown", e.holds("p", 0, `{"k":"v"}`).Version.Deleted, put.Deleted)
	e.equal("deletion time in metadata", e.meta("p").Versions[0].Deleted, put.Deleted)
}

func futureDeletionBecomesNow(e *env) {
	e.change("p", secret.MetaChange{DeleteVersionAfter: ptr(time.Hour)})
	put := e.put("p", `{"k":"v"}`)
	e.remove("p")
	e.refuses("p", 0, fault.Deleted)
	if !e.meta("p").Versions[0].Deleted.Before(put.Deleted) {
		e.t.Fatal("delete kept a deletion time in the future")
	}
}
