package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/internal/event"
	"github.com/coffer-dev/coffer/internal/fault"
)

// fullPage is how many events make it worth while to look for more at once.
const fullPage = 256

// sequenceCursor is how far the log was mirrored.
type sequenceCursor struct {
	Sequence int64 `json:"sequence"`
}

// mirrorEvents pumps the tenant's log, from its beginning when it is mirrored for
// the first time.
func mirrorEvents(ctx context.Context, f *feed) error {
	var at sequenceCursor
	if err := f.cursor.load(ctx, &at); err != nil {
		return err
	}
	nothing := func() {}
	if err := f.send(ctx, nil, nothing); err != nil {
		return err
	}
	p := &page{feed: f}
	follower := event.Follower{Log: f.c.Events, Tenant: f.c.Tenant, After: at.Sequence}
	follower.Settle = func(after int64) error {
		sent := len(p.records)
		if err := f.send(ctx, p.records, nothing); err != nil {
			return err
		}
		p.records = p.records[:0]
		if err := f.save(ctx, sequenceCursor{Sequence: after}); err != nil {
			return err
		}
		if sent >= fullPage {
			return nil
		}
		return f.c.wait(ctx, f.c.Pace) // what comes meanwhile shares the next batch and cursor
	}
	return follower.Follow(ctx, p)
}

// page gathers the records of one stretch of the log.
type page struct {
	feed    *feed
	records []*kgo.Record
}

// Event implements event.Reader. Events of other topics are for other feeds.
func (p *page) Event(e event.Event) error {
	if e.Topic != event.TopicKV {
		return nil
	}
	return p.add(e.Sequence, e.Name, e.ResourceRef, canonical.Event{
		Time: e.Time.UTC().Format(time.RFC3339Nano), Event: e.Name, VaultType: e.Backend,
		ResourceRef: e.ResourceRef, SourceRef: e.SourceRef, Subject: e.Subject, Purpose: e.Purpose,
		Effect: e.Effect, DecisionID: e.DecisionID, KVVersion: e.Version, Success: e.Success,
		Error: e.Error, Cached: e.Cached, CorrelationID: e.CorrelationID,
	})
}

// Gap implements event.Reader.
func (p *page) Gap(g event.Gap) error {
	p.feed.gap("events are gone that were not mirrored", "from", g.From, "to", g.To)
	return p.add(g.To, canonical.EventGap, "", canonical.Gap{From: g.From, To: g.To, Reason: g.Reason})
}

func (p *page) add(sequence int64, name, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode event")
	}
	r := &kgo.Record{Value: value, Headers: []kgo.RecordHeader{
		{Key: "id", Value: strconv.AppendInt(nil, sequence, 10)}, {Key: "event", Value: []byte(name)},
	}}
	if key != "" {
		r.Key = []byte(key)
	}
	p.records = append(p.records, r)
	return nil
}
