package canonical

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

func TestC09_refused(t *testing.T) {
	s := dev(t)
	const o = "openbao+kv2://"
	for code, uris := range map[string][]string{
		"ILLEGAL_SEGMENT": {
			o + "secret/a#x#y", o + "secret/a?version=1#x#y", // U9
			o + "secret//a", o + "/secret/a", o, o + "secret/app//", // U12
			o + "secret/a/../b", o + "secret/a..b", o + "secret/a%2Fb", o + "secret/a%2fb", o + "secret/a b", o + "secret/ä", // U13
			o + "secret/.", o + "secret/a%20b", o + "secret/a+b", o + "secret/a\n", o + "secret/a/./b", o + "secret/..",
			"secret/a", "://secret/a", "db:credentials:0", "file:/etc/passwd", "", // U17
			o + "secret/a\x00", o + "secret/a\x7f", o + "secret/a\\b", o + "secret/%61", o + "secret/a;b", o + "secret/a:b", o + "secret/a@b",
			o + "secret/a\u202eb", o + "secret/A\u030a", o + "secret/" + "\xff", o + "sec ret/a", o + " secret/a", o + "secret/a ",
			o + "secret/" + strings.Repeat("a", 2048), o + "secret/a#" + strings.Repeat("k", 513), o + "secret/a#k\x1f",
			o + "secret/a#\xff", o + "secret/a#\u200b", o + "secret/a#\u202e", "openbao+kv2:/secret/a", "openbao+kv2:secret/a",
			o + "secret/a%2F..%2Fb", o + "secret/..%2f", o + "secret/a%252Fb",
		},
		"AMBIGUOUS_QUERY":     {o + "secret/a?version=1&version=1", o + "secret/a?version=1?x=2", o + "secret/a#k?a=2&z=1", o + "secret/a?x=1", o + "secret/a?x=1&x=2"}, // U3, U10
		"DOUBLE_MOUNT_SOURCE": {o + "secret/a?mount=kv", o + "secret/a?mount=", o + "secret/a#k?mount=kv"},                                                              // U11
		"INVALID_WILDCARD":    {o + "secret/*/t", o + "secret/app/*", o + "secret/ap*", o + "*/a", o + "secret/*"},                                                      // U14
		"UNSUPPORTED_ENGINE": { // U8, U15
			"yaml+kv2://secret/a", "aws://x/y", "openbao+kv9://secret/a", "openbao+kv1://secret/a", "openbao+://secret/a", "+kv2://secret/a",
			"openbao-prod+kv2://secret/a", "openbao-+kv2://secret/a", "openbao kv2 x://secret/a", "openbao+kv2+kv2://secret/a", "coffer-x+kv2://secret/a", "http://secret/a",
		},
		"TENANT_MOUNT_MISMATCH": {o + "other/a", o + "Secret/a", o + "secrets/a", o + "secre/a", "yaml://other/a", "openbao://other/a", o + "sys/a"}, // U16
		"INVALID_VERSION": { // U18
			o + "secret/a?version=0", o + "secret/a?version=-1", o + "secret/a?version=abc", o + "secret/a?version=1.0",
			o + "secret/a?version=9223372036854775808", o + "secret/a?version=0x1", o + "secret/a?version=+1", o + "secret/a?version=1e3", o + "secret/a?version=1_0",
		},
	} {
		for _, uri := range uris {
			s.get(t, "/value", q{"uri": uri}).fails(t, 400, code)
		}
	}
}

// The order of checks decides where two are wrong.
func TestC09_order(t *testing.T) {
	s := dev(t)
	const o = "openbao+kv2://"
	for uri, code := range map[string]string{
		"aws://secret/a#x#y":                      "ILLEGAL_SEGMENT",       // 3 before 4
		"aws://secret/a?x?y":                      "AMBIGUOUS_QUERY",       // 3 before 4
		"aws://secret/../*":                       "UNSUPPORTED_ENGINE",    // 4 before 5
		o + "secret/*/..":                         "ILLEGAL_SEGMENT",       // 5 before 7
		o + "secret//*":                           "ILLEGAL_SEGMENT",       // 6 before 7
		o + "secret/ä/*":                          "INVALID_WILDCARD",      // 7 before 8, whole path
		o + "secret/a?version=1&version=0":        "AMBIGUOUS_QUERY",       // 10 before 12
		o + "secret/a?mount=x&version=0":          "DOUBLE_MOUNT_SOURCE",   // 11 before 12
		o + "other/a?version=0":                   "INVALID_VERSION",       // 12 before 13
		o + "other/a?x=1":                         "TENANT_MOUNT_MISMATCH", // parser before door
		o + "other":                               "TENANT_MOUNT_MISMATCH", // 13 before PATH_REQUIRED
		o + "secret/" + strings.Repeat("*", 2100): "ILLEGAL_SEGMENT",       // 1 before 7
	} {
		s.get(t, "/value", q{"uri": uri}).fails(t, 400, code)
	}
}

func TestC09_accepted(t *testing.T) {
	s := dev(t)
	n := unique("vec")
	for in, want := range map[string]string{
		"OpenBao+KV2://secret/" + n + "/App/api#Token": "openbao+kv2://secret/" + n + "/App/api#Token", // U1
		"openbao+kv2://secret/" + n + "/a#":            "openbao+kv2://secret/" + n + "/a",             // U4
		"vault+kv2://secret/" + n + "/b":               "hashicorp+kv2://secret/" + n + "/b",           // U6
		"VAULT+kv2://secret/" + n + "/b":               "hashicorp+kv2://secret/" + n + "/b",           //
		"coffer+kv2://secret/" + n + "/api#token":      "coffer+kv2://secret/" + n + "/api#token",      // U7
		"yaml://secret/" + n + "#MY_NEW":               "yaml://secret/" + n + "#MY_NEW",               // U7
		"coffer+kv2://secret/" + n + "/x~2Fy/":         "coffer+kv2://secret/" + n + "/x~2Fy",          //
		"coffer+kv2://secret/" + n + "/f#a/b c=d":      "coffer+kv2://secret/" + n + "/f#a/b c=d",      //
		"coffer+kv2://secret/" + n + "/g#ключ&ü":       "coffer+kv2://secret/" + n + "/g#ключ&ü",       //
		"coffer+kv2://secret/" + n + "/h#%2e%2E..":     "coffer+kv2://secret/" + n + "/h#%2e%2E..",     //
		"coffer+kv2://secret/" + n + "/i?&&#k":         "coffer+kv2://secret/" + n + "/i#k",            // empty pairs
	} {
		for _, uri := range []string{in, want} { // U19: the canonical form is itself
			a := s.post(t, "", obj{"uri": uri, "value": obj{"k": mark("v")}}).want(t, 200)
			if got := a.object(t)["uri"]; got != want {
				t.Errorf("%s became %v, want %s", uri, got, want)
			}
		}
	}
}

// U2 and U5: fragment and version, as the source of a copy shows them.
func TestC09_versions(t *testing.T) {
	s := dev(t)
	n := unique("pin")
	path := "openbao+kv2://secret/" + n
	for range 3 {
		s.put(t, path, obj{"t": mark("t"), "k": mark("k")})
	}
	for in, want := range map[string]string{
		path + "/#t?version=3": path + "#t?version=3",
		path + "?version=2#k":  path + "#k?version=2",
		path + "#k?version=02": path + "#k?version=2",
	} {
		to := fresh("pinned") + "#x"
		a := s.post(t, "/copy", obj{"fromUri": in, "toUri": to})
		if strings.Contains(in, "02") {
			if a.status != 200 && a.status != 400 {
				t.Errorf("%s", a)
			}
			continue
		}
		if got := a.want(t, 200).object(t)["fromUri"]; got != want {
			t.Errorf("%s became %v, want %s", in, got, want)
		}
	}
	// One secret has one reference, whichever way it is written.
	ref := func(uri string) any {
		return s.post(t, "", obj{"uri": uri, "value": 1}).want(t, 200).object(t)["resource_ref"]
	}
	if a, b := ref("OPENBAO+kv2://secret/"+n+"/#t"), ref(path+"#t"); a != b || len(a.(string)) != 43 {
		t.Errorf("references %v and %v", a, b)
	}
}

func TestC10_rawPlus(t *testing.T) {
	s := dev(t)
	n := unique("plus")
	s.put(t, "openbao+kv2://secret/"+n+"#token", mark("v"))
	want := `{"value":"` + mark("v") + `"}`
	for _, target := range []string{
		"/value?uri=openbao%2Bkv2://secret/" + n + "%23token",
		"/value?uri=openbao+kv2://secret/" + n + "%23token",
		"/value?uri=openbao%2Bkv2%3A%2F%2Fsecret%2F" + n + "%23token",
		"/value?uri=openbao%20kv2://secret/" + n + "%23token",
	} {
		s.raw(t, "GET", base+target, nil).is(t, want)
	}
	s.raw(t, "GET", base+"/search?q="+n+"&prefix=openbao+kv2://secret/", nil).want(t, 200)
	s.raw(t, "GET", base+"/value?uri=openbao++kv2://secret/"+n, nil).fails(t, 400, "UNSUPPORTED_ENGINE")
	s.raw(t, "GET", base+"/value?uri=openbao%2Bkv2+://secret/"+n, nil).fails(t, 400, "UNSUPPORTED_ENGINE")
	s.post(t, "", obj{"uri": "openbao kv2://secret/" + n, "value": obj{}}).fails(t, 400, "UNSUPPORTED_ENGINE")
}

func TestC11_rawHash(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "hash", 1)
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	out, err := exec.CommandContext(t.Context(), curl, "-sS", s.url+base+"/value?uri="+strings.Replace(uri, "+", "%2B", 1)+"#token").Output()
	if err != nil || string(out) != `{"token":"`+mark("1")+`"}` {
		t.Fatalf("%s, %v", out, err)
	}
}

// A parameter that is given twice names two secrets; the same version twice names one.
func TestC06_twice(t *testing.T) {
	s := dev(t)
	uri := s.versions(t, "twice", 2)
	esc := url.QueryEscape(uri)
	s.raw(t, "GET", base+"/value?uri="+esc+"&uri="+esc, nil).fails(t, 400, "AMBIGUOUS_QUERY")
	s.raw(t, "DELETE", base+"?uri="+esc+"&uri="+esc, nil).fails(t, 400, "AMBIGUOUS_QUERY")
	s.get(t, "/value", q{"uri": uri + "?version=1", "version": "2"}).fails(t, 400, "AMBIGUOUS_QUERY")
	s.get(t, "/value", q{"uri": uri + "?version=1", "version": "1"}).is(t, `{"token":"`+mark("1")+`"}`)
	s.get(t, "/value", nil).fails(t, 400, "BAD_REQUEST")
	s.raw(t, "GET", base+"/value?uri=%zz", nil).want(t, 400)
}

func TestC32_foreignMount(t *testing.T) {
	s := dev(t)
	before := s.metric(t, "tenant_mount_violation_total")
	count := 0
	for _, p := range everywhere() {
		p.call(t, s, scheme+"other/a").fails(t, 400, "TENANT_MOUNT_MISMATCH")
		count++
	}
	out := s.bulk(t, obj{"operations": items(scheme + "Secret/a")})
	for _, r := range out.Results {
		if r.HTTPStatus != 400 || r.Code != "TENANT_MOUNT_MISMATCH" {
			t.Errorf("%s: %d %s", r.Op, r.HTTPStatus, r.Code)
		}
		count++
	}
	s.get(t, "/keys", q{"mount": "other", "prefix": "a"}).fails(t, 400, "TENANT_MOUNT_MISMATCH")
	if got := s.metric(t, "tenant_mount_violation_total") - before; got < float64(count) {
		t.Errorf("%v violations counted, want %d", got, count)
	}
}

func TestC32_noMount(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"TENANT_ALLOWED_MOUNTS="}})
	for _, p := range everywhere() {
		p.call(t, s, scheme+"secret/a").fails(t, 400, "TENANT_MOUNT_MISMATCH")
	}
	if a := s.get(t, "/search", q{"q": "x"}); a.status >= 500 {
		t.Errorf("%s", a)
	}
	two := start(t, options{env: []string{"TENANT_ALLOWED_MOUNTS= secret , ,kv-2 "}})
	two.put(t, scheme+"kv-2/a", obj{"a": 1})
	two.put(t, scheme+"secret/a", obj{"a": 2})
	two.value(t, scheme+"kv-2/a").is(t, `{"a":1}`)
	var page struct{ Total int }
	two.get(t, "/search", q{"q": "a"}).want(t, 200).json(t, &page)
	if page.Total != 2 {
		t.Errorf("search over all mounts finds %d, want 2", page.Total)
	}
}

func TestC29_noEngine(t *testing.T) {
	s := dev(t)
	for _, p := range everywhere() {
		for _, uri := range []string{"openbao://secret/a", "coffer://secret/a", "vault://secret/a", "hashicorp://secret/a"} {
			p.call(t, s, uri).fails(t, 501, "UNSUPPORTED_OPERATION")
		}
	}
	for _, r := range s.bulk(t, obj{"operations": items("openbao://secret/a")}).Results {
		if r.HTTPStatus != 501 || r.Code != "UNSUPPORTED_OPERATION" {
			t.Errorf("%s: %d %s", r.Op, r.HTTPStatus, r.Code)
		}
	}
	uri := s.versions(t, "kv2", 1)
	s.get(t, "", q{"uri": uri}).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.get(t, "/keys", q{"uri": uri}).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.get(t, "/metadata", q{"prefix": uri}).fails(t, 501, "UNSUPPORTED_OPERATION")
	for _, p := range everywhere() {
		switch p.name {
		case "GET /metadata/detail", "GET /versions", "POST /undelete", "POST /destroy-versions", "POST /metadata/owner":
			p.call(t, s, "yaml://secret/a").fails(t, 501, "UNSUPPORTED_OPERATION")
		}
	}
	s.get(t, "/value", q{"uri": "yaml://secret/a", "version": "1"}).fails(t, 501, "UNSUPPORTED_OPERATION")
}

func TestC29_mountAlone(t *testing.T) {
	s := dev(t)
	for _, p := range everywhere() {
		a := p.call(t, s, scheme+"secret")
		switch p.name {
		case "GET /search":
			a.want(t, 200)
		case "GET /metadata", "GET /keys", "GET ":
			if a.status != 501 && a.code() != "PATH_REQUIRED" {
				t.Errorf("%s", a)
			}
		default:
			a.fails(t, 400, "PATH_REQUIRED")
		}
	}
}
