package yamlfile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/secret"
	"pgregory.net/rapid"
)

// numbered is a value that shows when half of it is missing.
func numbered(n int) secret.Value {
	return secret.Stored(fmt.Appendf(nil, `{"n":%d,"fill":"%s"}`, n, strings.Repeat(string(rune('a'+n%26)), 8000)))
}

// drawn is any JSON value of at most depth levels.
func drawn(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
		rapid.Int64().AsAny(), rapid.Float64Range(-1e300, 1e300).AsAny(),
		rapid.StringMatching(`[-+:#!&*?{}\[\],|>@%"' \t\n\\0-9a-z~<=.]{0,12}`).AsAny(),
		rapid.Map(rapid.StringMatching(`-?[1-9][0-9]{0,30}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?`),
			func(s string) any { return json.Number(s) }),
	}
	if depth > 0 {
		leaves = append(leaves, object(depth).AsAny(), rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] {
			return drawn(depth - 1)
		}), 0, 3).AsAny())
	}
	return rapid.OneOf(leaves...)
}

func object(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`[-+:#!&*?{}~<.0-9a-z\n ]{0,6}`)),
		rapid.Deferred(func() *rapid.Generator[any] { return drawn(depth - 1) }), 0, 4)
}

func TestAnyObjectSurvives(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "secrets.yaml"))
	put(t, s, "kept", `{"k":"v"}`)
	rapid.Check(t, func(rt *rapid.T) {
		raw, err := json.Marshal(object(2).Draw(rt, "value"))
		if err != nil {
			rt.Fatal(err)
		}
		v, err := secret.ParseValue(raw)
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := s.Put(context.Background(), at("p"), v, nil); err != nil {
			rt.Fatalf("put of %s: %v", raw, err)
		}
		got, err := s.Get(context.Background(), at("p"), 0)
		if err != nil || !equal(got.Value.Reveal(), raw) {
			rt.Fatalf("%s was read back as %s (%v)", raw, got.Value.Reveal(), err)
		}
	})
	if got := get(t, s, "kept"); got != `{"k":"v"}` {
		t.Fatalf("a neighbour changed: %s", got)
	}
}

func equal(a, b []byte) bool {
	var out [2][]byte
	for i, raw := range [][]byte{a, b} {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var tree any
		if dec.Decode(&tree) != nil {
			return false
		}
		out[i], _ = json.Marshal(tree)
	}
	return bytes.Equal(out[0], out[1])
}
