package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/coffer-dev/coffer/internal/policy"
)

const (
	maxBatch = 50 // evaluations in one call, each of another resource
	// maxOutputs is maxBatch where rule outputs are asked for: Cerbos repeats the
	// outputs of the whole batch in every item, so the answer grows with the square.
	maxOutputs = 10
	parallel   = 8 // calls that one DecideAll keeps under way
)

// DecideAll answers rs in order: reads as Decide does, everything else in batches.
// Once a call fails, what has not been asked yet is refused as unavailable instead
// of waiting for each time-out in turn.
func (d *Decider) DecideAll(ctx context.Context, rs []policy.Request) []policy.Decision {
	out := make([]policy.Decision, len(rs))
	var reads, others []int
	for i, r := range rs {
		out[i] = d.refuse(policy.ReasonUnavailable)
		if r.Purpose == policy.Execute {
			reads = append(reads, i)
		} else {
			others = append(others, i)
		}
	}
	spread(reads, func(i int) error {
		out[i] = d.decideRead(ctx, rs[i])
		if out[i].Reason == policy.ReasonUnavailable && !out[i].Cached {
			return errUnavailable
		}
		return nil
	})
	items := d.fold(ctx, rs, others)
	if len(items) == 1 || !d.askBatches(ctx, rs, items) {
		spread(items, func(it *item) error { return d.askItem(ctx, rs, it) })
	}
	for _, it := range items {
		if it.answered {
			it.conclude(d, rs, out)
		}
	}
	return out
}

var errUnavailable = errors.New("decision point: unavailable")

// spread runs do for each of xs, a few at a time, and starts no more once one fails.
func spread[T any](xs []T, do func(T) error) {
	var g errgroup.Group
	g.SetLimit(parallel)
	var failed atomic.Bool
	for _, x := range xs {
		g.Go(func() error {
			if !failed.Load() && do(x) != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait() // do has kept what went wrong
}

// item is one distinct question and the requests that it stands for.
type item struct {
	question
	requests []int
	asked    uint64 // era
	answered bool
	answer   answer
}

// conclude gives every request of the item its decision, each with its own id where
// the decision point gave none.
func (it *item) conclude(d *Decider, rs []policy.Request, out []policy.Decision) {
	d.era.settle(it.asked, it.answer.policyVersion)
	for _, i := range it.requests {
		out[i] = hold(d.decision(it.answer), it.answer.terms.binding, rs[i])
	}
}

// fold renders the questions and asks equal ones once.
func (d *Decider) fold(ctx context.Context, rs []policy.Request, which []int) []*item {
	var items []*item
	seen := map[string]*item{}
	for _, i := range which {
		q, err := d.inquire(ctx, rs[i])
		if err != nil {
			continue // stays unavailable
		}
		it := seen[string(q.body)]
		if it == nil {
			it = &item{question: q, asked: d.era.current()}
			seen[string(q.body)] = it
			items = append(items, it)
		}
		it.requests = append(it.requests, i)
	}
	return items
}

func (d *Decider) askItem(ctx context.Context, rs []policy.Request, it *item) error {
	a, err := d.askOne(ctx, it.question, rs[it.requests[0]].CorrelationID)
	if err == nil {
		it.answered, it.answer = true, a
	}
	return err
}

// askBatches asks all items in chunks. It is false when the decision point takes no
// batches; then nothing has been answered.
func (d *Decider) askBatches(ctx context.Context, rs []policy.Request, items []*item) bool {
	size := maxBatch
	if d.cfg.CerbosOutputs {
		size = maxOutputs
	}
	chunks := split(items, size)
	if len(chunks) == 0 {
		return true
	}
	// The first chunk goes alone: it shows whether batches are taken.
	err := d.askChunk(ctx, rs, chunks[0])
	if errors.Is(err, errNoBatch) {
		return false
	}
	if err == nil {
		spread(chunks[1:], func(chunk []*item) error {
			return d.askChunk(ctx, rs, chunk)
		})
	}
	return true
}

// split makes chunks of at most size items, no resource twice in one: decision
// points that group by resource would otherwise mix up purposes.
func split(items []*item, size int) [][]*item {
	var lanes [][]*item
	nth := map[string]int{}
	for _, it := range items {
		n := nth[it.resource]
		nth[it.resource]++
		if n == len(lanes) {
			lanes = append(lanes, nil)
		}
		lanes[n] = append(lanes[n], it)
	}
	var chunks [][]*item
	for _, lane := range lanes {
		chunks = append(chunks, slices.Collect(slices.Chunk(lane, size))...)
	}
	return chunks
}

// errNoBatch is a decision point without the batch endpoint.
var errNoBatch = errors.New("decision point: takes no batches")

// refusesBatch says whether err is the answer of a server that lacks the endpoint.
func refusesBatch(err error) bool {
	var status statusError
	if !errors.As(err, &status) {
		return false
	}
	switch int(status) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

func (d *Decider) askChunk(ctx context.Context, rs []policy.Request, chunk []*item) error {
	b := batch{Options: batchOptions{Semantic: "execute_all"}}
	if d.cfg.CerbosOutputs {
		b.Context = &inquiry{IncludeMeta: true} // Cerbos looks for it in the batch, not in its items
	}
	qs := make([]question, len(chunk))
	for i, it := range chunk {
		qs[i] = it.question
		b.Evaluations = append(b.Evaluations, it.body)
	}
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	requestID := rs[chunk[0].requests[0]].CorrelationID
	return d.call(ctx, manyEndpoint, requestID, body, func(data []byte) error {
		answers, err := readMany(data, qs)
		if err != nil {
			return err
		}
		for i, it := range chunk {
			it.answered, it.answer = true, answers[i]
		}
		return nil
	})
}
