package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What finishes before the span or after it is done but not counted.
func TestRunCountsTheSpanAlone(t *testing.T) {
	for name, c := range map[string]struct {
		start, end    time.Duration // from now
		done, counted int
	}{
		"up to an end between": {-time.Hour, 200 * time.Millisecond, 2, 1},
		"before the span":      {time.Hour, 200 * time.Millisecond, 2, 0},
		"behind the span":      {-2 * time.Hour, -time.Hour, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now, did := time.Now(), 0
			w := worker{do: func() error {
				if did++; did == 2 {
					time.Sleep(time.Until(now.Add(c.end)) + time.Millisecond)
				}
				return nil
			}}
			took, done, err := w.run(context.Background(), now.Add(c.start), now.Add(c.end))
			if err != nil || done != c.done || len(took) != c.counted {
				t.Fatalf("%d done, %d counted, %v; want %d, %d", done, len(took), err, c.done, c.counted)
			}
		})
	}
}

func TestMeasureAddsUpItsWorkers(t *testing.T) {
	var did, closed atomic.Int64
	s, err := measure(context.Background(), load{Workers: 3, Span: 20 * time.Millisecond},
		func(context.Context, int) (worker, error) {
			return worker{do: func() error { did.Add(1); return nil }, close: func() { closed.Add(1) }}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if int64(s.Done) != did.Load() || s.Count > s.Done || closed.Load() != 3 {
		t.Fatalf("%+v of %d operations, %d workers closed", s, did.Load(), closed.Load())
	}
}

func TestMeasureEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	var closed atomic.Int64
	_, err := measure(context.Background(), load{Workers: 2, Span: 10 * time.Millisecond},
		func(_ context.Context, n int) (worker, error) {
			return worker{func() error {
				if n == 1 {
					return broken
				}
				return nil
			}, func() { closed.Add(1) }}, nil
		})
	if !errors.Is(err, broken) || closed.Load() != 2 {
		t.Fatalf("%v, %d workers closed", err, closed.Load())
	}
	_, err = measure(context.Background(), load{Workers: 2, Span: time.Second}, func(_ context.Context, n int) (worker, error) {
		if n == 1 {
			return worker{}, broken
		}
		return worker{close: func() { closed.Add(1) }}, nil
	})
	if !errors.Is(err, broken) || closed.Load() != 3 {
		t.Fatalf("%v, %d workers closed", err, closed.Load())
	}
}

// names collects what a server is asked for.
type names struct {
	mu   sync.Mutex
	seen map[string]int
}

func (n *names) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[r.URL.Path+string(body)]++
}

func TestFillWritesEachOnce(t *testing.T) {
	seen := &names{seen: map[string]int{}}
	srv := httptest.NewServer(seen)
	defer srv.Close()
	tp, err := newTemplate("POST", "/", "", slot)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(context.Background(), srv.Listener.Addr().String(), tp, 5, 205); err != nil {
		t.Fatal(err)
	}
	if len(seen.seen) != 200 || seen.seen["/000005"] != 1 || seen.seen["/000204"] != 1 {
		t.Fatalf("%d names: %v", len(seen.seen), seen.seen)
	}
}

func TestReadersStayInBounds(t *testing.T) {
	seen := &names{seen: map[string]int{}}
	srv := httptest.NewServer(seen)
	defer srv.Close()
	tp, err := newTemplate("GET", "/"+slot, "", "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := reader(srv.Listener.Addr().String(), tp, 3)(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for range 100 {
		if err := w.do(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.seen) != 3 || seen.seen["/000002"] == 0 {
		t.Fatalf("%v, want the first three", seen.seen)
	}
}

func TestWritersKeepApart(t *testing.T) {
	seen := &names{seen: map[string]int{}}
	srv := httptest.NewServer(seen)
	defer srv.Close()
	tp, err := newTemplate("POST", "/", "", slot)
	if err != nil {
		t.Fatal(err)
	}
	open := writer(srv.Listener.Addr().String(), tp)
	for n := range 2 {
		w, err := open(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if err := w.do(); err != nil {
				t.Fatal(err)
			}
		}
		w.close()
	}
	if len(seen.seen) != 10 || seen.seen["/000001"] != 1 || seen.seen["/001001"] != 1 {
		t.Fatalf("%v, want five names of each", seen.seen)
	}
}

func TestRefusalFailsTheCell(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	tp, err := newTemplate("GET", "/"+slot, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = measure(context.Background(), load{Workers: 1, Span: time.Second}, reader(srv.Listener.Addr().String(), tp, 1))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("%v, want the 404", err)
	}
}
