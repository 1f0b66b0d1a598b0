package logtest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coffer-dev/coffer/internal/telemetry/logtest"
)

func TestNoLineIsTornOrLost(t *testing.T) {
	var log logtest.Log
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			for range 100 {
				if _, err := fmt.Fprintf(&log, "line of %d\n", n); err != nil {
					t.Error(err)
				}
				_ = log.String()
			}
		})
	}
	writers.Wait()
	for n := range 8 {
		if got := strings.Count(log.String(), fmt.Sprintf("line of %d\n", n)); got != 100 {
			t.Errorf("%d lines of writer %d, want 100", got, n)
		}
	}
}
