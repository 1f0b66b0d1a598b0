package tenants

import (
	"fmt"
	"strings"
)

// Template is the policy of a tenant: its group's own paths, one pair of rules for
// every kind of object.
type Template struct {
	Mount  string // default "secret"
	Prefix string // inside the mount; default "hypo"
	// Kinds that the tenant may write; nil takes all six.
	Kinds []string
	// ReadKinds that the tenant may only read; nil takes service-order.
	ReadKinds []string
}

// Text is the policy of one group, whose name FromClaim made: nothing else may be
// written into rules.
func (t Template) Text(group string) string {
	t = t.withDefaults()
	var b strings.Builder
	b.WriteString(marker(group) + "\n")
	rule := func(api, kind, capabilities string) {
		fmt.Fprintf(&b, "path \"%s/%s/%s/%s/%s/*\" { capabilities = [%s] }\n", t.Mount, api, t.Prefix, kind, group, capabilities)
	}
	for _, kind := range t.Kinds {
		rule("data", kind, `"create","read","update","patch","delete"`)
		rule("metadata", kind, `"read","list","delete"`)
	}
	for _, kind := range t.ReadKinds {
		rule("data", kind, `"read"`)
		rule("metadata", kind, `"read","list"`)
	}
	return b.String()
}

func (t Template) withDefaults() Template {
	if t.Mount == "" {
		t.Mount = "secret"
	}
	if t.Prefix == "" {
		t.Prefix = "hypo"
	}
	if t.Kinds == nil {
		t.Kinds = []string{
			"image-pull", "package-registry", "kubernetes-config", "kubernetes-sa-config", "service-order-data", "fabric-secret",
		}
	}
	if t.ReadKinds == nil {
		t.ReadKinds = []string{"service-order"}
	}
	return t
}

const managed = "# hypo-registry: managed; group="

// marker is the first line of a tenant's policy. Policy names fold case and group
// names in paths do not, so the marker tells whose policy it is.
func marker(group string) string { return managed + group }

// markedFor says whether a policy's text was made for the group.
func markedFor(text, group string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(first, "\r") == marker(group)
}

// isManaged says whether a policy's text was made for some group.
func isManaged(text string) bool { return strings.HasPrefix(text, managed) }
