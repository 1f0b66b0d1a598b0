package canonical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	api "github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/internal/activity"
	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
)

// The stream is pinged so that proxies keep it, and the caller's right to it is
// looked at again within 30 s of its loss.
const (
	pingEvery  = 15 * time.Second
	writeLimit = 10 * time.Second
)

// events streams what changed as server-sent events, from behind Last-Event-ID on.
func (h handlers) events(w http.ResponseWriter, r *door.Request) error {
	if err := noMatch(r); err != nil {
		return err
	}
	after, err := h.cursor(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	var watching sync.WaitGroup
	defer watching.Wait() // it writes too, and may not after the handler has returned
	defer cancel(nil)
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	s := &stream{w: w, out: http.NewResponseController(w)}
	defer func() { _ = s.out.SetWriteDeadline(time.Time{}) }() // the connection may serve others
	if err := s.write(": hello\n\n"); err != nil {
		return nil // the client is gone
	}
	watching.Go(func() { h.watch(ctx, cancel, s, r) })
	if err := h.c.Activity.Follow(ctx, r.Principal, after, s); err != nil && ctx.Err() == nil && !errors.Is(err, errGone) {
		return fmt.Errorf("follow events: %w", err)
	}
	return nil
}

// cursor is the sequence to go on behind: the client's, or the end of the log. One
// beyond the end, of a log that was restored from a backup, is the end: else what
// comes next would be skipped in silence.
func (h handlers) cursor(r *door.Request) (int64, error) {
	end, err := h.c.Activity.End(r.Context(), r.Principal)
	id := r.Header.Get("Last-Event-ID")
	if id == "" || err != nil {
		return end, err
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || id[0] == '+' || id[0] == '-' {
		return 0, fault.New(fault.Invalid, "Last-Event-ID is malformed")
	}
	return min(n, end), nil
}

// watch pings, and ends the stream when the caller loses the right to it, its token
// expires, or the server closes.
func (h handlers) watch(ctx context.Context, end context.CancelCauseFunc, s *stream, r *door.Request) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	var expired <-chan time.Time
	if exp := r.Principal.Expires; !exp.IsZero() {
		t := time.NewTimer(time.Until(exp))
		defer t.Stop()
		expired = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.c.Closing:
			end(errors.New("closing"))
			return
		case <-expired:
			end(errors.New("token expired"))
			return
		case <-tick.C:
		}
		if h.c.Auth != nil && !r.Credentials.HasProof() {
			p, err := h.c.Auth.Authenticate(ctx, r.Credentials)
			if err == nil {
				err = h.c.Activity.Admit(p)
			}
			if err != nil && !errors.Is(err, fault.Unavailable) {
				end(errors.New("right lost"))
				return
			}
		}
		if err := s.write(": ping\n\n"); err != nil {
			end(err)
			return
		}
	}
}

// errGone says that the client does not take the stream any more.
var errGone = errors.New("client gone")

// stream writes server-sent events; events and pings come from two goroutines.
type stream struct {
	mu  sync.Mutex
	w   http.ResponseWriter
	out *http.ResponseController
}

func (s *stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.SetWriteDeadline(time.Now().Add(writeLimit)) // not every connection has deadlines
	if _, err := s.w.Write([]byte(text)); err != nil {
		return errGone
	}
	if err := s.out.Flush(); err != nil {
		return errGone
	}
	return nil
}

// Event sends one event.
func (s *stream) Event(e activity.Event) error {
	data, err := json.Marshal(api.Event{
		Time: stamp(e.Time), Event: e.Name, VaultType: e.Backend, ResourceRef: e.ResourceRef, SourceRef: e.SourceRef,
		Subject: e.Subject, Purpose: e.Purpose, Effect: e.Effect, DecisionID: e.DecisionID, KVVersion: e.Version,
		Success: e.Success, Error: e.Error, Cached: e.Cached, CorrelationID: e.CorrelationID,
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode event")
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Sequence, e.Name, data))
}

// Gap tells that events are gone.
func (s *stream) Gap(g activity.Gap) error {
	return s.write(fmt.Sprintf("id: %d\nevent: gap\ndata: {\"from\":%d,\"to\":%d,\"reason\":%q}\n\n", g.To, g.From, g.To, g.Reason))
}

func (h handlers) audit(w http.ResponseWriter, r *door.Request) error {
	if err := h.c.Activity.Admit(r.Principal); err != nil {
		return err
	}
	q, err := listQuery(r)
	if err != nil {
		return err
	}
	page, err := q.paging()
	if err != nil {
		return err
	}
	if page.Limit == 0 {
		page.Limit = 100
	}
	query := activity.Query{}
	for name, into := range map[string]*string{
		"subject": &query.Subject, "purpose": &query.Purpose, "effect": &query.Effect,
		"resource_ref": &query.ResourceRef, "event": &query.Event, "correlation_id": &query.CorrelationID,
	} {
		if *into, _, err = q.one(name); err != nil {
			return err
		}
	}
	for name, into := range map[string]*time.Time{"since": &query.Since, "until": &query.Until} {
		text, ok, err := q.one(name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if *into, err = time.Parse(time.RFC3339, text); err != nil {
			return fault.New(fault.Invalid, "%s must be a time of RFC 3339", name)
		}
	}
	items, total, err := h.c.Activity.Audit(r.Context(), r.Principal, query, page.Offset, page.Limit)
	if err != nil {
		return err
	}
	if items == nil {
		items = []activity.Record{}
	}
	return door.JSON(w, http.StatusOK, struct {
		Items  []activity.Record `json:"items"`
		Total  int               `json:"total"`
		Offset int               `json:"offset"`
		Limit  int               `json:"limit"`
	}{items, total, page.Offset, page.Limit})
}
