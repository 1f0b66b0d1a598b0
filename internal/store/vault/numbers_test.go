package vault

import (
	"fmt"
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// A number passes exactly when the shortest decimal of its float64, which is what a
// server prints, has the same numeric value.
func TestRepresentableAgreesWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := fmt.Sprint(rapid.Int64().Draw(t, "whole"))
		if rapid.Bool().Draw(t, "has a fraction") {
			literal += "." + rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "fraction")
		}
		if rapid.Bool().Draw(t, "has an exponent") {
			literal += rapid.SampledFrom([]string{"e", "E", "e+", "e-"}).Draw(t, "e") + fmt.Sprint(rapid.IntRange(0, 30).Draw(t, "power"))
		}
		exact, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatalf("%s is no number", literal)
		}
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
		if want := exact.Cmp(shown) == 0; representable(literal) != want {
			t.Fatalf("%s: representable %t, want %t", literal, !want, want)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{"errors":[]}`, `{"data":{"data":{"k":1},"metadata":{"version":1,"created_time":"2026-01-02T03:04:05Z"}}}`,
		`{"data":{"metadata":{"destroyed":true}}}`, `{"data":{"versions":{"1":{}}}}`, `{"data":{"keys":["a"]}}`,
	} {
		f.Add(404, []byte(body))
		f.Add(200, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := answer{status: status, body: body}
		s, err := readSecret(a)
		if err == nil && (!s.Value.IsObject() || status != 200) {
			t.Error("a secret was read from an answer that holds none")
		}
		if m, err := readMetadata(a); err == nil && status != 200 {
			t.Errorf("metadata was read: %+v", m)
		}
		if _, err := readVersion(a); err == nil && status != 200 {
			t.Error("a version was read from a refusal")
		}
		if names, err := readKeys(a); err == nil && status != 200 && len(names) > 0 {
			t.Error("names were read from a refusal")
		}
	})
}
