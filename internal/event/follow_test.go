package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
)

// log is an event log in memory, with a switch for faults.
type log struct {
	mu   sync.Mutex
	list []event.Entry
	lost int64
	fail error
	bell chan struct{}
	read int
}

func newLog() *log { return &log{bell: make(chan struct{}, 1)} }

func (l *log) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		seq := int64(len(l.list)+1) * 10
		body, _ := event.Event{Name: fmt.Sprintf("E%d", seq)}.Encode()
		l.list = append(l.list, event.Entry{Sequence: seq, Body: body})
	}
}

func (l *log) set(fail error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = fail
}

func (l *log) ReadLog(_ context.Context, _ string, after int64, limit int) (event.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read++
	if l.fail != nil {
		return event.Page{}, l.fail
	}
	var page event.Page
	if after < l.lost {
		page.Lost, after = l.lost, l.lost
	}
	for _, e := range l.list {
		if e.Sequence > after && len(page.List) < limit {
			page.List = append(page.List, e)
		}
	}
	return page, nil
}

func (l *log) End(context.Context) (int64, error) { return 0, nil }

func (l *log) Ring(context.Context, string) <-chan struct{} { return l.bell }

// reader remembers what it is told and may refuse.
type reader struct {
	mu   sync.Mutex
	told []string
	stop string
}

func (r *reader) tell(s string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s == r.stop {
		return errors.New("enough")
	}
	r.told = append(r.told, s)
	return nil
}

func (r *reader) Event(e event.Event) error { return r.tell(fmt.Sprintf("%s@%d", e.Name, e.Sequence)) }
func (r *reader) Gap(g event.Gap) error {
	return r.tell(fmt.Sprintf("gap %d-%d %s", g.From, g.To, g.Reason))
}

func (r *reader) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := newLog(), &reader{}
		l.add(600) // more than two stretches
		l.lost = 20
		ctx, cancel := context.WithCancel(t.Context())
		var settled []int64
		f := event.Follower{Log: l, Tenant: "dev", After: 5, Settle: func(after int64) error {
			settled = append(settled, after)
			return nil
		}}
		done := make(chan error)
		go func() { done <- f.Follow(ctx, r) }()
		synctest.Wait()
		got := r.all()
		if len(got) != 599 || got[0] != "gap 5-20 retention" || got[1] != "E30@30" || got[598] != "E6000@6000" {
			t.Errorf("%d told, %q ...", len(got), got[:2])
		}
		if fmt.Sprint(settled) != "[2580 5140 6000]" {
			t.Errorf("settled %v", settled)
		}
		l.add(1)
		l.bell <- struct{}{}
		synctest.Wait()
		if n := len(r.all()); n != 600 {
			t.Errorf("the bell was not heard: %d", n)
		}
		l.add(1) // no bell: it is found all the same
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := len(r.all()); n != 601 {
			t.Errorf("without a bell: %d", n)
		}
		l.set(fault.New(fault.Unavailable, "sealed"))
		l.add(1)
		l.bell <- struct{}{}
		time.Sleep(5 * time.Second)
		l.set(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(r.all()); n != 602 || f.After != 6030 {
			t.Errorf("after an outage: %d, cursor %d", n, f.After)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestFollowEnds(t *testing.T) {
	l := newLog()
	l.add(3)
	l.lost = 10
	for _, stop := range []string{"gap 0-10 retention", "E20@20"} {
		f := event.Follower{Log: l, Tenant: "dev"}
		if err := f.Follow(t.Context(), &reader{stop: stop}); err == nil || err.Error() != "enough" {
			t.Errorf("%s: %v", stop, err)
		}
		if want := map[string]int64{"E20@20": 10}[stop]; f.After != want { // what was refused is not behind the cursor
			t.Errorf("%s: cursor %d", stop, f.After)
		}
	}
	no := errors.New("no")
	f := event.Follower{Log: l, Tenant: "dev", Settle: func(int64) error { return no }}
	if err := f.Follow(t.Context(), &reader{}); !errors.Is(err, no) {
		t.Error(err)
	}
	l.set(fault.New(fault.Corrupt, "broken"))
	if err := (&event.Follower{Log: l}).Follow(t.Context(), &reader{}); !errors.Is(err, fault.Corrupt) {
		t.Error(err)
	}
	l.set(nil)
	l.list = []event.Entry{{Sequence: 99, Body: []byte("{")}}
	if err := (&event.Follower{Log: l}).Follow(t.Context(), &reader{}); !errors.Is(err, fault.Corrupt) {
		t.Error(err)
	}
}

func TestEventRoundTrip(t *testing.T) {
	in := event.Event{Name: event.SecretMoved, SourceRef: "s", Version: 3, Success: true, Old: []byte(`{}`), New: []byte(`{"a":1}`), Time: time.Unix(5, 0).UTC()}
	body, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := event.Decode(424242, body)
	if in.Sequence = 424242; err != nil || fmt.Sprintf("%+v", out) != fmt.Sprintf("%+v", in) {
		t.Errorf("%+v %v", out, err)
	}
	if bytes.Contains(body, []byte(`424242`)) {
		t.Errorf("the sequence is the log's: %s", body)
	}
}

// appender remembers batches.
type appender struct {
	mu      sync.Mutex
	batches []int
	fail    error
	gate    chan struct{}
}

func (a *appender) Append(_ context.Context, _ string, bodies [][]byte) error {
	if a.gate != nil {
		<-a.gate
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches = append(a.batches, len(bodies))
	return a.fail
}

func TestTellerGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &appender{}
		teller := event.NewTeller(a, "dev", slog.New(slog.DiscardHandler))
		for range 250 {
			teller.Tell(event.Event{Name: event.SecretRead})
		}
		time.Sleep(time.Second)
		teller.Tell(event.Event{})
		teller.Close()
		teller.Close()
		teller.Tell(event.Event{}) // too late, and no harm
		if fmt.Sprint(a.batches) != "[100 100 50 1]" {
			t.Errorf("batches %v", a.batches)
		}
	})
}

func TestTellerDropsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &appender{gate: make(chan struct{})}
		teller := event.NewTeller(a, "dev", slog.New(slog.DiscardHandler))
		for range 5000 { // returns at once, though nobody takes them
			teller.Tell(event.Event{})
		}
		synctest.Wait()
		close(a.gate)
		teller.Close()
		total := 0
		for _, n := range a.batches {
			total += n
		}
		if total < 1024 || total > 1124 {
			t.Errorf("%d were kept", total)
		}
	})
}

// A store that is gone is told of once, and holds up no stop.
func TestTellerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		a := &appender{fail: fault.New(fault.Timeout, "gone"), gate: make(chan struct{})}
		teller := event.NewTeller(a, "dev", slog.New(slog.NewTextHandler(&lines, nil)))
		for range 1000 {
			teller.Tell(event.Event{})
		}
		go func() {
			time.Sleep(time.Second)
			close(a.gate)
		}()
		teller.Close()
		if len(a.batches) != 1 || strings.Count(lines.String(), "events were not stored") != 1 {
			t.Errorf("batches %v, log %s", a.batches, lines.String())
		}
	})
}
