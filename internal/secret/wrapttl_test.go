package secret_test

import (
	"context"
	"testing"

	"github.com/coffer-dev/coffer/internal/secret"
)

func TestWrapTTL(t *testing.T) {
	for given, want := range map[int]int{60: 60, 0: 0, -5: 0} {
		if got := secret.WrapTTL(secret.WithWrapTTL(context.Background(), given)); got != want {
			t.Errorf("asked for %d, got %d, want %d", given, got, want)
		}
	}
	if got := secret.WrapTTL(context.Background()); got != 0 {
		t.Errorf("nothing asked, got %d", got)
	}
}
