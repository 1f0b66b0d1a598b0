package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Fields are the members of a body, unread. Servers take text for numbers and
// numbers for text, and so do the methods here.
type Fields map[string]json.RawMessage

// Given says whether a member is there and not null.
func (f Fields) Given(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null"
}

// Scalar gives a member's text: of a JSON text its content, of a number or a
// boolean its literal, with booleans as 1 and 0.
func (f Fields) Scalar(name string) (string, bool) { return scalar(f[name]) }

func scalar(raw json.RawMessage) (string, bool) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	}
	return "", false
}

// Text is Scalar without the sign that tells absent from empty.
func (f Fields) Text(name string) string {
	s, _ := f.Scalar(name)
	return s
}

// Integer reads a whole number; nil when there is none.
func (f Fields) Integer(name string) (*int64, error) {
	if !f.Given(name) {
		return nil, nil
	}
	s, _ := f.Scalar(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, BadField(name)
	}
	return &n, nil
}

// Boolean reads a truth value; nil when there is none.
func (f Fields) Boolean(name string) (*bool, error) {
	if !f.Given(name) {
		return nil, nil
	}
	s, _ := f.Scalar(name)
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, BadField(name)
	}
	return &b, nil
}

// Duration reads a span of time; nil when there is none.
func (f Fields) Duration(name string) (*time.Duration, error) {
	if !f.Given(name) {
		return nil, nil
	}
	s, _ := f.Scalar(name)
	d, ok := Duration(s)
	if !ok {
		return nil, BadField(name)
	}
	return &d, nil
}

// Duration reads seconds or a Go duration.
func Duration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// List reads a list of scalars, or one text with commas.
func (f Fields) List(name string) ([]string, error) {
	if !f.Given(name) {
		return nil, nil
	}
	var items []json.RawMessage
	if json.Unmarshal(f[name], &items) != nil {
		s, ok := f.Scalar(name)
		if !ok {
			return nil, BadField(name)
		}
		return splitList(s), nil
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := scalar(item)
		if !ok {
			return nil, BadField(name)
		}
		out = append(out, s)
	}
	return out, nil
}

func splitList(text string) []string {
	out := []string{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Integers reads a list of whole numbers in any form that List reads.
func (f Fields) Integers(name string) ([]int64, error) {
	items, err := f.List(name)
	if err != nil {
		return nil, err
	}
	out := make([]int64, 0, len(items))
	for _, s := range items {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, BadField(name)
		}
		out = append(out, n)
	}
	return out, nil
}

// Object reads the members of an object; null counts as an empty one.
func (f Fields) Object(name string) (Fields, error) {
	out := Fields{}
	if !f.Given(name) {
		return out, nil
	}
	if json.Unmarshal(f[name], &out) != nil {
		return nil, fault.New(fault.Invalid, "error converting input for field %q: expected a map", name)
	}
	return out, nil
}

// Texts reads an object whose values are scalars; a nil value stands for null.
func (f Fields) Texts(name string) (map[string]*string, error) {
	members, err := f.Object(name)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*string, len(members))
	for k, raw := range members {
		if string(raw) == "null" {
			out[k] = nil
			continue
		}
		s, ok := scalar(raw)
		if !ok {
			return nil, BadField(name)
		}
		out[k] = &s
	}
	return out, nil
}

// BadField is the refusal of a field, an Invalid fault. It never repeats the input, unlike a real server.
func BadField(name string) error {
	return fault.New(fault.Invalid, "Field validation failed: error converting input for field %q", name)
}
