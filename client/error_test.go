package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/api/canonical"
)

func TestErrors(t *testing.T) {
	asks := map[string]func(error) bool{
		"not found": IsNotFound, "forbidden": IsForbidden, "unauthenticated": IsUnauthenticated,
		"conflict": IsConflict, "unavailable": IsUnavailable,
	}
	for _, c := range []struct {
		step
		code, is string
	}{
		{refusal(404, "SECRET_NOT_FOUND"), "SECRET_NOT_FOUND", "not found"},
		{refusal(404, "SECRET_VERSION_NOT_FOUND"), "SECRET_VERSION_NOT_FOUND", "not found"},
		{refusal(404, "NOT_FOUND"), "NOT_FOUND", ""}, // a route, not a secret
		{refusal(409, "SECRET_VERSION_DELETED"), "SECRET_VERSION_DELETED", "not found"},
		{refusal(403, "INSUFFICIENT_SCOPE"), "INSUFFICIENT_SCOPE", "forbidden"},
		{refusal(401, "UNAUTHENTICATED"), "UNAUTHENTICATED", "unauthenticated"},
		{refusal(409, "ALREADY_EXISTS"), "ALREADY_EXISTS", "conflict"},
		{refusal(412, "PRECONDITION_FAILED"), "PRECONDITION_FAILED", "conflict"},
		{refusal(429, "TOO_MANY_REQUESTS"), "TOO_MANY_REQUESTS", "unavailable"},
		{refusal(503, "PDP_UNAVAILABLE"), "PDP_UNAVAILABLE", "unavailable"},
		{refusal(400, "OBJECT_REQUIRED"), "OBJECT_REQUIRED", ""},
		{step{status: 502, headers: "Content-Type: text/html", body: canary, foreign: true}, "", ""},
		{step{status: 500, body: `"` + canary, foreign: true}, "", ""},
		{step{status: 500, body: `"` + canary + `"`, foreign: true}, "", ""},
	} {
		client, _ := play(t, c.step)
		_, err := client.Copy(t.Context(), canonical.TransferRequest{FromURI: uri, ToURI: uri + "2"})
		err = fmt.Errorf("wrapped: %w", err)
		var e *Error
		if !errors.As(err, &e) || e.Status != c.status || e.Code != c.code || CodeOf(err) != c.code {
			t.Fatalf("%d became %v", c.status, err)
		}
		if c.code != "" && (!errors.Is(err, Code(c.code)) || e.CorrelationID != "c-1" || e.Message != "told why") {
			t.Errorf("%s became %+v", c.code, e)
		}
		if errors.Is(err, Code("")) && c.code != "" || errors.Is(err, Code("OTHER")) {
			t.Errorf("%s is another code too", c.code)
		}
		for name, ask := range asks {
			if ask(err) != (name == c.is) {
				t.Errorf("%s %s: %s is %v", c.code, c.body, name, ask(err))
			}
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, e), canary) {
			t.Errorf("a foreign body is in the error: %+v", e)
		}
	}
	for name, ask := range asks {
		if ask(nil) || ask(errors.New("x")) {
			t.Errorf("nothing is %s", name)
		}
	}
}

func TestDetails(t *testing.T) {
	denied := refusal(403, "SECRET_AUTHZ_FAILED")
	denied.body = strings.TrimSuffix(denied.body, "}") + `,"details":{"purpose":"write","decision_id":"d-1","failures":[{"resource_ref":"` +
		strings.Repeat("r", 43) + `","code":"DENY","reason":"policy"}]}}`
	half := refusal(502, "VAULT_OPERATION_ERROR")
	half.body = strings.TrimSuffix(half.body, "}") + `,"details":{"copied":true}}`
	client, _ := play(t, denied, half, refusal(403, "CSRF_FAILED"))
	move := func() *Error {
		var e *Error
		if _, err := client.Move(t.Context(), canonical.TransferRequest{FromURI: uri, ToURI: uri + "2"}); !errors.As(err, &e) {
			t.Fatal(err)
		}
		return e
	}
	e := move()
	if d, ok := e.Denial(); !ok || d.DecisionID != "d-1" || d.Failures[0].Reason != "policy" || e.Copied() {
		t.Fatalf("%+v", e)
	}
	e = move()
	if _, ok := e.Denial(); ok || !e.Copied() {
		t.Fatalf("%+v", e)
	}
	e = move()
	if _, ok := e.Denial(); ok || e.Copied() {
		t.Fatalf("%+v", e)
	}
}

// What the server sends of a value never reaches an error, however broken it is.
func TestAnswersThatDoNotFit(t *testing.T) {
	for _, body := range []string{`"` + canary, `{"value"`, `{"other":"` + canary + `"}`, `["` + canary + `"]`, `{"version":"` + canary + `"}`} {
		client, _ := play(t, step{status: 200, body: body, foreign: true}, step{status: 200, body: body, foreign: true})
		_, err := client.Get(t.Context(), uri+"#k")
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("get: %s: %v", body, err)
		}
		if _, err := client.Put(t.Context(), uri, Text("v")); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("put: %s: %v", body, err)
		}
	}
	client, _ := play(t, step{status: 200, headers: "X-Secret-Version: " + canary, body: `{}`, foreign: true})
	if _, err := client.Get(t.Context(), uri); err == nil || strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
}

func TestRetryAfterThatIsNoNumber(t *testing.T) {
	for text, want := range map[string]time.Duration{"3": 3 * time.Second, "-1": 0, "soon": 0, "99999999999": 0} {
		client, _ := play(t, step{status: 503, headers: "Retry-After: " + text, foreign: true})
		client.cfg.Attempts = 1
		var e *Error
		if _, err := client.Get(t.Context(), uri); !errors.As(err, &e) || e.RetryAfter != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAValueThatIsMissingIsNotSent(t *testing.T) {
	client, s := play(t)
	if _, err := client.Put(t.Context(), uri, Value{}); err == nil || len(s.done()) != 0 {
		t.Fatal(err)
	}
}
