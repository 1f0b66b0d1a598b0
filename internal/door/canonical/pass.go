package canonical

import (
	"context"
	"net/http"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/identity"
)

// pass carries a request to its use case: read it, act, write what came of it. The
// first error ends it and is the door's to answer.
func pass[In, Out any](
	w http.ResponseWriter, r *door.Request,
	read func(*door.Request) (In, error),
	act func(context.Context, identity.Principal, In) (Out, error),
	write func(http.ResponseWriter, Out) error,
) error {
	in, err := read(r)
	if err != nil {
		return err
	}
	out, err := act(r.Context(), r.Principal, in)
	if err != nil {
		return err
	}
	return write(w, out)
}
