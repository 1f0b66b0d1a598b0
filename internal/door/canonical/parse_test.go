package canonical

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
)

// outcome is a result, or the code of the error.
func outcome(v any, err error) string {
	if err == nil {
		return fmt.Sprint(v)
	}
	if !errors.Is(err, fault.Invalid) {
		return err.Error()
	}
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	return "BAD"
}

func request(method, query string, header ...string) *door.Request {
	r := httptest.NewRequest(method, "/api/secrets", nil)
	r.URL.RawQuery = query
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return &door.Request{Request: r, Route: "/api/secrets"}
}

func TestQueryDecoding(t *testing.T) {
	for raw, want := range map[string]string{
		"":                             "BAD",
		"uri":                          "",
		"uri=":                         "",
		"uri=a&uri=a":                  "AMBIGUOUS_QUERY",
		"URI=a":                        "BAD",
		"uri=%zz":                      "BAD",
		"uri=a;b":                      "BAD",
		"x;y&uri=a":                    "BAD",
		"uri=a%26uri%3Db":              "a&uri=b",
		"uri=a%252fb":                  "a%2fb", // decoded once
		"uri=openbao+kv2://secret/a":   "openbao+kv2://secret/a",
		"uri=openbao%2Bkv2://secret/a": "openbao+kv2://secret/a",
		"uri=openbao+kv2://secret/a+b": "openbao+kv2://secret/a b",
		"uri=open+bao+kv2://secret/a":  "open bao kv2://secret/a",
		"uri=a%2Bb+c://x":              "a+b c://x",
		"uri=no+scheme":                "no scheme",
		"uri=coffer%2Bkv2://s/a%23k%3Fversion%3D1": "coffer+kv2://s/a#k?version=1",
	} {
		q, err := readQuery(request("GET", raw))
		var got string
		if err == nil {
			got, err = q.required()
		}
		if s := outcome(got, err); s != want {
			t.Errorf("%s: %q, want %q", raw, s, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for raw, want := range map[string]string{
		"": "0", "version=": "0", "version=None": "0", "version=7": "7", "version=007": "7", "version=9223372036854775807": "9223372036854775807",
		"version=0": "INVALID_VERSION", "version=-1": "INVALID_VERSION", "version=%2B1": "INVALID_VERSION", "version=x": "INVALID_VERSION", "version=none": "INVALID_VERSION",
		"version=1.0": "INVALID_VERSION", "version=+1": "INVALID_VERSION", "version=9223372036854775808": "INVALID_VERSION", "version=1&version=1": "AMBIGUOUS_QUERY",
	} {
		q, err := readQuery(request("GET", raw))
		if err != nil {
			t.Fatal(err)
		}
		n, err := q.version()
		if got := outcome(n, err); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"": "{0 0}", "offset=0&limit=1": "{0 1}", "offset=5&limit=1000": "{5 1000}",
		"limit=0": "INVALID_PAGINATION", "limit=-1": "INVALID_PAGINATION", "limit=1001": "INVALID_PAGINATION", "limit=x": "INVALID_PAGINATION",
		"limit=": "INVALID_PAGINATION", "offset=": "INVALID_PAGINATION", "offset=-1": "INVALID_PAGINATION", "offset=%2B1": "INVALID_PAGINATION", "limit=1e2": "INVALID_PAGINATION",
		"offset=99999999999999999999": "INVALID_PAGINATION", "limit=1&limit=1": "AMBIGUOUS_QUERY",
	} {
		q, err := readQuery(request("GET", raw))
		if err != nil {
			t.Fatal(err)
		}
		p, err := q.paging()
		if got := outcome(p, err); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestFlags(t *testing.T) {
	for raw, want := range map[string]string{"": "false", "destroy=true": "true", "destroy=True": "true", "destroy=FALSE": "false", "destroy=": "BAD", "destroy=1": "BAD", "destroy=true&destroy=false": "AMBIGUOUS_QUERY"} {
		q, err := readQuery(request("DELETE", raw))
		if err != nil {
			t.Fatal(err)
		}
		b, err := q.flag("destroy")
		if got := outcome(b, err); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestPreconditions(t *testing.T) {
	for value, want := range map[string]string{
		`"0"`: "0", `"12"`: "12", `*`: "any", `"9223372036854775807"`: "9223372036854775807",
		`12`: "BAD", `""`: "BAD", `"`: "BAD", `W/"1"`: "BAD", `"1", "2"`: "BAD", `"x"`: "BAD", `"-1"`: "BAD", `"+1"`: "BAD", `"9223372036854775808"`: "BAD", ``: "BAD", `"*"`: "BAD", `"1.0"`: "BAD",
	} {
		m, err := ifMatch(request("POST", "", "If-Match", value))
		var shown any = "any"
		if m.Version != nil {
			shown = *m.Version
		} else if !m.Any && err == nil {
			shown = "nothing"
		}
		if got := outcome(shown, err); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
	if m, err := ifMatch(request("POST", "")); err != nil || !m.IsZero() {
		t.Error(m, err)
	}
	if _, err := ifMatch(request("POST", "", "If-Match", `"1"`, "If-Match", `"1"`)); err == nil {
		t.Error("two preconditions were taken")
	}
	if noMatch(request("GET", "")) != nil || noMatch(request("GET", "", "If-Match", "")) == nil {
		t.Error("a precondition is never ignored")
	}
	for value, want := range map[string]bool{`"2"`: true, `*`: true, `W/"2"`: true, `"1", "2"`: true, `"1"`: false, `2`: false, ``: false, `"22"`: false} {
		if got := fresh(request("GET", "", "If-None-Match", value).Request, `"2"`); got != want {
			t.Errorf("If-None-Match %s: %t", value, got)
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	for key, good := range map[string]bool{"k": true, " spaced key ": true, strings.Repeat("x", 255): true, strings.Repeat("x", 256): false, "": false, "ä": false, "a\tb": false} {
		c, err := mutation(request("POST", "", "Idempotency-Key", key), nil)
		if (err == nil) != good || good && (c.Once == nil || c.Once.Key != key || c.Once.Method != http.MethodPost || c.Once.Route != "/api/secrets") {
			t.Errorf("%q: %+v %v", key, c.Once, err)
		}
	}
	if _, err := mutation(request("POST", "", "Idempotency-Key", "a", "Idempotency-Key", "a"), nil); err == nil {
		t.Error("two keys were taken")
	}
	if c, err := mutation(request("POST", ""), nil); err != nil || c.Once != nil {
		t.Error(c, err)
	}
	seen := map[string]string{}
	for name, r := range map[string]*door.Request{
		"plain": request("POST", ""), "query": request("POST", "a=b"), "match": request("POST", "", "If-Match", `"1"`),
		"shifted": request("POST", "a", "If-Match", "=b"),
	} {
		for _, body := range []string{"", "x", "0:"} {
			r.Header.Set("Idempotency-Key", "k")
			c, err := mutation(r, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			digest := string(c.Once.Fingerprint)
			if other, ok := seen[digest]; ok {
				t.Errorf("%s %q is the same request as %s", name, body, other)
			}
			seen[digest] = name + " " + body
		}
	}
}

func TestOriginIsBounded(t *testing.T) {
	r := request("GET", "", "X-Node-Id", "node", "X-System-Id", strings.Repeat("x", 129), "X-Workflow-Run-Id", "a\x01b")
	r.CorrelationID = "c"
	if c := call(r); c.Origin.NodeID != "node" || c.Origin.SystemID != "" || c.Origin.WorkflowRunID != "" || c.CorrelationID != "c" {
		t.Errorf("%+v", c)
	}
}

func TestBulkOperations(t *testing.T) {
	for body, want := range map[string]string{
		`{"op":"set","uri":"u","value":null}`:            "set u null [] ",
		`{"op":"set","uri":"u"}`:                         "set u  [] ",
		`{"op":"destroy","uri":"u","versions":[2,1]}`:    "destroy u  [2 1] ",
		`{"op":"destroy","uri":"u","versions":null}`:     "destroy u  [] none",
		`{"op":"delete","uri":"u","ifMatch":"3"}`:        "delete u  [] match3",
		`{"op":"delete","uri":"u","ifMatch":"\"3\""}`:    "delete u  [] match3",
		`{"op":"delete","uri":"u","ifMatch":"W/3"}`:      "BAD",
		`{"op":"delete","uri":"u","ifMatch":3}`:          "BAD",
		`{"op":"delete"}`:                                "BAD",
		`{"uri":"u"}`:                                    "BAD",
		`{"op":1,"uri":"u"}`:                             "BAD",
		`{"op":"undelete","uri":"u","versions":["1"]}`:   "INVALID_VERSION",
		`{"op":"undelete","uri":"u","versions":[1.5]}`:   "INVALID_VERSION",
		`{"op":"delete","uri":"u","fragmentScope":true}`: "BAD",
	} {
		o, err := door.ParseObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		op, err := readOp(o)
		if err == nil {
			err = op.Wrong // of this operation alone
		}
		shown := fmt.Sprintf("%s %s %s %v ", op.Op, op.URI, op.Value.Reveal(), op.Versions)
		if op.Match.Version != nil {
			shown += fmt.Sprintf("match%d", *op.Match.Version)
		}
		if op.Versions != nil && len(op.Versions) == 0 {
			shown += "none"
		}
		if got := outcome(shown, err); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	for text, want := range map[string]string{`{}`: "true", `{"continueOnError":null}`: "true", `{"continueOnError":false}`: "false", `{"continueOnError":"False"}`: "false", `{"continueOnError":"True"}`: "true", `{"continueOnError":"no"}`: "BAD", `{"continueOnError":1}`: "BAD", `{"continueOnError":""}`: "BAD"} {
		o, err := door.ParseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		b, err := continueOnError(o)
		if got := outcome(b, err); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, bad := range []string{"", "null", "{}", `"x"`, "[1]"} {
		list, err := decodeList([]byte(bad))
		if err == nil && len(list) > 0 {
			t.Errorf("%q: %v", bad, list)
		}
	}
}
