package wire

import (
	"bytes"
	"encoding/json"
	"time"
)

// Object is the members of a body or a value; Encode sorts them.
type Object = map[string]any

// Decode reads one JSON object, numbers with their literals.
func Decode(raw []byte) (Object, error) {
	var out Object
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err := dec.Decode(&out)
	return out, err
}

// Encode renders JSON as servers do: keys sorted, <>& escaped, a line feed behind.
func Encode(v any) []byte {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return []byte(`{"errors":["answer cannot be encoded"]}` + "\n")
	}
	return buf.Bytes()
}

// Stamp shows a time as servers do; no time is an empty text.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Merge lays a JSON merge patch (RFC 7396) over target, in place.
func Merge(target, change Object) Object {
	if target == nil {
		target = Object{}
	}
	for name, v := range change {
		switch v := v.(type) {
		case nil:
			delete(target, name)
		case Object:
			below, _ := target[name].(Object)
			target[name] = Merge(below, v)
		default:
			target[name] = v
		}
	}
	return target
}

// Subkeys keeps the names of a value: depth levels of objects, all of them when depth is 0. Everything
// that is not an object, and everything below, is null.
func Subkeys(data Object, depth int64) Object {
	out := Object{}
	for name, v := range data {
		out[name] = nil
		if below, ok := v.(Object); ok && len(below) > 0 && depth != 1 {
			out[name] = Subkeys(below, max(depth-1, 0))
		}
	}
	return out
}
