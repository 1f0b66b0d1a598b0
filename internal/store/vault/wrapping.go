package vault

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/coffer-dev/coffer/internal/fault"
)

// unwrap fetches the answer that a wrapped one stands for. The wrapping token is
// good for one use, so this is sent once.
func (s *Store) unwrap(ctx context.Context, a answer) (answer, error) {
	var w struct {
		Info *struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	if json.Unmarshal(a.body, &w) != nil || w.Info == nil || w.Info.Token == "" {
		return answer{}, fault.New(fault.ProviderFailed, "the back end did not wrap its answer as it was asked to")
	}
	opened, err := s.exchange(ctx, query{method: http.MethodPost, path: "sys/wrapping/unwrap", token: w.Info.Token})
	if err == nil && opened.status == http.StatusBadRequest {
		return answer{}, fault.New(fault.ProviderFailed, "the wrapped answer is gone")
	}
	return opened, err
}
