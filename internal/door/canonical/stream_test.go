package canonical_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/audit"
	"github.com/coffer-dev/coffer/internal/door/canonical"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// log is an event log in memory: events 1 to n, of which those up to lost are gone.
type log struct {
	mu   sync.Mutex
	n    int64
	lost int64
	bell chan struct{}
}

func (l *log) ReadLog(_ context.Context, _ string, after int64, _ int) (event.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var page event.Page
	if after < l.lost {
		page.Lost, after = l.lost, l.lost
	}
	for seq := after + 1; seq <= l.n; seq++ {
		body, err := event.Event{Topic: event.TopicKV, Name: event.SecretUpdated, ResourceRef: fmt.Sprintf("r%d\n\nid: 9", seq)}.Encode()
		if err != nil {
			return page, err
		}
		page.List = append(page.List, event.Entry{Sequence: seq, Body: body})
	}
	return page, nil
}

func (l *log) End(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n, nil
}

func (l *log) Ring(context.Context, string) <-chan struct{} { return l.bell }

func (l *log) add() {
	l.mu.Lock()
	l.n++
	l.mu.Unlock()
	l.bell <- struct{}{}
}

// gate is an authenticator whose answer a test changes.
type gate struct {
	mu  sync.Mutex
	p   identity.Principal
	err error
}

func (g *gate) Authenticate(context.Context, identity.Credentials) (identity.Principal, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.p, g.err
}

func (g *gate) set(p identity.Principal, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.p, g.err = p, err
}

// silent counts nothing.
type silent struct{}

func (silent) Request(string, string, int, time.Duration) {}
func (silent) Failed(string)                              {}

type stage struct {
	handler http.Handler
	log     *log
	gate    *gate
	ring    *audit.Ring
	closing chan struct{}
}

func newStage(t *testing.T, adminOnly bool) *stage {
	t.Helper()
	s := &stage{
		log: &log{n: 5, bell: make(chan struct{}, 8)}, gate: &gate{}, ring: audit.NewRing(10), closing: make(chan struct{}),
	}
	s.gate.set(admin(), nil)
	d, err := canonical.New(canonical.Config{
		Auth: s.gate, Tenant: "dev", Closing: s.closing, Observer: silent{}, Log: slog.New(slog.DiscardHandler),
		Activity: activity.New(activity.Config{Tenant: "dev", Log: s.log, Ring: s.ring, AdminOnly: adminOnly}),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = d
	return s
}

func admin() identity.Principal {
	return identity.Principal{Tenant: "dev", Subject: "a", Roles: []string{"admin"}}
}

// listen opens the stream and gives the lines that are not empty; they end with it.
func (s *stage) listen(t *testing.T, lastID string) (status int, lines <-chan string) {
	t.Helper()
	srv := httptest.NewServer(s.handler)
	t.Cleanup(srv.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+canonical.Base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	out := make(chan string, 100)
	go func() {
		defer close(out)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() != "" {
				out <- in.Text()
			}
		}
	}()
	return res.StatusCode, out
}

func next(t *testing.T, lines <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-lines:
			if !strings.HasPrefix(got, w) {
				t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing came, want %q", w)
		}
	}
}

func TestStream(t *testing.T) {
	for lastID, want := range map[string][]string{
		"":                    nil,
		"3":                   {"id: 4", "event: SECRET_UPDATED", `data: {"ts":`, "id: 5", "event:", "data:"},
		"0":                   {"id: 2", "event: gap", `data: {"from":0,"to":2,"reason":"retention"}`, "id: 3", "event:", "data:", "id: 4", "event:", "data:", "id: 5", "event:", "data:"},
		"5":                   nil,
		"9223372036854775807": nil, // of a log that was longer once
	} {
		s := newStage(t, false)
		s.log.lost = 2
		status, lines := s.listen(t, lastID)
		if status != 200 {
			t.Fatalf("%q: %d", lastID, status)
		}
		next(t, lines, ": hello")
		next(t, lines, want...)
		s.log.add()
		next(t, lines, "id: 6", "event: SECRET_UPDATED", "data: {")
		close(s.closing)
		if line, more := <-lines; more {
			t.Errorf("%q: %q after the end", lastID, line)
		}
	}
}

func TestStreamRefusals(t *testing.T) {
	s := newStage(t, true)
	for _, id := range []string{"x", "-1", "-0", "+1", "1.5", "9223372036854775808", "0x1", " 1"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, canonical.Base+"/events", nil)
		r.Header["Last-Event-Id"] = []string{id}
		s.handler.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("%q: %d", id, w.Code)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, canonical.Base+"/events", nil)
	r.Header.Set("If-Match", "*")
	s.handler.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("If-Match: %d", w.Code)
	}
	s.gate.set(identity.Principal{Tenant: "dev", Subject: "u"}, nil)
	for _, path := range []string{"/events", "/audit"} {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, canonical.Base+path+"?limit=x", nil))
		if w.Code != 403 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// The stream does not outlive the right to it.
func TestStreamEnds(t *testing.T) {
	user := identity.Principal{Tenant: "dev", Subject: "a"}
	for name, c := range map[string]struct {
		change func(*stage)
		within time.Duration // 0: it goes on
	}{
		"nothing happens":      {func(*stage) {}, 0},
		"the issuer is away":   {func(s *stage) { s.gate.set(user, fault.New(fault.Unavailable, "x")) }, 0},
		"the token is revoked": {func(s *stage) { s.gate.set(identity.Principal{}, fault.New(fault.Unauthenticated, "x")) }, 30 * time.Second},
		"the role is lost":     {func(s *stage) { s.gate.set(user, nil) }, 30 * time.Second},
		"the server closes":    {func(s *stage) { close(s.closing) }, time.Second},
		"the token expires":    {func(*stage) {}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, true)
				p := admin()
				if name == "the token expires" {
					p.Expires = time.Now().Add(19 * time.Second)
				}
				s.gate.set(p, nil)
				ctx, cancel := context.WithCancel(t.Context())
				w := httptest.NewRecorder()
				done := make(chan struct{})
				began := time.Now()
				go func() {
					defer close(done)
					s.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, canonical.Base+"/events", nil))
				}()
				synctest.Wait()
				c.change(s)
				select {
				case <-done:
					if took := time.Since(began); c.within == 0 || took > c.within {
						t.Errorf("it ended after %v", took)
					}
				case <-time.After(100 * time.Second):
					if c.within != 0 {
						t.Error("it did not end")
					}
				}
				cancel() // nothing is left running: the bubble would not end
				<-done
				if n := strings.Count(w.Body.String(), ": ping"); c.within == 0 && n != 6 {
					t.Errorf("%d pings", n)
				}
			})
		})
	}
}

// broken is a client that takes the head and no more.
type broken struct {
	*httptest.ResponseRecorder
	writes int
}

func (b *broken) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, io.ErrClosedPipe
	}
	return b.ResponseRecorder.Write(p)
}

func TestStreamEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		w := &broken{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", canonical.Base+"/events", nil))
		if took := time.Since(began); took > 15*time.Second { // the first ping finds out
			t.Errorf("after %v", took)
		}
	})
}

func TestAuditPages(t *testing.T) {
	s := newStage(t, false)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 5 {
		s.ring.Add(audit.Record{ID: fmt.Sprint(i), Tenant: "dev", Subject: "s", Effect: []string{"Permit", "Deny"}[i%2], Time: at.Add(time.Duration(i) * time.Hour)})
	}
	s.ring.Add(audit.Record{ID: "other", Tenant: "other"})
	for query, want := range map[string]string{
		"":                            `"total":5,"offset":0,"limit":100}`,
		"?effect=Deny&limit=1":        `"total":2,"offset":0,"limit":1}`,
		"?offset=9":                   `{"items":[],"total":5,"offset":9,"limit":100}`,
		"?subject=none":               `{"items":[],"total":0`,
		"?since=2026-01-02T06:04:05Z": `"total":2`,
		"?until=2026-01-02T06:04:05Z": `"total":3`,
		"?since=yesterday":            `"code":"BAD_REQUEST"`,
		"?effect=Deny&effect=Permit":  `"code":"AMBIGUOUS_QUERY"`,
		"?limit=1001":                 `"code":"INVALID_PAGINATION"`,
		"?subject=%zz":                `"code":"BAD_REQUEST"`,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, canonical.Base+"/audit", nil)
		r.URL.RawQuery = strings.TrimPrefix(query, "?")
		s.handler.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), `"other"`) {
			t.Errorf("%s: %s", query, w.Body)
		}
	}
}
