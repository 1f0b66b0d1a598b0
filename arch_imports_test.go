package coffer_test

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The layers, from the bottom. A name ending in /... means everything below it too.
const (
	vocabulary = "internal/fault internal/secret internal/config api/..."
	concepts   = "internal/identity internal/policy internal/audit internal/event internal/seal internal/telemetry/..."
	ledger     = "internal/ledger internal/ledger/once"
	useCases   = "internal/secrets internal/activity internal/tenants internal/bindings internal/subscriptions internal/keys"
	everything = "..."
)

// row says what the packages of a pattern may import of ours. Every package may
// import internal/fault and what lies below itself.
type row struct {
	pattern, may, why string
}

// importTable is read from the top; the first row that matches counts.
func importTable() []row {
	const adapter = "an adapter knows the concept it implements and the ledger, never a use case, a door or another adapter"
	return []row{
		{".", everything, ""},
		{"internal/fault", "", "vocabulary imports nothing: everybody depends on it"},
		{"internal/secret", "", "vocabulary imports nothing but faults: everybody depends on it"},
		{"internal/config", "", "vocabulary imports nothing but faults: everybody depends on it"},
		{"api/...", "", "wire types stand alone, so that a client can use them without the server"},
		{"client/...", "api/...", "the client is for other programs: it knows the wire and nothing of the server"},
		{"internal/identity", vocabulary, "a concept imports vocabulary and earlier concepts"},
		{"internal/policy", vocabulary + " internal/identity", "a concept imports vocabulary and earlier concepts"},
		{"internal/audit", vocabulary + " internal/identity internal/policy", "a concept imports vocabulary and earlier concepts"},
		{"internal/event", vocabulary + " internal/identity internal/policy internal/audit", "a concept imports vocabulary and earlier concepts"},
		{"internal/seal", vocabulary + " internal/identity internal/policy internal/audit internal/event", "a concept imports vocabulary and earlier concepts"},
		{"internal/guard", vocabulary + " " + concepts, "the guard joins decision and audit: it knows no store and no use case"},
		{"internal/telemetry/...", vocabulary + " " + concepts, "telemetry watches concepts and is known by none of them"},
		{"internal/ledger/...", vocabulary + " internal/event internal/seal internal/ledger internal/ledger/etcdnode internal/ledger/address", "the kernel keeps sealed records and events and knows no meaning of them"},
		{"internal/seal/kek", vocabulary + " internal/seal " + ledger, adapter},
		{"internal/store/...", vocabulary + " " + ledger, adapter},
		{"internal/identity/...", vocabulary + " internal/identity " + ledger, adapter},
		{"internal/policy/...", vocabulary + " internal/identity internal/policy " + ledger, adapter},
		{"internal/secrets/search", vocabulary + " " + concepts + " internal/guard", "search is a part of the secrets use case that only reads"},
		{"internal/secrets/codes", vocabulary, "codes names the faults of the secrets use case and knows nothing else of it"},
		{"internal/secrets", vocabulary + " " + concepts + " " + ledger + " internal/guard internal/secrets/search internal/secrets/codes", "a use case reaches adapters and other use cases through interfaces of its own"},
		{"internal/activity", vocabulary + " " + concepts, "a use case that only reads needs no ledger"},
		{"internal/tenants", vocabulary + " " + concepts + " " + ledger + " internal/policy/acl", "a use case reaches adapters and other use cases through interfaces of its own"},
		{"internal/bindings", vocabulary + " " + concepts + " " + ledger, "a use case reaches adapters and other use cases through interfaces of its own"},
		{"internal/subscriptions", vocabulary + " " + concepts + " " + ledger, "a use case reaches adapters and other use cases through interfaces of its own"},
		{"internal/keys", vocabulary + " " + concepts + " " + ledger, "a use case reaches adapters and other use cases through interfaces of its own"},
		{"internal/door/...", vocabulary + " internal/identity internal/door " + useCases, "a door translates a wire into a use case: it knows no adapter, no ledger and no other door"},
		{"internal/bus/...", vocabulary + " internal/identity internal/event internal/bus " + useCases, "the bus translates records into use cases and follows the event log: it knows no adapter, no ledger and no door"},
		{"internal/daemon/...", everything, ""},
		{"cmd/...", everything, ""},
		{"bench/...", everything, ""},
	}
}

// fence keeps a foreign package in the rooms that were built for it.
type fence struct {
	foreign, rooms, why string
}

func fences() []fence {
	return []fence{
		{"go.etcd.io", "internal/ledger/...", "what lies above the ledger must not know that it is etcd"},
		{"github.com/twmb/franz-go", "internal/bus/...", "only the bus speaks Kafka"},
		{"github.com/openbao/openbao/api", "internal/store/vault/...", "only the vault store speaks to an outside server"},
		{"github.com/hashicorp/vault/api", "internal/store/vault/...", "only the vault store speaks to an outside server"},
		{"github.com/hashicorp/hcl", "internal/policy/acl", "only policy/acl reads policy texts"},
		{"k8s.io/kms", "internal/seal/kek", "only seal/kek speaks to a key plug-in"},
		{"go.opentelemetry.io", "internal/telemetry/...", "traces bring many modules; they stay behind telemetry"},
		{"github.com/spf13/cobra", "cmd/...", "the command line ends in cmd"},
		{
			"net/http",
			"internal/door/... internal/identity/... internal/policy/authzen internal/store/vault/... internal/telemetry/... internal/daemon/... client/... cmd/... bench/...",
			"HTTP belongs to doors, to adapters that call out, to telemetry and to the composition",
		},
	}
}

func importRules(r room) []string {
	if r.support() {
		return nil
	}
	rule, ok := rowOf(r.dir)
	if !ok {
		return []string{r.dir + ": is in no row of the import table; decide its layer and add it, so that its neighbours are a choice"}
	}
	var out []string
	for _, s := range r.production() {
		for _, name := range ours(s) {
			if isSupport(name) {
				out = append(out, fmt.Sprintf("%s: imports %s, which exists for tests alone", s.path, name))
			} else if !mayImport(r.dir, name, rule) {
				out = append(out, fmt.Sprintf("%s: %s must not import %s: %s", s.path, r.dir, name, rule.why))
			}
		}
	}
	return out
}

func mayImport(dir, name string, rule row) bool {
	if name == "internal/fault" && !matches("client/...", dir) || strings.HasPrefix(name, dir+"/") || anyMatches(rule.may, name) {
		if matches("api/...", name) && matches("internal/door/...", dir) {
			return path.Base(name) == path.Base(dir) || dir == "internal/door"
		}
		return !sibling(dir, name)
	}
	return false
}

// sibling says whether both are different rooms of the doors or of the bus.
func sibling(dir, name string) bool {
	const doors = "internal/door/"
	return strings.HasPrefix(dir, doors) && strings.HasPrefix(name, doors) && !strings.HasPrefix(name, dir+"/")
}

func foreignRules(r room) []string {
	if r.support() {
		return nil
	}
	var out []string
	for _, s := range r.production() {
		for _, name := range imports(s) {
			for _, f := range fences() {
				if (name == f.foreign || strings.HasPrefix(name, f.foreign+"/")) && !anyMatches(f.rooms, r.dir) {
					out = append(out, fmt.Sprintf("%s: %s must not import %s: %s", s.path, r.dir, name, f.why))
				}
			}
		}
	}
	return out
}

func rowOf(dir string) (row, bool) {
	// An exact row comes before a pattern, so that internal/seal/kek is no seal.
	for _, exact := range []bool{true, false} {
		for _, r := range importTable() {
			if exact && r.pattern == dir || !exact && matches(r.pattern, dir) {
				return r, true
			}
		}
	}
	return row{}, false
}

func imports(s source) []string {
	var out []string
	for _, i := range s.syntax.Imports {
		if name, err := strconv.Unquote(i.Path.Value); err == nil {
			out = append(out, name)
		}
	}
	return out
}

// ours are the imports of this module, relative to it.
func ours(s source) []string {
	var out []string
	for _, name := range imports(s) {
		if rest, ok := strings.CutPrefix(name, module+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

func anyMatches(patterns, dir string) bool {
	for _, p := range strings.Fields(patterns) {
		if matches(p, dir) {
			return true
		}
	}
	return false
}

func matches(pattern, dir string) bool {
	base, below := strings.CutSuffix(pattern, "...")
	base = strings.TrimSuffix(base, "/")
	return dir == base || below && (base == "" || strings.HasPrefix(dir, base+"/"))
}
