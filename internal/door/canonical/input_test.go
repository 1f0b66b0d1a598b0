package canonical

import (
	"net/url"
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Either way of naming a map of the file is taken whole, and never one while the other
// is passed over.
func TestFilePrefix(t *testing.T) {
	for _, c := range []struct{ name, query, want, code string }{
		{"uri", "uri=yaml://secret/a", "yaml://secret/a", ""},
		{"uri", "mount=secret&prefix=a/b", "yaml://secret/a/b", ""},
		{"uri", "mount=secret", "yaml://secret", ""},
		{"uri", "mount=secret&prefix=", "yaml://secret", ""},
		{"uri", "uri=yaml://secret/a&mount=secret", "", "AMBIGUOUS_MOUNT"},
		{"uri", "uri=yaml://secret/a&prefix=yaml://secret/b", "", "AMBIGUOUS_MOUNT"},
		{"uri", "uri=a&mount=secret&prefix=b", "", "AMBIGUOUS_MOUNT"},
		{"uri", "uri=&mount=secret", "", "AMBIGUOUS_MOUNT"},
		{"uri", "mount=secret&prefix=yaml://secret/a", "", "AMBIGUOUS_MOUNT"},
		{"prefix", "prefix=yaml://secret/a", "yaml://secret/a", ""},
		{"prefix", "mount=secret&prefix=a", "yaml://secret/a", ""},
		{"prefix", "mount=secret&prefix=yaml://secret/a", "", "AMBIGUOUS_MOUNT"},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := query(values).filePrefix(c.name)
		if got != c.want || fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s of %q: %q, %v; want %q, %q", c.name, c.query, got, err, c.want, c.code)
		}
	}
}
