package secrets

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/identity"
	"github.com/coffer-dev/coffer/internal/ledger"
)

const (
	kindOnce ledger.Kind = "once"
	// onceLife is how long a result can be had again; expiry is checked at use.
	onceLife = 24 * time.Hour
	// openLife is after how long an open record of another process is given up on.
	openLife = 2 * time.Minute
)

// onceRecord is kept under the digest of tenant, subject, method, route and key.
type onceRecord struct {
	At          time.Time       `json:"at"`
	Fingerprint []byte          `json:"fingerprint"`
	Result      json.RawMessage `json:"result,omitempty"`
	OpenBy      string          `json:"open_by,omitempty"` // the process that is at it; empty when done
}

func (s *Service) onceKey(p identity.Principal, o *Once) ledger.Key {
	mac := hmac.New(sha256.New, s.c.IDKey)
	for _, part := range []string{s.c.Tenant, p.Subject, o.Method, o.Route, o.Key} {
		_, _ = mac.Write([]byte(part + "\x00"))
	}
	return ledger.Key{Tenant: s.c.Tenant, Kind: kindOnce, Path: hex.EncodeToString(mac.Sum(nil))}
}

func (s *Service) fingerprint(o *Once) []byte {
	mac := hmac.New(sha256.New, s.c.IDKey)
	_, _ = mac.Write(o.Fingerprint)
	return mac.Sum(nil)
}

// recall finds a live record of the same request. Another request under the same
// key is refused; an open record is in progress, or nobody knows how it ended.
func (s *Service) recall(ctx context.Context, r ledger.Reader, k ledger.Key, o *Once) (*onceRecord, error) {
	rec, ok, err := r.Get(ctx, k)
	if err != nil || !ok {
		return nil, err
	}
	var was onceRecord
	if err := json.Unmarshal(rec.Value, &was); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "decode idempotency record")
	}
	age := s.c.Now().Sub(was.At)
	if age >= onceLife {
		return nil, nil //nolint:nilnil // an expired record is none
	}
	if !hmac.Equal(was.Fingerprint, s.fingerprint(o)) {
		return nil, fault.Coded(fault.Precondition, "IDEMPOTENCY_KEY_REUSED", "the key was used for another request")
	}
	switch {
	case was.OpenBy == "":
		return &was, nil
	case was.OpenBy == s.self, age < openLife && !s.c.Ledger.Alone():
		return nil, fault.Coded(fault.Conflict, "IDEMPOTENCY_IN_PROGRESS", "the first request is still running")
	}
	return nil, fault.Coded(fault.Conflict, "IDEMPOTENCY_OUTCOME_UNKNOWN", "the first request was cut off; its outcome is unknown")
}

func (s *Service) remember(tx *ledger.Tx, k ledger.Key, o *Once, result any, openBy string) error {
	body, err := json.Marshal(result)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode result")
	}
	rec, err := json.Marshal(onceRecord{
		At: s.c.Now().UTC(), Fingerprint: s.fingerprint(o), Result: body, OpenBy: openBy,
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode idempotency record")
	}
	return tx.Put(k, rec)
}

// transact runs do in one transaction with the idempotency record of the call:
// either both are there or neither. A repetition gives the first result again.
func transact[R any](ctx context.Context, s *Service, p identity.Principal, o *Once, do func(*ledger.Tx) (R, error)) (out R, replayed bool, err error) {
	_, err = s.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
		replayed = false
		if o == nil {
			out, err = do(tx)
			return err
		}
		k := s.onceKey(p, o)
		was, err := s.recall(ctx, tx, k, o)
		if err != nil {
			return err
		}
		if was != nil {
			replayed = true
			return decodeResult(was.Result, &out)
		}
		if out, err = do(tx); err != nil {
			return err
		}
		return s.remember(tx, k, o, out, "")
	})
	return out, replayed, err
}

// guarded runs do, which is more than one transaction or none of ours, between an
// open and a closed record. A crash in between leaves it open.
func guarded[R any](ctx context.Context, s *Service, p identity.Principal, o *Once, do func() (R, error)) (out R, replayed bool, err error) {
	if o == nil {
		out, err = do()
		return out, false, err
	}
	k := s.onceKey(p, o)
	_, err = s.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
		replayed = false
		was, err := s.recall(ctx, tx, k, o)
		if err != nil {
			return err
		}
		if was != nil {
			replayed = true
			return decodeResult(was.Result, &out)
		}
		return s.remember(tx, k, o, nil, s.self)
	})
	if err != nil || replayed {
		return out, replayed, err
	}
	out, err = do()
	_, closeErr := s.c.Ledger.Txn(context.WithoutCancel(ctx), func(tx *ledger.Tx) error {
		if err != nil && !errors.Is(err, fault.Timeout) {
			return tx.Delete(k) // nothing happened: the key may be used again
		}
		if err != nil {
			return nil // nobody knows: the record stays open
		}
		return s.remember(tx, k, o, out, "")
	})
	if closeErr != nil {
		s.c.Log.Warn("an idempotency record was left open", "error", closeErr)
	}
	return out, false, err
}

func decodeResult(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode result")
	}
	return nil
}

// SweepOnce drops idempotency records that have expired. It only frees space.
func (s *Service) SweepOnce(ctx context.Context) error {
	rs, err := s.c.Ledger.Range(ctx, ledger.Under(s.c.Tenant, kindOnce, ""), 0)
	if err != nil {
		return err
	}
	for _, r := range rs {
		var was onceRecord
		if json.Unmarshal(r.Value, &was) == nil && s.c.Now().Sub(was.At) < onceLife {
			continue
		}
		_, err := s.c.Ledger.Txn(ctx, func(tx *ledger.Tx) error {
			if now, ok, err := tx.Get(ctx, r.Key); err != nil || !ok || now.Revision != r.Revision {
				return err
			}
			return tx.Delete(r.Key)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
