package door

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// Object is a JSON object with its members verbatim. Member names match exactly.
type Object map[string]json.RawMessage

// ReadObject reads a JSON object: application/json, at most limit bytes, no
// duplicate members, nesting and UTF-8 as they should be. It also gives the bytes.
func ReadObject(r *http.Request, limit int64) (Object, []byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, nil, fault.Coded(fault.Invalid, CodeMediaType, "the body must be application/json")
	}
	if r.ContentLength > limit {
		return nil, nil, tooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return nil, nil, tooLarge(limit)
	}
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "the body could not be read")
	}
	o, err := ParseObject(body)
	return o, body, err
}

// ParseObject is ReadObject on bytes that are there.
func ParseObject(body []byte) (Object, error) {
	if err := secret.CheckJSON(body, secret.MaxDepth); err != nil {
		return nil, err
	}
	var o Object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, fault.New(fault.Invalid, "the body must be a JSON object")
	}
	return o, nil
}

func tooLarge(limit int64) error {
	return fault.Coded(fault.TooLarge, CodeBodySize, "the body is larger than %d bytes", limit)
}

// Text reads a member that must be text; ok is false when it is absent or null.
func (o Object) Text(name string) (s string, ok bool, err error) {
	return member[string](o, name, "text")
}

// Bool reads a member that must be true or false.
func (o Object) Bool(name string) (b, ok bool, err error) {
	return member[bool](o, name, "true or false")
}

// Ints reads a member that must be a list of integers.
func (o Object) Ints(name string) (list []int64, ok bool, err error) {
	return member[[]int64](o, name, "a list of integers")
}

func member[T any](o Object, name, what string) (v T, ok bool, err error) {
	raw, there := o[name]
	if !there || string(raw) == "null" {
		return v, false, nil
	}
	if json.Unmarshal(raw, &v) != nil {
		return v, true, fault.New(fault.Invalid, "%s must be %s", name, what)
	}
	return v, true, nil
}
