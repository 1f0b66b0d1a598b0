package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// The bare server must say to a client, byte for byte, what was recorded.
func TestBareRepeatsWhatWasRecorded(t *testing.T) {
	ctx := context.Background()
	original := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"3"`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"said":"` + r.Method + `"}`))
	}))
	defer original.Close()
	read, err := newTemplate(http.MethodGet, "/"+slot, "", "")
	if err != nil {
		t.Fatal(err)
	}
	put, err := newTemplate(http.MethodPost, "/", "", slot)
	if err != nil {
		t.Fatal(err)
	}
	a := answers{Methods: map[string]answer{}}
	for method, tp := range map[string]template{http.MethodGet: read, http.MethodPost: put} {
		if a.Methods[method], err = record(ctx, original.Listener.Addr().String(), tp); err != nil {
			t.Fatal(err)
		}
	}
	bare := httptest.NewServer(a)
	defer bare.Close()
	for _, tp := range []template{read, put} {
		want, err1 := record(ctx, original.Listener.Addr().String(), tp)
		got, err2 := record(ctx, bare.Listener.Addr().String(), tp)
		if err1 != nil || err2 != nil || !bytes.Equal(got.Body, want.Body) || got.Header.Get("Etag") != `"3"` || len(got.Header) != len(want.Header) {
			t.Errorf("%+v, %v; want %+v, %v", got, err2, want, err1)
		}
	}
}

func TestServeBareListensAndEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	address, err := freeAddress(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answers{Address: address, Methods: map[string]answer{http.MethodGet: {Body: []byte("here")}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answers")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- run(ctx, []string{bareRole, file}) }()
	for !ok(ctx, "http://"+address+"/") {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestEtcdAnswersLoads(t *testing.T) {
	ctx := context.Background()
	member, err := etcdnode.Open(ctx, etcdnode.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := member.Close(); err != nil {
			t.Error(err)
		}
	}()
	in, err := json.Marshal(load{Workers: 2, Span: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := answerLoads(ctx, member, bytes.NewReader(append(in, in...)), &out); err != nil {
		t.Fatal(err)
	}
	said := json.NewDecoder(strings.NewReader(out.String()))
	for range 2 {
		var s sample
		if err := said.Decode(&s); err != nil || s.Done < 2 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}
