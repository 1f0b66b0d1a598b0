package vault_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/vault"
)

func silent(asked) said { return said{silence: true} }

// C57, E18: without an answer a read is tried three times, a mutation once.
func TestE18_C57_Attempts(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*bench) error
		times int
	}{
		"get":  {func(b *bench) error { _, err := b.get(0); return err }, 3},
		"meta": {func(b *bench) error { _, err := b.Meta(context.Background(), ref("p")); return err }, 3},
		"list": {func(b *bench) error {
			_, err := b.List(context.Background(), ref("p"), secret.ListOptions{})
			return err
		}, 3},
		"put":    {(*bench).put, 1},
		"delete": {func(b *bench) error { return b.Delete(context.Background(), ref("p"), nil) }, 1},
		"destroy all": {func(b *bench) error {
			_, err := b.Destroy(context.Background(), ref("p"), secret.Selection{All: true})
			return err
		}, 1},
		"set metadata": {func(b *bench) error {
			_, err := b.SetMeta(context.Background(), ref("p"), secret.MetaChange{Merge: map[string]*string{"k": new("v")}})
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, silent, func(c *vault.Config) { c.Timeout = 400 * time.Millisecond })
			b.fails(c.do(b), fault.Timeout)
			if got := b.script.count(); got != c.times {
				t.Fatalf("%d attempts, want %d", got, c.times)
			}
		})
	}
}

func TestPausesBetweenAttempts(t *testing.T) {
	for random, want := range map[float64][]time.Duration{
		0:   {150 * time.Millisecond, 600 * time.Millisecond},
		0.5: {200 * time.Millisecond, 800 * time.Millisecond},
	} {
		b := newBench(t, silent, func(c *vault.Config) { c.Random = func() float64 { return random } })
		_, err := b.get(0)
		b.fails(err, fault.Timeout)
		close(b.pauses)
		var got []time.Duration
		for d := range b.pauses {
			got = append(got, d)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pauses %v, want %v", got, want)
		}
	}
}

func TestSecondAttemptSucceeds(t *testing.T) {
	first := true
	b := newBench(t, func(asked) said {
		if first {
			first = false
			return said{hangUp: true}
		}
		return said{status: 200, body: alive}
	}, nil)
	if _, err := b.get(0); err != nil {
		t.Fatal(err)
	}
	if len(b.seen) != 1 || b.seen[0] != "get" {
		t.Errorf("observed %q", b.seen)
	}
}

// All attempts together end with the operation's own limit.
func TestLimitOfOneOperation(t *testing.T) {
	b := newBench(t, silent, func(c *vault.Config) { c.Timeout, c.AttemptTimeout = 120*time.Millisecond, 100*time.Millisecond })
	start := time.Now()
	_, err := b.get(0)
	b.fails(err, fault.Timeout)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if n := b.script.count(); n > 2 {
		t.Errorf("%d attempts in the time of one and a bit", n)
	}
}

func TestRefusedConnectionIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	b := newBench(t, nil, func(c *vault.Config) { c.Address = "http://" + address })
	_, err = b.get(0)
	b.fails(err, fault.Unavailable)
	if len(b.pauses) != 2 {
		t.Errorf("%d pauses, want 2", len(b.pauses))
	}
	b.fails(b.put(), fault.Unavailable)
	if len(b.pauses) != 2 {
		t.Error("a mutation was tried again")
	}
}

func TestUntrustedCertificateIsNotTriedAgain(t *testing.T) {
	s := &script{respond: always(200, alive)}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // our refusal is not news
	server.StartTLS()
	t.Cleanup(server.Close)
	b := newBench(t, nil, func(c *vault.Config) { c.Address, c.AttemptTimeout = server.URL, 5*time.Second })
	_, err := b.get(0)
	b.fails(err, fault.ProviderFailed)
	if len(b.pauses) != 0 || s.count() != 0 {
		t.Error("tried again")
	}
	b = newBench(t, nil, func(c *vault.Config) { c.Address, c.SkipVerify, c.AttemptTimeout = server.URL, true, 5*time.Second })
	if _, err := b.get(0); err != nil {
		t.Errorf("without verification: %v", err)
	}
}

// C57: five failures open the circuit; after half a minute one operation tries.
func TestC57_CircuitBreaker(t *testing.T) {
	status := 500
	b := newBench(t, func(asked) said { return said{status: status, body: alive} }, nil)
	for range 5 {
		b.fails(b.put(), fault.ProviderFailed)
	}
	if b.opened != 1 {
		t.Fatalf("opened %d times", b.opened)
	}
	open := b.put()
	b.fails(open, fault.Unavailable)
	if wait := retryAfter(t, open); wait < 29*time.Second || wait > 30*time.Second {
		t.Errorf("retry after %v", wait)
	}
	if b.script.count() != 5 {
		t.Fatal("an open circuit lets requests through")
	}
	b.clock.Advance(30 * time.Second)
	b.fails(b.put(), fault.ProviderFailed)
	b.fails(b.put(), fault.Unavailable)
	if b.opened != 2 || b.script.count() != 6 {
		t.Fatalf("opened %d times after %d requests", b.opened, b.script.count())
	}
	b.clock.Advance(30 * time.Second)
	status = 200
	for range 3 {
		if _, err := b.get(0); err != nil {
			t.Fatal(err)
		}
	}
}

func retryAfter(t *testing.T, err error) time.Duration {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("no fault: %v", err)
	}
	return f.RetryAfter
}

func TestBreakerForgetsOldFailures(t *testing.T) {
	b := newBench(t, always(500, ``), nil)
	for range 4 {
		b.fails(b.put(), fault.ProviderFailed)
	}
	b.clock.Advance(time.Minute)
	for range 4 {
		b.fails(b.put(), fault.ProviderFailed)
	}
	if b.opened != 0 {
		t.Error("failures older than a minute count")
	}
}

// Refusals are answers of a healthy server; a caller that leaves says nothing.
func TestBreakerCountsFailuresAlone(t *testing.T) {
	for _, status := range []int{400, 403, 404, 429} {
		b := newBench(t, always(status, `{"errors":[]}`), nil)
		for range 8 {
			if _, err := b.get(0); fault.KindOf(err) == fault.Unavailable {
				t.Fatalf("status %d opened the circuit", status)
			}
		}
	}
	b := newBench(t, silent, func(c *vault.Config) { c.AttemptTimeout = 5 * time.Second })
	for range 6 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		_, err := b.Get(ctx, ref("p"), 0)
		cancel()
		b.fails(err, fault.Timeout)
	}
	if b.opened != 0 {
		t.Error("impatient callers opened the circuit")
	}
}

func TestOperationsInWorkAreLimited(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
		_, _ = io.WriteString(w, alive)
	}))
	t.Cleanup(server.Close)
	b := newBench(t, nil, func(c *vault.Config) {
		c.Address, c.Concurrent, c.AttemptTimeout = server.URL, 2, 5*time.Second
	})
	results := make(chan error, 2)
	for range 2 {
		go func() { _, err := b.get(0); results <- err }()
	}
	<-begun
	<-begun
	_, err := b.get(0)
	b.fails(err, fault.RateLimited)
	if retryAfter(t, err) != time.Second {
		t.Error("no advice when to try again")
	}
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestAPlaceIsFreeAgainAfterEachOperation(t *testing.T) {
	b := newBench(t, always(404, ``), func(c *vault.Config) { c.Concurrent = 1 })
	for range 3 {
		_, err := b.get(0)
		b.fails(err, fault.NotFound)
	}
}

// A standby sends to the active server: same path, once, and nowhere else.
func TestRedirects(t *testing.T) {
	active := newBench(t, always(200, alive), nil)
	server := httptest.NewServer(active.script)
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		status   int
		location string
		follows  bool
	}{
		"same path":          {307, server.URL + "/v1/secret/data/app/api", true},
		"permanent":          {308, server.URL + "/v1/secret/data/app/api", true},
		"another path":       {307, server.URL + "/v1/secret/data/other", false},
		"another status":     {302, server.URL + "/v1/secret/data/app/api", false},
		"no host":            {307, "/v1/secret/data/app/api", false},
		"another scheme":     {307, strings.Replace(server.URL, "http:", "ftp:", 1) + "/v1/secret/data/app/api", false},
		"with a user inside": {307, strings.Replace(server.URL, "http://", "http://u:p@", 1) + "/v1/secret/data/app/api", false},
	} {
		t.Run(name, func(t *testing.T) {
			standby := newBench(t, func(asked) said { return said{status: c.status, location: c.location} }, nil)
			before := active.script.count()
			err := standby.put()
			if followed := active.script.count() > before; followed != c.follows {
				t.Fatalf("followed: %t (%v)", followed, err)
			}
			if !c.follows {
				standby.fails(err, fault.ProviderFailed)
			}
		})
	}
}
