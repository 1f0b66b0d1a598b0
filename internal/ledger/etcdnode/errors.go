package etcdnode

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/coffer-dev/coffer/internal/fault"
)

// CodeFull marks an Unavailable fault: the database quota or the disk is used up.
const CodeFull = "STORAGE_FULL"

func unavailable(cause error) error {
	return &fault.Error{Kind: fault.Unavailable, Detail: "the store is unavailable", Cause: cause, RetryAfter: time.Second}
}

// Full says that there is no room for a write.
func Full(cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: CodeFull, Detail: "the store is full",
		Cause: cause, RetryAfter: 10 * time.Second,
	}
}

// Classify turns an etcd error of a read, or a definite one of a commit, into a fault.
func Classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrNoSpace):
		return Full(err)
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		return fault.Wrap(fault.TooLarge, err, "the change is too large for one transaction")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Timeout, err, "the request was abandoned")
	default:
		return unavailable(err)
	}
}

// Definite says whether a failed commit certainly did not and will not happen.
func Definite(err error) bool {
	for _, e := range []error{
		rpctypes.ErrNoSpace, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps, rpctypes.ErrDuplicateKey,
		rpctypes.ErrTooManyRequests, rpctypes.ErrNoLeader, rpctypes.ErrPermissionDenied,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
