package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"pgregory.net/rapid"
)

// plainHistories compares a store without versions with a map, on keys of which
// none lies below another: such a store may keep a parent and its children in one
// value.
func plainHistories(e *env) {
	var round atomic.Int64
	rapid.Check(e.t, func(rt *rapid.T) {
		root := fmt.Sprintf("round%d", round.Add(1))
		model := map[string]string{}
		names := []string{"a", "b", "c-d"}
		for n := range rapid.IntRange(1, maxSteps).Draw(rt, "steps") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			ref := e.ref(root + "/" + name)
			if rapid.Bool().Draw(rt, "delete") {
				_, known := model[name]
				err := e.Store.Delete(e.ctx, ref, nil)
				if known != (err == nil) || !known && fault.KindOf(err) != fault.NotFound {
					rt.Fatalf("delete, known %t: %v", known, err)
				}
				delete(model, name)
			} else {
				model[name] = fmt.Sprintf(`{"n":%d,"k":"v"}`, n)
				if _, err := e.Store.Put(e.ctx, ref, secret.Stored([]byte(model[name])), nil); err != nil {
					rt.Fatalf("put: %v", err)
				}
			}
			e.comparePlain(rt, root, names, model)
		}
		for name := range model { // rounds share the store: keep it small
			if err := e.Store.Delete(e.ctx, e.ref(root+"/"+name), nil); err != nil {
				rt.Fatalf("delete: %v", err)
			}
		}
	})
}

func (e *env) comparePlain(rt *rapid.T, root string, names []string, model map[string]string) {
	for _, name := range names {
		s, err := e.get(root+"/"+name, 0)
		text, known := model[name]
		switch {
		case !known && fault.KindOf(err) != fault.NotFound:
			rt.Fatalf("get of an absent key: %v", err)
		case known && (err != nil || !sameJSON(s.Value, secret.Stored([]byte(text)))):
			rt.Fatalf("get does not give what was put: %v", err)
		}
	}
	got, err := e.Store.List(e.ctx, e.ref(root), secret.ListOptions{})
	if want := slices.Sorted(maps.Keys(model)); err != nil || !slices.Equal(got, want) {
		rt.Fatalf("list gives %q (%v), want %q", got, err, want)
	}
}
