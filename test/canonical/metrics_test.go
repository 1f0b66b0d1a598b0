package canonical

import (
	"strings"
	"testing"
)

// The metrics of the contract are there under their names and labels.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s, p := decided(t)
	who := s.as(t, "alice")
	uri := s.versions(t, "metrics", 1, who)
	p.says(200, `{"decision":true,"context":{"obligations":{"max_uses":2}}}`)
	s.value(t, uri, who).want(t, 200)
	s.value(t, uri, who).want(t, 200)
	p.says(200, `{"decision":false}`)
	s.value(t, uri+"#token", who).want(t, 403)
	s.value(t, uri+"#token", who).want(t, 403)
	p.says(500, ``)
	s.value(t, uri+"?version=1", who).want(t, 503)
	s.value(t, scheme+"other/a", who).want(t, 400)
	for name, parts := range map[string][]string{
		"pep_latency_ms_count": {`hit="true"`}, "grant_hit_total": nil, "grant_miss_total": nil, "grant_negative_cache_hit_total": nil, "pdp_latency_ms_count": nil,
		"pdp_error_total": nil, "secret_denies_total": {`policy="`}, "tenant_mount_violation_total": nil, "secrets_decisions_total": {`effect="`},
		"secrets_errors_total": {`code="TENANT_MOUNT_MISMATCH"`},
	} {
		if s.metric(t, name, parts...) == 0 {
			t.Errorf("%s%v counts nothing", name, parts)
		}
	}
	text := string(s.raw(t, "GET", "/metrics", nil).body)
	for _, name := range []string{"provider_circuit_open_total", "anti_replay_total", "provider_request_latency_seconds"} {
		if !strings.Contains(text, "# TYPE "+name+" ") {
			t.Errorf("%s is not there", name)
		}
	}
	for _, part := range []string{"metrics-", "alice", "token\"", "kv2:"} {
		if strings.Contains(text, part) {
			t.Errorf("%s is in a label", part)
		}
	}
}

// The longest names that are allowed can be written, read and found.
func TestC09_longestNames(t *testing.T) {
	s := dev(t)
	stem := scheme + "secret/" + unique("long") + "/"
	path := stem + strings.Repeat("a", 255)
	uri := path + "#" + strings.Repeat("k", 512)
	s.put(t, uri, mark("v"))
	s.value(t, uri).is(t, `{"value":"`+mark("v")+`"}`)
	s.value(t, path+"a").fails(t, 400, "ILLEGAL_SEGMENT")
	s.value(t, uri+"k").fails(t, 400, "ILLEGAL_SEGMENT")
	full := stem + strings.Repeat("aab/", 300)
	full = full[:len(scheme+"secret/")+1023] + "b"
	s.put(t, full, obj{"a": 1})
	s.value(t, full).is(t, `{"a":1}`)
	s.value(t, full+"b").fails(t, 400, "ILLEGAL_SEGMENT")
	if got := s.search(t, q{"q": "aab", "prefix": strings.TrimSuffix(stem, "/")}); got.Total != 1 {
		t.Errorf("%d hits", got.Total)
	}
	deep := stem + strings.TrimSuffix(strings.Repeat("d/", 500), "/")
	s.put(t, deep, obj{"a": 1})
	s.del(t, q{"uri": deep, "destroy": "true"}).want(t, 200)
}

// A path and the paths above and below it are three secrets.
func TestC08_neighbours(t *testing.T) {
	s := dev(t)
	a := fresh("near")
	for _, uri := range []string{a, a + "/b", a + "b", a + "/b/c"} {
		s.put(t, uri, obj{"at": uri})
	}
	s.del(t, q{"uri": a, "destroy": "true"}).want(t, 200)
	s.value(t, a).fails(t, 404, "SECRET_NOT_FOUND")
	for _, uri := range []string{a + "/b", a + "b", a + "/b/c"} {
		s.value(t, uri).is(t, `{"at":"`+uri+`"}`)
	}
	if got := s.search(t, q{"q": "", "prefix": a}); got.Total != 2 {
		t.Errorf("%+v", got)
	}
	for _, other := range []string{strings.ToUpper(a[len(scheme):]), a[len(scheme):] + "~", a[len(scheme):] + "."} {
		if got := s.value(t, scheme+other); got.status == 200 {
			t.Errorf("%s", got)
		}
	}
}
