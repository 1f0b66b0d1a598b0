package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

// Now starts a stream with what comes next.
const Now int64 = -1

// GapReconnect is the reason of a gap that the client found: the connection broke
// before the stream had told where it stands. From and To are 0 then.
const GapReconnect = "reconnect"

// Event is one message of the stream: a change, or a gap where Gap is not nil.
type Event struct {
	canonical.Event
	// Sequence orders the events and is where a later stream resumes; 0 for a gap.
	Sequence int64
	// Gap tells of events that cannot be had again.
	Gap *canonical.Gap
}

// Events follows the changes behind a sequence, Now for those to come. A broken
// connection is taken up again behind the last event; what the server has dropped
// meanwhile arrives as a gap, never as silence. It ends with ctx, whose error comes
// last, or with an answer that no waiting mends, such as 403. It is for development:
// a server in production has it switched off, or keeps it for administrators.
func (c *Client) Events(ctx context.Context, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := &follower{c: c, after: after, yield: yield}
		for failures := 0; ; {
			f.heard = false
			err := f.stream(ctx)
			if f.heard {
				failures = 0
			}
			failures++
			wait, again := f.mends(err, failures)
			switch {
			case errors.Is(err, errStopped):
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			case !again:
				yield(Event{}, err)
				return
			}
			if c.pause(ctx, wait+c.jitter(wait/2)) != nil {
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// errStopped says that the reader of the events wants no more.
var errStopped = errors.New("stopped")

// follower is one reading of the stream over several connections.
type follower struct {
	c     *Client
	after int64
	yield func(Event, error) bool
	opened,
	heard bool // a connection was answered; this one brought a message
}

// mends says whether err may pass, and how long to wait for that.
func (f *follower) mends(err error, failures int) (time.Duration, bool) {
	wait := backoff(failures)
	var cut *brokenError
	if errors.As(err, &cut) {
		return wait, true
	}
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable) {
		return max(wait, min(e.RetryAfter, patience)), true
	}
	return 0, false
}

// stream reads one connection until it breaks.
func (f *follower) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(f.c.silence, cancel)
	defer silent.Stop()
	r := get("/events")
	r.header.Set("Accept", "text/event-stream")
	if f.after >= 0 {
		r.header.Set("Last-Event-ID", strconv.FormatInt(f.after, 10))
	}
	resp, err := f.c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16)) // what is missing makes it none of Coffer's
		return refused(resp, body)
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "text/event-stream" {
		return errors.New("the answer is no event stream")
	}
	if err := f.lostTrack(); err != nil {
		return err
	}
	return readMessages(resp.Body, func() { silent.Reset(f.c.silence) }, f.message)
}

// lostTrack reports a gap where a second connection cannot tell what came before it.
func (f *follower) lostTrack() error {
	again := f.opened && f.after < 0
	f.opened = true
	if again && !f.yield(Event{Gap: &canonical.Gap{Reason: GapReconnect}}, nil) {
		return errStopped
	}
	return nil
}

// message hands one message on and moves the cursor.
func (f *follower) message(m message) error {
	e := Event{}
	var err error
	if m.name == canonical.EventGap {
		e.Gap = new(canonical.Gap)
		err = json.Unmarshal(m.data, e.Gap)
		f.after = max(f.after, e.Gap.To)
	} else {
		err = json.Unmarshal(m.data, &e.Event)
		if err == nil {
			e.Sequence, err = strconv.ParseInt(m.id, 10, 64)
		}
		f.after = max(f.after, e.Sequence)
	}
	if err != nil {
		return errors.New("a message of the stream is none of Coffer's")
	}
	f.heard = true
	if !f.yield(e, nil) {
		return errStopped
	}
	return nil
}
