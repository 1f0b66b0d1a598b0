package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/coffer-dev/coffer/internal/seal"
)

// Nobody may print a key by accident: whatever a keyring is printed with, and however
// deep it lies in another value, the key must not show in any spelling.
func TestPrintedKeyringShowsNoKey(t *testing.T) {
	const b = 0xC5 // not the byte of any text that the printers write
	k := newRing(t, b)
	type holder struct {
		Open   *seal.Keyring
		Value  seal.Keyring
		hidden *seal.Keyring
		copied seal.Keyring
	}
	inside := holder{k, *k, k, *k}
	for name, v := range map[string]any{
		"pointer": k, "value": *k, "struct": inside, "pointer to struct": &inside,
		"slice": []*seal.Keyring{k}, "map": map[string]any{"k": *k}, "status": k.Status(),
	} {
		printed := map[string]string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			printed[verb] = fmt.Sprintf(verb, v)
		}
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		printed["json"] = string(asJSON)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
		printed["slog"] = log.String()
		for how, text := range printed {
			for _, spelling := range spellings(secretOf(b)[:4], b) {
				if strings.Contains(strings.ToLower(text), spelling) {
					t.Errorf("%s of %s shows the key: %s", how, name, text)
				}
			}
		}
	}
}

// spellings are the ways in which the printers above would write a part of a key,
// in lower case.
func spellings(part []byte, b byte) []string {
	decimal := strings.Repeat(strconv.Itoa(int(b))+" ", 2)
	goSyntax := fmt.Sprintf("%#x, %#x", b, b)
	b64 := base64.StdEncoding.EncodeToString(part[:3])
	all := []string{string(part), hex.EncodeToString(part), decimal, goSyntax, b64, `\x` + hex.EncodeToString(part[:1])}
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	return all
}

func TestKeyringPrintsAsRedacted(t *testing.T) {
	k := newRing(t, 1)
	asJSON, err := json.Marshal(map[*seal.Keyring]*seal.Keyring{k: k})
	if err != nil || string(asJSON) != `{"[redacted]":"[redacted]"}` {
		t.Errorf("as JSON: %s, %v", asJSON, err)
	}
	for _, text := range []string{k.String(), k.GoString(), k.LogValue().String(), fmt.Sprintf("%#v", *k)} {
		if text != "[redacted]" {
			t.Errorf("printed as %q", text)
		}
	}
}
