package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coffer-dev/coffer/internal/secret"
)

// endpoints are where questions go. An empty many: one at a time only.
type endpoints struct{ one, many string }

// rediscover is the pause between attempts to read the discovery document, and how
// long a refused batch endpoint is left alone.
const rediscover = time.Minute

// directory knows the endpoints. Until the discovery document has been read, or is
// known not to exist, the standard paths below the URL serve.
type directory struct {
	caller *caller
	now    func() time.Time

	mu      sync.Mutex
	known   endpoints
	settled bool
	retry   time.Time // not before
	single  time.Time // until then batches are not tried
}

func newDirectory(c *caller, now func() time.Time) *directory {
	return &directory{caller: c, now: now, known: endpoints{
		one:  c.base.JoinPath("access/v1/evaluation").String(),
		many: c.base.JoinPath("access/v1/evaluations").String(),
	}}
}

// endpoints answers from memory, save for one caller a minute while the document is
// neither read nor known to be missing. That caller waits half a time-out at most, so
// that its own question still fits.
func (d *directory) endpoints(ctx context.Context) endpoints {
	d.mu.Lock()
	now := d.now()
	look := !d.settled && !now.Before(d.retry)
	if look {
		d.retry = now.Add(rediscover)
	}
	known := d.current(now)
	d.mu.Unlock()
	if !look {
		return known
	}
	found, err := d.fetch(ctx)
	var status statusError
	missing := errors.As(err, &status) && status < http.StatusInternalServerError || errors.Is(err, errForeign)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.known = found
	}
	d.settled = err == nil || missing
	return d.current(now)
}

// current is what is known now; the caller holds mu.
func (d *directory) current(now time.Time) endpoints {
	e := d.known
	if now.Before(d.single) {
		e.many = ""
	}
	return e
}

// refuseBatch notes that the batch endpoint does not exist after all.
func (d *directory) refuseBatch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.single = d.now().Add(rediscover)
}

// errForeign is a document that speaks of another decision point: using it would let
// one answer for the other.
var errForeign = errors.New("decision point: discovery document is not about this decision point")

// fetch reads the discovery document. Its policy_decision_point must be the URL that
// we were given, and its endpoints must lie on the same scheme and host: questions
// carry our token.
func (d *directory) fetch(ctx context.Context) (endpoints, error) {
	ctx, cancel := context.WithTimeout(ctx, d.caller.timeout/2)
	defer cancel()
	at := *d.caller.base
	at.Path = "/.well-known/authzen-configuration" + strings.TrimSuffix(at.Path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return endpoints{}, err
	}
	data, err := d.caller.do(req)
	if err != nil {
		return endpoints{}, err
	}
	return d.caller.readDirectory(data)
}

func (c *caller) readDirectory(data []byte) (endpoints, error) {
	var doc struct {
		Self string `json:"policy_decision_point"`
		One  string `json:"access_evaluation_endpoint"`
		Many string `json:"access_evaluations_endpoint"`
	}
	if secret.CheckJSON(data, secret.MaxDepth) != nil || json.Unmarshal(data, &doc) != nil {
		return endpoints{}, errUnreadable
	}
	if strings.TrimSuffix(doc.Self, "/") != strings.TrimSuffix(c.base.String(), "/") || !c.sameOrigin(doc.One) {
		return endpoints{}, errForeign
	}
	if doc.Many != "" && !c.sameOrigin(doc.Many) {
		return endpoints{}, errForeign
	}
	return endpoints{one: doc.One, many: doc.Many}, nil
}

func (c *caller) sameOrigin(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == c.base.Scheme && u.Host == c.base.Host && u.User == nil
}
