package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

const streamHeaders = "Content-Type: text/event-stream|Cache-Control: no-cache"

func told(id int) string {
	return fmt.Sprintf("id: %d\nevent: SECRET_UPDATED\ndata: "+
		`{"ts":"2026-01-02T15:04:05Z","event":"SECRET_UPDATED","vault_type":"coffer","resource_ref":"%s","subject":"me","purpose":"write","effect":"Permit","decision_id":"d","kv_version":%d,"success":true,"cached":false,"correlation_id":"c"}`+
		"\n\n", id, strings.Repeat("r", 43), id)
}

func stream(messages ...string) step {
	return step{status: 200, headers: streamHeaders, body: strings.Join(messages, "")}
}

// follow reads a stream to its end or until limit messages came.
func follow(ctx context.Context, c *Client, after int64, limit int) (got []string, end error) {
	for e, err := range c.Events(ctx, after) {
		switch {
		case err != nil:
			return got, err
		case e.Gap != nil:
			got = append(got, fmt.Sprintf("gap %d-%d %s", e.Gap.From, e.Gap.To, e.Gap.Reason))
		default:
			got = append(got, fmt.Sprintf("%d %s v%d", e.Sequence, e.Event.Event, e.KVVersion))
		}
		if len(got) == limit {
			break
		}
	}
	return got, nil
}

func TestAStreamIsTakenUpBehindTheLastEvent(t *testing.T) {
	const gap = "event: gap\ndata: " + `{"from":5,"to":9,"reason":"retention"}` + "\n\n"
	client, s := play(t,
		stream(": ping\n\n", told(3), told(5), "id: 6\nevent: SECRET_UPDATED\ndata: {\"cut o"),
		step{}, // the connection is refused for a while
		refusal(503, "AUDIT_UNAVAILABLE"),
		stream(gap, told(12)),
		stream(told(13), told(14)),
	)
	got, err := follow(t.Context(), client, 2, 5)
	want := []string{"3 SECRET_UPDATED v3", "5 SECRET_UPDATED v5", "gap 5-9 retention", "12 SECRET_UPDATED v12", "13 SECRET_UPDATED v13"}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q, %v", got, err)
	}
	var from []string
	for _, r := range s.done() {
		from = append(from, r.header.Get("Last-Event-ID"))
	}
	if want := []string{"2", "5", "5", "5", "12"}; !slices.Equal(from, want) {
		t.Fatalf("resumed at %q, want %q", from, want)
	}
	// The wait grows while nothing comes, minds the server, and shrinks again.
	if want := []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, time.Second, 200 * time.Millisecond}; !slices.Equal(s.waits, want) {
		t.Fatalf("waits %v, want %v", s.waits, want)
	}
}

// A gap moves the cursor: what is gone is not asked for again.
func TestAGapIsToldOnce(t *testing.T) {
	client, s := play(t, stream("event: gap\ndata: {\"from\":0,\"to\":9,\"reason\":\"damage\"}\n\n"), stream(told(10)))
	got, err := follow(t.Context(), client, 0, 2)
	if err != nil || !slices.Equal(got, []string{"gap 0-9 damage", "10 SECRET_UPDATED v10"}) {
		t.Fatal(got, err)
	}
	if r := s.done(); r[0].header.Get("Last-Event-ID") != "0" || r[1].header.Get("Last-Event-ID") != "9" {
		t.Fatal(r)
	}
}

// A stream that broke before it told where it stands cannot say what was missed.
func TestAConnectionWithoutAPositionIsAGap(t *testing.T) {
	client, s := play(t, step{}, stream(": ping\n\n"), stream(told(4)))
	got, err := follow(t.Context(), client, Now, 2)
	if err != nil || !slices.Equal(got, []string{"gap 0-0 reconnect", "4 SECRET_UPDATED v4"}) {
		t.Fatal(got, err)
	}
	for _, r := range s.done() {
		if r.header.Values("Last-Event-ID") != nil {
			t.Fatal("a position was made up")
		}
	}
	client, _ = play(t, stream(), stream(told(4)))
	if got, err := follow(t.Context(), client, Now, 1); err != nil || !slices.Equal(got, []string{"gap 0-0 reconnect"}) {
		t.Fatal(got, err)
	}
}

func TestAStreamEndsWhereWaitingMendsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		step step
		code string
	}{
		"off":            {refusal(404, canonical.CodeNotFound), "NOT_FOUND"},
		"not allowed":    {refusal(403, canonical.CodeAuthzFailed), "SECRET_AUTHZ_FAILED"},
		"expired":        {refusal(401, canonical.CodeUnauthenticated), "UNAUTHENTICATED"},
		"bug":            {refusal(500, canonical.CodeInternal), "INTERNAL"},
		"no stream":      {step{status: 200, body: `{}`, foreign: true}, ""},
		"no JSON":        {stream("id: 1\ndata: x\n\n"), ""},
		"gap of no JSON": {stream("event: gap\ndata: x\n\n"), ""},
		"no sequence":    {stream("data: {}\n\n"), ""},
		"endless line":   {stream(": " + strings.Repeat("x", maxLine)), ""},
	} {
		client, s := play(t, c.step)
		if _, err := follow(t.Context(), client, Now, 0); err == nil || CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		s.done()
	}
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(told(1)))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range c.Events(ctx, Now) {
		n++
		switch {
		case n == 1 && err == nil:
			cancel()
		case n != 2 || !errors.Is(err, context.Canceled):
			t.Fatal(n, err)
		}
	}
	if n != 2 {
		t.Fatalf("%d messages", n)
	}
}

func TestASilentStreamIsDead(t *testing.T) {
	connections := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections <- r.Header.Get("Last-Event-ID")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(told(len(connections))))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	c.silence = 20 * time.Millisecond
	c.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	if got, err := follow(t.Context(), c, 0, 2); err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if first, second := <-connections, <-connections; first != "0" || second != "1" {
		t.Fatalf("positions %q, %q", first, second)
	}
}

func TestMessages(t *testing.T) {
	for text, want := range map[string]string{
		"data: a\n\n":                        "||a",
		"data:a\ndata: b\ndata\n\n":          "||a\nb\n",
		"id: 1\nevent: e\r\ndata: a\r\n\r\n": "1|e|a",
		": comment\n\n":                      "",
		"event: e\n\n":                       "",
		"other: x\ndata: a\n\n":              "||a",
		"data: cut off":                      "",
		"data: cut off\n":                    "",
		"id: 1\ndata: a\n\ndata: b\n\n":      "1||a 1||b",
		"event: e\ndata: a\n\ndata: b\n\n":   "|e|a ||b",
		"data: a: b\n\n":                     "||a: b",
	} {
		var got []string
		err := readMessages(strings.NewReader(text), func() {}, func(m message) error {
			got = append(got, m.id+"|"+m.name+"|"+string(m.data))
			return nil
		})
		var cut *brokenError
		if strings.Join(got, " ") != want || !errors.As(err, &cut) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(told(1))
	f.Add("event: gap\ndata: {}\n\n")
	f.Add("id\ndata\n\r\n\n:")
	f.Fuzz(func(t *testing.T, text string) {
		err := readMessages(strings.NewReader(text), func() {}, func(m message) error {
			if m.data == nil || strings.ContainsAny(m.id+m.name, "\n") {
				t.Fatalf("%+v", m)
			}
			return nil
		})
		if err == nil {
			t.Fatal("a stream ended well")
		}
	})
}
