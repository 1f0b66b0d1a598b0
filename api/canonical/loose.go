package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Truth is a boolean that may also arrive as the text "True" or "False", which
// scripting languages send.
type Truth bool

// UnmarshalJSON takes true, false, "True" and "False" alone.
func (t *Truth) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"True"`:
		*t = true
	case `false`, `"False"`:
		*t = false
	default:
		return errors.New(`not one of true, false, "True", "False"`)
	}
	return nil
}

// IfMatch is the precondition of a bulk item in the form of the header If-Match:
// `*` (a version exists) or a version in quotation marks, where `"0"` means that
// none exists. Empty states nothing.
type IfMatch string

// Match is the precondition that version is the current one; 0 means that none exists.
func Match(version int64) IfMatch { return IfMatch(`"` + strconv.FormatInt(version, 10) + `"`) }

// MatchAny is the precondition that a version exists.
const MatchAny IfMatch = "*"

// UnmarshalJSON takes the header's form, and a bare number for a version.
func (m *IfMatch) UnmarshalJSON(text []byte) error {
	s := string(text)
	if bytes.HasPrefix(text, []byte(`"`)) {
		if err := json.Unmarshal(text, &s); err != nil {
			return errors.New("ifMatch is no JSON text")
		}
	}
	if s == string(MatchAny) {
		*m = MatchAny
		return nil
	}
	if len(s) > 2 && strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return errors.New("ifMatch is neither * nor a version")
	}
	*m = Match(n)
	return nil
}
