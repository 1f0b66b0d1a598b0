package canonical

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system that is soon full.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a full disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestC52_auditFails(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	s := start(t, options{env: []string{"COFFER_AUDIT_FILE=" + filepath.Join(disk, "audit.jsonl")}})
	uri, other := s.versions(t, "c52", 2), fresh("c52")
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.value(t, uri).status != 503 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	for _, a := range []answer{
		s.value(t, uri), s.del(t, q{"uri": uri}), s.del(t, q{"uri": uri, "destroy": "true"}),
		s.post(t, "", obj{"uri": uri, "value": obj{"a": mark("a")}}), s.post(t, "", obj{"uri": other, "value": obj{"a": 1}}),
		s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 1}}), s.post(t, "/copy", transfer(uri, other)), s.post(t, "/move", transfer(uri, other)),
		s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}), s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "x"}),
		s.get(t, "/metadata/detail", q{"uri": uri}), s.get(t, "/search", q{"q": "c52"}), s.value(t, fresh("none")),
	} {
		a.fails(t, 503, "AUDIT_UNAVAILABLE")
	}
	if code := s.bulkCode(t, obj{"operations": items(other)}); code != "AUDIT_UNAVAILABLE" {
		t.Errorf("a bulk without audit: %s", code)
	}
	if status, err := probe(s.url + "/livez"); err != nil || status != 200 {
		t.Errorf("livez %d, %v", status, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.ready(t)
	if s.current(t, uri) != 2 || s.current(t, other) != 0 {
		t.Error("a request that was refused had an effect")
	}
	s.value(t, uri).is(t, `{"token":"`+mark("2")+`"}`)
}

func TestSIGHUP_reopensAudit(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	uri := s.versions(t, "hup", 1)
	file := filepath.Join(s.dir, "audit.jsonl")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		s.value(t, uri).want(t, 200)
		if body, err := os.ReadFile(file); err == nil && len(body) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no new audit file after SIGHUP")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// records reads the audit endpoint.
func (s *server) records(t testing.TB, query q, ws ...with) (items []map[string]any, total int) {
	t.Helper()
	var page struct {
		Items []map[string]any
		Total int
	}
	s.get(t, "/audit", query, ws...).want(t, 200).json(t, &page)
	return page.Items, page.Total
}

func TestC56_filters(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	alice, mallory := s.as(t, "alice", "--groups", "dev"), s.as(t, "mallory")
	uri := fresh("c56")
	s.put(t, uri, obj{"a": 1}, alice)
	for range 3 {
		s.post(t, "", obj{"uri": uri, "value": obj{"a": 1}}, mallory).want(t, 403)
		s.value(t, uri, mallory).want(t, 403)
		s.value(t, uri, alice, header("X-Correlation-ID", "c56-read")).want(t, 200)
	}
	got, total := s.records(t, q{"purpose": "write", "effect": "Deny"}, alice)
	if len(got) != 3 || total != 3 {
		t.Fatalf("%d records of %d", len(got), total)
	}
	last := ""
	for _, r := range got {
		for _, name := range []string{"audit_id", "subject", "purpose", "effect", "resource_ref", "decision_id", "policy_version", "tenant_id", "ts", "correlation_id", "token_jti"} {
			if text, ok := r[name].(string); !ok || text == "" {
				t.Errorf("%s is %v in %v", name, r[name], r)
			}
		}
		if r["purpose"] != "write" || r["effect"] != "Deny" || r["subject"] != "auth:account:dev:mallory" || r["success"] != false ||
			r["action"] != "use" || r["error_code"] != "SECRET_AUTHZ_FAILED" {
			t.Errorf("%v", r)
		}
		ts := r["ts"].(string)
		if last != "" && ts > last {
			t.Errorf("%s stands behind %s", ts, last)
		}
		last = ts
	}
	for _, c := range []struct {
		query q
		want  int
	}{
		{q{"subject": "auth:account:dev:mallory"}, 6}, {q{"correlation_id": "c56-read"}, 3}, {q{"event": "SECRET_READ", "effect": "Permit"}, 3},
		{q{"since": "2999-01-01T00:00:00Z"}, 0}, {q{"until": "2000-01-01T00:00:00Z"}, 0}, {q{"subject": "auth:account:dev:mallor"}, 0}, {q{"effect": "deny"}, 0},
	} {
		if _, total := s.records(t, c.query, alice); total != c.want {
			t.Errorf("%v: %d records, want %d", c.query, total, c.want)
		}
	}
	for _, bad := range []q{{"since": "x"}, {"until": "1"}, {"limit": "0"}} {
		s.get(t, "/audit", bad, alice).want(t, 400)
	}
}

func TestC55_production(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"ENVIRONMENT=prod", "SECRETS_API_REQUIRE_AUTH=true"}})
	admin := s.as(t, "root", "--groups", "dev", "--roles", "admin")
	for _, path := range []string{"/events", "/audit"} {
		s.get(t, path, nil, admin).fails(t, 404, "NOT_FOUND")
		s.get(t, path, nil).fails(t, 404, "NOT_FOUND")
	}
	on := start(t, options{env: []string{"ENVIRONMENT=prod", "SECRETS_API_REQUIRE_AUTH=true", "SECRETS_DEV_ENDPOINTS=admin"}})
	admin, user := on.as(t, "root", "--roles", "admin,x"), on.as(t, "alice", "--groups", "dev,admin", "--roles", "Admin,administrator")
	on.get(t, "/audit", nil, admin).want(t, 200)
	on.get(t, "/audit", nil, user).fails(t, 403, "SECRET_AUTHZ_FAILED")
	on.get(t, "/events", nil, user).fails(t, 403, "SECRET_AUTHZ_FAILED")
	on.get(t, "/audit", nil).fails(t, 401, "UNAUTHENTICATED")
	stream := on.listen(t, "", admin)
	on.put(t, fresh("c55"), obj{"a": 1}, on.as(t, "alice", "--groups", "dev"))
	if e := stream.next(t); e.name != "SECRET_UPDATED" {
		t.Errorf("%+v", e)
	}
}

// One request, one operation: an attempt and an outcome share one id; none names the secret.
func TestC53_auditRecords(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	uri := scheme + "secret/seg1/lastsegment77#fragmentname77"
	s.put(t, uri, mark("v"), header("X-Correlation-ID", "one"), header("X-Workflow-Run-Id", "wf-1"), header("X-Node-Id", "n-1"), header("X-System-Id", "s-1"))
	attempt := s.auditFile(t, obj{"correlation_id": "one"})
	if len(attempt) != 2 || attempt[0]["audit_id"] != attempt[1]["audit_id"] || attempt[0]["phase"] != "attempt" || attempt[1]["success"] != true {
		t.Fatalf("%v", attempt)
	}
	if attempt[1]["workflow_run_id"] != "wf-1" || attempt[1]["node_id"] != "n-1" || attempt[1]["system_id"] != "s-1" {
		t.Errorf("%v", attempt[1])
	}
	if items, _ := s.records(t, q{"correlation_id": "one"}); len(items) != 1 {
		t.Errorf("%d records of one operation", len(items))
	}
	body, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"lastsegment77", "fragmentname77", "seg1", "kv2://"} {
		if strings.Contains(string(body), text) {
			t.Errorf("%s is in the audit file", text)
		}
	}
}

func TestC53_nothingLeaks(t *testing.T) {
	t.Parallel()
	s := start(t, options{env: []string{"LOG_LEVEL=debug"}, config: "log: {level: debug}\n"})
	const segment, fragment = "lastsegment88", "fragmentname88"
	uri := scheme + "secret/app/" + segment
	s.put(t, uri+"#"+fragment, mark("v"))
	bad := []answer{
		s.post(t, "", obj{"uri": uri, "value": mark("x")}), s.post(t, "", `{"uri":"`+uri+`","value":{"a":"`+marker+`","a":1}}`),
		s.post(t, "", `{"uri":"`+uri+`","value":"`+marker), s.post(t, "", obj{"uri": []string{mark("u")}, "value": obj{}}),
		s.post(t, "", obj{"uri": uri + "/" + marker + "#" + marker + "?version=x", "value": obj{}}), s.value(t, uri+"#"+fragment+"x"), s.value(t, uri+"x"),
		s.post(t, "/metadata/owner", obj{"uri": uri, "owner": marker + "\n"}), s.get(t, "/search", q{"q": strings.Repeat(marker, 20)}),
		s.post(t, "", obj{"uri": uri, "value": obj{}}, header("If-Match", marker)), s.get(t, "/audit", q{"since": marker}),
		s.get(t, "/value", q{"uri": uri, "version": marker}), s.get(t, "/events", nil, header("Last-Event-ID", marker)),
		s.post(t, "/bulk", obj{"operations": []obj{{"op": marker, "uri": uri}}}), s.value(t, "aws://"+marker+"/"+segment), s.value(t, scheme+marker+"/"+segment),
		s.raw(t, "GET", base+"/"+marker, nil), s.post(t, "/undelete", obj{"uri": uri, "versions": marker}),
		s.post(t, "", obj{"uri": uri + "#" + fragment, "value": obj{fragment: marker, marker: 1}}),
	}
	for _, a := range bad {
		if a.status < 400 || contains(a.body, segment) || contains(a.body, fragment) || contains(a.body, marker) {
			t.Errorf("%s", a)
		}
	}
	metrics := s.raw(t, "GET", "/metrics", nil).want(t, 200).body
	stream := s.listen(t, "0")
	stream.next(t)
	time.Sleep(100 * time.Millisecond)
	for where, text := range map[string]string{"metrics": string(metrics), "log": s.log.String(), "events": stream.text()} {
		for _, part := range []string{marker, segment, fragment, "kv2://"} {
			if strings.Contains(text, part) {
				t.Errorf("%s shows %s", where, part)
			}
		}
	}
}
