package vaulttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
)

// fields are the members of a body, unread. Servers take text for numbers and
// numbers for text, and so do the methods here.
type fields map[string]json.RawMessage

// given says whether a member is there and not null.
func (f fields) given(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null"
}

// scalar gives a member's text: of a JSON text its content, of a number or a
// boolean its literal, with booleans as 1 and 0.
func (f fields) scalar(name string) (string, bool) { return scalar(f[name]) }

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

// text is scalar without the sign that tells absent from empty.
func (f fields) text(name string) string {
	s, _ := f.scalar(name)
	return s
}

func (f fields) integer(name string) (*int64, error) {
	if !f.given(name) {
		return nil, nil
	}
	s, _ := f.scalar(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, badField(name)
	}
	return &n, nil
}

func (f fields) boolean(name string) (*bool, error) {
	if !f.given(name) {
		return nil, nil
	}
	s, _ := f.scalar(name)
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, badField(name)
	}
	return &b, nil
}

func (f fields) duration(name string) (*time.Duration, error) {
	if !f.given(name) {
		return nil, nil
	}
	s, _ := f.scalar(name)
	d, ok := duration(s)
	if !ok {
		return nil, badField(name)
	}
	return &d, nil
}

// duration reads seconds or a Go duration.
func duration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// list reads a list of scalars, or one text with commas.
func (f fields) list(name string) ([]string, error) {
	if !f.given(name) {
		return nil, nil
	}
	var items []json.RawMessage
	if json.Unmarshal(f[name], &items) != nil {
		s, ok := f.scalar(name)
		if !ok {
			return nil, badField(name)
		}
		return splitList(s), nil
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := scalar(item)
		if !ok {
			return nil, badField(name)
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

func (f fields) integers(name string) ([]int64, error) {
	items, err := f.list(name)
	if err != nil {
		return nil, err
	}
	out := make([]int64, 0, len(items))
	for _, s := range items {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, badField(name)
		}
		out = append(out, n)
	}
	return out, nil
}

// object reads the members of an object; null counts as an empty one.
func (f fields) object(name string) (fields, error) {
	out := fields{}
	if !f.given(name) {
		return out, nil
	}
	if json.Unmarshal(f[name], &out) != nil {
		return nil, fault.New(fault.Invalid, "error converting input for field %q: expected a map", name)
	}
	return out, nil
}

// texts reads an object whose values are scalars; a nil value stands for null.
func (f fields) texts(name string) (map[string]*string, error) {
	members, err := f.object(name)
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
			return nil, badField(name)
		}
		out[k] = &s
	}
	return out, nil
}

// queryInteger reads a number of the query; absent or empty is 0.
func (r *request) queryInteger(name string) (int64, error) {
	text := r.query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badField(name)
	}
	return n, nil
}

// badField never repeats the input, unlike a real server.
func badField(name string) error {
	return fault.New(fault.Invalid, "Field validation failed: error converting input for field %q", name)
}

// invalid is the reply to a malformed field.
func invalid(format string, args ...any) reply {
	return *refuse(http.StatusBadRequest, fmt.Sprintf(format, args...))
}
