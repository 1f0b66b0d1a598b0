package authzen

import (
	"encoding/json"
	"errors"

	"github.com/coffer-dev/coffer/internal/secret"
)

// errUnreadable is an answer that is no answer. Its text repeats nothing of it.
var errUnreadable = errors.New("decision point: answer is unreadable")

// answer is what the decision point said of one question. The zero answer denies.
type answer struct {
	permit        bool
	id            string // "" when it gave none
	policyVersion string // likewise
	terms         terms
}

// object is a JSON object by exact member names: encoding/json would also take
// "Decision" for "decision".
type object map[string]json.RawMessage

func readObject(raw json.RawMessage) (object, bool) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, false
	}
	return o, true
}

// readOne reads the answer to one question. Data is untrusted: it must be one JSON
// object, without duplicate members and not deeper than a value may be.
func readOne(data []byte, q question) (answer, error) {
	if err := secret.CheckJSON(data, secret.MaxDepth); err != nil {
		return answer{}, errUnreadable
	}
	o, ok := readObject(data)
	if !ok {
		return answer{}, errUnreadable
	}
	return interpret(o, q), nil
}

// readMany reads the answers to qs, in order. An item that is missing or is no
// object denies; more answers than questions cannot be matched and are unreadable.
func readMany(data []byte, qs []question) ([]answer, error) {
	if err := secret.CheckJSON(data, secret.MaxDepth); err != nil {
		return nil, errUnreadable
	}
	o, ok := readObject(data)
	if !ok {
		return nil, errUnreadable
	}
	var items []json.RawMessage
	if err := json.Unmarshal(o["evaluations"], &items); err != nil || items == nil || len(items) > len(qs) {
		return nil, errUnreadable
	}
	answers := make([]answer, len(qs))
	for i := range qs {
		if i < len(items) {
			item, _ := readObject(items[i])
			answers[i] = interpret(item, qs[i])
		}
	}
	return answers, nil
}

// interpret permits only on the literal true, and only when every obligation that
// comes with it is known and well-formed.
func interpret(o object, q question) answer {
	context, readable := readObject(o["context"])
	if !readable && !absent(o["context"]) {
		return answer{}
	}
	a := answer{id: readLabel(context["decision_id"]), policyVersion: readLabel(context["policy_version"])}
	if a.id == "" {
		a.id = readLabel(context["id"])
	}
	if string(o["decision"]) != "true" {
		return a
	}
	t, err := readTerms(context, q)
	if err != nil {
		return a
	}
	a.permit, a.terms = true, t
	return a
}

// maxLabel bounds what goes from an answer into audit records, in bytes.
const maxLabel = 256

// readLabel reads a printable text or a number; anything else is "".
func readLabel(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var n json.Number
		if json.Unmarshal(raw, &n) != nil {
			return ""
		}
		text = n.String()
	}
	if len(text) > maxLabel || !secret.Printable(text) {
		return ""
	}
	return text
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
