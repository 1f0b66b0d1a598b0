package storetest

import (
	"slices"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

const (
	notFound = fault.NotFound
	invalid  = fault.Invalid
)

func valueCases() []conformance {
	none := need{}
	return []conformance{
		{"E01_put_replaces_the_whole_value", none, putReplaces},
		{"E01_value_kinds_survive", none, valueKinds},
		{"E15_numbers_keep_their_literal", none, numberLiterals},
		{"E21_value_size", none, valueSize},
		{"E22_illegal_addresses", none, illegalAddresses},
		{"E22_legal_addresses", none, legalAddresses},
		{"K3_value_must_be_an_object", none, objectRequired},
		{"K4_empty_object", none, emptyObject},
		{"K11_unknown_path", none, func(e *env) { e.missing("unknown/path") }},
	}
}

// missing asserts that an unpinned read finds nothing.
func (e *env) missing(path string) {
	e.t.Helper()
	e.refuses(path, 0, notFound)
}

func putReplaces(e *env) {
	e.missing("p")
	e.put("p", `{"a":"1","b":"2"}`)
	e.holds("p", 0, `{"a":"1","b":"2"}`)
	e.put("p", `{"b":"3"}`)
	e.holds("p", 0, `{"b":"3"}`)
}

func valueKinds(e *env) {
	for _, text := range []string{
		`{"t":"text","n":null,"yes":true,"no":false,"i":7,"list":[1,"two",null,[],{}]}`,
		`{"nested":{"deep":{"er":"x"}},"empty":""}`,
		`{"":"empty name","a b":"space","a.b":"dot","ключ":"значение","<&>":"<&>"}`,
		`{"lines":"one\ntwo\n","tab":"\t","quote":"\"","slash":"\\","nul":"\u0000","del":"\u007f","emoji":"😀"}`,
		`{"like a number":"007","like a bool":"true","like null":"null","like a date":"2026-01-02","dash":"- x","hash":"# x"}`,
		`{"true":"1","1":"2","null":"3","<<":"4","~":"5"}`,
	} {
		e.put("p", text)
		e.holds("p", 0, text)
	}
}

func numberLiterals(e *env) {
	for _, text := range []string{`{"n":9007199254740993}`, `{"n":12345678901234567890}`} {
		v, err := e.tryPut("big", text, nil)
		if e.Float64Numbers {
			e.fails(err, invalid, "put of a number that float64 cannot hold")
			e.missing("big")
			continue
		}
		e.ok(err, "put of a large number")
		if e.Can.Versions {
			e.holds("big", v.Version, text)
		}
		e.holds("big", 0, text)
	}
	for _, text := range []string{`{"n":1.0}`, `{"n":1e3}`, `{"n":-0.5}`, `{"n":0}`} {
		e.put("p", text)
		if !e.Float64Numbers {
			e.holds("p", 0, text)
		}
	}
	if e.Float64Numbers {
		e.put("p", `{"n":1e3}`)
		e.holds("p", 0, `{"n":1000}`)
	}
}

// sized is an object of exactly n bytes.
func sized(n int) secret.Value {
	frame := `{"k":""}`
	return secret.Stored([]byte(`{"k":"` + strings.Repeat("x", n-len(frame)) + `"}`))
}

func valueSize(e *env) {
	most := sized(secret.MaxValue)
	_, err := e.Store.Put(e.ctx, e.ref("p"), most, nil)
	e.ok(err, "put of the largest value")
	s, err := e.get("p", 0)
	e.ok(err, "get of the largest value")
	if !sameJSON(s.Value, most) {
		e.t.Fatal("the largest value did not survive")
	}
	_, err = e.Store.Put(e.ctx, e.ref("p"), sized(secret.MaxValue+1), nil)
	e.fails(err, fault.TooLarge, "put of one byte more")
	_, err = e.Store.Put(e.ctx, e.ref("new"), sized(secret.MaxValue+1), nil)
	e.fails(err, fault.TooLarge, "put of one byte more on a new key")
	e.missing("new")
	if s, err = e.get("p", 0); err != nil || !sameJSON(s.Value, most) {
		e.t.Fatalf("a refused put changed the value: %v", err)
	}
}

// illegalRefs are addresses that every verb refuses.
func (e *env) illegalRefs() []secret.Ref {
	var out []secret.Ref
	for _, path := range []string{
		"", "..", "a/../b", ".", "a/.", "./a", "a//b", "/a", "a/", "/", "a%2eb", "a/%2e%2e", "a*", "*", "a+b", "+",
		"a\x00b", "a b", "a\tb", "a\nb", `a\b`, "a#b", "a?b", "ä", "a\x7f",
		strings.Repeat("a", secret.MaxSegment+1), strings.Repeat("abcd/", secret.MaxPath/5) + "abcde",
	} {
		out = append(out, e.ref(path))
	}
	for _, tenant := range []string{"", "A", "a/b", "-a", "a_b", "a\x00", strings.Repeat("a", 64)} {
		out = append(out, secret.Ref{Tenant: tenant, Mount: e.MountName, Path: "p"})
	}
	for _, mount := range []string{"", "..", "a/b", "a\x00b", "a b"} {
		out = append(out, secret.Ref{Tenant: e.Tenant, Mount: mount, Path: "p"})
	}
	return out
}

func illegalAddresses(e *env) {
	before := e.stored()
	for _, ref := range e.illegalRefs() {
		e.refusesEvery(ref)
	}
	if after := e.stored(); !slices.Equal(before, after) {
		e.t.Fatalf("refused addresses left %d keys behind", len(after)-len(before))
	}
	if e.Can.List {
		e.lists("", secret.ListOptions{Recursive: true})
	}
}

func (e *env) stored() []string {
	if e.Keys == nil {
		return nil
	}
	return e.Keys()
}

// refusesEvery runs every declared verb on an illegal address.
func (e *env) refusesEvery(ref secret.Ref) {
	e.t.Helper()
	_, err := e.Store.Get(e.ctx, ref, 0)
	e.fails(err, invalid, "get")
	_, err = e.Store.Put(e.ctx, ref, e.value(`{"k":"v"}`), nil)
	e.fails(err, invalid, "put")
	e.fails(e.Store.Delete(e.ctx, ref, nil), invalid, "delete")
	if e.Can.Versions {
		_, err = e.Store.Undelete(e.ctx, ref, []int64{1})
		e.fails(err, invalid, "undelete")
		_, err = e.Store.Destroy(e.ctx, ref, secret.Selection{All: true})
		e.fails(err, invalid, "destroy")
	}
	if e.Can.Metadata {
		_, err = e.Store.Meta(e.ctx, ref)
		e.fails(err, invalid, "meta")
		_, err = e.Store.SetMeta(e.ctx, ref, secret.MetaChange{Replace: map[string]string{"k": "v"}})
		e.fails(err, invalid, "set metadata")
	}
	if e.Can.List && ref.Path != "" { // a mount's root can be listed
		_, err = e.Store.List(e.ctx, ref, secret.ListOptions{})
		e.fails(err, invalid, "list")
	}
}

func legalAddresses(e *env) {
	for _, path := range []string{
		"a", "...", "a..b", "A", "~", "a~2Fb", "a.b-c_d", "a:b@c", "a=b&c", `quote"d`, "'", "{x}", "[x]", "!x", "<<", "null",
		strings.Repeat("s", secret.MaxSegment), strings.Repeat("abcd/", secret.MaxPath/5-1) + "abcdefghi",
	} {
		if len(path) > secret.MaxPath {
			e.t.Fatalf("path of the case has %d bytes", len(path))
		}
		text := `{"k":"v","at":"` + strings.ReplaceAll(path, `"`, `\"`) + `"}`
		e.put(path, text)
		e.holds(path, 0, text)
	}
}

func objectRequired(e *env) {
	for _, text := range []string{`5`, `"text"`, `[1]`, `null`, `true`} {
		v, err := secret.ParseAny([]byte(text))
		e.ok(err, "value of the case")
		_, err = e.Store.Put(e.ctx, e.ref("p"), v, nil)
		e.fails(err, invalid, "put of "+text)
		e.missing("p")
	}
}

func emptyObject(e *env) {
	e.put("p", `{}`)
	e.holds("p", 0, `{}`)
}
