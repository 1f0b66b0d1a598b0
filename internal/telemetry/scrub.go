package telemetry

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// scrubber takes credentials out of texts that people did not mean to hold any.
type scrubber struct{ rules []rule }

// rule replaces what pattern finds; hint is a lower-case text without which it
// cannot match, so that the usual log line is not searched by a regular expression.
type rule struct {
	hint    string
	pattern *regexp.Regexp
	with    string
}

func newScrubber() *scrubber {
	return &scrubber{rules: []rule{
		{"eyj", regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)*`), redacted},
		{"bearer", regexp.MustCompile(`(?i)\b(bearer)[\s:=]+[^\s",;]+`), "$1 " + redacted},
		{"basic ", regexp.MustCompile(`\b((?i:basic))\s+[A-Za-z0-9+/_-]*[A-Z0-9+/=][A-Za-z0-9+/=_-]*`), "$1 " + redacted},
		{"dpop ", regexp.MustCompile(`(?i)\b(dpop)\s+[^\s",;]+`), "$1 " + redacted},
		{"hv", regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{8,}`), redacted},
		{"://", regexp.MustCompile(`(://)[^/\s@"]+@`), "${1}" + redacted + "@"},
		{"-----begin", regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|$)`), redacted},
	}}
}

// text gives in without credentials, and with the control and direction characters
// that JSON leaves alone made visible.
func (s *scrubber) text(in string) string {
	lower := strings.ToLower(in)
	for _, r := range s.rules {
		if strings.Contains(lower, r.hint) {
			in = r.pattern.ReplaceAllString(in, r.with)
		}
	}
	if strings.IndexFunc(in, hidden) < 0 {
		return in
	}
	var b strings.Builder
	for _, c := range in {
		if hidden(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// hidden characters change what a terminal shows; those below space are escaped by
// the JSON encoder.
func hidden(c rune) bool {
	return c >= 0x7f && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c))
}
