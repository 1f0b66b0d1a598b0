package once

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
)

// record is kept under the digest of tenant, subject, method, route and key.
type record struct {
	At          int64           `json:"at"` // Unix seconds
	Fingerprint []byte          `json:"fingerprint"`
	Result      json.RawMessage `json:"result,omitempty"`
	OpenBy      string          `json:"open_by,omitempty"` // the process that is at it, or cutOff; empty when done
}

func (k *Keeper) key(subject string, r *Request) ledger.Key {
	mac := hmac.New(sha256.New, k.c.Secret)
	for _, part := range []string{k.c.Tenant, subject, r.Method, r.Route, r.Key} {
		_, _ = mac.Write([]byte(part + "\x00"))
	}
	return ledger.Key{Tenant: k.c.Tenant, Kind: kind, Path: hex.EncodeToString(mac.Sum(nil))}
}

func (k *Keeper) fingerprint(r *Request) []byte {
	mac := hmac.New(sha256.New, k.c.Secret)
	_, _ = mac.Write(r.Fingerprint)
	return mac.Sum(nil)
}

// recall finds a live record of the same request. Another request under the same
// key is refused; an open record is in progress, or nobody knows how it ended.
func (k *Keeper) recall(ctx context.Context, from ledger.Reader, at ledger.Key, r *Request) (*record, error) {
	found, ok, err := from.Get(ctx, at)
	if err != nil || !ok {
		return nil, err
	}
	was, err := decode(found.Value)
	if err != nil || k.expired(was) {
		return nil, err
	}
	if !hmac.Equal(was.Fingerprint, k.fingerprint(r)) {
		return nil, fault.Coded(fault.Precondition, CodeReused, "the idempotency key was used for another request")
	}
	switch {
	case was.OpenBy == "":
		return &was, nil
	case was.OpenBy == k.self, was.OpenBy != cutOff && !k.c.Ledger.Alone() && k.c.Now().Unix()-was.At < int64(openLife.Seconds()):
		return nil, fault.Coded(fault.Conflict, CodeInProgress, "the first request is still running")
	}
	return nil, fault.Coded(fault.Conflict, CodeUnknown, "the first request was cut off; its outcome is unknown")
}

func (k *Keeper) expired(r record) bool { return k.c.Now().Unix()-r.At >= int64(life.Seconds()) }

// remember keeps a result, or with openBy that somebody is at it.
func (k *Keeper) remember(tx *ledger.Tx, at ledger.Key, r *Request, result any, openBy string) error {
	body, err := json.Marshal(result)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode result")
	}
	rec, err := json.Marshal(record{At: k.c.Now().Unix(), Fingerprint: k.fingerprint(r), Result: body, OpenBy: openBy})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode idempotency record")
	}
	return tx.Put(at, rec)
}

func decode(body []byte) (r record, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fault.Wrap(fault.Corrupt, err, "decode idempotency record")
	}
	return r, nil
}

func (r record) into(result any) error {
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode result")
	}
	return nil
}

// Sweep drops records that have expired. It only frees space.
func (k *Keeper) Sweep(ctx context.Context) error {
	span := ledger.Under(k.c.Tenant, kind, "")
	for {
		rs, err := k.c.Ledger.Range(ctx, span, sweepBatch)
		if err != nil {
			return err
		}
		more := len(rs) == sweepBatch
		if more {
			span = span.After(k.c.Tenant, kind, rs[len(rs)-1].Key.Path, false)
		}
		if err := k.drop(ctx, rs); err != nil || !more {
			return err
		}
	}
}

// sweepBatch is how many records are looked at, and dropped in one transaction.
const sweepBatch = 100

// drop deletes those records that have expired and are still what was read.
func (k *Keeper) drop(ctx context.Context, rs []ledger.Record) error {
	rs = slices.DeleteFunc(rs, func(r ledger.Record) bool {
		was, err := decode(r.Value)
		return err == nil && !k.expired(was)
	})
	_, err := k.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
		for _, r := range rs {
			now, ok, err := tx.Get(ctx, r.Key)
			if err != nil {
				return err
			}
			if ok && now.Revision == r.Revision {
				if err := tx.Delete(r.Key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return err
}
