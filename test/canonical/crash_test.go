package canonical

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

const (
	crashRounds  = 20
	crashWriters = 6
)

// written is one acknowledged write.
type written struct {
	version int
	value   string
}

// crash kills a server again and again while writers write.
type crash struct {
	s    *server
	mu   sync.Mutex
	acks map[string][]written // by URI, in the order of acknowledgement
	sent int
}

func TestE28_killUnderLoad(t *testing.T) {
	t.Parallel()
	c := &crash{s: start(t, options{}), acks: map[string][]written{}}
	for round := range crashRounds {
		c.round(t, round)
		c.s.launch(t)
		c.s.ready(t)
		if round%5 == 4 {
			c.readBack(t)
		}
	}
	c.readBack(t)
	c.events(t)
	t.Logf("%d writes sent", c.sent)
}

// round writes until the process is killed.
func (c *crash) round(t *testing.T, round int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				uri := fmt.Sprintf("%ssecret/crash/%d", scheme, (w+n)%3)
				if !c.write(ctx, uri, fmt.Sprintf("%d-%d-%d", round, w, n)) {
					return
				}
			}
		})
	}
	time.Sleep(time.Duration(50+rand.IntN(150)) * time.Millisecond)
	c.s.kill()
	cancel()
	wg.Wait()
}

// write sends one write and keeps its acknowledgement; false when none came.
func (c *crash) write(ctx context.Context, uri, value string) bool {
	body, _ := json.Marshal(obj{"uri": uri, "value": obj{"v": value}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.url+base, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Correlation-ID", value)
	c.mu.Lock()
	c.sent++
	c.mu.Unlock()
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	var out struct{ Version int }
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(got, &out) != nil {
		return err == nil && res.StatusCode == http.StatusConflict
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[uri] = append(c.acks[uri], written{out.Version, value})
	return true
}

// readBack wants every acknowledged write that is not pruned, under its own number.
func (c *crash) readBack(t *testing.T) {
	t.Helper()
	for uri, acks := range c.acks {
		numbers := map[int]string{}
		current := c.s.current(t, uri)
		for _, w := range acks {
			if other, taken := numbers[w.version]; taken {
				t.Errorf("version %d of %s was given to %s and %s", w.version, uri, other, w.value)
			}
			numbers[w.version] = w.value
			if w.version > current {
				t.Errorf("version %d of %s was acknowledged, and the current one is %d", w.version, uri, current)
			}
			if w.version > current-10 {
				c.s.value(t, fmt.Sprintf("%s?version=%d", uri, w.version)).is(t, `{"v":"`+w.value+`"}`)
			}
		}
	}
}

// events wants every acknowledged write told exactly once, and none told that is
// not there.
func (c *crash) events(t *testing.T) {
	t.Helper()
	total := 0
	for uri := range c.acks {
		total += c.s.current(t, uri)
	}
	stream := c.s.listen(t, "0")
	times := map[string]int{}
	for total > 0 {
		e := stream.next(t)
		if e.name == "SECRET_READ" { // of the reading back
			continue
		}
		if e.name != "SECRET_UPDATED" {
			t.Fatalf("%+v", e)
		}
		times[e.told(t).CorrelationID]++
		total--
	}
	for end := time.After(300 * time.Millisecond); end != nil; {
		select {
		case e := <-stream.events:
			if e.name == "SECRET_UPDATED" {
				t.Errorf("told though it is not there, or again: %+v", e)
			}
		case <-end:
			end = nil
		}
	}
	for _, acks := range c.acks {
		for _, w := range acks {
			if times[w.value] != 1 {
				t.Errorf("the write %s was told %d times", w.value, times[w.value])
			}
		}
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was told %d times", id, n)
		}
	}
}
