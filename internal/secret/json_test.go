package secret_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func nestedArrays(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestCheckJSONAccepts(t *testing.T) {
	for _, in := range []string{
		`{}`, `[]`, `null`, `0`, `""`, ` {"a" : [1, {"a": 2}] } `, `{"a":{"b":1},"b":{"a":1}}`, `{"a":1,"A":2}`, `{"":1}`,
		nestedArrays(64), strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64),
		`"\ud83d\ude00"`, `"\\ud800"`, `"\u00e9"`, `"\uFFFD"`, `1e999`, `-0`,
	} {
		if err := secret.CheckJSON([]byte(in), secret.MaxDepth); err != nil {
			t.Errorf("%.40s: %v", in, err)
		}
	}
}

func TestCheckJSONRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `{`, `[`, `{"canary"`, `{"canary":}`, `[1,]`, `{"a":1,}`, `[1 2]`, `{"a" 1}`, `{1:2}`, `canary`, `'canary'`, `01`, `+1`, `.5`, `NaN`,
		`{} {}`, `1 canary`, `{}]`, `{"canary":1,"canary":2}`, `[{"x":{"canary":1,"canary":[]}}]`, `{"a":1,"\u0061":2}`,
		"\"canary\xff\"", "{\"\xc0\x80\":1}", "\"a\nb\"", `"\x"`, `"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800x"`, `"\\\ud800"`, `{"\ud800":1}`,
		nestedArrays(65), strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), strings.Repeat("[", 1_000_000), "\ufeff{}",
	} {
		err := secret.CheckJSON([]byte(in), secret.MaxDepth)
		if fault.KindOf(err) != fault.Invalid || err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.40q: %v", in, err)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}],"c":"\ud83d\ude00"}`, `{"a":1,"a":2}`, `[[[[]]]]`, `"\ud800"`, `{"\u0061":1e5,"b":-0.5}`, `[1,]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		err := secret.CheckJSON(in, 8)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		if !json.Valid(in) {
			t.Fatalf("accepted what encoding/json refuses: %q", in)
		}
		var members any
		if err := json.Unmarshal(in, &members); err == nil && deep(members) > 8 {
			t.Fatalf("accepted %d levels", deep(members))
		}
		v, err := secret.ParseAny(in)
		if err != nil {
			t.Fatalf("ParseAny refuses what CheckJSON accepts: %v", err)
		}
		if again, err := secret.ParseAny(v.Reveal()); err != nil || !again.Equal(v) {
			t.Fatalf("compacting twice differs: %v", err)
		}
	})
}

func deep(v any) int {
	most := 0
	switch v := v.(type) {
	case map[string]any:
		for _, m := range v {
			most = max(most, deep(m))
		}
	case []any:
		for _, m := range v {
			most = max(most, deep(m))
		}
	default:
		return 0
	}
	return most + 1
}
