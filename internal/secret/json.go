package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/coffer-dev/coffer/internal/fault"
)

// MaxDepth is the nesting limit of a value and of a request body; the root counts as 1.
const MaxDepth = 64

// CheckJSON reads data once and refuses what encoding/json would repair or
// overlook: invalid UTF-8, half surrogate pairs, duplicate members, nesting beyond
// maxDepth and trailing data. Its errors never repeat the input.
func CheckJSON(data []byte, maxDepth int) error {
	if !utf8.Valid(data) {
		return fault.New(fault.Invalid, "JSON is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []frame
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return fault.New(fault.Invalid, "JSON is incomplete")
		}
		if err != nil {
			return fault.New(fault.Invalid, "JSON is malformed")
		}
		if open, err = step(open, tok, maxDepth); err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "JSON has trailing data")
	}
	if halfPair(data) {
		return fault.New(fault.Invalid, "JSON has half a surrogate pair")
	}
	return nil
}

// halfPair looks for a \u escape of one surrogate without the other: a decoder
// replaces it, so that the text changes on its way. The data is well-formed JSON,
// in which a backslash begins an escape and stands nowhere else.
func halfPair(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		r := escaped(data[i:])
		switch {
		case !utf16.IsSurrogate(r):
			data = data[i+2:]
		case utf16.DecodeRune(r, escaped(data[i+6:])) == unicode.ReplacementChar:
			return true
		default:
			data = data[i+12:]
		}
	}
}

// escaped reads the \u escape that data begins with, or gives -1.
func escaped(data []byte) rune {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// frame is one open object (members set) or array (members nil).
type frame struct {
	members map[string]struct{}
	inValue bool // a member name was read, its value follows
}

func step(open []frame, tok json.Token, maxDepth int) ([]frame, error) {
	top := len(open) - 1
	if d, ok := tok.(json.Delim); ok {
		switch d {
		case '{', '[':
			if top >= 0 {
				open[top].inValue = false
			}
			if len(open) == maxDepth {
				return nil, fault.New(fault.Invalid, "JSON is nested deeper than %d levels", maxDepth)
			}
			f := frame{}
			if d == '{' {
				f.members = map[string]struct{}{}
			}
			return append(open, f), nil
		default:
			return open[:top], nil
		}
	}
	if top >= 0 && open[top].members != nil {
		f := &open[top]
		if f.inValue {
			f.inValue = false
			return open, nil
		}
		name, _ := tok.(string)
		if _, dup := f.members[name]; dup {
			return nil, fault.New(fault.Invalid, "JSON has a duplicate member")
		}
		f.members[name] = struct{}{}
		f.inValue = true
	}
	return open, nil
}

// compact renders data without insignificant space and without HTML escaping.
func compact(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(len(data))
	if err := json.Compact(&buf, data); err != nil {
		return nil, fault.New(fault.Invalid, "JSON is malformed")
	}
	return buf.Bytes(), nil
}
