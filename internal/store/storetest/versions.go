package storetest

import (
	"slices"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func versionCases() []conformance {
	v := need{versions: true}
	vm := need{versions: true, metadata: true}
	return []conformance{
		{"E01_puts_number_versions", vm, putsNumberVersions},
		{"E05_delete_latest", vm, deleteLatest},
		{"E06_undelete_reports_ignored", v, undeleteReportsIgnored},
		{"E07_destroy", v, destroyVersion},
		{"E07_destroy_all", v, destroyAll},
		{"E08_empty_versions", vm, emptyVersions},
		{"K11_unknown_key", vm, unknownKey},
		{"K12_unknown_or_pruned_version", vm, unknownVersion},
		{"K14_destroyed_carries_info", v, destroyedCarriesInfo},
		{"K19_delete_unknown_is_no_error", v, deleteUnknown},
		{"K20_delete_listed_versions", vm, deleteListed},
		{"K22_destroy_keeps_deletion_time", vm, destroyKeepsDeletionTime},
		{"K30_destroy_all_forgets_settings", vm, destroyAllForgets},
	}
}

func putsNumberVersions(e *env) {
	first, second := e.put("app/api", `{"k":"first"}`), e.put("app/api", `{"k":"second"}`)
	e.equal("version numbers", []int64{first.Version, second.Version}, []int64{1, 2})
	e.equal("latest", e.holds("app/api", 0, `{"k":"second"}`).Version.Version, 2)
	e.holds("app/api", -1, `{"k":"second"}`)
	e.equal("pinned", e.holds("app/api", 1, `{"k":"first"}`).Version.Version, 1)
	e.holds("app/api", 2, `{"k":"second"}`)
	m := e.meta("app/api")
	e.equal("current version", m.Current, 2)
	e.equal("oldest version", m.Oldest, 0)
	e.equal("known versions", numbers(m), []int64{1, 2})
	if m.Created.IsZero() || m.Updated.Before(m.Created) || second.Created.Before(first.Created) {
		e.t.Fatal("times are missing or run backwards")
	}
}

func deleteLatest(e *env) {
	e.put("p", `{"k":"1"}`)
	e.put("p", `{"k":"2"}`)
	updated := e.meta("p").Updated
	e.later(10 * time.Millisecond)
	e.remove("p")
	_, err := e.get("p", 0)
	e.fails(err, fault.Deleted, "get of the deleted version")
	info := e.info(err).Info
	e.equal("deleted version", info.Version, 2)
	if info.Deleted.IsZero() || info.Created.IsZero() || info.Destroyed {
		e.t.Fatalf("info of the deleted version is %+v", info)
	}
	e.refuses("p", 2, fault.Deleted)
	e.holds("p", 1, `{"k":"1"}`)
	e.later(10 * time.Millisecond)
	e.remove("p")
	m := e.meta("p")
	e.equal("deletion time after a second delete", m.Versions[1].Deleted, info.Deleted)
	e.equal("current version", m.Current, 2)
	e.equal("updated time", m.Updated, updated)
	e.equal("next version", e.put("p", `{"k":"3"}`).Version, 3)
}

func undeleteReportsIgnored(e *env) {
	e.putTimes("p", 2)
	e.remove("p", 1)
	e.destroy("p", 2)
	ignored, err := e.Store.Undelete(e.ctx, e.ref("p"), []int64{9, 2, 1, 2})
	e.ok(err, "undelete")
	e.ignored(ignored, 2, 9)
	e.holds("p", 1, `{"k":"v"}`)
	e.refuses("p", 2, fault.Destroyed)
	ignored, err = e.Store.Undelete(e.ctx, e.ref("unknown"), []int64{1})
	e.ok(err, "undelete of an unknown key")
	e.ignored(ignored, 1)
	e.refuses("unknown", 0, fault.NotFound)
}

// ignored holds a back end with transactions to the exact numbers; an outside one
// may be unable to tell and then reports none.
func (e *env) ignored(got []int64, want ...int64) {
	e.t.Helper()
	if (len(got) > 0 || e.Can.Transactional) && !slices.Equal(got, want) {
		e.t.Fatalf("ignored versions = %v, want %v", got, want)
	}
}

func destroyVersion(e *env) {
	e.putTimes("p", 2)
	e.ignored(e.destroy("p", 1, 7), 7)
	e.refuses("p", 1, fault.Destroyed)
	_, err := e.Store.Undelete(e.ctx, e.ref("p"), []int64{1})
	e.ok(err, "undelete")
	e.refuses("p", 1, fault.Destroyed)
	e.holds("p", 2, `{"k":"v"}`)
	e.destroy("p", 2)
	e.refuses("p", 0, fault.Destroyed)
	e.equal("next version", e.put("p", `{}`).Version, 3)
}

func destroyAll(e *env) {
	e.putTimes("p", 3)
	e.put("p/below", `{"k":"kept"}`)
	for range 2 { // an unknown key is no error either
		_, err := e.Store.Destroy(e.ctx, e.ref("p"), secret.Selection{All: true})
		e.ok(err, "destroy all")
		e.refuses("p", 0, fault.NotFound)
		e.refuses("p", 1, fault.NotFound)
	}
	e.holds("p/below", 0, `{"k":"kept"}`)
	e.equal("first version after destroy", e.put("p", `{"k":"new"}`).Version, 1)
	e.holds("p", 1, `{"k":"new"}`)
	e.refuses("p", 2, fault.VersionNotFound)
}

func emptyVersions(e *env) {
	e.putTimes("p", 2)
	before := e.meta("p")
	none := []int64{}
	e.fails(e.Store.Delete(e.ctx, e.ref("p"), none), fault.Invalid, "delete of no versions")
	for _, list := range [][]int64{nil, none, {0}, {1, -1}} {
		_, err := e.Store.Undelete(e.ctx, e.ref("p"), list)
		e.fails(err, fault.Invalid, "undelete of an illegal list")
		_, err = e.Store.Destroy(e.ctx, e.ref("p"), secret.Selection{Versions: list})
		e.fails(err, fault.Invalid, "destroy of an illegal list")
	}
	e.equal("metadata", e.meta("p"), before)
	e.holds("p", 1, `{"k":"v"}`)
	e.holds("p", 2, `{"k":"v"}`)
}

func unknownKey(e *env) {
	e.refuses("unknown", 0, fault.NotFound)
	e.refuses("unknown", 1, fault.NotFound)
	_, err := e.Store.Meta(e.ctx, e.ref("unknown"))
	e.fails(err, fault.NotFound, "metadata of an unknown key")
	e.change("bare", secret.MetaChange{Merge: map[string]*string{"owner": ptr("me")}})
	e.refuses("bare", 0, fault.NotFound)
	e.refuses("bare", 1, fault.NotFound)
}

func unknownVersion(e *env) {
	e.change("p", secret.MetaChange{MaxVersions: ptr(int64(1))})
	e.putTimes("p", 2)
	e.refuses("p", 1, fault.VersionNotFound)
	e.refuses("p", 3, fault.VersionNotFound)
	e.holds("p", 2, `{"k":"v"}`)
}

func destroyedCarriesInfo(e *env) {
	e.putTimes("p", 1)
	e.destroy("p", 1)
	_, err := e.get("p", 0)
	e.fails(err, fault.Destroyed, "get of the destroyed version")
	info := e.info(err).Info
	if info.Version != 1 || !info.Destroyed {
		e.t.Fatalf("info of the destroyed version is %+v", info)
	}
}

func deleteUnknown(e *env) {
	e.remove("unknown")
	e.remove("unknown", 1, 2)
	e.refuses("unknown", 0, fault.NotFound)
	e.putTimes("p", 1)
	e.remove("p", 5)
	e.holds("p", 1, `{"k":"v"}`)
}

func deleteListed(e *env) {
	e.putTimes("p", 4)
	e.remove("p", 1, 3, 3, 77)
	for n, kind := range []fault.Kind{fault.Deleted, 0, fault.Deleted, 0} {
		_, err := e.get("p", int64(n+1))
		if (kind == 0) != (err == nil) {
			e.t.Fatalf("version %d: %v", n+1, err)
		}
		if kind != 0 {
			e.fails(err, kind, "get")
		}
	}
	ignored, err := e.Store.Undelete(e.ctx, e.ref("p"), []int64{1, 3})
	e.ok(err, "undelete")
	e.ignored(ignored)
	e.equal("live again", e.meta("p").Versions[2].Deleted.IsZero(), true)
	e.holds("p", 3, `{"k":"v"}`)
}

func destroyKeepsDeletionTime(e *env) {
	e.putTimes("p", 1)
	e.remove("p")
	before := e.meta("p").Versions[0]
	e.destroy("p", 1)
	e.ignored(e.destroy("p", 1), 1)
	after := e.meta("p")
	before.Destroyed = true
	e.equal("version", after.Versions[0], before)
	e.equal("current version", after.Current, 1)
}

func destroyAllForgets(e *env) {
	e.change("p", secret.MetaChange{CASRequired: ptr(true), Merge: map[string]*string{"owner": ptr("me")}})
	_, err := e.Store.Destroy(e.ctx, e.ref("p"), secret.Selection{All: true})
	e.ok(err, "destroy all")
	_, err = e.Store.Meta(e.ctx, e.ref("p"))
	e.fails(err, fault.NotFound, "metadata after destroy")
	e.put("p", `{}`)
	m := e.meta("p")
	if m.CASRequired || len(m.Custom) > 0 {
		e.t.Fatal("settings survived the destruction of the key")
	}
}

func numbers(m secret.Metadata) []int64 {
	var out []int64
	for _, v := range m.Versions {
		out = append(out, v.Version)
	}
	return out
}
