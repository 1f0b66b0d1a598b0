package ledger

import "context"

// Append tells events that go with no record, in one transaction.
func (l *Ledger) Append(ctx context.Context, tenant string, bodies [][]byte) error {
	_, err := l.Txn(ctx, func(tx *Tx) error {
		for _, b := range bodies {
			if err := tx.Emit(tenant, b); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
