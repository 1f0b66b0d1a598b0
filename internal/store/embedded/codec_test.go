package embedded

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" is none") {
		return time.Time{}
	}
	return time.Unix(0, rapid.Int64Range(1, 1<<62).Draw(t, name)).UTC()
}

func drawMeta(t *rapid.T) secret.Metadata {
	m := secret.Metadata{
		ID: rapid.String().Draw(t, "id"), Created: drawTime(t, "created"), Updated: drawTime(t, "updated"),
		Current: rapid.Int64().Draw(t, "current"), Oldest: rapid.Int64().Draw(t, "oldest"),
		MaxVersions: rapid.Int64().Draw(t, "max"), CASRequired: rapid.Bool().Draw(t, "cas"),
		DeleteVersionAfter: time.Duration(rapid.Int64().Draw(t, "after")), MetaVersion: rapid.Int64().Draw(t, "meta"),
		MetaCASRequired: rapid.Bool().Draw(t, "metacas"),
	}
	if custom := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "custom"); len(custom) > 0 {
		m.Custom = custom
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "versions") {
		m.Versions = append(m.Versions, secret.VersionInfo{
			Version: int64(i + 1), Created: drawTime(t, "made"), Deleted: drawTime(t, "deleted"),
			Destroyed: rapid.Bool().Draw(t, "destroyed"),
		})
	}
	return m
}

func TestMetadataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeta(t)
		got, err := decodeMeta(encodeMeta(m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v became %+v (%v)", m, got, err)
		}
	})
}

func TestCutMetadataIsCorrupt(t *testing.T) {
	whole := encodeMeta(secret.Metadata{
		ID: "x", Created: time.Unix(9, 9), Current: 2, Custom: map[string]string{"a": "b"},
		Versions: []secret.VersionInfo{{Version: 1, Created: time.Unix(9, 9)}, {Version: 2, Destroyed: true}},
	})
	for n := range whole {
		if _, err := decodeMeta(whole[:n]); !errors.Is(err, fault.Corrupt) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := decodeMeta(append(whole, 0)); !errors.Is(err, fault.Corrupt) {
		t.Errorf("one byte more: %v", err)
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(encodeMeta(secret.Metadata{ID: "x", Custom: map[string]string{"a": "b"}, Versions: []secret.VersionInfo{{Version: 1}}}))
	f.Add([]byte{metaFormat})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		again, err := decodeMeta(encodeMeta(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v (%v)", m, again, err)
		}
	})
}
