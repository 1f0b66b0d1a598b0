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

func TestMeasureCountsTheSpanAlone(t *testing.T) {
	var did, closed atomic.Int64
	s, err := measure(context.Background(), load{Workers: 3, Warm: 20 * time.Millisecond, Span: 40 * time.Millisecond},
		func(context.Context, int) (worker, error) {
			return worker{
				do:    func() error { did.Add(1); time.Sleep(time.Millisecond); return nil },
				close: func() { closed.Add(1) },
			}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if s.Count == 0 || int64(s.Count) >= did.Load() || closed.Load() != 3 || s.P50 < time.Millisecond {
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
	address := srv.Listener.Addr().String()
	if _, err := measure(context.Background(), load{Workers: 2, Span: 50 * time.Millisecond}, reader(address, tp, 3)); err != nil {
		t.Fatal(err)
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
