package door

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
)

// Faults of the door itself, by code.
const (
	CodeNoRoute   = "NOT_FOUND"
	CodeNoMethod  = "METHOD_NOT_ALLOWED"
	CodeBusy      = "TOO_MANY_REQUESTS"
	CodeMediaType = "UNSUPPORTED_MEDIA_TYPE"
	CodeBodySize  = "BODY_TOO_LARGE"
)

// Shape renders a fault in a door's wire shape and tells the status and code it
// chose. It is the only place of a door that does.
type Shape interface {
	Fail(w http.ResponseWriter, r *Request, err error) (status int, code string)
}

// Observer counts; its methods return at once.
type Observer interface {
	Request(door, route string, status int, took time.Duration)
	Failed(code string)
}

// Tracer begins a span for a request under the caller's trace; end closes it. The
// context it gives carries the trace on.
type Tracer interface {
	Trace(r *http.Request, door, route string) (ctx context.Context, end func(status int, err error))
}

// Config is what a door is made of.
type Config struct {
	Name   string
	Routes []Route
	Shape  Shape
	// Auth verifies callers; nil means that authentication is off and everybody is
	// the anonymous caller of Tenant.
	Auth   identity.Authenticator
	Tenant string
	// Credentials reads them from a request; nil takes the Bearer header alone.
	Credentials func(*http.Request) identity.Credentials
	InWork      int // requests in work at once; more are refused. 0 means 256
	Observer    Observer
	Tracer      Tracer // nil: requests are not traced
	Log         *slog.Logger
}

// Door serves one table of routes. It may be called concurrently.
type Door struct {
	c     Config
	table table
	slots chan struct{}
}

// New checks the table: a row without access class or handler, or twice, is an error.
func New(c Config) (*Door, error) {
	t, err := newTable(c.Routes)
	if err != nil {
		return nil, err
	}
	if c.InWork == 0 {
		c.InWork = 256
	}
	return &Door{c: c, table: t, slots: make(chan struct{}, c.InWork)}, nil
}

// ServeHTTP runs one request through the checks, in order: route, requests in work,
// authentication; then the handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	began := time.Now()
	r := &Request{Request: hr, CorrelationID: Head(w, hr), Route: "unknown"}
	rec := &recorder{ResponseWriter: w}
	err := d.traced(rec, r)
	code := ""
	if err != nil {
		if rec.status != 0 {
			d.c.Log.Error("answer broke off", "door", d.c.Name, "route", r.Route, "error", err)
		} else {
			_, code = d.c.Shape.Fail(rec, r, err)
			d.c.Observer.Failed(code)
		}
	}
	took := time.Since(began)
	d.c.Observer.Request(d.c.Name, r.Route, rec.status, took)
	d.log(r, rec.status, code, took, err)
}

// Head sets the headers that every answer has, and gives the correlation id.
func Head(w http.ResponseWriter, r *http.Request) (correlationID string) {
	id := correlation(r.Header)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Correlation-ID", id)
	return id
}

// traced finds the row and serves it within a span.
func (d *Door) traced(w *recorder, r *Request) (err error) {
	row, err := d.find(w, r)
	if err != nil {
		return err
	}
	if d.c.Tracer == nil {
		return d.serve(w, r, row)
	}
	ctx, end := d.c.Tracer.Trace(r.Request, d.c.Name, r.Route)
	r.Request = r.WithContext(ctx)
	err = d.serve(w, r, row)
	end(w.status, err)
	return err
}

func (d *Door) serve(w http.ResponseWriter, r *Request, row Route) (err error) {
	if row.Timeout > 0 {
		select {
		case d.slots <- struct{}{}:
			defer func() { <-d.slots }()
		default:
			return &fault.Error{
				Kind: fault.RateLimited, Code: CodeBusy, Detail: "too many requests in work", RetryAfter: time.Second,
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), row.Timeout)
		defer cancel()
		r.Request = r.WithContext(ctx)
		defer hurry(w, row.Timeout)()
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel of net/http, compared as it is
				panic(p)
			}
			err = fault.New(fault.Internal, "a handler panicked")
			d.c.Log.Error("panic", "door", d.c.Name, "route", r.Route, "correlation_id", r.CorrelationID, "stack", stack())
		}
	}()
	if err := d.authenticate(r, row); err != nil {
		return err
	}
	return row.Handle(w, r)
}

// hurry bounds how long the client may take to send its body and to take the answer:
// who dawdles would keep a place among the requests in work. What is set is undone,
// for the connection may serve others.
func hurry(w http.ResponseWriter, limit time.Duration) (undo func()) {
	c := http.NewResponseController(w)
	until := time.Now().Add(limit)
	_ = c.SetReadDeadline(until) // not every connection has deadlines
	_ = c.SetWriteDeadline(until.Add(slack))
	return func() { _ = c.SetWriteDeadline(time.Time{}) }
}

// slack is left for the answer when a request has used up its time.
const slack = 10 * time.Second

// find matches the escaped path: nothing is cleaned, decoded or redirected.
func (d *Door) find(w http.ResponseWriter, r *Request) (Route, error) {
	path := r.URL.EscapedPath()
	methods, ok := d.table.rows[path]
	if !ok {
		return Route{}, fault.Coded(fault.NotFound, CodeNoRoute, "no such route")
	}
	r.Route = path
	row, ok := methods[r.Method]
	if !ok {
		w.Header().Set("Allow", d.table.allow[path])
		return Route{}, fault.Coded(fault.Unsupported, CodeNoMethod, "the route does not serve this method")
	}
	return row, nil
}

func (d *Door) authenticate(r *Request, row Route) (err error) {
	if row.Access == Public {
		return nil
	}
	if d.c.Auth == nil {
		r.Principal = identity.Anonymous(d.c.Tenant)
		return nil
	}
	if d.c.Credentials != nil {
		r.Credentials = d.c.Credentials(r.Request)
	} else {
		r.Credentials = identity.Credentials{Bearer: Bearer(r.Header)}
	}
	r.Principal, err = d.c.Auth.Authenticate(r.Context(), r.Credentials)
	return err
}

// Bearer is the token of an Authorization header of scheme Bearer or DPoP, or "".
func Bearer(h http.Header) string {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return ""
	}
	return strings.TrimSpace(token)
}

// maxCorrelation is the length limit of an id that a client gives, in bytes.
const maxCorrelation = 128

func correlation(h http.Header) string {
	for _, name := range []string{"X-Correlation-Id", "X-Request-Id"} {
		if v := h.Get(name); v != "" && len(v) <= maxCorrelation && printable(v) {
			return v
		}
	}
	return uuid.NewString()
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// log writes the request line. It names the route, never the URL: a query holds
// names of secrets.
func (d *Door) log(r *Request, status int, code string, took time.Duration, err error) {
	level := slog.LevelDebug // what succeeded is on record in the audit
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if !d.c.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("door", d.c.Name), slog.String("method", r.Method), slog.String("route", r.Route),
		slog.Int("status", status), slog.Duration("took", took), slog.String("correlation_id", r.CorrelationID),
	}
	if code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	if level == slog.LevelError && err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	d.c.Log.LogAttrs(r.Context(), level, "request", attrs...)
}
