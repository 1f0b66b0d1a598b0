package authzen

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzAnswer: no answer panics the reader, and none is a permit unless it literally
// says so and holds nothing but known limits in range.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		permit, `{"decision":"true"}`, `{"evaluations":[{"decision":true},{}]}`, `{"decision":true,"context":` + cerbosSaid(`{"ttl_s":1}`) + `}`,
		`{"decision":true,"context":{"obligations":[{"id":"ttl","parameters":{"ttl_s":1}}]}}`,
		`{"decision":true,"context":{"obligations":{"max_uses":1e9,"cnf_binding":{"jkt":"a"},"must_revalidate_on":"x"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := readOne(data, asked); err == nil && a.permit {
			soundPermit(t, data, a)
		}
		answers, err := readMany(data, []question{asked, {resource: "b"}})
		if err == nil && len(answers) != 2 {
			t.Fatalf("%d answers to 2 questions", len(answers))
		}
		for _, a := range answers {
			if a.permit {
				soundPermit(t, data, a)
			}
		}
	})
}

func soundPermit(t *testing.T, data []byte, a answer) {
	if !json.Valid(data) || !strings.Contains(string(data), "true") {
		t.Fatalf("permit out of %q", data)
	}
	o := a.terms
	if o.ttl < 0 || o.ttl > maxTTL || o.maxUses < 0 || o.wrapTTL < 0 || len(a.id) > maxLabel || len(a.policyVersion) > maxLabel {
		t.Fatalf("permit %+v out of %q", a, data)
	}
}
