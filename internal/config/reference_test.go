package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func decodeText(t *testing.T, text string) (Config, Problems) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reference.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Config
	var problems Problems
	root := reflect.ValueOf(&c).Elem()
	setDefaults(root, Serve)
	readFile(root, Options{File: path, Mode: Serve, Env: os.LookupEnv}, &problems)
	return c, problems
}

// The reference changes nothing as it stands, and neither when every setting in it
// is active, so the defaults it shows are the true ones.
func TestReferenceParsesBack(t *testing.T) {
	var want Config
	setDefaults(reflect.ValueOf(&want).Elem(), Serve)
	if got, problems := decodeText(t, Reference()); len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Fatalf("as it stands: %v\n%v", problems, got)
	}
	active := regexp.MustCompile(`(?m)^(\s*)#([a-z])`).ReplaceAllString(Reference(), "$1$2")
	got, problems := decodeText(t, active)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	nilEmpty(reflect.ValueOf(&got).Elem())
	nilEmpty(reflect.ValueOf(&want).Elem())
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("active:\n%+v\nwant\n%+v", got, want)
	}
}

// nilEmpty makes absent and empty lists equal.
func nilEmpty(v reflect.Value) {
	walk(v, func(f field) {
		if k := f.value.Kind(); (k == reflect.Slice || k == reflect.Map) && f.value.Len() == 0 {
			f.value.SetZero()
		}
	})
}

func TestReferenceIsComplete(t *testing.T) {
	text := Reference()
	check := func(f field) {
		if doc := f.tag.Get("doc"); doc == "" || !strings.Contains(text, doc) {
			t.Errorf("%s: its sentence %q is not in the reference", f.path, doc)
		}
		for _, name := range f.env {
			if !strings.Contains(text, name) {
				t.Errorf("%s: variable %s is not in the reference", f.path, name)
			}
		}
	}
	var c Config
	walk(reflect.ValueOf(&c).Elem(), func(f field) {
		check(f)
		if !regexp.MustCompile(`(?m)^\s*#?` + f.tag.Get("yaml") + `:`).MatchString(text) {
			t.Errorf("%s is not in the reference", f.path)
		}
		if s := shapeOf(f.value.Type()); s == list || s == table {
			walkFrom(reflect.New(f.value.Type().Elem()).Elem(), "", noEnv, func(m field) {
				if shapeOf(m.value.Type()) == leaf && !strings.Contains(text, "  "+m.path+": ") {
					t.Errorf("%s: member %s is not in the reference", f.path, m.path)
				}
			})
		}
	})
}

// A default or bound that does not parse would be passed over in silence.
func TestTagsAreSound(t *testing.T) {
	seen := map[string]string{}
	sound := func(f field) {
		for _, mode := range []Mode{"", Dev, Serve} {
			text := byDefault(f.tag, mode)
			if text == "" || shapeOf(f.value.Type()) != leaf {
				continue
			}
			if err := assign(f, text, mode); err != nil {
				t.Errorf("%s: default %q: %v", f.path, text, err)
			}
		}
		for _, name := range f.env {
			if seen[name] != "" {
				t.Errorf("%s is the variable of %s and %s", name, seen[name], f.path)
			}
			seen[name] = f.path
		}
		if !strings.HasSuffix(f.tag.Get("doc"), ".") {
			t.Errorf("%s: its sentence does not end", f.path)
		}
	}
	var c Config
	walk(reflect.ValueOf(&c).Elem(), func(f field) {
		sound(f)
		if s := shapeOf(f.value.Type()); s == list || s == table {
			walkFrom(reflect.New(f.value.Type().Elem()).Elem(), f.path, noEnv, sound)
		}
	})
	if len(seen) < 60 {
		t.Errorf("only %d variables: the walk misses settings", len(seen))
	}
}
