package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/ledger"
	"github.com/coffer-dev/coffer/internal/ledger/ledgertest"
	"github.com/coffer-dev/coffer/internal/seal/kek"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/embedded"
)

// act is one operation on one key, as it is recorded when it begins.
type act struct {
	ID   string `json:"id"`
	Key  string `json:"key"` // the folder that holds the one key "v"
	Verb string `json:"verb"`
	Text string `json:"text,omitempty"`
	CAS  int64  `json:"cas,omitempty"`
	At   int64  `json:"at"` // Unix nanoseconds
}

// outcome is what came of it.
type outcome struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"` // "ok", "none", "deleted", "mismatch", "unknown" or "refused"
	Text    string `json:"text,omitempty"`
	Version int64  `json:"version,omitempty"`
	At      int64  `json:"at"`
}

// keyState is the model of one key.
type keyState struct {
	exists, deleted bool
	version         int64
	text            string
}

// model says what each operation may answer. An unknown outcome may be any: the
// checker lets such an operation take effect at any time, also never.
func model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, o := range history {
				k := o.Input.(act).Key
				byKey[k] = append(byKey[k], o)
			}
			var out [][]porcupine.Operation
			for _, ops := range byKey {
				out = append(out, ops)
			}
			return out
		},
		Init: func() any { return keyState{} },
		Step: func(state, input, output any) (bool, any) {
			in, out := input.(act), output.(outcome)
			want, next := step(state.(keyState), in)
			got := outcome{Kind: out.Kind, Text: out.Text, Version: out.Version}
			return out.Kind == "unknown" || got == want, next
		},
	}
}

func step(s keyState, in act) (outcome, keyState) {
	switch in.Verb {
	case "put", "cas":
		if in.Verb == "cas" && in.CAS != s.version {
			return outcome{Kind: "mismatch"}, s
		}
		next := keyState{exists: true, version: s.version + 1, text: in.Text}
		return outcome{Kind: "ok", Version: next.version}, next
	case "delete":
		s.deleted = s.exists
		return outcome{Kind: "ok"}, s
	case "purge":
		return outcome{Kind: "ok"}, keyState{}
	case "list":
		if s.exists {
			return outcome{Kind: "ok", Text: "v"}, s
		}
		return outcome{Kind: "ok"}, s
	}
	switch { // get
	case !s.exists:
		return outcome{Kind: "none"}, s
	case s.deleted:
		return outcome{Kind: "deleted", Version: s.version}, s
	}
	return outcome{Kind: "ok", Text: s.text, Version: s.version}, s
}

// perform does one operation on a store.
func perform(s *embedded.Store, a act) outcome {
	ctx := context.Background()
	at := ref("a", a.Key+"/v")
	out := outcome{ID: a.ID, Kind: "ok"}
	var err error
	switch a.Verb {
	case "put", "cas":
		var cas *int64
		if a.Verb == "cas" {
			cas = &a.CAS
		}
		var v secret.VersionInfo
		v, err = s.Put(ctx, at, value(a.Text), cas)
		out.Version = v.Version
	case "delete":
		err = s.Delete(ctx, at, nil)
	case "purge":
		_, err = s.Destroy(ctx, at, secret.Selection{All: true})
	case "list":
		var names []string
		names, err = s.List(ctx, ref("a", a.Key), secret.ListOptions{})
		out.Text = strings.Join(names, ",")
	default:
		var got secret.Secret
		got, err = s.Get(ctx, at, 0)
		out.Version, out.Text = got.Version.Version, textOf(got.Value)
	}
	if err != nil {
		out.Kind, out.Text = failed(a, err)
		out.Version = 0
		var v *secret.VersionError
		if errors.As(err, &v) {
			out.Version = v.Info.Version
		}
	}
	return out
}

// failed tells what a failure says of the operation. Only a Timeout leaves open
// whether a change happened; any other refusal says that it did not.
func failed(a act, err error) (kind, text string) {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return "none", ""
	case fault.Deleted:
		return "deleted", ""
	case fault.CASMismatch:
		return "mismatch", ""
	case fault.Timeout:
		return "unknown", ""
	case fault.Unavailable, fault.Conflict:
		return "refused", ""
	}
	return "broken " + a.Verb + ": " + err.Error(), ""
}

func textOf(v secret.Value) string {
	var o struct{ V string }
	if v.IsZero() || json.Unmarshal(v.Reveal(), &o) != nil {
		return ""
	}
	return o.V
}

// draw makes up an operation on one of a few keys below a folder.
func draw(folder string, lastVersion int64) act {
	verbs := []string{"put", "put", "put", "cas", "cas", "get", "get", "get", "list", "delete", "purge"}
	a := act{
		ID: ledger.NewID(), Key: fmt.Sprintf("%s/k%d", folder, rand.IntN(4)), Verb: verbs[rand.IntN(len(verbs))],
		At: time.Now().UnixNano(),
	}
	switch a.Verb {
	case "cas":
		a.CAS = max(lastVersion-1+rand.Int64N(3), 0)
		a.Text = a.ID
	case "put":
		a.Text = a.ID
	}
	return a
}

// actForever first looks at what the round before left behind, then acts and says
// what it does before it does it.
func actForever(_ *ledger.Ledger, s *embedded.Store) {
	round, _ := strconv.Atoi(os.Getenv(victimTurn))
	do := func(a act) outcome {
		begun, _ := json.Marshal(a)
		fmt.Printf("call %s\n", begun)
		out := perform(s, a)
		out.At = time.Now().UnixNano()
		ended, _ := json.Marshal(out)
		fmt.Printf("done %s\n", ended)
		return out
	}
	for k := range 4 {
		for _, verb := range []string{"get", "list"} {
			do(act{ID: ledger.NewID(), Key: fmt.Sprintf("r%d/k%d", round-1, k), Verb: verb, At: time.Now().UnixNano()})
		}
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			for last := int64(0); ; {
				last = max(do(draw(fmt.Sprint("r", round), last)).Version, last/2)
			}
		})
	}
	wg.Wait()
}

// recorded joins what began and what ended to a history.
func recorded(t *testing.T, lines []string) []porcupine.Operation {
	t.Helper()
	begun, done := map[string]act{}, map[string]outcome{}
	for _, line := range lines {
		word, body, _ := strings.Cut(line, " ")
		var a act
		var o outcome
		switch {
		case word == "call" && json.Unmarshal([]byte(body), &a) == nil:
			begun[a.ID] = a
		case word == "done" && json.Unmarshal([]byte(body), &o) == nil:
			done[o.ID] = o
		}
	}
	var history []porcupine.Operation
	for id, a := range begun {
		out, ended := done[id]
		switch {
		case strings.HasPrefix(out.Kind, "broken"):
			t.Errorf("an operation failed: %s", out.Kind)
		case out.Kind == "refused":
			continue // it says that nothing happened: the rest must agree
		case !ended || out.Kind == "unknown":
			if a.Verb == "get" || a.Verb == "list" {
				continue
			}
			out = outcome{ID: id, Kind: "unknown", At: math.MaxInt64}
		}
		out.ID = ""
		at := out.At
		out.At = 0
		history = append(history, porcupine.Operation{Input: a, Call: a.At, Output: out, Return: at})
	}
	return history
}

func checkLinear(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	if got := porcupine.CheckOperationsTimeout(model(), history, time.Minute); got != porcupine.Ok {
		t.Errorf("history of %d operations: %v", len(history), got)
	}
}

func TestE28HistoriesOverKillsAreLinearizable(t *testing.T) {
	dir := t.TempDir()
	if err := kek.CreateFile(dir + "/kek"); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for round := range min(rounds(12), 200) {
		lines = append(lines, runVictim(t, "history", dir, round)...)
	}
	history := recorded(t, lines)
	if len(history) < 500 {
		t.Fatalf("only %d operations", len(history))
	}
	checkLinear(t, history)
}

// A history that is not linearizable must be found: the check itself can fail.
func TestModelRefusesStaleReads(t *testing.T) {
	history := []porcupine.Operation{
		{Input: act{Key: "k", Verb: "put", Text: "1"}, Call: 0, Output: outcome{Kind: "ok", Version: 1}, Return: 1},
		{Input: act{Key: "k", Verb: "put", Text: "2"}, Call: 2, Output: outcome{Kind: "ok", Version: 2}, Return: 3},
		{Input: act{Key: "k", Verb: "get"}, Call: 4, Output: outcome{Kind: "ok", Text: "1", Version: 1}, Return: 5},
	}
	if porcupine.CheckOperations(model(), history) {
		t.Fatal("a stale read passed")
	}
	if history[2].Output = (outcome{Kind: "ok", Text: "2", Version: 2}); !porcupine.CheckOperations(model(), history) {
		t.Fatal("a good history was refused")
	}
}

func TestE33HistoriesOverMemberLossAreLinearizable(t *testing.T) {
	m := ledgertest.Cluster(t)
	var stores []*embedded.Store
	for range 2 {
		l := m.Open(t, func(c *ledger.Config) { c.CommitTimeout, c.EpochEvents = time.Second, 100 })
		stores = append(stores, embedded.New(l, anyMount))
	}
	var mu sync.Mutex
	var lines []string
	say := func(word string, v any) {
		body, _ := json.Marshal(v)
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, word+" "+string(body))
	}
	stop := make(chan struct{})
	phase := make(chan int, 1) // a folder for each phase bounds what is in doubt per key
	phase <- 0
	folder := func() string {
		p := <-phase
		phase <- p
		return fmt.Sprint("p", p)
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for last := int64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				a := draw(folder(), last)
				say("call", a)
				out := perform(stores[w%2], a)
				out.At = time.Now().UnixNano()
				say("done", out)
				last = max(out.Version, last/2)
			}
		})
	}
	loseMembers(m, func() { phase <- <-phase + 1 })
	close(stop)
	wg.Wait()
	history := recorded(t, lines)
	if len(history) < 300 {
		t.Fatalf("only %d operations", len(history))
	}
	checkLinear(t, history)
}

// loseMembers stops the leader, then a second member, and brings them back.
func loseMembers(m *ledgertest.Members, next func()) {
	const while = time.Second
	for range 2 {
		time.Sleep(while)
		first := max(m.Leader(), 0)
		m.Stop(first)
		time.Sleep(2 * while)
		next()
		second := (first + 1) % 3
		m.Stop(second)
		time.Sleep(while / 2)
		m.Start(second)
		time.Sleep(while)
		next()
		m.Start(first)
	}
	time.Sleep(while)
}
