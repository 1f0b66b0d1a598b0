package door

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/identity"
)

// Access says who may reach a route. The zero Access stops the program at start: a
// row that forgot its class must not be open by accident.
type Access uint8

// The classes.
const (
	accessUnset Access = iota
	Public             // credentials are not read
	Caller             // whoever the door's authenticator admits
)

// Route is one row of a door's table.
type Route struct {
	Method string
	Path   string // exact, compared with the escaped path of the request
	Access Access
	// Body is the size limit of a JSON body in bytes; 0 takes no body.
	Body int64
	// Timeout bounds the work; 0 is for streams, which also take no place among the
	// requests in work.
	Timeout time.Duration
	Handle  Handler
}

// Handler answers one request, or returns a fault for the door to render. It must
// not return an error once it has written.
type Handler func(w http.ResponseWriter, r *Request) error

// Request is a request as a handler gets it.
type Request struct {
	*http.Request
	Principal     identity.Principal
	Credentials   identity.Credentials // for a stream to show again
	CorrelationID string
	Route         string // the row's path, for logs and metrics
}

// table finds rows.
type table struct {
	rows  map[string]map[string]Route // path -> method -> row
	allow map[string]string           // path -> Allow header
}

func newTable(routes []Route) (table, error) {
	t := table{rows: map[string]map[string]Route{}, allow: map[string]string{}}
	for _, r := range routes {
		switch {
		case r.Access == accessUnset:
			return t, fmt.Errorf("route %s %s has no access class", r.Method, r.Path)
		case r.Handle == nil:
			return t, fmt.Errorf("route %s %s has no handler", r.Method, r.Path)
		case t.rows[r.Path][r.Method].Handle != nil:
			return t, fmt.Errorf("route %s %s stands twice", r.Method, r.Path)
		case t.rows[r.Path] == nil:
			t.rows[r.Path] = map[string]Route{}
		}
		t.rows[r.Path][r.Method] = r
	}
	for path, methods := range t.rows {
		var names []string
		for m := range methods {
			names = append(names, m)
		}
		slices.Sort(names)
		t.allow[path] = strings.Join(names, ", ")
	}
	return t, nil
}
