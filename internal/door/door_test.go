package door_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// plain renders the code of a fault as text.
type plain struct{}

func (plain) Fail(w http.ResponseWriter, _ *door.Request, err error) (int, string) {
	status := map[fault.Kind]int{
		fault.NotFound: 404, fault.RateLimited: 429, fault.Unauthenticated: 401, fault.Invalid: 400, fault.TooLarge: 413, fault.Unsupported: 405,
	}[fault.KindOf(err)]
	if status == 0 {
		status = 500
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, fault.CodeOf(err))
	return status, fault.CodeOf(err)
}

// seen remembers what a door counts.
type seen struct {
	mu    sync.Mutex
	lines []string
}

func (s *seen) Request(_, route string, status int, _ time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, route+" "+http.StatusText(status))
}

func (s *seen) Failed(string) {}

// callers admits whoever shows a token.
type callers struct{ calls int }

func (c *callers) Authenticate(_ context.Context, cr identity.Credentials) (identity.Principal, error) {
	c.calls++
	switch cr.Bearer {
	case "good":
		return identity.Principal{Tenant: "dev", Subject: "s"}, nil
	case "crash":
		panic("secret-in-a-panic")
	}
	return identity.Principal{}, fault.Coded(fault.Unauthenticated, identity.CodeUnauthenticated, "no")
}

type set struct {
	door *door.Door
	seen *seen
	auth *callers
	log  *bytes.Buffer
}

func newSet(t *testing.T, change func(*door.Config), routes ...door.Route) set {
	t.Helper()
	s := set{seen: &seen{}, auth: &callers{}, log: &bytes.Buffer{}}
	c := door.Config{
		Name: "test", Routes: routes, Shape: plain{}, Auth: s.auth, Tenant: "dev", Observer: s.seen,
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	var err error
	if s.door, err = door.New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s set) do(method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x/", nil)
	if u, err := url.ParseRequestURI(target); err == nil { // as a server does
		r.URL = u
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.door.ServeHTTP(w, r)
	return w
}

func ok(w http.ResponseWriter, _ *door.Request) error {
	w.WriteHeader(http.StatusOK)
	return nil
}

func row(method, path string, h door.Handler) door.Route {
	return door.Route{Method: method, Path: path, Access: door.Caller, Timeout: time.Minute, Handle: h}
}

func TestTableRefusals(t *testing.T) {
	for name, routes := range map[string][]door.Route{
		"no class":   {{Method: "GET", Path: "/a", Handle: ok}},
		"no handler": {{Method: "GET", Path: "/a", Access: door.Public}},
		"twice":      {row("GET", "/a", ok), row("GET", "/a", ok)},
	} {
		if _, err := door.New(door.Config{Routes: routes}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRouting(t *testing.T) {
	s := newSet(t, nil, row("GET", "/api/secrets", ok), row("POST", "/api/secrets", ok), row("GET", "/api/secrets/value", ok))
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/api/secrets", 200}, {"GET", "/api/secrets?x=1", 200}, {"GET", "/api/secrets/", 404}, {"GET", "//api/secrets", 404},
		{"GET", "/api/%73ecrets", 404}, {"GET", "/api/secrets%2Fvalue", 404}, {"GET", "/api/./secrets", 404}, {"GET", "/api/secrets;a=b", 404},
		{"GET", "/API/secrets", 404}, {"HEAD", "/api/secrets", 405}, {"OPTIONS", "/api/secrets", 405}, {"CONNECT", "/api/secrets", 405},
		{"get", "/api/secrets", 405}, {"POST", "/api/secrets/value", 405}, {"OPTIONS", "*", 404},
	} {
		w := s.do(c.method, c.target, "Authorization", "Bearer good")
		if w.Code != c.status || w.Header().Get("X-Correlation-Id") == "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %v", c.method, c.target, w.Code, w.Header())
		}
		if c.status == 405 && !strings.Contains(w.Header().Get("Allow"), "GET") {
			t.Errorf("%s %s: Allow %q", c.method, c.target, w.Header().Get("Allow"))
		}
	}
	if strings.Contains(s.log.String(), "x=1") {
		t.Error("the log shows the query")
	}
}

// What is unknown is refused before anybody looks at credentials.
func TestOrderOfChecks(t *testing.T) {
	s := newSet(t, nil, row("GET", "/a", ok), door.Route{Method: "GET", Path: "/public", Access: door.Public, Handle: ok})
	for _, c := range []struct {
		target, token string
		status, calls int
	}{{"/none", "", 404, 0}, {"/public", "", 200, 0}, {"/a", "", 401, 1}, {"/a", "Bearer bad", 401, 1}, {"/a", "Bearer good", 200, 1}, {"/a", "dpop  good", 200, 1}, {"/a", "Basic good", 401, 1}} {
		s.auth.calls = 0
		if w := s.do("GET", c.target, "Authorization", c.token); w.Code != c.status || s.auth.calls != c.calls {
			t.Errorf("%s as %q: %d after %d looks", c.target, c.token, w.Code, s.auth.calls)
		}
	}
}

func TestAuthenticationOff(t *testing.T) {
	var got *door.Request
	s := newSet(t, func(c *door.Config) {
		c.Auth = nil
		c.Credentials = func(*http.Request) identity.Credentials {
			t.Error("credentials were read")
			return identity.Credentials{}
		}
	}, row("GET", "/a", func(_ http.ResponseWriter, r *door.Request) error {
		got = r
		return nil
	}))
	s.do("GET", "/a", "Authorization", "Bearer forged", "X-Subject", "root")
	if !got.Principal.IsAnonymous() || got.Principal.Tenant != "dev" {
		t.Errorf("%+v", got.Principal)
	}
}

func TestCapOfRequestsInWork(t *testing.T) {
	in, out := make(chan struct{}), make(chan struct{})
	s := newSet(t, func(c *door.Config) { c.InWork = 2 }, row("GET", "/slow", func(http.ResponseWriter, *door.Request) error {
		in <- struct{}{}
		<-out
		return nil
	}), row("GET", "/a", ok), row("GET", "/panic", func(http.ResponseWriter, *door.Request) error { panic("x") }),
		door.Route{Method: "GET", Path: "/stream", Access: door.Caller, Handle: ok})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { s.do("GET", "/slow", "Authorization", "Bearer good") })
		<-in
	}
	if w := s.do("GET", "/a"); w.Code != 429 || w.Body.String() != door.CodeBusy || s.auth.calls != 2 {
		t.Errorf("%d %s, %d looks at credentials", w.Code, w.Body, s.auth.calls)
	}
	if w := s.do("GET", "/stream", "Authorization", "Bearer good"); w.Code != 200 {
		t.Errorf("a stream: %d", w.Code)
	}
	close(out)
	all.Wait()
	for range 5 { // whatever happens, places are given back
		s.do("GET", "/panic", "Authorization", "Bearer good")
		s.do("GET", "/a", "Authorization", "Bearer crash")
		s.do("GET", "/a")
	}
	if w := s.do("GET", "/a", "Authorization", "Bearer good"); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestPanics(t *testing.T) {
	s := newSet(t, nil, row("GET", "/panic", func(http.ResponseWriter, *door.Request) error { panic("secret-in-a-panic") }),
		row("GET", "/late", func(w http.ResponseWriter, _ *door.Request) error {
			_, _ = io.WriteString(w, "begun")
			panic("secret-in-a-panic")
		}),
		row("GET", "/abort", func(http.ResponseWriter, *door.Request) error { panic(http.ErrAbortHandler) }))
	if w := s.do("GET", "/panic", "Authorization", "Bearer good"); w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
	if w := s.do("GET", "/panic", "Authorization", "Bearer crash"); w.Code != 500 { // in the authenticator
		t.Errorf("%d", w.Code)
	}
	if w := s.do("GET", "/late", "Authorization", "Bearer good"); w.Code != 200 || w.Body.String() != "begun" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(s.log.String(), "secret-in-a-panic") || !strings.Contains(s.log.String(), "answer broke off") {
		t.Errorf("log %s", s.log)
	}
	defer func() {
		if p, _ := recover().(error); !errors.Is(p, http.ErrAbortHandler) {
			t.Errorf("the abort of a connection was swallowed: %v", p)
		}
	}()
	s.do("GET", "/abort", "Authorization", "Bearer good")
}

func TestCorrelation(t *testing.T) {
	s := newSet(t, nil, row("GET", "/a", ok))
	for _, c := range []struct {
		name, value string
		kept        bool
	}{
		{"X-Correlation-ID", "abc 1", true}, {"X-Request-ID", "abc", true}, {"X-Correlation-ID", "a\r\nSet-Cookie: x", false},
		{"X-Correlation-ID", strings.Repeat("x", 128), true}, {"X-Correlation-ID", strings.Repeat("x", 129), false}, {"X-Correlation-ID", "ä", false}, {"X-Correlation-ID", "", false},
	} {
		got := s.do("GET", "/a", c.name, c.value).Header().Get("X-Correlation-Id")
		if got == "" || (got == c.value) != c.kept {
			t.Errorf("%q: %q", c.value, got)
		}
	}
}

// A client that sends its body drop by drop does not keep its place.
func TestSlowBodies(t *testing.T) {
	s := newSet(t, nil, door.Route{Method: "POST", Path: "/a", Access: door.Caller, Timeout: 100 * time.Millisecond,
		Handle: func(_ http.ResponseWriter, r *door.Request) error {
			_, _, err := door.ReadObject(r.Request, 100)
			return err
		}})
	srv := httptest.NewServer(s.door)
	defer srv.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 12)
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 400" {
		t.Errorf("%q %v", head, err)
	}
}

func TestReadObject(t *testing.T) {
	for _, c := range []struct {
		name, media, body string
		kind              fault.Kind
		code              string
	}{
		{"plain", "application/json", `{"a":1}`, 0, "fine"},
		{"charset", "application/json; charset=utf-8", `{}`, 0, "fine"},
		{"no type", "", `{}`, fault.Invalid, door.CodeMediaType},
		{"form", "application/x-www-form-urlencoded", `{}`, fault.Invalid, door.CodeMediaType},
		{"bad type", ";;", `{}`, fault.Invalid, door.CodeMediaType},
		{"array", "application/json", `[]`, fault.Invalid, ""},
		{"null", "application/json", `null`, fault.Invalid, ""},
		{"empty", "application/json", ``, fault.Invalid, ""},
		{"duplicate", "application/json", `{"a":1,"a":2}`, fault.Invalid, ""},
		{"hidden duplicate", "application/json", `{"a":1,"\u0061":2}`, fault.Invalid, ""},
		{"trailing", "application/json", `{} {}`, fault.Invalid, ""},
		{"utf-8", "application/json", "{\"a\":\"\xff\"}", fault.Invalid, ""},
		{"deep", "application/json", strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), 0, "fine"},
		{"too deep", "application/json", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), fault.Invalid, ""},
		{"too large", "application/json", `{"a":"` + strings.Repeat("x", 600) + `"}`, fault.TooLarge, door.CodeBodySize},
	} {
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.media)
			if chunked {
				r.ContentLength = -1
			}
			o, body, err := door.ReadObject(r, 600)
			switch {
			case c.code == "fine" && (err != nil || o == nil || string(body) != c.body):
				t.Errorf("%s: %v", c.name, err)
			case c.code != "fine" && (!errors.Is(err, c.kind) || fault.CodeOf(err) != c.code):
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestMembers(t *testing.T) {
	o, err := door.ParseObject([]byte(`{"t":"x","n":null,"b":true,"i":[1,2],"f":[1.5],"z":[null],"big":[9223372036854775808],"T":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok, err := o.Text("t"); s != "x" || !ok || err != nil {
		t.Error(s, ok, err)
	}
	for _, absent := range []string{"n", "none"} {
		if _, ok, err := o.Text(absent); ok || err != nil {
			t.Error(absent, ok, err)
		}
	}
	if _, _, err := o.Text("T"); !errors.Is(err, fault.Invalid) { // names match exactly
		t.Error(err)
	}
	if b, ok, err := o.Bool("b"); !b || !ok || err != nil {
		t.Error(b, ok, err)
	}
	if l, _, err := o.Ints("i"); len(l) != 2 || err != nil {
		t.Error(l, err)
	}
	for _, bad := range []string{"f", "big", "t", "b"} {
		if _, _, err := o.Ints(bad); !errors.Is(err, fault.Invalid) {
			t.Error(bad, err)
		}
	}
}

func TestMux(t *testing.T) {
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	m := door.NewMux(say("nobody"))
	m.At("/livez", say("live"))
	m.Under("/api/secrets", say("door"))
	for target, want := range map[string]string{
		"/livez": "live", "/livez/": "nobody", "/api/secrets": "door", "/api/secrets/value": "door", "/api/secretsx": "nobody",
		"/api/%73ecrets": "nobody", "/api/../livez": "nobody", "/": "nobody", "/api/secrets%2Fx": "nobody",
	} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Body.String() != want {
			t.Errorf("%s: %s, want %s", target, w.Body, want)
		}
	}
}

func TestRetryAfterIsAtLeastASecond(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 1600 * time.Millisecond: "2", time.Minute: "60"} {
		w := httptest.NewRecorder()
		door.RetryAfter(w, d)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
