package canonical

import (
	"net/http"
	"testing"
)

func TestC03_pinned(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c03", 2)
	for _, a := range []answer{s.get(t, "/value", q{"uri": uri, "version": "1"}), s.value(t, uri+"?version=1")} {
		a.is(t, `{"token":"`+mark("1")+`"}`)
		if a.header.Get("X-Secret-Version") != "1" || a.header.Get("ETag") != `"1"` {
			t.Errorf("%s: %v", a, a.header)
		}
		if a.header.Get("Content-Type") != "application/json" {
			t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
		}
	}
	a := s.value(t, uri+"#token").is(t, `{"value":"`+mark("2")+`"}`)
	if a.header.Get("X-Secret-Version") != "2" || a.header.Get("ETag") != `"2"` {
		t.Errorf("%v", a.header)
	}
}

func TestC04_softDeleted(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c04", 2)
	s.del(t, q{"uri": uri}).want(t, 200)
	s.value(t, uri+"?version=2").fails(t, 409, "SECRET_VERSION_DELETED")
	s.value(t, uri).fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, uri+"#token").fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, uri+"?version=1").want(t, 200)
}

func TestC05_destroyed(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c05", 2)
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}).is(t, `{"status":"ok","uri":"`+uri+`","versions":[1],"ignored":[]}`)
	s.value(t, uri+"?version=1").fails(t, 409, "SECRET_VERSION_DESTROYED")
	s.value(t, uri+"?version=99").fails(t, 404, "SECRET_VERSION_NOT_FOUND")
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{2}}).want(t, 200)
	s.value(t, uri).fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, fresh("never")+"?version=1").want(t, 404)
	s.value(t, fresh("never")).fails(t, 404, "SECRET_NOT_FOUND")
}

// A version that has been pruned is one that never existed.
func TestC05_pruned(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "pruned", 12)
	s.value(t, uri+"?version=1").fails(t, 404, "SECRET_VERSION_NOT_FOUND")
	s.value(t, uri+"?version=12").want(t, 200)
	var d struct {
		Oldest   int `json:"oldest_version"`
		Versions []struct{ Version int }
	}
	s.get(t, "/metadata/detail", q{"uri": uri}).want(t, 200).json(t, &d)
	if d.Oldest != 3 || len(d.Versions) != 10 || d.Versions[0].Version != 12 {
		t.Errorf("%+v", d)
	}
}

func TestC06_version(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c06", 2)
	for _, v := range []string{"", "None"} {
		s.get(t, "/value", q{"uri": uri, "version": v}).is(t, `{"token":"`+mark("2")+`"}`)
	}
	for _, v := range []string{"0", "-1", "x", "1.0", "9223372036854775808", " 1", "none"} {
		s.get(t, "/value", q{"uri": uri, "version": v}).fails(t, 400, "INVALID_VERSION")
	}
}

func TestC13_null(t *testing.T) {
	s := dev(t)
	uri := fresh("c13")
	s.put(t, uri, obj{"a": 1, "b": 2})
	if v := s.put(t, uri+"#b", nil); v != 2 {
		t.Errorf("version %d", v)
	}
	s.value(t, uri).is(t, `{"a":1,"b":null}`)
	s.value(t, uri+"#b").is(t, `{"value":null}`)
	s.value(t, uri+"#c").fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, uri+"#A").fails(t, 404, "SECRET_NOT_FOUND")
}

func TestC16_literals(t *testing.T) {
	s := dev(t)
	uri := fresh("c16")
	const value = `{"a":9007199254740993,"b":1.0,"c":1E400,"d":-0,"e":[0.10,1e+2],"f":"<&>\u2028é😀","g":{"z":1,"a":2}}`
	s.post(t, "", `{"uri":"`+uri+`","value":`+value+`}`).want(t, 200)
	a := s.value(t, uri).want(t, 200)
	for _, literal := range []string{"9007199254740993", "1.0", "1E400", "-0", "0.10", "1e+2"} {
		if !contains(a.body, literal) {
			t.Errorf("%s is gone: %s", literal, a.body)
		}
	}
	s.value(t, uri+"#b").is(t, `{"value":1.0}`)
	s.post(t, "", `{"uri":"`+uri+`#h","value":12345678901234567890.5}`).want(t, 200)
	s.value(t, uri+"#h").is(t, `{"value":12345678901234567890.5}`)
}

func TestC27_conditional(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c27", 2)
	before := len(s.auditOf(t, uri, "SECRET_READ"))
	for _, tag := range []string{`"2"`, `*`, `"1", "2"`} {
		a := s.value(t, uri, header("If-None-Match", tag)).want(t, 304)
		if len(a.body) > 0 || a.header.Get("ETag") != `"2"` {
			t.Errorf("%s: %v", a, a.header)
		}
		before++
		if n := len(s.auditOf(t, uri, "SECRET_READ")); n != before {
			t.Errorf("%d audit records after a conditional read, want %d", n, before)
		}
	}
	s.value(t, uri, header("If-None-Match", `"1"`)).want(t, 200)
	s.value(t, uri+"?version=1", header("If-None-Match", `"1"`)).want(t, 304)
	s.value(t, fresh("none"), header("If-None-Match", "*")).want(t, 404)
	s.value(t, uri, header("If-Match", `"2"`)).want(t, 400)
}

// auditOf gives the records of one URI in the ring of the audit endpoint.
func (s *server) auditOf(t testing.TB, uri, event string) []map[string]any {
	t.Helper()
	ref := s.refOf(t, uri)
	var page struct{ Items []map[string]any }
	s.get(t, "/audit", q{"resource_ref": ref, "event": event, "limit": "1000"}).want(t, 200).json(t, &page)
	return page.Items
}

// refOf finds the reference of a URI as the record of a metadata read shows it.
func (s *server) refOf(t testing.TB, uri string) string {
	t.Helper()
	id := unique("ref")
	s.get(t, "/metadata/detail", q{"uri": uri}, header("X-Correlation-ID", id)).want(t, 200)
	var page struct{ Items []map[string]any }
	s.get(t, "/audit", q{"correlation_id": id}).want(t, 200).json(t, &page)
	if len(page.Items) != 1 {
		t.Fatalf("%d records of one request", len(page.Items))
	}
	return page.Items[0]["resource_ref"].(string)
}

func TestHTTPRules(t *testing.T) {
	s := dev(t)
	for _, p := range []string{"/", "/nothing", "/value/", "/metadata/", "/VALUE", "/bulk/x", "//value", "/./value", "/%76alue", "/value%2f"} {
		s.raw(t, "GET", base+p, nil).fails(t, 404, "NOT_FOUND")
	}
	for _, p := range []string{"/api", "/", "/api/secret", "/api/secretsx", "/api/../api/secrets/value", "/API/secrets"} {
		if a := s.raw(t, "GET", p, nil); a.status != 404 {
			t.Errorf("%s", a)
		}
	}
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "", "DELETE, GET, POST"}, {"PATCH", "", "DELETE, GET, POST"}, {"POST", "/value", "GET"}, {"GET", "/bulk", "POST"},
		{"DELETE", "/value", "GET"}, {"HEAD", "/value", "GET"}, {"HEAD", "", "DELETE, GET, POST"}, {"OPTIONS", "/move", "POST"}, {"POST", "/events", "GET"},
	} {
		a := s.raw(t, c.method, base+c.path, nil).want(t, 405)
		if a.header.Get("Allow") != c.allow {
			t.Errorf("%s: Allow %q", a, a.header.Get("Allow"))
		}
		if c.method == http.MethodHead && len(a.body) > 0 {
			t.Errorf("HEAD has a body")
		}
	}
	uri := s.versions(t, "rules", 1)
	for name, id := range map[string]string{"X-Correlation-ID": "abc-1", "X-Request-ID": "req 2"} {
		if a := s.value(t, uri, header(name, id)); a.header.Get("X-Correlation-ID") != id {
			t.Errorf("%s: %q", name, a.header.Get("X-Correlation-ID"))
		}
	}
	long := make([]byte, 129)
	for i := range long {
		long[i] = 'a'
	}
	for _, id := range []string{string(long), "é", "a\tb"} {
		if a := s.value(t, uri, header("X-Correlation-ID", id)); a.header.Get("X-Correlation-ID") == id {
			t.Errorf("the id %q was taken", id)
		}
	}
}
