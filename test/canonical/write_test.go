package canonical

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestC10_write(t *testing.T) {
	s := dev(t)
	uri := "openbao+kv2://secret/" + unique("c10")
	a := s.post(t, "", obj{"uri": uri + "#token", "value": mark("v")}).want(t, 200)
	got := a.object(t)
	if got["status"] != "ok" || got["uri"] != uri+"#token" || got["version"] != 1.0 || len(got) != 4 {
		t.Errorf("%s", a)
	}
	s.value(t, uri+"#token").is(t, `{"value":"`+mark("v")+`"}`)
}

func TestC12_valueShapes(t *testing.T) {
	s := dev(t)
	uri := fresh("c12")
	s.post(t, "", obj{"uri": uri + "#token", "value": obj{"token": "x"}}).want(t, 200)
	s.value(t, uri).is(t, `{"token":"x"}`)
	s.post(t, "", obj{"uri": uri + "#token", "value": obj{"token": "x", "o": 1}}).fails(t, 400, "AMBIGUOUS_VALUE")
	if v := s.current(t, uri); v != 1 {
		t.Errorf("version %d after a refused write", v)
	}
	for value, want := range map[string]string{
		`null`: `null`, `[1,{"token":2}]`: `[1,{"token":2}]`, `{"o":1}`: `{"o":1}`, `{}`: `{}`, `false`: `false`,
		`{"token":{"token":1}}`: `{"token":1}`, `""`: `""`, `{"token":null}`: `null`,
	} {
		s.post(t, "", `{"uri":"`+uri+`#token","value":`+value+`}`).want(t, 200)
		s.value(t, uri+"#token").is(t, `{"value":`+want+`}`)
	}
	s.post(t, "/rotate", obj{"uri": uri + "#token", "value": obj{"token": "x", "o": 1}}).fails(t, 400, "AMBIGUOUS_VALUE")
}

func TestC14_refusedWrites(t *testing.T) {
	s := dev(t)
	uri := fresh("c14")
	for _, path := range []string{"", "/rotate"} {
		for _, value := range []any{"x", nil, []int{1}, 1, true} {
			s.post(t, path, obj{"uri": uri, "value": value}).fails(t, 400, "OBJECT_REQUIRED")
		}
		s.post(t, path, obj{"uri": uri + "?version=2", "value": obj{}}).fails(t, 400, "VERSION_NOT_ALLOWED")
		s.post(t, path, obj{"uri": uri + "#k?version=2", "value": 1}).fails(t, 400, "VERSION_NOT_ALLOWED")
		s.post(t, path, obj{"uri": uri}).fails(t, 400, "BAD_REQUEST")
		s.post(t, path, obj{"value": obj{}}).fails(t, 400, "BAD_REQUEST")
		s.post(t, path, obj{"uri": 1, "value": obj{}}).fails(t, 400, "BAD_REQUEST")
		s.post(t, path, obj{"uri": nil, "value": obj{}}).fails(t, 400, "BAD_REQUEST")
	}
	if v := s.current(t, uri); v != 0 {
		t.Errorf("version %d after refused writes", v)
	}
	s.put(t, uri, obj{}) // an empty map is a map
	s.value(t, uri).is(t, `{}`)
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}, "unknown": 1}).want(t, 200)
	s.value(t, uri).is(t, `{"a":1}`)
}

func TestC15_concurrentFragments(t *testing.T) {
	s := dev(t)
	uri := fresh("c15")
	s.put(t, uri, obj{"start": 1})
	answers := together(50, func(i int) answer {
		return s.post(t, "", obj{"uri": fmt.Sprintf("%s#k%d", uri, i), "value": i})
	})
	latest := s.value(t, uri).object(t)
	won := 0
	seen := map[int]bool{}
	for i, a := range answers {
		_, there := latest[fmt.Sprintf("k%d", i)]
		switch {
		case a.status == 200 && there:
			won++
			v := a.number(t, "version")
			if seen[v] {
				t.Errorf("version %d was given twice", v)
			}
			seen[v] = true
		case a.status == 409 && a.code() == "WRITE_CONFLICT" && !there:
		default:
			t.Errorf("%s, and the key is there: %v", a, there)
		}
	}
	if won == 0 || latest["start"] != 1.0 || s.current(t, uri) != won+1 {
		t.Errorf("%d writes won, version %d", won, s.current(t, uri))
	}
}

// together runs n calls at once.
func together(n int, call func(i int) answer) []answer {
	out := make([]answer, n)
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			out[i] = call(i)
		})
	}
	close(gate)
	wg.Wait()
	return out
}

func TestC17_overDeleted(t *testing.T) {
	s := dev(t)
	for _, destroy := range []bool{false, true} {
		uri := s.versions(t, "c17", 2)
		if destroy {
			s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{2}}).want(t, 200)
		} else {
			s.del(t, q{"uri": uri}).want(t, 200)
		}
		if v := s.put(t, uri+"#k", 1); v != 3 {
			t.Errorf("version %d, want 3", v)
		}
		s.value(t, uri).is(t, `{"k":1}`)
	}
}

func TestC18_stamps(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"SECRETS_API_REQUIRE_AUTH=true"}})
	alice, bob := s.as(t, "alice", "--groups", "dev"), s.as(t, "bob", "--groups", "dev")
	uri := fresh("c18")
	custom := func(who with) map[string]any {
		return s.get(t, "/metadata/detail", q{"uri": uri}, who).want(t, 200).object(t)["custom_metadata"].(map[string]any)
	}
	s.put(t, uri, obj{"a": 1}, alice)
	first := custom(alice)
	if first["created_by"] != "auth:account:dev:alice" || first["owner"] != first["created_by"] {
		t.Errorf("stamped %v", first)
	}
	if at, ok := first["created_at"].(string); !ok || len(at) != 20 || at[19] != 'Z' {
		t.Errorf("created_at %v", first["created_at"])
	}
	s.put(t, uri, obj{"a": 2}, bob)
	s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 3}}, bob).want(t, 200)
	if fmt.Sprint(custom(bob)) != fmt.Sprint(first) {
		t.Errorf("stamps changed from %v to %v", first, custom(bob))
	}
	// A first write by rotation stamps too.
	uri = fresh("c18r")
	s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 3}}, bob).want(t, 200)
	if got := custom(bob); got["created_by"] != "auth:account:dev:bob" {
		t.Errorf("stamped %v", got)
	}
}

func TestC18_anonymous(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c18a", 1)
	got := s.get(t, "/metadata/detail", q{"uri": uri}).object(t)["custom_metadata"].(map[string]any)
	if _, ok := got["owner"]; ok || got["created_by"] != "anonymous" || got["created_at"] == nil {
		t.Errorf("stamped %v", got)
	}
}

func TestC19_owner(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c19", 1)
	before := s.get(t, "/metadata/detail", q{"uri": uri}).object(t)["custom_metadata"].(map[string]any)
	a := s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "group:team-a"}).want(t, 200)
	before["owner"] = "group:team-a"
	got := a.object(t)
	if got["uri"] != uri || got["owner"] != "group:team-a" || fmt.Sprint(got["custom_metadata"]) != fmt.Sprint(before) {
		t.Errorf("%s, want %v", a, before)
	}
	if v := s.current(t, uri); v != 1 {
		t.Errorf("version %d", v)
	}
	s.post(t, "/metadata/owner", obj{"uri": uri + "#token", "owner": "x"}).fails(t, 400, "FRAGMENT_NOT_ALLOWED")
	s.post(t, "/metadata/owner", obj{"uri": fresh("c19"), "owner": "x"}).fails(t, 404, "SECRET_NOT_FOUND")
	for _, owner := range []any{"", strings.Repeat("o", 513), "a\nb", nil, 1, "a\x00", []string{"x"}} {
		s.post(t, "/metadata/owner", obj{"uri": uri, "owner": owner}).fails(t, 400, "INVALID_OWNER")
	}
	s.post(t, "/metadata/owner", obj{"uri": uri}).fails(t, 400, "INVALID_OWNER")
	s.post(t, "/metadata/owner", obj{"uri": uri, "owner": strings.Repeat("o", 512)}).want(t, 200)
}

func TestC20_rotate(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c20", 4)
	a := s.post(t, "/rotate", obj{"uri": uri, "value": obj{"token": mark("5")}}, header("X-Correlation-ID", "c20")).want(t, 200)
	got := a.object(t)
	if got["status"] != "rotated" || got["old_version"] != 4.0 || got["new_version"] != 5.0 || got["uri"] != uri || len(got) != 5 {
		t.Errorf("%s", a)
	}
	records := s.auditOf(t, uri, "SECRET_ROTATED")
	if len(records) != 1 || records[0]["purpose"] != "rotate" || records[0]["success"] != true || records[0]["kv_version"] != 5.0 {
		t.Errorf("records %v", records)
	}
	first := s.post(t, "/rotate", obj{"uri": fresh("c20"), "value": obj{"a": 1}}).want(t, 200).object(t)
	if old, ok := first["old_version"]; !ok || old != nil || first["new_version"] != 1.0 {
		t.Errorf("%v", first)
	}
	s.put(t, uri+"#other", 1)
	s.post(t, "/rotate", obj{"uri": uri + "#token", "value": "n"}).want(t, 200)
	s.value(t, uri).is(t, `{"token":"n","other":1}`)
}

func TestC26_ifMatch(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c26", 2)
	write := func(path, tag string) answer {
		return s.post(t, path, obj{"uri": uri, "value": obj{"a": 1}}, header("If-Match", tag))
	}
	write("", `"1"`).fails(t, 412, "PRECONDITION_FAILED")
	write("/rotate", `"0"`).fails(t, 412, "PRECONDITION_FAILED")
	for _, tag := range []string{`2`, `W/"2"`, `"2`, `"x"`, `"-1"`, `"2", "3"`, ``, `""`, `"1.0"`, `"99999999999999999999"`} {
		if a := write("", tag); a.status != 400 {
			t.Errorf("If-Match %s: %s", tag, a)
		}
	}
	if v := s.current(t, uri); v != 2 {
		t.Fatalf("version %d after refused writes", v)
	}
	write("", `"2"`).want(t, 200)
	write("/rotate", `*`).want(t, 200)
	s.post(t, "", obj{"uri": fresh("c26"), "value": obj{}}, header("If-Match", "*")).fails(t, 412, "PRECONDITION_FAILED")
	s.del(t, q{"uri": uri}, header("If-Match", `"3"`)).fails(t, 412, "PRECONDITION_FAILED")
	s.del(t, q{"uri": uri}, header("If-Match", `"4"`)).want(t, 200)
	s.del(t, q{"uri": uri, "destroy": "true"}, header("If-Match", `"1"`)).fails(t, 412, "PRECONDITION_FAILED")
	for _, path := range []string{"/undelete", "/destroy-versions", "/bulk", "/metadata/owner"} {
		body := obj{"uri": uri, "versions": []int{1}, "owner": "x", "operations": items(uri)}
		if a := s.post(t, path, body, header("If-Match", `"4"`)); a.status != 400 {
			t.Errorf("%s", a)
		}
	}
}

func TestC26_create(t *testing.T) {
	s := dev(t)
	for range 5 {
		uri := fresh("c26n")
		got := together(2, func(i int) answer {
			return s.post(t, "", obj{"uri": uri, "value": obj{"i": i}}, header("If-Match", `"0"`))
		})
		if got[0].status+got[1].status != 200+412 {
			t.Fatalf("%s; %s", got[0], got[1])
		}
	}
}

func TestC28_idempotency(t *testing.T) {
	s := dev(t)
	uri := fresh("c28")
	body := obj{"uri": uri, "value": obj{"a": mark("a")}}
	key := header("Idempotency-Key", unique("key"))
	answers := together(10, func(int) answer { return s.post(t, "", body, key) })
	originals := 0
	for _, a := range answers {
		switch {
		case a.status == 200 && a.header.Get("Idempotency-Replayed") == "":
			originals++
		case a.status == 200 && a.header.Get("Idempotency-Replayed") == "true":
			if a.number(t, "version") != 1 {
				t.Errorf("%s", a)
			}
		case a.status != 409 || a.code() != "IDEMPOTENCY_IN_PROGRESS":
			t.Errorf("%s", a)
		}
	}
	if v := s.current(t, uri); v != 1 || originals != 1 {
		t.Errorf("version %d, %d answers without replay", v, originals)
	}
	again := s.post(t, "", body, key).want(t, 200)
	if again.header.Get("Idempotency-Replayed") != "true" || tidy(t, again.body) != tidy(t, answers[0].body) && answers[0].status == 200 {
		t.Errorf("%s", again)
	}
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 2}}, key).fails(t, 422, "IDEMPOTENCY_KEY_REUSED")
	s.post(t, "", body, key, header("If-Match", `"1"`)).fails(t, 422, "IDEMPOTENCY_KEY_REUSED")
	for _, bad := range []string{strings.Repeat("k", 256), "é", ""} {
		if a := s.post(t, "", body, func(r *httpRequest) { r.Header["Idempotency-Key"] = []string{bad} }); a.status != 400 {
			t.Errorf("key %q: %s", bad, a)
		}
	}
}

// Failures are not kept, and every mutation has the key.
func TestC28_everyMutation(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c28m", 3)
	key := func() with { return header("Idempotency-Key", unique("k")) }
	k := key()
	s.post(t, "", obj{"uri": uri, "value": "x"}, k).want(t, 400)
	s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, k).want(t, 200)
	other := fresh("c28c")
	calls := map[string]func(with) answer{
		"rotate":   func(k with) answer { return s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 1}}, k) },
		"delete":   func(k with) answer { return s.del(t, q{"uri": uri}, k) },
		"undelete": func(k with) answer { return s.post(t, "/undelete", obj{"uri": uri, "versions": []int{1}}, k) },
		"destroy":  func(k with) answer { return s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}, k) },
		"owner":    func(k with) answer { return s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "o"}, k) },
		"bulk":     func(k with) answer { return s.post(t, "/bulk", obj{"operations": items(fresh("c28b"))[:1]}, k) },
	}
	for name, call := range calls {
		k := key()
		first := call(k)
		if name == "bulk" { // the second request must be the same one
			continue
		}
		second := call(k).want(t, 200)
		if second.header.Get("Idempotency-Replayed") != "true" || string(second.body) != string(first.body) {
			t.Errorf("%s: %s then %s", name, first, second)
		}
	}
	s.put(t, uri, obj{"a": 1})
	for _, path := range []string{"/copy", "/move"} {
		k, body := key(), obj{"fromUri": uri, "toUri": other, "overwrite": true}
		first := s.post(t, path, body, k).want(t, 200)
		second := s.post(t, path, body, k).want(t, 200)
		if second.header.Get("Idempotency-Replayed") != "true" || string(second.body) != string(first.body) {
			t.Errorf("%s: %s then %s", path, first, second)
		}
	}
	bulk, bk := obj{"operations": items(fresh("c28b"))}, key()
	first := s.post(t, "/bulk", bulk, bk).want(t, 200)
	second := s.post(t, "/bulk", bulk, bk).want(t, 200)
	if second.header.Get("Idempotency-Replayed") != "true" || string(second.body) != string(first.body) {
		t.Errorf("bulk: %s then %s", first, second)
	}
}
