package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTemplateNumbersInPlace(t *testing.T) {
	for name, c := range map[string]struct{ path, body, want string }{
		"in the path": {"/s/" + slot + "?x=1", "", "GET /s/000042?x=1 HTTP/1.1\r\nHost: bench\r\nA: b\r\n\r\n"},
		"in the body": {"/s", `{"n":"` + slot + `"}`, "\r\n\r\n{\"n\":\"000042\"}"},
		"before one":  {"/s/" + slot, `{}`, "/s/000042 HTTP/1.1\r\nHost: bench\r\nA: b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
	} {
		t.Run(name, func(t *testing.T) {
			tp, err := newTemplate("GET", c.path, "A: b\r\n", c.body)
			if err != nil {
				t.Fatal(err)
			}
			other := tp.clone()
			if got := string(tp.number(42)); !strings.HasSuffix(got, c.want) {
				t.Fatalf("%q does not end in %q", got, c.want)
			}
			if got := string(other.number(999999)); !strings.Contains(got, "999999") || strings.Contains(string(tp.raw), "999999") {
				t.Fatalf("a clone is not its own: %q", got)
			}
		})
	}
	for _, path := range []string{"/none", "/" + slot + "/" + slot} {
		if _, err := newTemplate("GET", path, "", ""); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestParseHead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want head
		err  error
	}{
		"length":      {"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nbody", head{200, 12, 39, false}, nil},
		"lower case":  {"HTTP/1.1 404 Not Found\r\ncontent-length:7\r\n\r\n", head{404, 7, 44, false}, nil},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head{200, -1, 47, false}, nil},
		"closing":     {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", head{200, 0, 38, true}, nil},
		"half":        {"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n", head{}, errMore},
		"not HTTP":    {"SSH-2.0-OpenSSH\r\n\r\n", head{}, errNotHTTP},
		"old HTTP":    {"HTTP/1.0 200 OK\r\n\r\n", head{}, errNotHTTP},
		"bad status":  {"HTTP/1.1 2x0 OK\r\n\r\n", head{}, errNotHTTP},
		"bad length":  {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", head{}, errNotHTTP},
		"bad line":    {"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", head{}, errNotHTTP},
		"two answers": {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 X\r\n\r\n", head{200, 0, 19, false}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseHead([]byte(c.text))
			if !errors.Is(err, c.err) || err == nil && got != c.want {
				t.Fatalf("%+v, %v; want %+v, %v", got, err, c.want, c.err)
			}
		})
	}
}

// What the parser reads must be what net/http writes, whatever the shape.
func TestClientReadsNetHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/chunks/"):
			for range 3 {
				_, _ = w.Write([]byte(strings.Repeat("x", 5000)))
				w.(http.Flusher).Flush()
			}
		case strings.HasPrefix(r.URL.Path, "/big/"):
			_, _ = w.Write([]byte(strings.Repeat("x", 100_000)))
		case strings.HasPrefix(r.URL.Path, "/empty/"):
		case strings.HasPrefix(r.URL.Path, "/refused/"):
			http.Error(w, "not you", http.StatusForbidden)
		default:
			_, _ = w.Write([]byte(r.URL.Path))
		}
	}))
	defer srv.Close()
	c, err := dial(context.Background(), srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, kind := range []string{"small", "chunks", "big", "empty", "small"} {
		tp, err := newTemplate("GET", "/"+kind+"/"+slot, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.do(tp.number(1)); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	tp, err := newTemplate("GET", "/refused/"+slot, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.do(tp.number(1)); err == nil || !strings.Contains(err.Error(), "403") {
		t.Fatalf("%v, want the refusal", err)
	}
}

func TestClientNoticesABrokenAnswer(t *testing.T) {
	for _, text := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"} {
		ours, theirs := net.Pipe()
		c := newClient(ours)
		go func() {
			_, _ = theirs.Read(make([]byte, 100))
			_, _ = theirs.Write([]byte(text))
			_ = theirs.Close()
		}()
		if err := c.do([]byte("x")); err == nil {
			t.Errorf("%q: no error", text)
		}
		c.close()
	}
}
