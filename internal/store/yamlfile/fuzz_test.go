package yamlfile

import (
	"testing"

	"github.com/coffer-dev/coffer/internal/fault"
)

// FuzzDocument reads any text: it is refused, or every node of it is JSON or
// refused, and after a change it is the same for every other key.
func FuzzDocument(f *testing.F) {
	f.Add("# head\n\nother: 1 # line\nsecret:\n    # above\n    p: {k: v}\n    # foot\n")
	f.Add("a: &a {k: v}\nsecret: {p: *a, q: {<<: *a}}\n")
	f.Add("secret: {p: [!!float 1e999, 0x1f, .5, 2026-01-02]} # x\n")
	f.Add("secret:\n  p: |\n    one\n    two\n  q: >-\n    folded\n")
	f.Add("? p\n: \"\\0\"\n'': ~\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := parse([]byte(text))
		if err != nil {
			wantInvalid(t, err)
			return
		}
		before, _ := parse([]byte(text))
		way := []string{"written", "by", "the", "fuzzer"}
		node, _ := fromJSON([]byte(`{"k":"v"}`))
		if err := put(root(doc), way, node); err != nil {
			wantInvalid(t, err)
			return
		}
		data, err := encode(doc, indentOf(root(doc)))
		if err != nil {
			wantInvalid(t, err)
			return
		}
		after, err := parse(data)
		if err != nil || find(root(after), append(way, "k")) == nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for i := 0; i < len(root(before).Content); i += 2 {
			name := root(before).Content[i].Value
			if name != way[0] && !sameTree(root(before).Content[i+1], find(root(after), []string{name})) {
				t.Fatal("another key changed")
			}
		}
		if _, err := toValue(root(after)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("value: %v", err)
		}
	})
}

func wantInvalid(t *testing.T, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("error is %v, want invalid", err)
	}
}
