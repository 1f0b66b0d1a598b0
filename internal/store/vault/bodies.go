package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
)

// putBody is the wire form of a write, the value as it is.
func putBody(value secret.Value, cas *int64) ([]byte, error) {
	raw := value.Reveal()
	if err := value.Storable(); err != nil {
		return nil, err
	}
	if err := checkNumbers(raw); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(raw) + 64)
	b.WriteString(`{"data":`)
	b.Write(raw)
	if cas != nil {
		b.WriteString(`,"options":{"cas":` + strconv.FormatInt(*cas, 10) + `}`)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// checkNumbers refuses numbers that the server, which keeps float64, would give
// back with another numeric value.
func checkNumbers(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.New(fault.Invalid, "value is not well-formed")
		}
		if n, ok := tok.(json.Number); ok && !representable(string(n)) {
			return fault.Coded(fault.Invalid, "NUMBER_NOT_REPRESENTABLE",
				"a number cannot be kept by this back end without changing its value")
		}
	}
}

// representable compares the literal with what a server prints for it: the
// shortest decimal that names the same float64.
func representable(literal string) bool {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsInf(f, 0) {
		return false
	}
	digits, exponent, ok := decimal(literal)
	shown, shownExponent, shownOK := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return ok && shownOK && digits == shown && exponent == shownExponent
}

// decimal gives a JSON number as 0.digits × 10^exponent, digits without zeros at
// either end, so that equal numbers have equal parts. The sign is left out: a
// float64 keeps it.
func decimal(literal string) (digits string, exponent int64, ok bool) {
	mantissa, power := strings.TrimPrefix(literal, "-"), "0"
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, power = mantissa[:i], mantissa[i+1:]
	}
	exponent, err := strconv.ParseInt(power, 10, 32)
	if err != nil {
		return "", 0, false
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent += int64(len(whole) - (len(whole+fraction) - len(digits)))
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		exponent = 0
	}
	return digits, exponent, true
}

func versionsBody(versions []int64) []byte {
	body, _ := json.Marshal(map[string][]int64{"versions": versions}) // numbers always encode
	return body
}

func number(name string, n int64) url.Values {
	return url.Values{name: {strconv.FormatInt(n, 10)}}
}

// detail is the public text of a fault.
func detail(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Detail
	}
	return ""
}
