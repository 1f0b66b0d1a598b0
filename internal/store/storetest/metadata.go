package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func metadataCases() []conformance {
	m := need{metadata: true}
	vm := need{versions: true, metadata: true}
	return []conformance{
		{"E11_metadata_before_the_first_put", need{metadata: true, list: true}, metadataFirst},
		{"E11_replace_and_merge", m, replaceAndMerge},
		{"E12_custom_metadata_limits", m, customLimits},
		{"E12_refused_change_creates_nothing", m, refusedChange},
		{"K24_metadata_survives_puts", vm, metadataSurvivesPuts},
		{"K25_empty_change_creates_nothing", m, emptyChange},
		{"K25_settings_keep_the_updated_time", vm, settingsKeepUpdated},
		{"K28_metadata_check_and_set", need{metadata: true, versions: true, cas: true}, metadataCAS},
		{"K29_patch_needs_a_key", m, patchNeedsKey},
	}
}

func metadataFirst(e *env) {
	e.change("p", secret.MetaChange{Replace: map[string]string{"owner": "me"}})
	e.refuses("p", 0, fault.NotFound)
	e.lists("", secret.ListOptions{}, "p")
	v, err := e.tryPut("p", `{}`, ptr(int64(0)))
	e.ok(err, "put with cas 0")
	e.equal("version", v.Version, 1)
	e.equal("custom metadata", e.holds("p", 0, `{}`).Custom, map[string]string{"owner": "me"})
}

func replaceAndMerge(e *env) {
	e.change("p", secret.MetaChange{Replace: map[string]string{"a": "1", "b": "2"}})
	e.change("p", secret.MetaChange{Merge: map[string]*string{"b": ptr("3"), "c": ptr("4")}})
	e.equal("after merge", e.meta("p").Custom, map[string]string{"a": "1", "b": "3", "c": "4"})
	e.change("p", secret.MetaChange{Merge: map[string]*string{"a": nil, "unknown": nil}})
	e.equal("after removal", e.meta("p").Custom, map[string]string{"b": "3", "c": "4"})
	e.change("p", secret.MetaChange{Replace: map[string]string{"d": "5"}})
	e.equal("after replace", e.meta("p").Custom, map[string]string{"d": "5"})
	e.change("p", secret.MetaChange{MaxVersions: ptr(int64(3))})
	e.equal("after a setting", e.meta("p").Custom, map[string]string{"d": "5"})
	e.change("p", secret.MetaChange{Replace: map[string]string{}})
	e.equal("after replacing by nothing", len(e.meta("p").Custom), 0)
	e.equal("max_versions", e.meta("p").MaxVersions, 3)
}

func customLimits(e *env) {
	full := map[string]string{strings.Repeat("k", secret.MaxCustomKey): strings.Repeat("v", secret.MaxCustomValue)}
	for i := range secret.MaxCustomKeys - 1 {
		full[fmt.Sprintf("key%d", i)] = "v"
	}
	e.change("p", secret.MetaChange{Replace: full})
	e.equal("custom metadata at the limits", e.meta("p").Custom, full)
	over := map[string]string{"one-more": "v"}
	for k := range full {
		over[k] = "v"
	}
	for name, bad := range map[string]secret.MetaChange{
		"65 keys":              {Replace: over},
		"65 keys by merge":     {Merge: map[string]*string{"one-more": ptr("v")}},
		"key of 129 bytes":     {Replace: map[string]string{strings.Repeat("k", secret.MaxCustomKey+1): "v"}},
		"empty key":            {Replace: map[string]string{"": "v"}},
		"empty value":          {Merge: map[string]*string{"key1": ptr("")}},
		"value of 513 bytes":   {Merge: map[string]*string{"key1": ptr(strings.Repeat("v", secret.MaxCustomValue+1))}},
		"unprintable value":    {Merge: map[string]*string{"key1": ptr("a\nb")}},
		"unprintable key":      {Replace: map[string]string{"a\x00b": "v"}},
		"one good and one bad": {Merge: map[string]*string{"key1": ptr("changed"), "key2": ptr("")}},
	} {
		_, err := e.Store.SetMeta(e.ctx, e.ref("p"), bad)
		e.fails(err, fault.Invalid, "custom metadata with "+name)
		e.equal("custom metadata after "+name, e.meta("p").Custom, full)
	}
}

func refusedChange(e *env) {
	_, err := e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{Replace: map[string]string{"k": ""}})
	e.fails(err, fault.Invalid, "custom metadata with an empty value")
	_, err = e.Store.Meta(e.ctx, e.ref("p"))
	e.fails(err, fault.NotFound, "metadata after a refused change")
}

func metadataSurvivesPuts(e *env) {
	e.change("p", secret.MetaChange{
		Replace: map[string]string{"owner": "me"}, MaxVersions: ptr(int64(7)), CASRequired: ptr(true),
	})
	before := e.meta("p")
	_, err := e.tryPut("p", `{}`, ptr(int64(0)))
	e.ok(err, "put")
	after := e.meta("p")
	e.equal("custom metadata", after.Custom, before.Custom)
	e.equal("max_versions", after.MaxVersions, 7)
	e.equal("cas_required", after.CASRequired, true)
	e.equal("metadata version", after.MetaVersion, before.MetaVersion)
	e.equal("created", after.Created, before.Created)
}

func emptyChange(e *env) {
	_, err := e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{})
	e.ok(err, "empty change")
	_, err = e.Store.Meta(e.ctx, e.ref("p"))
	e.fails(err, fault.NotFound, "metadata after an empty change")
	e.change("q", secret.MetaChange{Replace: map[string]string{"a": "1"}})
	before := e.meta("q")
	e.change("q", secret.MetaChange{})
	e.equal("metadata", e.meta("q"), before)
}

func settingsKeepUpdated(e *env) {
	e.putTimes("p", 1)
	before := e.meta("p").Updated
	e.later(10 * time.Millisecond)
	e.change("p", secret.MetaChange{MaxVersions: ptr(int64(3)), Merge: map[string]*string{"owner": ptr("me")}})
	e.equal("updated time", e.meta("p").Updated, before)
}

// metadataCAS needs a store that counts metadata changes, as Vault does not.
func metadataCAS(e *env) {
	set := func(value string, cas int64) (int64, error) {
		return e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{Replace: map[string]string{"k": value}, CAS: &cas})
	}
	_, err := set("1", 1)
	if fault.KindOf(err) == fault.Unsupported && !e.Can.Transactional {
		e.t.Skip("does not apply: metadata versions are not counted")
	}
	e.fails(err, fault.CASMismatch, "metadata cas 1 on a new key")
	first, err := set("1", 0)
	e.ok(err, "metadata cas 0 on a new key")
	_, err = set("2", 0)
	e.fails(err, fault.CASMismatch, "metadata cas 0 on a known key")
	second, err := set("2", first)
	e.ok(err, "metadata cas with the current version")
	if second <= first || e.meta("p").MetaVersion != second {
		e.t.Fatalf("metadata versions %d, %d do not count", first, second)
	}
	e.change("p", secret.MetaChange{MetaCASRequired: ptr(true)})
	_, err = e.Store.SetMeta(e.ctx, e.ref("p"), secret.MetaChange{MaxVersions: ptr(int64(2))})
	e.fails(err, fault.CASRequired, "change without metadata cas")
	e.equal("custom metadata", e.meta("p").Custom, map[string]string{"k": "2"})
}

func patchNeedsKey(e *env) {
	patch := secret.MetaChange{MustExist: true, Merge: map[string]*string{"owner": ptr("me")}}
	_, err := e.Store.SetMeta(e.ctx, e.ref("p"), patch)
	e.fails(err, fault.NotFound, "patch of an unknown key")
	_, err = e.Store.Meta(e.ctx, e.ref("p"))
	e.fails(err, fault.NotFound, "metadata after a refused patch")
	e.put("p", `{}`)
	e.change("p", patch)
	e.equal("custom metadata", e.meta("p").Custom, map[string]string{"owner": "me"})
}
