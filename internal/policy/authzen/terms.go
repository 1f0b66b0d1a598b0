package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// terms are the obligations of a permit that this house honours. Given twice, the
// stricter limit counts; what cannot be both contradicts itself and denies.
type terms struct {
	hasTTL         bool
	ttl            time.Duration
	maxUses        int // 0: not said
	classification string
	binding        string // the proof of possession that uses must come with
	once           bool   // must be revalidated on something that is not watched here
	wrapTTL        int    // seconds; 0: not wrapped
}

// maxTTL bounds what a decision point may ask for: a grant is a short memory, and
// larger numbers overflow.
const maxTTL = 24 * time.Hour

var errObligation = errors.New("decision point: obligation is unknown or malformed")

// readTerms collects the obligations of one answer from its context and from the
// rule outputs of a Cerbos decision point.
func readTerms(context object, q question) (terms, error) {
	var t terms
	if err := t.addAll(context["obligations"]); err != nil {
		return terms{}, err
	}
	found, err := t.addOutputs(context["cerbos.response"], q)
	if err == nil && q.outputs && !found {
		err = errObligation // whatever they would have said is not known
	}
	if err != nil {
		return terms{}, err
	}
	return t, nil
}

// addOutputs adds the obligations in the rule outputs of q's resource and action, and
// says whether there is a result for q: the items of a batch all carry the results of
// the whole batch.
func (t *terms) addOutputs(response json.RawMessage, q question) (found bool, err error) {
	if absent(response) {
		return false, nil
	}
	var cerbos cerbosResponse
	if err := json.Unmarshal(response, &cerbos); err != nil {
		return false, errObligation
	}
	for _, result := range cerbos.Results {
		if result.Resource.ID != "" && result.Resource.ID != q.resource {
			continue
		}
		found = true
		for _, output := range result.Outputs {
			if output.Action != "" && output.Action != q.action {
				continue
			}
			val, _ := readObject(output.Val)
			if err := t.addAll(val["obligations"]); err != nil {
				return true, err
			}
		}
	}
	return found, nil
}

// cerbosResponse is the part of Cerbos' own answer that holds rule outputs.
type cerbosResponse struct {
	Results []struct {
		Resource struct {
			ID string `json:"id"`
		} `json:"resource"`
		Outputs []struct {
			Action string          `json:"action"`
			Val    json.RawMessage `json:"val"`
		} `json:"outputs"`
	} `json:"results"`
}

// addAll adds obligations given as one object of names and values, or as a list of
// {id, type, parameters or properties}.
func (t *terms) addAll(raw json.RawMessage) error {
	if absent(raw) {
		return nil
	}
	if o, ok := readObject(raw); ok {
		return t.addObject(o)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return errObligation
	}
	for _, item := range list {
		if err := t.addItem(item); err != nil {
			return err
		}
	}
	return nil
}

func (t *terms) addObject(o object) error {
	for name, value := range o {
		if err := t.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// addItem adds one obligation of a list. Its type names it, else its id; a parameter
// "value" stands for the obligation itself, and every other one must be known too.
func (t *terms) addItem(raw json.RawMessage) error {
	item, ok := readObject(raw)
	if !ok {
		return errObligation
	}
	name := readLabel(item["type"])
	if !knownObligation(name) {
		name = readLabel(item["id"])
	}
	if !knownObligation(name) {
		return errObligation
	}
	given := 0
	for member, value := range item {
		switch member {
		case "id", "type":
			continue
		case "parameters", "properties":
		default:
			return errObligation
		}
		if absent(value) {
			continue
		}
		parameters, ok := readObject(value)
		if !ok {
			return errObligation
		}
		for parameter, value := range parameters {
			if parameter == "value" {
				parameter = name
			}
			if err := t.add(parameter, value); err != nil {
				return err
			}
			given++
		}
	}
	if given == 0 {
		return errObligation // an obligation that says nothing cannot be met
	}
	return nil
}

func knownObligation(name string) bool {
	switch name {
	case "ttl", "ttl_s", "ttl_seconds", "max_uses", "classification", "must_revalidate_on", "cnf_binding", "wrap_ttl":
		return true
	}
	return false
}

func (t *terms) add(name string, value json.RawMessage) error {
	if !knownObligation(name) {
		return errObligation
	}
	if absent(value) {
		return nil
	}
	switch name {
	case "max_uses":
		return lower(&t.maxUses, value)
	case "wrap_ttl":
		return lower(&t.wrapTTL, value)
	case "classification":
		return agree(&t.classification, value)
	case "cnf_binding":
		return agree(&t.binding, bindingText(value))
	case "must_revalidate_on":
		return t.addRevalidation(value)
	}
	return t.addTTL(value)
}

func (t *terms) addTTL(value json.RawMessage) error {
	seconds, err := readCount(value)
	if err != nil {
		return err
	}
	ttl := min(time.Duration(seconds)*time.Second, maxTTL)
	if !t.hasTTL || ttl < t.ttl {
		t.hasTTL, t.ttl = true, ttl
	}
	return nil
}

// addRevalidation reads the events after which a grant must be asked for again. A
// grant always ends with its policy version and is always held to its binding;
// every other event goes unseen here, so such a grant serves one use.
func (t *terms) addRevalidation(value json.RawMessage) error {
	var events []string
	var event string
	if json.Unmarshal(value, &event) == nil {
		events = []string{event}
	} else if json.Unmarshal(value, &events) != nil {
		return errObligation
	}
	watched := []string{"policy_version", "policy_change", "cnf_binding", "binding_change"}
	for _, e := range events {
		t.once = t.once || !slices.Contains(watched, e)
	}
	return nil
}

// bindingText turns a confirmation object, {"jkt": ...} or {"x5t#S256": ...}, into
// the text that bindings are compared by; texts stay as they are.
func bindingText(value json.RawMessage) json.RawMessage {
	o, ok := readObject(value)
	if !ok || len(o) != 1 {
		return value
	}
	for _, kind := range [...]string{"jkt", "x5t#S256"} {
		if text := readLabel(o[kind]); text != "" {
			quoted, _ := json.Marshal(kind + ":" + text) // a printable text always marshals
			return quoted
		}
	}
	return value
}

// lower keeps the smaller of two numbers from 1.
func lower(limit *int, value json.RawMessage) error {
	n, err := readCount(value)
	if err != nil || n == 0 {
		return errObligation
	}
	if *limit == 0 || n < *limit {
		*limit = n
	}
	return nil
}

// agree keeps a text and refuses another one.
func agree(known *string, value json.RawMessage) error {
	var text string
	if json.Unmarshal(value, &text) != nil || text == "" || readLabel(value) != text {
		return errObligation
	}
	if *known != "" && *known != text {
		return errObligation
	}
	*known = text
	return nil
}

// readCount reads a whole number from 0 to 2^31-1; 60.0 is whole.
func readCount(value json.RawMessage) (int, error) {
	var n float64
	if bytes.HasPrefix(value, []byte(`"`)) || json.Unmarshal(value, &n) != nil {
		return 0, errObligation
	}
	if n < 0 || n > 1<<31-1 || n != float64(int(n)) {
		return 0, errObligation
	}
	return int(n), nil
}
