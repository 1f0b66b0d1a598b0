package canonical

import (
	"strings"
	"testing"
)

func transfer(from, to string) obj { return obj{"fromUri": from, "toUri": to} }

func forced(from, to string) obj { return obj{"fromUri": from, "toUri": to, "overwrite": true} }

func TestC38_overwrite(t *testing.T) {
	s := dev(t)
	from, to := s.versions(t, "c38", 2), s.versions(t, "c38t", 1)
	s.post(t, "/copy", transfer(from, to)).fails(t, 409, "ALREADY_EXISTS")
	s.post(t, "/copy", transfer(from+"#token", to+"#token")).fails(t, 409, "ALREADY_EXISTS")
	s.post(t, "/move", transfer(from, to)).fails(t, 409, "ALREADY_EXISTS")
	s.post(t, "/copy", forced(from, to)).is(t, `{"status":"ok","fromUri":"`+from+`","toUri":"`+to+`","version":2}`)
	s.value(t, to).is(t, `{"token":"`+mark("2")+`"}`)
	s.post(t, "/copy", transfer(from+"#token", to+"#other")).want(t, 200)
	s.value(t, to).is(t, `{"token":"`+mark("2")+`","other":"`+mark("2")+`"}`)
	s.del(t, q{"uri": to}).want(t, 200)
	s.post(t, "/copy", transfer(from+"?version=1", to)).want(t, 200) // a deleted target is none
	s.value(t, to).is(t, `{"token":"`+mark("1")+`"}`)
	got := together(8, func(int) answer { return s.post(t, "/copy", transfer(from, from+"-raced")) })
	won := 0
	for _, a := range got {
		if a.status == 200 {
			won++
		} else if a.status != 409 {
			t.Errorf("%s", a)
		}
	}
	if won != 1 {
		t.Errorf("%d copies won", won)
	}
}

func TestC38_refused(t *testing.T) {
	s := dev(t)
	from, to := s.versions(t, "c38r", 2), fresh("c38r")
	s.put(t, from+"#map", obj{"x": mark("x")})
	s.post(t, "/copy", transfer(from+"#token", to)).fails(t, 400, "OBJECT_REQUIRED")
	s.post(t, "/copy", transfer(from, to+"?version=1")).fails(t, 400, "VERSION_NOT_ALLOWED")
	s.post(t, "/move", transfer(from+"?version=1", to)).fails(t, 400, "VERSION_NOT_ALLOWED")
	s.post(t, "/copy", transfer(fresh("none"), to)).fails(t, 404, "SECRET_NOT_FOUND")
	s.post(t, "/copy", transfer(from+"#none", to+"#x")).fails(t, 404, "SECRET_NOT_FOUND")
	s.post(t, "/copy", transfer(from+"?version=99", to)).fails(t, 404, "SECRET_VERSION_NOT_FOUND")
	s.post(t, "/copy", obj{"fromUri": from, "toUri": to, "overwrite": "yes"}).fails(t, 400, "BAD_REQUEST")
	s.post(t, "/copy", obj{"fromUri": from}).fails(t, 400, "BAD_REQUEST")
	s.post(t, "/move", transfer(from, to), header("If-Match", `"1"`)).fails(t, 412, "PRECONDITION_FAILED")
	if s.current(t, to) != 0 || s.current(t, from) != 3 {
		t.Error("a refused transfer had an effect")
	}
	s.post(t, "/copy", transfer(from+"#map", to)).want(t, 200)
	s.value(t, to).is(t, `{"x":"`+mark("x")+`"}`)
	s.post(t, "/copy", transfer(from, fresh("c38r")), header("If-Match", `"0"`)).want(t, 200)
}

func TestC39_moveFragment(t *testing.T) {
	s := dev(t)
	from, to := fresh("c39"), fresh("c39")
	s.put(t, from, obj{"a": mark("a"), "b": mark("b")})
	s.post(t, "/move", transfer(from+"#a", to+"#x")).is(t, `{"status":"ok","fromUri":"`+from+`#a","toUri":"`+to+`#x","version":1}`)
	s.value(t, from).is(t, `{"b":"`+mark("b")+`"}`)
	s.value(t, to).is(t, `{"x":"`+mark("a")+`"}`)
	if s.current(t, from) != 2 {
		t.Error("the source has no new version")
	}
	s.value(t, from+"?version=1").want(t, 200)
	// Within one path a key is renamed.
	s.post(t, "/move", transfer(from+"#b", from+"#c")).want(t, 200)
	s.value(t, from).is(t, `{"c":"`+mark("b")+`"}`)
	s.post(t, "/move", transfer(from, to+"-whole")).want(t, 200)
	s.value(t, from).fails(t, 404, "SECRET_NOT_FOUND")
	s.value(t, to+"-whole").is(t, `{"c":"`+mark("b")+`"}`)
	s.value(t, from+"?version=2").want(t, 200) // soft deleted, older versions remain
}

func TestC40_aliases(t *testing.T) {
	t.Parallel()
	s := dev(t)
	uri := s.versions(t, "c40", 1)
	for _, alias := range []string{"openbao+kv2://", "hashicorp+kv2://", "vault+kv2://", scheme} {
		other := alias + strings.TrimPrefix(uri, scheme)
		for _, path := range []string{"/copy", "/move"} {
			s.post(t, path, forced(uri, other)).fails(t, 400, "SAME_SOURCE_AND_TARGET")
			s.post(t, path, forced(uri+"#token", other+"/#token")).fails(t, 400, "SAME_SOURCE_AND_TARGET")
		}
		s.value(t, other).want(t, 200)
	}
	off := start(t, options{env: []string{"SECRETS_SCHEME_FALLBACK=off"}})
	off.put(t, scheme+"secret/a", obj{"a": 1})
	for _, alias := range []string{"openbao+kv2://", "hashicorp+kv2://", "vault+kv2://"} {
		off.value(t, alias+"secret/a").fails(t, 501, "UNSUPPORTED_OPERATION")
	}
}

func TestC41_moveNeedsDelete(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	who := s.as(t, "carol", "--groups", "nodelete")
	from, to := s.versions(t, "c41", 1, who), fresh("c41")
	a := s.post(t, "/move", transfer(from, to), who).fails(t, 403, "SECRET_AUTHZ_FAILED")
	if !contains(a.body, `"purpose":"delete"`) {
		t.Errorf("%s", a)
	}
	s.value(t, to, who).fails(t, 404, "SECRET_NOT_FOUND")
	s.post(t, "/copy", transfer(from, to), who).want(t, 200)
}

func TestC14_yamlTransfers(t *testing.T) {
	t.Parallel()
	s, _ := withFile(t, options{})
	to := fresh("yaml")
	s.post(t, "/copy", transfer("yaml://secret/env", to)).want(t, 200)
	s.value(t, to).is(t, `{"A":"`+mark("a")+`","B":"`+mark("b")+`"}`)
	s.post(t, "/move", transfer("yaml://secret/env#A", to+"#moved")).want(t, 200)
	s.value(t, to+"#moved").is(t, `{"value":"`+mark("a")+`"}`)
	s.value(t, "yaml://secret/env").is(t, `{"B":"`+mark("b")+`"}`)
	a := s.post(t, "/copy", transfer(to, "yaml://secret/back")).want(t, 200)
	if v, ok := a.object(t)["version"]; !ok || v != nil {
		t.Errorf("%s", a)
	}
	s.post(t, "/copy", transfer(to, "yaml://secret/back")).fails(t, 409, "ALREADY_EXISTS")
	s.post(t, "/copy", transfer("yaml://secret/env?version=1", to)).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.post(t, "/copy", transfer(to, "yaml://secret/new"), header("If-Match", `"0"`)).fails(t, 501, "UNSUPPORTED_OPERATION")
}
