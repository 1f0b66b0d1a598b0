package once

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

const (
	kind ledger.Kind = "once"
	// life is how long a result can be had again; expiry is checked at use.
	life = 24 * time.Hour
	// openLife is after how long an open record of another process is given up on.
	openLife = 2 * time.Minute
	// cutOff stands in the place of the process when the request ended and nobody
	// knows how.
	cutOff = "-"
)

// Codes of the faults of a repetition that gets no result.
const (
	CodeReused     = "IDEMPOTENCY_KEY_REUSED"      // Precondition: another request had the key
	CodeInProgress = "IDEMPOTENCY_IN_PROGRESS"     // Conflict: the first one is running
	CodeUnknown    = "IDEMPOTENCY_OUTCOME_UNKNOWN" // Conflict: the first one was cut off
)

// Request names a request: a repetition under the same method, route and key, by the
// same subject, gives the first result again.
type Request struct {
	Method, Route, Key string
	Fingerprint        []byte // digest of the request; another one under the same key is refused
}

// Config is what a Keeper needs.
type Config struct {
	Ledger *ledger.Ledger
	Tenant string
	Secret []byte // keys and fingerprints are hashed under it
	Now    func() time.Time
	Log    *slog.Logger
}

// Keeper keeps results. It may be used concurrently.
type Keeper struct {
	c    Config
	self string // this process, in open records
}

// New makes a keeper.
func New(c Config) *Keeper { return &Keeper{c: c, self: ledger.NewID()} }

// Transact runs do in one transaction with the record of r: either both are there or
// neither. A repetition gives the first result. A nil r may be repeated with a new
// effect. Only successes are kept.
func Transact[R any](ctx context.Context, k *Keeper, subject string, r *Request, do func(*ledger.Tx) (R, error)) (out R, replayed bool, err error) {
	_, err = k.c.Ledger.Txn(ctx, func(tx *ledger.Tx) (err error) {
		var none R // the transaction may run again: nothing of the last time is left
		out, replayed = none, false
		if r == nil {
			out, err = do(tx)
			return err
		}
		at := k.key(subject, r)
		was, err := k.recall(ctx, tx, at, r)
		if err != nil {
			return err
		}
		if was != nil {
			replayed = true
			return was.into(&out)
		}
		if out, err = do(tx); err != nil {
			return err
		}
		return k.remember(tx, at, r, out, "")
	})
	if err != nil {
		var none R
		return none, false, err
	}
	return out, replayed, nil
}

// Guard runs do, which is more than one transaction or none of ours, between an open
// and a closed record. A crash in between leaves it open: then nobody knows.
func Guard[R any](ctx context.Context, k *Keeper, subject string, r *Request, do func() (R, error)) (out R, replayed bool, err error) {
	if r == nil {
		out, err = do()
		return out, false, err
	}
	at := k.key(subject, r)
	_, err = k.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
		var none R
		out, replayed = none, false
		was, err := k.recall(ctx, tx, at, r)
		if err != nil {
			return err
		}
		if was != nil {
			replayed = true
			return was.into(&out)
		}
		return k.remember(tx, at, r, nil, k.self)
	})
	if err != nil || replayed {
		return out, replayed, err
	}
	out, err = do()
	k.close(ctx, at, r, out, err)
	return out, false, err
}

// close ends an open record: with the result, or by freeing the key where nothing
// happened. After a time-out nobody knows, and the record says so.
func (k *Keeper) close(ctx context.Context, at ledger.Key, r *Request, result any, failed error) {
	_, err := k.c.Ledger.Txn(context.WithoutCancel(ctx), func(tx *ledger.Tx) error {
		switch {
		case errors.Is(failed, fault.Timeout):
			return k.remember(tx, at, r, nil, cutOff)
		case failed != nil:
			return tx.Delete(at)
		}
		return k.remember(tx, at, r, result, "")
	})
	if err != nil {
		k.c.Log.Warn("an idempotency record was left open", "error", err)
	}
}
