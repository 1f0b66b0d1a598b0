package storetest

import (
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func capabilityCases() []conformance {
	return []conformance{
		{"E20_undeclared_verbs_are_unsupported", need{}, undeclaredVerbs},
		{"E20_delete_without_versions", need{plain: true}, deletePlain},
	}
}

// attempt is one use of a verb, with the capability that it belongs to.
type attempt struct {
	verb     string
	declared bool
	call     func(ref secret.Ref) error
}

func (e *env) attempts() []attempt {
	can, zero, one := e.Can, int64(0), int64(1)
	put := func(ref secret.Ref, cas *int64) error {
		_, err := e.Store.Put(e.ctx, ref, e.value(`{"k":"changed"}`), cas)
		return err
	}
	return []attempt{
		{"get of a version", can.Versions, func(r secret.Ref) error { _, err := e.Store.Get(e.ctx, r, 1); return err }},
		{"delete of a version", can.Versions, func(r secret.Ref) error { return e.Store.Delete(e.ctx, r, []int64{1}) }},
		{"undelete", can.Versions, func(r secret.Ref) error { _, err := e.Store.Undelete(e.ctx, r, []int64{1}); return err }},
		{"destroy", can.Versions, func(r secret.Ref) error {
			_, err := e.Store.Destroy(e.ctx, r, secret.Selection{Versions: []int64{1}})
			return err
		}},
		{"destroy all", can.Versions, func(r secret.Ref) error {
			_, err := e.Store.Destroy(e.ctx, r, secret.Selection{All: true})
			return err
		}},
		{"meta", can.Metadata, func(r secret.Ref) error { _, err := e.Store.Meta(e.ctx, r); return err }},
		{"set metadata", can.Metadata, func(r secret.Ref) error {
			_, err := e.Store.SetMeta(e.ctx, r, secret.MetaChange{Replace: map[string]string{"k": "v"}})
			return err
		}},
		{"list", can.List, func(r secret.Ref) error { _, err := e.Store.List(e.ctx, r, secret.ListOptions{}); return err }},
		{"put with cas 0", can.CAS, func(r secret.Ref) error { return put(r, &zero) }},
		{"put with cas 1", can.CAS, func(r secret.Ref) error { return put(r, &one) }},
	}
}

func undeclaredVerbs(e *env) {
	e.put("p", `{"k":"v"}`)
	before := e.stored()
	tried := 0
	for _, a := range e.attempts() {
		if a.declared {
			continue
		}
		tried++
		for _, path := range []string{"p", "unknown"} {
			e.fails(a.call(e.ref(path)), fault.Unsupported, a.verb)
		}
		e.holds("p", 0, `{"k":"v"}`)
		e.missing("unknown")
	}
	if tried == 0 {
		e.t.Skip("does not apply: every capability is declared")
	}
	if !slices.Equal(before, e.stored()) {
		e.t.Fatal("an unsupported verb had an effect")
	}
}

func deletePlain(e *env) {
	e.put("app/p", `{"k":"v"}`)
	e.put("app/q", `{"k":"v"}`)
	e.remove("app/p")
	e.missing("app/p")
	e.holds("app/q", 0, `{"k":"v"}`)
	e.fails(e.Store.Delete(e.ctx, e.ref("app/p"), nil), fault.NotFound, "delete of nothing")
	e.fails(e.Store.Delete(e.ctx, e.ref("unknown"), nil), fault.NotFound, "delete of nothing")
	e.put("app/p", `{"k":"again"}`)
	e.holds("app/p", 0, `{"k":"again"}`)
}
