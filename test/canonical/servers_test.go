package canonical

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// kv is an outside server with one secret; writes and deletes answer as told.
func kv(write, remove int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/data/there"):
			_, _ = io.WriteString(w, `{"data":{"data":{"a":12},"metadata":{"version":4,"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false,"custom_metadata":null}}}`)
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/metadata/there"):
			_, _ = io.WriteString(w, `{"data":{"cas_required":false,"created_time":"2026-01-01T00:00:00Z","current_version":4,"custom_metadata":null,"delete_version_after":"0s","max_versions":0,"oldest_version":0,"updated_time":"2026-01-01T00:00:00Z","versions":{"4":{"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}}}}`)
		case r.Method == http.MethodDelete:
			w.WriteHeader(remove)
			_, _ = io.WriteString(w, text)
		case r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
			w.WriteHeader(write)
			_, _ = io.WriteString(w, text)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"errors":[]}`)
		}
	}
}

func outside(t *testing.T, do http.HandlerFunc) *server {
	t.Helper()
	url, _ := vaultServer(t, do)
	return start(t, options{env: []string{"HASHICORP_URL=" + url, "HASHICORP_TOKEN=t-0123456789"}})
}

const there = "hashicorp+kv2://secret/there"

func TestC39_moveBreaksOff(t *testing.T) {
	t.Parallel()
	s := outside(t, kv(500, 500, `{"errors":["internal error"]}`))
	to := fresh("half")
	a := s.post(t, "/move", transfer(there, to)).want(t, 502)
	if !contains(a.body, `"details":{"copied":true}`) {
		t.Errorf("%s", a)
	}
	s.value(t, to).is(t, `{"a":12}`)
	s.post(t, "/copy", transfer("vault+kv2://secret/there", to+"-2")).want(t, 200)
	s.post(t, "/copy", transfer(to, there)).fails(t, 409, "ALREADY_EXISTS")
	a = s.value(t, there+"#a").is(t, `{"value":12}`)
	if a.header.Get("ETag") != `"4"` {
		t.Errorf("%v", a.header)
	}
}

func TestC26_outsidePreconditions(t *testing.T) {
	t.Parallel()
	body := obj{"uri": there, "value": obj{"a": 1}}
	s := outside(t, kv(400, 204, `{"errors":["check-and-set parameter required for this call"]}`))
	s.post(t, "", body).fails(t, 428, "PRECONDITION_REQUIRED")
	s.post(t, "", body, header("If-Match", `"3"`)).fails(t, 412, "PRECONDITION_FAILED")
	s.del(t, q{"uri": there}, header("If-Match", `"4"`)).fails(t, 501, "UNSUPPORTED_OPERATION")
	s.del(t, q{"uri": there}).want(t, 200)
	raced := outside(t, kv(400, 204, `{"errors":["check-and-set parameter did not match the current version"]}`))
	raced.post(t, "", body, header("If-Match", `"4"`)).fails(t, 412, "PRECONDITION_FAILED")
	raced.post(t, "", obj{"uri": there + "#b", "value": 1}).fails(t, 409, "WRITE_CONFLICT")
}
