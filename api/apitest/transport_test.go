package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTransport(t *testing.T) {
	v := New(t, []byte(small))
	streaming := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write(body)
			w.(http.Flusher).Flush()
			<-streaming
		case r.URL.Path == "/things/right":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Id", "1")
			_, _ = w.Write([]byte(`{"n":1}`))
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		method, target, body, answer string
		complaints                   int
	}{
		{"GET", "/things/right", "", `{"n":1}`, 0},
		{"GET", "/things/wrong", "", "", 1},
		{"GET", "/things/right?limit=0", "", `{"n":1}`, 1},
		{"POST", "/things/a", `{"n":1}`, `{"n":1}`, 0},
		{"POST", "/things/a", `{"n":{}}`, `{"n":{}}`, 1},
	} {
		w := &witness{TB: t}
		client := &http.Client{Transport: v.Transport(w, nil)}
		req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.target, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := client.Do(req) // of a stream the headers come before its end
		if err != nil {
			t.Fatal(err)
		}
		if c.method == http.MethodPost {
			streaming <- struct{}{}
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(answer) != c.answer || w.errors != c.complaints {
			t.Errorf("%s %s: %q, %v, %d complaints, want %d", c.method, c.target, answer, err, w.errors, c.complaints)
		}
	}
	if _, err := (&http.Client{Transport: v.Transport(t, nil)}).Get("http://127.0.0.1:1/things/all"); err == nil {
		t.Error("an unreachable server answered")
	}
}
