package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coffer-dev/coffer/internal/telemetry"
)

func probe(h http.Handler) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func passing(context.Context) error { return nil }

func TestReadyzTellsNamesAndNoInternals(t *testing.T) {
	var failure atomic.Value
	var heard []string
	h := telemetry.NewHealth(telemetry.HealthConfig{
		Checks: []telemetry.Check{{Name: "audit", Run: passing}, {Name: "ledger", Run: func(context.Context) error {
			err, _ := failure.Load().(error)
			return err
		}}},
		Sealed: func() bool { return true },
		Failed: func(name string, err error) { heard = append(heard, name+": "+err.Error()) },
		MaxAge: time.Nanosecond,
	})
	if code, body := probe(h.Readyz()); code != 200 || body != `{"status":"ok","checks":{"audit":"ok","ledger":"ok"}}` {
		t.Errorf("ready: %d %s", code, body)
	}
	failure.Store(errors.New("open /var/lib/" + canary))
	if code, body := probe(h.Readyz()); code != 503 || body != `{"status":"failed","checks":{"audit":"ok","ledger":"failed"}}` {
		t.Errorf("not ready: %d %s", code, body)
	}
	if code, body := probe(h.Healthz()); code != 503 ||
		body != `{"status":"failed","sealed":true,"checks":{"audit":"ok","ledger":"failed"}}` {
		t.Errorf("healthz: %d %s", code, body)
	}
	if code, body := probe(h.Live()); code != 200 || body != `{"status":"ok"}` {
		t.Errorf("live: %d %s", code, body)
	}
	if len(heard) != 2 || heard[0] != "ledger: open /var/lib/"+canary {
		t.Errorf("the log heard %q", heard)
	}
}

func TestDrainAndEmptyAreNotReady(t *testing.T) {
	h := telemetry.NewHealth(telemetry.HealthConfig{Checks: []telemetry.Check{{Name: "a", Run: passing}}})
	if code, body := probe(h.Healthz()); code != 200 || !strings.Contains(body, `"sealed":false`) {
		t.Errorf("before: %d %s", code, body)
	}
	h.Drain()
	if code, _ := probe(h.Readyz()); code != 503 {
		t.Errorf("draining: %d", code)
	}
	if code, _ := probe(h.Live()); code != 200 {
		t.Errorf("live while draining: %d", code)
	}
	if code, _ := probe(telemetry.NewHealth(telemetry.HealthConfig{}).Readyz()); code != 503 {
		t.Errorf("without checks: %d", code)
	}
}

func TestResultsAreUsedAgainForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		h := telemetry.NewHealth(telemetry.HealthConfig{Checks: []telemetry.Check{{Name: "a", Run: func(context.Context) error {
			runs.Add(1)
			return nil
		}}}})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { probe(h.Readyz()) })
		}
		all.Wait()
		time.Sleep(999 * time.Millisecond)
		probe(h.Healthz())
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs within a second, want 1", n)
		}
		time.Sleep(time.Millisecond)
		probe(h.Readyz())
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs after a second, want 2", n)
		}
	})
}

func TestAHangingCheckFailsAndIsNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		var runs atomic.Int32
		h := telemetry.NewHealth(telemetry.HealthConfig{Checks: []telemetry.Check{{Name: "a", Run: func(context.Context) error {
			runs.Add(1)
			<-free // does not heed its context
			return nil
		}}}})
		for range 3 {
			start := time.Now()
			if code, _ := probe(h.Readyz()); code != 503 || time.Since(start) > telemetry.DefaultCheckTimeout {
				t.Errorf("hanging: %d after %v", code, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("started %d times", n)
		}
		close(free)
		synctest.Wait()
		if code, _ := probe(h.Readyz()); code != 200 {
			t.Errorf("after it came back: %d", code)
		}
	})
}
