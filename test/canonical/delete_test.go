package canonical

import (
	"fmt"
	"testing"
)

func TestC01_undeleteNothing(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c01", 2)
	before := string(s.get(t, "/metadata/detail", q{"uri": uri}).body)
	for _, body := range []string{`{"uri":"` + uri + `","versions":[]}`, `{"uri":"` + uri + `"}`, `{"uri":"` + uri + `","versions":null}`} {
		s.post(t, "/undelete", body).fails(t, 400, "EMPTY_VERSIONS")
	}
	if after := string(s.get(t, "/metadata/detail", q{"uri": uri}).body); after != before {
		t.Errorf("metadata changed from %s to %s", before, after)
	}
}

func TestC02_destroyNothing(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c02", 2)
	s.post(t, "/destroy-versions", obj{"uri": uri}).fails(t, 400, "EMPTY_VERSIONS")
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{}}).fails(t, 400, "EMPTY_VERSIONS")
	many := make([]int, 1001)
	for i := range many {
		many[i] = i + 1
	}
	for _, versions := range []any{[]int{0}, []int{-1}, []any{1.5}, []string{"1"}, "1", 1, obj{}, many, []any{nil}, []any{true}, []any{1e30}} {
		for _, path := range []string{"/undelete", "/destroy-versions"} {
			s.post(t, path, obj{"uri": uri, "versions": versions}).fails(t, 400, "INVALID_VERSION")
		}
	}
	for _, path := range []string{"/undelete", "/destroy-versions"} {
		s.post(t, path, obj{"uri": uri + "#token", "versions": []int{1}}).fails(t, 400, "FRAGMENT_NOT_ALLOWED")
		s.post(t, path, obj{"uri": uri + "?version=1", "versions": []int{1}}).fails(t, 400, "VERSION_NOT_ALLOWED")
	}
	for v := 1; v <= 2; v++ {
		s.value(t, fmt.Sprintf("%s?version=%d", uri, v)).want(t, 200)
	}
	s.post(t, "/undelete", obj{"uri": uri, "versions": many[:1000]}).want(t, 200)
}

func TestC21_softDelete(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c21", 2)
	s.del(t, q{"uri": uri}).is(t, `{"status":"ok","uri":"`+uri+`","destroyed":false}`)
	s.value(t, uri).fails(t, 404, "SECRET_NOT_FOUND")
	var d struct {
		Versions []struct {
			Version      int
			DeletionTime string `json:"deletion_time"`
		}
	}
	s.get(t, "/versions", q{"uri": uri + "#dropped"}).want(t, 200).json(t, &d)
	if len(d.Versions) != 2 || d.Versions[0].Version != 2 || d.Versions[0].DeletionTime == "" || d.Versions[1].DeletionTime != "" {
		t.Errorf("%+v", d)
	}
	s.del(t, q{"uri": uri}).want(t, 200) // again
	s.post(t, "/undelete", obj{"uri": uri, "versions": []int{2}}).is(t, `{"status":"ok","uri":"`+uri+`","versions":[2],"ignored":[]}`)
	s.value(t, uri).is(t, `{"token":"`+mark("2")+`"}`)
}

func TestC22_fragment(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c22", 1)
	s.put(t, uri+"#other", mark("o"))
	for _, destroy := range []string{"true", "false"} {
		s.del(t, q{"uri": uri + "#token", "destroy": destroy}).fails(t, 400, "FRAGMENT_NOT_ALLOWED")
		s.del(t, q{"uri": uri + "#token", "destroy": destroy, "fragmentScope": "key"}).want(t, 400)
		s.del(t, q{"uri": uri + "#token", "destroy": destroy, "fragmentScope": ""}).want(t, 400)
	}
	s.del(t, q{"uri": uri + "?version=1"}).fails(t, 400, "VERSION_NOT_ALLOWED")
	for _, flag := range []string{"yes", "1", "", "tru"} {
		s.del(t, q{"uri": uri, "destroy": flag}).want(t, 400)
	}
	s.value(t, uri).is(t, `{"token":"`+mark("1")+`","other":"`+mark("o")+`"}`)
	s.del(t, q{"uri": uri + "#token", "fragmentScope": "path"}).is(t, `{"status":"ok","uri":"`+uri+`","destroyed":false}`)
	s.value(t, uri).fails(t, 404, "SECRET_NOT_FOUND")
}

func TestC23_destroy(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c23", 3)
	s.del(t, q{"uri": uri, "destroy": "true"}).is(t, `{"status":"ok","uri":"`+uri+`","destroyed":true}`)
	s.get(t, "/metadata/detail", q{"uri": uri}).fails(t, 404, "SECRET_NOT_FOUND")
	s.get(t, "/versions", q{"uri": uri}).fails(t, 404, "SECRET_NOT_FOUND")
	for v := 1; v <= 3; v++ {
		if a := s.value(t, fmt.Sprintf("%s?version=%d", uri, v)); a.status != 404 {
			t.Errorf("%s", a)
		}
	}
	if v := s.put(t, uri, obj{"a": 1}); v != 1 {
		t.Errorf("version %d after destruction", v)
	}
}

func TestC24_neverWritten(t *testing.T) {
	s := dev(t)
	uri := fresh("c24")
	s.del(t, q{"uri": uri}).is(t, `{"status":"ok","uri":"`+uri+`","destroyed":false}`)
	s.del(t, q{"uri": uri, "destroy": "true"}).is(t, `{"status":"ok","uri":"`+uri+`","destroyed":true}`)
	for _, path := range []string{"/undelete", "/destroy-versions"} {
		s.post(t, path, obj{"uri": uri, "versions": []int{1}}).fails(t, 404, "SECRET_NOT_FOUND")
	}
	s.get(t, "/metadata/detail", q{"uri": uri}).fails(t, 404, "SECRET_NOT_FOUND")
}

func TestC25_ignored(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "c25", 3)
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}).want(t, 200)
	s.post(t, "/undelete", obj{"uri": uri, "versions": []int{99, 2, 1, 2}}).
		is(t, `{"status":"ok","uri":"`+uri+`","versions":[1,2,99],"ignored":[1,99]}`)
	s.value(t, uri+"?version=1").fails(t, 409, "SECRET_VERSION_DESTROYED")
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{3, 99, 1}}).
		is(t, `{"status":"ok","uri":"`+uri+`","versions":[1,3,99],"ignored":[1,99]}`)
}

func TestDetailShape(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "detail", 2)
	got := s.get(t, "/metadata/detail", q{"uri": uri + "#token"}).want(t, 200).object(t)
	if got["uri"] != uri || got["current_version"] != 2.0 || got["oldest_version"] != 0.0 || got["max_versions"] == nil || len(got) != 6 {
		t.Errorf("%v", got)
	}
	got = s.get(t, "/versions", q{"uri": uri}).want(t, 200).object(t)
	if got["uri"] != uri || got["current_version"] != 2.0 || len(got) != 3 {
		t.Errorf("%v", got)
	}
	s.get(t, "/versions", q{"uri": fresh("none")}).fails(t, 404, "SECRET_NOT_FOUND")
}
