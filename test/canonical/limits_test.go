package canonical

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestC59_bodies(t *testing.T) {
	s := dev(t)
	uri := fresh("c59")
	good := `{"uri":"` + uri + `","value":{"a":1}}`
	for _, media := range []string{"text/plain", "", "application/x-www-form-urlencoded", "application/jsonx", "application/json/x", "application"} {
		for _, path := range []string{"", "/rotate", "/undelete", "/destroy-versions", "/metadata/owner", "/bulk", "/copy", "/move"} {
			s.post(t, path, good, header("Content-Type", media)).fails(t, 415, "UNSUPPORTED_MEDIA_TYPE")
		}
	}
	nest := func(n int) string {
		return `{"uri":"` + uri + `","value":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) + "}"
	}
	for name, body := range map[string]string{
		"duplicate member": `{"uri":"` + uri + `","uri":"` + uri + `","value":{}}`, "deep duplicate": `{"uri":"` + uri + `","value":{"a":{"b":1,"b":2}}}`,
		"duplicate by escape": `{"uri":"` + uri + `","value":{"a":1,"\u0061":2}}`, "depth 65": nest(64), "deep": strings.Repeat("[", 100_000), "deep value": nest(100_000),
		"empty": "", "no JSON": "x", "cut": good[:len(good)-1], "two": good + good, "list": "[" + good + "]", "text": `"x"`, "null": "null",
		"invalid UTF-8": "{\"uri\":\"" + uri + "\",\"value\":{\"a\":\"\xff\"}}", "lone surrogate": `{"uri":"` + uri + `","value":{"a":"\ud800"}}`,
		"control character": "{\"uri\":\"" + uri + "\",\"value\":{\"a\":\"\x01\"}}", "comment": "/**/" + good, "trailing comma": `{"uri":"` + uri + `","value":{"a":1,}}`,
		"NaN": `{"uri":"` + uri + `","value":{"a":NaN}}`, "leading zero": `{"uri":"` + uri + `","value":{"a":01}}`, "byte order mark": "\ufeff" + good,
	} {
		if a := s.post(t, "", body); a.status != 400 {
			t.Errorf("%s: %d %.200s", name, a.status, a.body)
		}
	}
	if v := s.current(t, uri); v != 0 {
		t.Errorf("refused bodies have written version %d", v)
	}
	s.post(t, "", nest(63)).want(t, 200)
	s.post(t, "", good, header("Content-Type", "application/json; charset=utf-8")).want(t, 200)
	s.post(t, "", good, header("Content-Type", "Application/JSON")).want(t, 200)
}

func TestC59_sizes(t *testing.T) {
	s := dev(t)
	uri := fresh("c59s")
	body := func(n int) string { return `{"uri":"` + uri + `","value":{"a":"` + strings.Repeat("x", n) + `"}}` }
	const mib = 1 << 20
	s.post(t, "", body(mib-8)).want(t, 200) // {"a":"…"} is 8 bytes more
	s.post(t, "", body(mib-7)).fails(t, 413, "VALUE_TOO_LARGE")
	s.post(t, "", body(mib+70_000)).fails(t, 413, "BODY_TOO_LARGE")
	s.post(t, "/rotate", body(mib-7)).fails(t, 413, "VALUE_TOO_LARGE")
	s.post(t, "", `{"uri":"`+uri+`#b","value":1}`).fails(t, 413, "VALUE_TOO_LARGE") // the whole map counts
	if v := s.current(t, uri); v != 1 {
		t.Errorf("version %d", v)
	}
	if n := len(s.value(t, uri).want(t, 200).body); n != mib {
		t.Errorf("%d bytes came back", n)
	}
	item := obj{"op": "set", "uri": fresh("big"), "value": obj{"a": strings.Repeat("x", mib-8)}}
	big := obj{"op": "set", "uri": fresh("big"), "value": obj{"a": strings.Repeat("x", mib)}}
	out := s.bulk(t, obj{"operations": []obj{item, big}})
	if out.Results[0].Status != "ok" || out.Results[1].HTTPStatus != 413 || out.Results[1].Code != "VALUE_TOO_LARGE" {
		t.Errorf("%+v", out)
	}
	s.post(t, "/bulk", obj{"operations": []obj{item, item, item, item, item, item, item, item}}).fails(t, 413, "BODY_TOO_LARGE")
	s.post(t, "", obj{"uri": uri, "value": obj{}}).want(t, 200)
	// Without a length, too, and without reading on.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+base, &endless{})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if res, err := client.Do(req); err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("an endless body: %d", res.StatusCode)
		}
	}
}

// endless is a body of spaces.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// slow answers like a KV v2 server, but not before it is let go.
func slow(t *testing.T) (url string, waiting func() int, release func()) {
	t.Helper()
	gate := make(chan struct{})
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/data/") {
			mu.Lock()
			n++
			mu.Unlock()
			<-gate
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"data":{"data":{"a":1},"metadata":{"version":1,"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false,"custom_metadata":null}}}`)
	}))
	t.Cleanup(srv.Close)
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return srv.URL, func() int { mu.Lock(); defer mu.Unlock(); return n }, release
}

func TestC58_tooMany(t *testing.T) {
	t.Parallel()
	url, waiting, release := slow(t)
	s := start(t, options{env: []string{"OPENBAO_URL=" + url, "OPENBAO_TOKEN=t-0123456789", "VAULT_MAX_CONCURRENT_OPERATIONS=1000"}})
	uri := "openbao+kv2://secret/slow"
	answers := make(chan answer, 256)
	for range 256 {
		go func() { answers <- s.value(t, uri) }()
	}
	for deadline := time.Now().Add(20 * time.Second); waiting() < 256 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, a := range together(5, func(int) answer { return s.get(t, "/metadata/detail", q{"uri": fresh("c58")}) }) {
		a.fails(t, 429, "TOO_MANY_REQUESTS")
		if a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	s.get(t, "/nothing", nil).fails(t, 404, "NOT_FOUND") // the route comes first
	s.raw(t, "GET", "/readyz", nil).want(t, 200)
	release()
	for range 256 {
		if a := <-answers; a.status != 200 {
			t.Fatalf("%s", a)
		}
	}
	s.get(t, "/metadata/detail", q{"uri": fresh("c58")}).fails(t, 404, "SECRET_NOT_FOUND")
}

func TestC58_perProvider(t *testing.T) {
	t.Parallel()
	url, waiting, release := slow(t)
	s := start(t, options{env: []string{"VAULT_URL=" + url, "VAULT_TOKEN=t-0123456789"}})
	answers := make(chan answer, 50)
	for range 50 {
		go func() { answers <- s.value(t, "openbao+kv2://secret/slow") }()
	}
	for deadline := time.Now().Add(20 * time.Second); waiting() < 50 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	s.value(t, "openbao+kv2://secret/slow").fails(t, 429, "TOO_MANY_REQUESTS")
	s.put(t, fresh("c58p"), obj{"a": 1}) // the embedded engine is not concerned
	release()
	for range 50 {
		(<-answers).want(t, 200)
	}
}

// A client that sends its header by drops, or not at all, holds nobody up.
func TestC58_slowClients(t *testing.T) {
	s := dev(t)
	for range 300 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = fmt.Fprint(c, "POST /api/secrets HTTP/1.1\r\nHost: x\r\n")
	}
	s.put(t, fresh("c58s"), obj{"a": 1})
}

func TestC60_shapes(t *testing.T) {
	s := dev(t)
	for _, a := range []answer{
		s.value(t, "nonsense"), s.value(t, fresh("c60")), s.value(t, "openbao://secret/a"), s.post(t, "", "x"), s.get(t, "/nothing", nil),
		s.raw(t, "PUT", base, nil), s.post(t, "", "{}", header("Content-Type", "text/plain")), s.post(t, "/bulk", obj{}),
	} {
		var body map[string]json.RawMessage
		if err := json.Unmarshal(a.body, &body); err != nil || len(body) != 3 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", a, a.header)
		}
	}
}
