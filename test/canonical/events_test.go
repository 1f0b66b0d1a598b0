package canonical

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// sse is one message of the stream.
type sse struct{ id, name, data string }

// listener reads the event stream.
type listener struct {
	events chan sse
	header http.Header
	mu     sync.Mutex
	all    strings.Builder
}

// listen opens the stream behind an id; "" is the end of the log.
func (s *server) listen(t testing.TB, after string, ws ...with) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	for _, w := range ws {
		w(req)
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") || res.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	l := &listener{events: make(chan sse, 10_000), header: res.Header}
	go func() {
		defer res.Body.Close()
		defer close(l.events)
		var e sse
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			line := in.Text()
			l.mu.Lock()
			l.all.WriteString(line + "\n")
			l.mu.Unlock()
			name, value, _ := strings.Cut(line, ": ")
			switch {
			case line == "" && e != sse{}:
				l.events <- e
				e = sse{}
			case name == "id":
				e.id = value
			case name == "event":
				e.name = value
			case name == "data":
				e.data += value
			}
		}
	}()
	return l
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// next waits for the next message.
func (l *listener) next(t testing.TB) sse {
	t.Helper()
	select {
	case e, ok := <-l.events:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(15 * time.Second):
		t.Fatalf("no event behind\n%s", l.text())
	}
	return sse{}
}

// quiet wants no further message.
func (l *listener) quiet(t testing.TB) {
	t.Helper()
	select {
	case e, ok := <-l.events:
		if ok {
			t.Errorf("one event too many: %+v", e)
		}
	case <-time.After(300 * time.Millisecond):
	}
}

// told is the data of an event.
type told struct {
	TS            string `json:"ts"`
	Event         string `json:"event"`
	VaultType     string `json:"vault_type"`
	ResourceRef   string `json:"resource_ref"`
	SourceRef     string `json:"source_ref"`
	Subject       string `json:"subject"`
	Purpose       string `json:"purpose"`
	Effect        string `json:"effect"`
	DecisionID    string `json:"decision_id"`
	Version       int    `json:"kv_version"`
	Success       bool   `json:"success"`
	CorrelationID string `json:"correlation_id"`
}

func (e sse) told(t testing.TB) (out told) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.data), &out); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return out
}

func TestC54_resume(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	live := s.listen(t, "")
	uri := fresh("c54")
	for i := range 5 {
		s.put(t, uri, obj{"n": i}, header("X-Correlation-ID", fmt.Sprintf("c54-%d", i)))
	}
	var all []sse
	for i := range 5 {
		e := live.next(t)
		d := e.told(t)
		if d.Event != "SECRET_UPDATED" || e.name != d.Event || d.Version != i+1 || d.CorrelationID != fmt.Sprintf("c54-%d", i) ||
			d.Purpose != "write" || d.Effect != "Permit" || !d.Success || d.Subject != "anonymous" || len(d.ResourceRef) != 43 || d.DecisionID == "" || d.TS == "" || d.VaultType == "" {
			t.Errorf("event %d: %+v", i, e)
		}
		held(t).Schema(t, "Event", []byte(e.data))
		all = append(all, e)
	}
	again := s.listen(t, all[1].id)
	for i := 2; i < 5; i++ {
		if e := again.next(t); e != all[i] {
			t.Errorf("%+v, want %+v", e, all[i])
		}
	}
	again.quiet(t)
	for _, bad := range []string{"x", "-1", "1.5", "+1", "99999999999999999999"} {
		if a := s.get(t, "/events", nil, header("Last-Event-ID", bad)); a.status != 400 {
			t.Errorf("Last-Event-ID %s: %s", bad, a)
		}
	}
}

// Every change is told once, by its name.
func TestC54_names(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	live := s.listen(t, "")
	uri, to := fresh("names"), fresh("names")
	s.put(t, uri, obj{"a": 1, "b": 2})
	s.post(t, "/rotate", obj{"uri": uri, "value": obj{"a": 2, "b": 2}}).want(t, 200)
	s.del(t, q{"uri": uri}).want(t, 200)
	s.post(t, "/undelete", obj{"uri": uri, "versions": []int{2}}).want(t, 200)
	s.post(t, "/destroy-versions", obj{"uri": uri, "versions": []int{1}}).want(t, 200)
	s.post(t, "/metadata/owner", obj{"uri": uri, "owner": "o"}).want(t, 200)
	s.post(t, "/copy", transfer(uri, to)).want(t, 200)
	s.post(t, "/move", forced(uri, to)).want(t, 200)
	s.del(t, q{"uri": to, "destroy": "true"}).want(t, 200)
	want := []string{
		"SECRET_UPDATED", "SECRET_ROTATED", "SECRET_DELETED", "SECRET_UNDELETED", "SECRET_VERSION_DESTROYED", "SECRET_OWNER_UPDATED",
		"SECRET_UPDATED", "SECRET_MOVED", "SECRET_DESTROYED",
	}
	last := ""
	for _, name := range want {
		e := live.next(t)
		if e.name == "SECRET_READ" { // of the copy's source
			e = live.next(t)
		}
		d := e.told(t)
		if e.name != name || name == "SECRET_MOVED" && (len(d.SourceRef) != 43 || d.SourceRef == d.ResourceRef) {
			t.Errorf("%+v, want %s", e, name)
		}
		if len(e.id) < len(last) || len(e.id) == len(last) && e.id <= last {
			t.Errorf("id %s behind %s", e.id, last)
		}
		last = e.id
	}
	live.quiet(t)
	// A refused or idle request tells nothing, a read is told.
	s.post(t, "", obj{"uri": uri, "value": 1}).want(t, 400)
	s.del(t, q{"uri": fresh("never")}).want(t, 200)
	live.quiet(t)
	s.put(t, uri, obj{"a": 1})
	live.next(t)
	s.value(t, uri).want(t, 200)
	if e := live.next(t); e.name != "SECRET_READ" || e.told(t).Version == 0 {
		t.Errorf("%+v", e)
	}
}

// The stream ends soon after the token has expired.
func TestC54_expiry(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	l := s.listen(t, "", s.as(t, "alice", "--groups", "dev", "--ttl", "2s"))
	deadline := time.After(30 * time.Second)
	for {
		select {
		case _, ok := <-l.events:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatal("the stream outlives its token by 30 s")
		}
	}
}
