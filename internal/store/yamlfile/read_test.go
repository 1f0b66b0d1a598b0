package yamlfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"github.com/coffer-dev/coffer/internal/store/yamlfile"
)

// file writes text to a fresh file and opens a store on it.
func file(t *testing.T, text string) (*yamlfile.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	write(t, path, text)
	return open(t, path), path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func at(path string) secret.Ref { return secret.Ref{Tenant: tenant, Mount: "secret", Path: path} }

func get(t *testing.T, s *yamlfile.Store, path string) string {
	t.Helper()
	got, err := s.Get(context.Background(), at(path), 0)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	return string(got.Value.Reveal())
}

func TestGetRendersYAMLAsJSON(t *testing.T) {
	for yaml, want := range map[string]string{
		`text`: `"text"`, `"007"`: `"007"`, `yes`: `"yes"`, `true`: `true`, `False`: `false`, `~`: `null`, ``: `null`,
		`!!str 5`: `"5"`, `!!int "5"`: `5`, `2026-01-02`: `"2026-01-02"`, `2026-01-02T03:04:05Z`: `"2026-01-02T03:04:05Z"`,
		`!!binary aGk=`: `"aGk="`, `9007199254740993`: `9007199254740993`, `12345678901234567890`: `12345678901234567890`,
		`123456789012345678901234567890`: `123456789012345678901234567890`,
		`1.0`:                            `1.0`, `1e3`: `1e3`, `-0`: `-0`, `1.10`: `1.10`, `0x1F`: `31`, `0o17`: `15`, `1_000`: `1000`, `+5`: `5`,
		`.5`: `0.5`, `5.`: `5`, `-0x10`: `-16`, `0xFFFFFFFFFFFFFFFF`: `18446744073709551615`,
		`[1, two, [], {}]`: `[1,"two",[],{}]`, `{b: 1, a: {c: <&>}}`: `{"b":1,"a":{"c":"<&>"}}`, `{1: a, true: b, ~: c}`: `{"1":"a","true":"b","~":"c"}`,
		"|\n    one\n    two": `"one\ntwo\n"`, "\"\\0\\x7f\\U0001F600\"": "\"\\u0000\x7f😀\"",
	} {
		s, _ := file(t, "secret:\n  p: "+yaml+"\n")
		if got := get(t, s, "p"); got != want {
			t.Errorf("%s is read as %s, want %s", yaml, got, want)
		}
	}
}

func TestAliasesAndMergeKeysStandExpanded(t *testing.T) {
	s, _ := file(t, `
base: &base {host: h, port: 1}
more: &more {port: 2, user: u}
secret:
  alias: *base
  merged: {<<: *base, port: 9}
  list: {<<: [*more, *base]}
  quoted: {"<<": text}
`)
	for path, want := range map[string]string{
		"alias": `{"host":"h","port":1}`, "merged": `{"port":9,"host":"h"}`,
		"list": `{"port":2,"user":"u","host":"h"}`, "quoted": `{"<<":"text"}`,
	} {
		if got := get(t, s, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

const canary = "canary-6f1c"

// kind asserts how a read fails and that the error tells nothing of the content.
func kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "secrets.yaml") {
		t.Fatalf("error tells too much: %v", err)
	}
}

func TestRefusedFiles(t *testing.T) {
	bomb := "a0: &a0 [" + canary + "]\n"
	for i := range 9 {
		bomb += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" +
			strings.TrimSuffix(strings.Repeat("*a"+string(rune('0'+i))+",", 9), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"custom tag":                "secret: {p: !" + canary + " x}\n",
		"custom tag elsewhere":      "other: !!python/object " + canary + "\nsecret: {p: x}\n",
		"set":                       "secret: {p: !!set {a, b}}\n",
		"exponential aliases":       bomb + "secret: {p: x}\n",
		"too many aliases":          "a: &a x\nb: [" + strings.Repeat("*a,", 10_001) + "]\nsecret: {p: x}\n",
		"heavy aliases":             "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a,", 1000) + "]\n",
		"alias to itself":           "a: &a [*a]\nsecret: {p: x}\n",
		"unknown alias":             "secret: {p: *" + canary + "}\n",
		"duplicate key":             "secret: {" + canary + ": 1, " + canary + ": 2}\n",
		"duplicate key by spelling": "secret: {1: a, '1': b}\n",
		"duplicate mount":           "secret: {p: x}\nsecret: {q: y}\n",
		"key that is a map":         "secret: {? {a: b} : c}\n",
		"merge of text":             "secret: {<<: " + canary + "}\n",
		"merge of a list of text":   "secret: {<<: [" + canary + "]}\n",
		"two documents":             "secret: {p: x}\n---\nsecret: {p: " + canary + "}\n",
		"root is a list":            "- " + canary + "\n",
		"root is text":              canary + "\n",
		"malformed":                 "secret: {p: " + canary + "\n",
		"not UTF-8":                 "secret: {p: \xff" + canary + "}\n",
		"larger than the limit":     "secret: {p: x}\n#" + strings.Repeat("x", 16<<20),
	} {
		t.Run(name, func(t *testing.T) {
			s, path := file(t, text)
			_, err := s.Get(context.Background(), at("p"), 0)
			kind(t, err, fault.Invalid)
			_, err = s.List(context.Background(), at(""), secret.ListOptions{})
			kind(t, err, fault.Invalid)
			_, err = s.Put(context.Background(), at("p"), value(t, `{"k":"v"}`), nil)
			kind(t, err, fault.Invalid)
			if after, _ := os.ReadFile(path); string(after) != text {
				t.Fatal("a refused file was written")
			}
		})
	}
}

func TestTenThousandAliasesAreRead(t *testing.T) {
	s, _ := file(t, "a: &a x\nsecret: {p: ["+strings.Repeat("*a,", 10_000)+"]}\n")
	if got := len(get(t, s, "p")); got != 2+10_000*4-1 {
		t.Fatalf("value has %d bytes", got)
	}
}

func TestNumbersThatJSONLacksAreRefused(t *testing.T) {
	for _, bad := range []string{".nan", ".inf", "-.inf", "!!float x", "!!bool maybe"} {
		s, _ := file(t, "secret: {p: {k: "+bad+", c: "+canary+"}, q: {k: v}}\n")
		_, err := s.Get(context.Background(), at("p"), 0)
		kind(t, err, fault.Invalid)
		if got := get(t, s, "q"); got != `{"k":"v"}` {
			t.Errorf("a neighbour of %s is %s", bad, got)
		}
	}
}

func TestOversizedNodesAreRefused(t *testing.T) {
	s, _ := file(t, "a: &a "+strings.Repeat("x", 1<<20)+"\nsecret: {p: [*a, *a, *a]}\ndeep: {p: "+
		strings.Repeat("[", 70)+strings.Repeat("]", 70)+"}\n")
	_, err := s.Get(context.Background(), at("p"), 0)
	kind(t, err, fault.TooLarge)
	_, err = s.Get(context.Background(), secret.Ref{Tenant: tenant, Mount: "deep", Path: "p"}, 0)
	kind(t, err, fault.Invalid)
}

func TestOddFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "real.yaml")
	write(t, target, "secret: {p: x}\n")
	link := filepath.Join(dir, "secrets.yaml")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dir} {
		s := open(t, path)
		_, err := s.Get(context.Background(), at("p"), 0)
		kind(t, err, fault.Invalid)
		_, err = s.Put(context.Background(), at("p"), value(t, `{}`), nil)
		kind(t, err, fault.Invalid)
	}
	if text, _ := os.ReadFile(target); string(text) != "secret: {p: x}\n" {
		t.Fatal("a write went through a symbolic link")
	}
}

func TestEmptyFilesHoldNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "~\n", "{}\n", "---\n", "secret:\n", "secret: {}\n"} {
		s, _ := file(t, text)
		_, err := s.Get(context.Background(), at("p"), 0)
		kind(t, err, fault.NotFound)
		names, err := s.List(context.Background(), at(""), secret.ListOptions{})
		if err != nil || len(names) != 0 {
			t.Errorf("%q lists %q, %v", text, names, err)
		}
	}
}

func TestEditsByOthersAreSeen(t *testing.T) {
	s, path := file(t, "secret: {p: 1}\n")
	for i, text := range []string{"1", "2", "3", "44", "5"} { // the same size, within one clock tick
		write(t, path, "secret: {p: "+text+"}\n")
		if got := get(t, s, "p"); got != text {
			t.Fatalf("edit %d: read %s, want %s", i, got, text)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(context.Background(), at("p"), 0)
	kind(t, err, fault.NotFound)
}

func TestUnchangedFileIsNotReadAgain(t *testing.T) {
	s, path := file(t, "secret: {p: 1}\n")
	old := time.Now().Add(-time.Hour)
	stamp := func(text string) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.WriteString(text); err != nil || f.Close() != nil || os.Chtimes(path, old, old) != nil {
			t.Fatal("cannot rewrite the file in place")
		}
	}
	stamp("secret: {p: 1}\n")
	get(t, s, "p")
	stamp("secret: {p: 2}\n") // the same time, size and inode: nothing can tell
	if got := get(t, s, "p"); got != "1" {
		t.Fatalf("the file was read again: %s", got)
	}
	old = old.Add(time.Second)
	stamp("secret: {p: 3}\n")
	if got := get(t, s, "p"); got != "3" {
		t.Fatalf("a new modification time was overlooked: %s", got)
	}
}

func TestListedNames(t *testing.T) {
	s, _ := file(t, `
secret:
  env: {A: x, B: y}
  both: {k: v, inner: {k: v}}
  folder: {one: {k: v}, two: {deep: {k: [1]}}}
  token: scalar
  list: [1]
  hollow: {}
  "a b": {k: v}
  "*": {k: v}
  bad%2f: {in: {k: v}}
  "..": {k: v}
other: {x: {k: v}}
`)
	for _, c := range []struct {
		prefix string
		opts   secret.ListOptions
		want   []string
	}{
		{"", secret.ListOptions{}, []string{"both", "both/", "env", "folder/", "list", "token"}},
		{"", secret.ListOptions{Recursive: true}, []string{"both", "both/inner", "env", "folder/one", "folder/two/deep", "list", "token"}},
		{"", secret.ListOptions{After: "both", Limit: 2}, []string{"both/", "env"}},
		{"both", secret.ListOptions{}, []string{"inner"}},
		{"folder", secret.ListOptions{}, []string{"one", "two/"}},
		{"env", secret.ListOptions{}, nil},
		{"token", secret.ListOptions{}, nil},
		{"hollow", secret.ListOptions{}, nil},
		{"token/below", secret.ListOptions{}, nil},
	} {
		got, err := s.List(context.Background(), at(c.prefix), c.opts)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("list of %q %+v = %q, %v, want %q", c.prefix, c.opts, got, err, c.want)
		}
	}
}

func TestFileBelongsToOneTenant(t *testing.T) {
	s, path := file(t, "secret: {p: {k: v}}\n")
	before, _ := os.ReadFile(path)
	theirs := secret.Ref{Tenant: tenant + "b", Mount: "secret", Path: "p"}
	_, err := s.Get(context.Background(), theirs, 0)
	kind(t, err, fault.NotFound)
	_, err = s.Put(context.Background(), theirs, value(t, `{}`), nil)
	kind(t, err, fault.NotFound)
	kind(t, s.Delete(context.Background(), theirs, nil), fault.NotFound)
	theirs.Path = ""
	names, err := s.List(context.Background(), theirs, secret.ListOptions{})
	if err != nil || len(names) > 0 {
		t.Fatalf("another tenant lists %q, %v", names, err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Fatal("another tenant changed the file")
	}
}

func TestOpenRefusesHalfConfigurations(t *testing.T) {
	for name, cfg := range map[string]yamlfile.Config{
		"no tenant": {Now: time.Now}, "bad tenant": {Tenant: "A", Now: time.Now}, "no clock": {Tenant: tenant},
	} {
		if _, err := yamlfile.Open("x.yaml", cfg); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := yamlfile.Open("", yamlfile.Config{Tenant: tenant, Now: time.Now}); !errors.Is(err, fault.Invalid) {
		t.Errorf("no path: %v", err)
	}
}
