package wire_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

// fields is one body with a member of every form.
func fields(t *testing.T) wire.Fields {
	t.Helper()
	var f wire.Fields
	body := `{"text":"x","number":5,"literal":1.0,"true":true,"false":false,"null":null,"list":["1",2],"commas":"1, 2,,3",
		"object":{"a":"1","b":2,"c":null},"odd":{"a":[1]},"day":"24h","seconds":"90","empty":""}`
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestScalars(t *testing.T) {
	f := fields(t)
	for name, want := range map[string]string{
		"text": "x", "number": "5", "literal": "1.0", "true": "1", "false": "0", "empty": "",
	} {
		if got, ok := f.Scalar(name); !ok || got != want || f.Text(name) != want {
			t.Errorf("%s: %q %t", name, got, ok)
		}
	}
	for _, name := range []string{"null", "list", "object", "absent"} {
		if got, ok := f.Scalar(name); ok {
			t.Errorf("%s is a scalar: %q", name, got)
		}
	}
	if f.Given("null") || f.Given("absent") || !f.Given("empty") {
		t.Error("given is wrong")
	}
}

// check compares a read with what it must give; want nil stands for a refusal.
func check[T any](t *testing.T, name string, got T, err error, want any) {
	t.Helper()
	if want == nil {
		if fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(any(got), want) {
		t.Errorf("%s: %v, %v, want %v", name, got, err, want)
	}
}

func TestTypedReads(t *testing.T) {
	f := fields(t)
	five, yes, day, minute := int64(5), true, 24*time.Hour, 90*time.Second
	n, err := f.Integer("number")
	check(t, "number", n, err, &five)
	n, err = f.Integer("absent")
	check(t, "absent", n, err, (*int64)(nil))
	n, err = f.Integer("literal")
	check(t, "literal", n, err, nil)
	b, err := f.Boolean("true")
	check(t, "true", b, err, &yes)
	b, err = f.Boolean("text")
	check(t, "text", b, err, nil)
	d, err := f.Duration("day")
	check(t, "day", d, err, &day)
	d, err = f.Duration("seconds")
	check(t, "seconds", d, err, &minute)
	d, err = f.Duration("text")
	check(t, "text", d, err, nil)
}

func TestCollections(t *testing.T) {
	f := fields(t)
	l, err := f.List("commas")
	check(t, "commas", l, err, []string{"1", "2", "3"})
	l, err = f.List("list")
	check(t, "list", l, err, []string{"1", "2"})
	l, err = f.List("object")
	check(t, "object", l, err, nil)
	l, err = f.List("null")
	check(t, "null", l, err, []string(nil))
	is, err := f.Integers("list")
	check(t, "list", is, err, []int64{1, 2})
	is, err = f.Integers("text")
	check(t, "text", is, err, nil)
	o, err := f.Object("text")
	check(t, "text", o, err, nil)
	o, err = f.Object("null")
	check(t, "null", o, err, wire.Fields{})
	one, two := "1", "2"
	ts, err := f.Texts("object")
	check(t, "object", ts, err, map[string]*string{"a": &one, "b": &two, "c": nil})
	ts, err = f.Texts("odd")
	check(t, "odd", ts, err, nil)
}

func TestValues(t *testing.T) {
	read := func(text string) wire.Object {
		t.Helper()
		o, err := wire.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	// The examples of RFC 7396 whose target and patch are objects.
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if got := string(wire.Encode(wire.Merge(read(c[0]), read(c[1])))); got != c[2]+"\n" {
			t.Errorf("%s with %s gives %s, want %s", c[0], c[1], got, c[2])
		}
	}
	if got := string(wire.Encode(wire.Subkeys(read(`{"a":{"b":{"c":1}},"d":[{}]}`), 2))); got != `{"a":{"b":null},"d":null}`+"\n" {
		t.Errorf("subkeys: %s", got)
	}
	if got := string(wire.Encode(make(chan int))); got != `{"errors":["answer cannot be encoded"]}`+"\n" {
		t.Errorf("encode: %s", got)
	}
	if wire.Stamp(time.Time{}) != "" || wire.Stamp(time.Unix(0, 5).UTC()) != "1970-01-01T00:00:00.000000005Z" {
		t.Error("stamp is wrong")
	}
}
